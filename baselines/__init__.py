"""Generators to compare with: catalogue retrieval and pictures that exist already."""
