"""Figures of a task, from its records alone; one module per family, listed in :mod:`benchmark.figures.build`."""
