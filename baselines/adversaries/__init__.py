"""Generators that try to fool the judges, for ``rebeca-bench stress``: one idea per module.

They know what a stranger knows: the training ratings, the catalogue's pixels, and the package with its encoders.
:mod:`baselines.adversaries.choosing` alone is privileged. ``adversaries.yaml`` lists them as a task file would.
"""
