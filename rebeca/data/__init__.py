"""Ratings, items and how they are divided."""
