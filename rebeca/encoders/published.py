"""CLIP's published image towers, prepared and run on the device; loaded when the first picture comes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.device import in_halves, precision
from rebeca.errors import MissingDependency, SpecError
from rebeca.interfaces import Encoder
from rebeca.published import PREFIX, identity, locate
from rebeca.quiet import quiet
from rebeca.weights import reading

BATCH = 64
READERS = 8
"""Threads that read and decode pictures ahead of the device."""
_TOWERS: WeakValueDictionary[tuple[str, str, str], Any] = WeakValueDictionary()
"""Towers by weights, precision and device; the auditor and LAION look through one, for as long as either is there. A
cache of the process, as the pipeline is: it changes no result."""
DTYPES = ("auto", "float32", "float16", "bfloat16")


class PublishedEncoder(Encoder):
    """``published:vit-h``, ``vit-g`` or ``vit-l``: un-normalised embeddings, as IP-Adapter takes them.

    Pictures are brought to the tower's size by transformers' own preparation, on the device: shortest side, bicubic
    with antialiasing, middle square, CLIP's mean and deviation.

    Args:
        name: After the colon.
        device: Torch device.
        dtype: ``auto`` is half precision on a GPU and single elsewhere; vectors are single precision either way.
        batch: Pictures at once; halved where memory is short.
    """

    def __init__(self, name: str, device: str = "cpu", dtype: str = "auto", batch: int = BATCH) -> None:
        if dtype not in DTYPES:
            raise SpecError(f"encoder '{PREFIX}{name}': dtype is {dtype!r}", hint=f"allowed: {', '.join(DTYPES)}")
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise SpecError(f"encoder '{PREFIX}{name}': batch is {batch!r}, expected a positive whole number")
        self.name, self.device, self.dtype, self._batch = f"{PREFIX}{name}", device, dtype, batch

    @cached_property
    def _config(self) -> dict[str, Any]:
        path = locate(self.name) / "config.json"
        with reading(f"encoder '{self.name}': {path} cannot be read", MissingDependency):
            found = json.loads(path.read_text(encoding="utf-8"))
            own: dict[str, Any] = found.get("vision_config", found)  # a whole CLIP keeps its image tower's apart
            return {"image_size": int(own["image_size"]), "projection_dim": int(found["projection_dim"])}

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Numbers of a vector."""
        return int(self._config["projection_dim"])

    @property
    def fingerprint(self) -> str:
        """Weights and precision."""
        return f"published/1/{identity(self.name)}/{self.dtype}"

    @cached_property
    def _net(self) -> Any:
        import torch
        from transformers import CLIPVisionModelWithProjection

        dtype = precision(self.dtype, self.device)
        key = (identity(self.name), dtype, self.device)
        if (there := _TOWERS.get(key)) is not None:
            return there
        hint = "rebeca-bench weights check TASK"
        with reading(f"encoder '{self.name}' cannot be loaded", MissingDependency, hint), quiet():
            net = CLIPVisionModelWithProjection.from_pretrained(
                str(locate(self.name)), use_safetensors=True, dtype=getattr(torch, dtype)
            )
        net = _TOWERS[key] = net.eval().to(self.device)
        return net

    @cached_property
    def _prepare(self) -> Any:
        from transformers import CLIPImageProcessor

        side = int(self._config["image_size"])
        return CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})

    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """float32 [n, dim]."""
        out = np.empty((len(pictures), self.dim), np.float32)
        start = 0
        with ThreadPoolExecutor(READERS) as pool:
            for batch in _ahead(pictures, self._batch, pool):
                out[start : start + len(batch)] = in_halves(self._features, batch)
                start += len(batch)
        return out

    def _features(self, batch: Sequence[Pixels]) -> Floats:
        import torch

        with torch.inference_mode():
            # on the device before anything else: preparing 512 x 512 pixels costs a core 3 ms a picture
            raw = [torch.from_numpy(np.array(picture)).to(self.device).permute(2, 0, 1) for picture in batch]
            x = self._prepare(images=raw, return_tensors="pt", device=self.device)["pixel_values"]
            made: Floats = self._net(pixel_values=x.to(self._net.dtype)).image_embeds.float().cpu().numpy()
        return made


def _ahead(pictures: Sequence[Pixels], size: int, pool: ThreadPoolExecutor) -> Iterator[list[Pixels]]:
    """Batches of pictures; the next one is read while this one is used."""
    starts = range(0, len(pictures), size)
    waiting = [pool.submit(pictures.__getitem__, i) for i in range(min(size, len(pictures)))]
    for start in starts:
        batch = [one.result() for one in waiting]
        following = range(start + size, min(start + 2 * size, len(pictures)))
        waiting = [pool.submit(pictures.__getitem__, i) for i in following]
        yield batch
