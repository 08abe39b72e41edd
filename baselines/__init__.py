"""Generators to compare with: catalogue retrieval and images that exist already."""
