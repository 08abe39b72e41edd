"""Synthetic worlds, in which every user's taste is known."""
