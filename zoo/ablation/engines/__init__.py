"""Engines: they start `python -m zoo.run DIR` for many folders and say what came of each."""
