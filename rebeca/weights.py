"""Weights and checkpoints on disk, written through Python's own files so that a full disk is an ``OSError``."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from rebeca.errors import RebecaError, StoreError, of_machine

if TYPE_CHECKING:
    from torch import Tensor

DAMAGED = ".damaged"
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    RuntimeError,
    StopIteration,
    SafetensorError,
    pickle.UnpicklingError,
)
"""What the libraries that read weights raise for files that are missing, damaged, or of another model."""


@contextmanager
def reading(message: str, kind: type[RebecaError], hint: str = "") -> Iterator[None]:
    """Raises one message for whatever libraries raise for weights that they cannot read.

    Failures of the machine stay what they are.

    Args:
        message: What cannot be read; the library's first line is added.
        kind: The error to raise.
        hint: Its hint.
    """
    try:
        yield
    except UNREADABLE as error:
        if of_machine(error):
            raise
        reason = str(error).splitlines() or [type(error).__name__]
        raise kind(f"{message} ({reason[0]})", hint=hint) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Hides progress bars, advice and loading reports of diffusers and transformers; errors are shown."""
    import diffusers.utils.logging as diffusers_logging
    import transformers.utils.logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, (level, bars) in zip(libraries, before, strict=True):
            library.set_verbosity(level)
            if bars:
                library.enable_progress_bar()


def folder_to_write(folder: str | Path) -> Path:
    """The folder, created if need be.

    Raises:
        StoreError: If it cannot be.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise StoreError(f"{folder}: no folder can be created there ({error.strerror})", hint="name another") from error
    return Path(folder)


def save_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors as safetensors, from whatever device."""
    from safetensors.torch import save

    path.write_bytes(save({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}))


def save_checkpoint(path: Path, state: Mapping[str, object]) -> None:
    """Writes the state of an unfinished fit, whole or not at all, after the SHA-256 of it."""
    import torch

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


def load_checkpoint(path: Path, device: str) -> Any:
    """What :func:`save_checkpoint` wrote, or None where no file is; a damaged one is renamed ``*.damaged``."""
    import torch

    if not path.exists():
        return None
    raw = path.read_bytes()
    if hashlib.sha256(raw[32:]).digest() != raw[:32]:
        path.replace(path.with_suffix(DAMAGED))
        return None
    return torch.load(BytesIO(raw[32:]), map_location=device, weights_only=True)
