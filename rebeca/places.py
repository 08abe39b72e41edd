"""Folders for files that are kept between runs."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """The system's folder for caches, on Linux ``$XDG_CACHE_HOME/rebeca-bench`` or ``~/.cache/rebeca-bench``."""
    return user_cache_path("rebeca-bench", appauthor=False)
