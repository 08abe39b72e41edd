"""Decoders: points of a prior's space to images."""
