"""zoo: interchangeable parts for language models, and an honest answer to which of them is worth its compute."""

__version__ = "0.1.0"
