"""Figures of a task, from its records alone; one module a family, listed in :mod:`benchmark.figures.build`."""
