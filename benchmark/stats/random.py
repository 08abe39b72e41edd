"""Random numbers that depend on what is tested, never on when or beside what."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(*name: str | int) -> np.random.Generator:
    """The generator of the test ``name``, e.g. (analysis hash, "sign-flips", pair)."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in name).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest[:16], "big")))
