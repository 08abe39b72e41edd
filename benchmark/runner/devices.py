"""Whether a device is there, what it is, and how much fits on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebeca.device import on_processor
from rebeca.errors import SpecError
from rebeca.seeds import digest_of

if TYPE_CHECKING:
    from rebeca.interfaces import Decoder


def device_name(device: str) -> str:
    """Which device it is, as its maker calls it."""
    if device.partition(":")[0] != "cuda":
        return device
    import torch

    return torch.cuda.get_device_name(torch.device(device))


def rehearsed(decoder: Decoder[Any], inputs: Any, device: str, folder: Path) -> int | None:
    """How many pictures a decoder makes at once: what an earlier run on this kind of device found, or tried out now.

    Half precision rounds otherwise in another batch, so a resumed run must not choose anew.

    Args:
        decoder: The decoder.
        inputs: All that its pictures depend on, as JSON.
        device: Torch device.
        folder: Where what was found is kept.
    """
    if on_processor(device):
        return decoder.rehearse()
    path = folder / f"{digest_of([inputs, device_name(device)])}.json"
    if path.is_file():
        return decoder.rehearse(int(json.loads(path.read_text(encoding="utf-8"))["batch"]))
    batch = decoder.rehearse()
    if batch is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"batch": batch}), encoding="utf-8")
        temporary.replace(path)
    return batch


def check_device(device: str) -> None:
    """Refuses a device that is not there, before any work.

    Raises:
        SpecError: Naming it.
    """
    if device == "cpu":
        return
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise SpecError(f"--device {device}: no such kind of device", hint="use cpu, cuda or cuda:N") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise SpecError(
            f"--device {device}: there is no CUDA device here", hint="rebeca-bench doctor says what there is"
        )
