"""Whether a device is there."""

from __future__ import annotations

from rebeca.errors import SpecError


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
