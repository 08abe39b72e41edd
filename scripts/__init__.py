"""Programs behind the docs, the shipped weights and the checks of the project."""
