"""How many users a task needs, and whether the tests hold their level on it."""
