"""Generators that somebody hands in: how a bundle is made, what is checked, and what readers are told."""
