"""Finished runs -> table and plot: pure functions of the run folders."""
