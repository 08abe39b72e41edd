"""Weights and checkpoints on disk, written through Python's own files so that a full disk is an ``OSError``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

DAMAGED = ".damaged"


def save_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors as safetensors, from whatever device."""
    path.write_bytes(save({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}))


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes the state of an unfinished fit, whole or not at all, after the SHA-256 of it."""
    buffer = BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as stream:
        stream.write(hashlib.sha256(data).digest() + data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path, device: str) -> dict[str, Any] | None:
    """What :func:`save_checkpoint` wrote, or None where there is nothing; a damaged file is renamed ``*.damaged``."""
    if not path.exists():
        return None
    raw = path.read_bytes()
    if hashlib.sha256(raw[32:]).digest() != raw[:32]:
        path.replace(path.with_suffix(DAMAGED))
        return None
    state: dict[str, Any] = torch.load(BytesIO(raw[32:]), map_location=device, weights_only=True)
    return state
