"""What a torch device means for numbers and for memory."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from rebeca.arrays import Floats
from rebeca.errors import SpecError, out_of_memory

T = TypeVar("T")


def device_class(device: str) -> str:
    """``cpu``, ``cuda`` or ``mps``: the kind of a torch device, without its number."""
    return device.partition(":")[0]


def on_processor(device: str) -> bool:
    """Whether a torch device is the CPU, which shares the machine's memory."""
    return device_class(device) == "cpu"


def precision(dtype: str, device: str) -> str:
    """``float16``, ``bfloat16`` or ``float32``; ``auto`` is half precision on every device but the CPU."""
    if dtype != "auto":
        return dtype
    return "float32" if on_processor(device) else "float16"


def check_device(device: str) -> None:
    """Refuses a torch device that this machine lacks.

    Raises:
        SpecError: With torch's reason.
    """
    if not isinstance(device, str):
        raise SpecError(f"device: expected a text, found {device!r}", hint="write it as 'cpu' or 'cuda:0'")
    if device == "cpu":
        return
    import torch

    try:
        torch.zeros(1, device=device).item()  # the device "meta" holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SpecError(f"device: {device} cannot be used ({str(error).splitlines()[0]})", hint="use cpu") from error


def empty_cache() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def in_halves(work: Callable[[Sequence[T]], Floats], batch: Sequence[T]) -> Floats:
    """``work`` on a batch, or on its halves and theirs where memory is short.

    Args:
        work: Returns an array with one row per element.
        batch: At least one element.

    Raises:
        RuntimeError: If memory is short for a single element, or for another reason.
    """
    try:
        return work(batch)
    except RuntimeError as error:
        if not out_of_memory(error) or len(batch) == 1:
            raise
    empty_cache()  # here, where the error that holds what was computed is gone
    half = len(batch) // 2
    return np.concatenate([in_halves(work, batch[:half]), in_halves(work, batch[half:])])


def in_batches(work: Callable[[Sequence[T]], Floats], inputs: Sequence[T], size: int, width: int) -> Floats:
    """float32 [n, width]; ``work`` on n inputs, ``size`` at a time or fewer where memory is short."""
    out = np.empty((len(inputs), width), np.float32)
    for start in range(0, len(inputs), size):
        out[start : start + size] = in_halves(work, inputs[start : start + size])
    return out
