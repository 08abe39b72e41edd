"""Ratings, pictures and how they are divided."""
