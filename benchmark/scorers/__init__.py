"""Scorers: each one small file, registered by entry points."""
