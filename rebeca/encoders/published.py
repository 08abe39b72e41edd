"""CLIP's published image towers, prepared and run on the device; loaded when the first image comes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from weakref import WeakValueDictionary

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.device import in_halves, precision
from rebeca.errors import MissingDependency
from rebeca.images import batches
from rebeca.interfaces import Encoder
from rebeca.params import Count
from rebeca.published import PREFIX, identity, locate
from rebeca.weights import quiet, reading

BATCH = 64
_TOWERS: WeakValueDictionary[tuple[str, str, str], Any] = WeakValueDictionary()
"""Towers by weights, precision and device, so that the auditor and LAION share one for as long as either uses it."""


@dataclass(frozen=True, slots=True)
class PublishedParams:
    """Parameters of a task file.

    Attributes:
        name: One of the published image towers; given after the colon.
        dtype: ``auto`` is half precision on a GPU and single elsewhere; embeddings are single precision either way.
        batch: Images per batch; halved where memory is short.
    """

    name: Literal["vit-h", "vit-g", "vit-l"]
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    batch: Count = BATCH


class Published(Encoder[PublishedParams]):
    """``published:vit-h``, ``vit-g`` or ``vit-l``: un-normalised embeddings, as IP-Adapter takes them.

    Images are brought to the tower's size by transformers' own preparation, on the device: shortest side, bicubic with
    antialiasing, middle square, CLIP's mean and deviation.
    """

    Params = PublishedParams
    ARGUMENT = "name"

    @classmethod
    def space(cls, params: PublishedParams) -> str:
        return f"{PREFIX}{params.name}"

    @classmethod
    def fingerprint(cls, params: PublishedParams) -> str:
        return identity(params.name)

    @property
    def _name(self) -> str:
        return f"{PREFIX}{self.params.name}"

    @cached_property
    def _sizes(self) -> tuple[int, int]:
        """Side of a prepared image in pixels, and length of an embedding."""
        path = locate(self._name) / "config.json"
        with reading(f"encoder '{self._name}': {path} cannot be read", MissingDependency):
            whole = json.loads(path.read_text(encoding="utf-8"))
            tower = whole.get("vision_config", whole)  # a whole CLIP has two towers
            return int(tower["image_size"]), int(whole["projection_dim"])

    @property
    def dim(self) -> int:
        return self._sizes[1]

    @cached_property
    def _net(self) -> Any:
        import torch
        from transformers import CLIPVisionModelWithProjection

        device = self.context.device
        dtype = precision(self.params.dtype, device)
        key = (identity(self._name), dtype, device)
        if (loaded := _TOWERS.get(key)) is not None:
            return loaded
        hint = "rebeca-bench weights check TASK"
        with reading(f"encoder '{self._name}' cannot be loaded", MissingDependency, hint), quiet():
            net = CLIPVisionModelWithProjection.from_pretrained(
                str(locate(self._name)), use_safetensors=True, dtype=getattr(torch, dtype)
            )
        net = _TOWERS[key] = net.eval().to(device)
        return net

    @cached_property
    def _prepare(self) -> Any:
        from transformers import CLIPImageProcessor

        side = self._sizes[0]
        return CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        out = np.empty((len(images), self.dim), np.float32)
        start = 0
        for batch in batches(images, self.params.batch):
            out[start : start + len(batch)] = in_halves(self._features, batch)
            start += len(batch)
        return out

    def _features(self, batch: Sequence[Pixels]) -> Floats:
        import torch

        with torch.inference_mode():
            # on the device before anything else: preparing 512 x 512 pixels costs a CPU core 3 ms per image
            raw = [torch.from_numpy(np.array(image)).to(self.context.device).permute(2, 0, 1) for image in batch]
            x = self._prepare(images=raw, return_tensors="pt", device=self.context.device)["pixel_values"]
            return self._net(pixel_values=x.to(self._net.dtype)).image_embeds.float().cpu().numpy()
