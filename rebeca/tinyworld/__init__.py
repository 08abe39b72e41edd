"""Tinyworld: rendered postcards, users with a known taste, and miniature models trained on these postcards."""
