"""Tinyworld: rendered postcards, people with a known taste, and a trained miniature of the whole picture stack."""
