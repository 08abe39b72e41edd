"""Devices: whether one is available, its name, and the batch that fits on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmark.disk import write_atomically
from benchmark.task.declared import address_of
from rebeca.device import device_class, on_processor
from rebeca.errors import SpecError
from rebeca.interfaces import Decoder
from rebeca.seeds import digest_of


def device_name(device: str) -> str:
    """The device, as its maker calls it."""
    if device_class(device) != "cuda":
        return device
    import torch

    return torch.cuda.get_device_name(torch.device(device))


def rehearsed(decoder: Decoder[Any], use: str, params: Any, device: str, folder: Path) -> int | None:
    """How many images fit into one batch, as an earlier run on this kind of device measured or as measured now.

    In half precision another batch rounds differently, so a resumed run must use the batch of the first.

    Args:
        decoder: The decoder.
        use: Its registered name.
        params: Its parameters.
        device: Torch device.
        folder: Where measured batches are kept.

    Returns:
        None where the batch does not matter.
    """
    if on_processor(device):
        return decoder.rehearse()
    path = folder / f"{digest_of([address_of('decoder', use, params), device_name(device)])}.json"
    if path.is_file():
        return decoder.rehearse(int(json.loads(path.read_text(encoding="utf-8"))["batch"]))
    batch = decoder.rehearse()
    if batch is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({"batch": batch}).encode())
    return batch


def check_device(device: str) -> None:
    """Refuses a device that this machine does not have, before any work.

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
    available = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(
        kind, 0
    )
    index = torch.device(device).index or 0
    if index >= available:
        what = f"{kind.upper()} device number {index}" if available else f"{kind.upper()} device"
        raise SpecError(f"--device {device}: this machine has no {what}", hint="rebeca-bench doctor lists the devices")
