"""CLIP image encoders through open_clip and transformers; weights come from a cache or a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from rebeca.arrays import Floats, Pixels
from rebeca.device import in_halves
from rebeca.errors import MissingDependency, SpecError
from rebeca.interfaces import Encoder
from rebeca.quiet import quiet
from rebeca.seeds import digest_of
from rebeca.weights import reading, weights_hash

BATCH = 32
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of RGB in [0, 1], as every CLIP model was trained with."""


class OpenClipEncoder(Encoder):
    """``open_clip:<model>/<pretrained>``, e.g. ``open_clip:ViT-H-14/laion2b_s32b_b79k``; un-normalised features.

    ``pretrained`` may be a local checkpoint file. A random model is never returned silently.
    """

    def __init__(self, model: str, pretrained: str, device: str = "cpu") -> None:
        if model == "ViT-L-14" and pretrained == "openai":
            raise SpecError(
                "open_clip builds ViT-L-14/openai with the wrong activation", hint="use ViT-L-14-quickgelu/openai"
            )
        import open_clip

        self.name = f"open_clip:{model}/{pretrained}"
        self.device = device
        hint = "prefetch them into the hub cache, or name a local checkpoint file after the slash"
        with reading(f"{self.name}: weights are not available", MissingDependency, hint):
            net, _, self._prepare = open_clip.create_model_and_transforms(
                model, pretrained=pretrained, require_pretrained=True
            )
        self._net: Any = net.eval().to(device)
        self.dim = int(self._net.visual.output_dim)
        self._hash = weights_hash(self._net.visual.state_dict())

    @property
    def fingerprint(self) -> str:
        """Name and weights."""
        return f"{self.name}/1/{self._hash}"

    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """float32 [n, dim]."""
        import torch

        def features(batch: Sequence[Pixels]) -> Any:
            x = torch.stack([self._prepare(Image.fromarray(p)) for p in batch]).to(self.device)
            return self._net.encode_image(x)

        return _in_batches(pictures, self.dim, features)


class TransformersEncoder(Encoder):
    """``transformers:<repository or folder>``: image embeddings of a CLIP vision model with projection."""

    def __init__(self, source: str, device: str = "cpu", name: str | None = None) -> None:
        from transformers import AutoImageProcessor, CLIPVisionModelWithProjection

        self.name = name or f"transformers:{source}"
        self.device = device
        hint = (
            f"hf download {source}, or give a folder with config.json, preprocessor_config.json and model.safetensors"
        )
        # quiet: a whole CLIP's folder holds a text tower, too, which would be reported as unexpected
        with reading(f"{self.name}: not available", MissingDependency, hint), quiet():
            net = CLIPVisionModelWithProjection.from_pretrained(source, use_safetensors=True)
            self._processor: Any = AutoImageProcessor.from_pretrained(source)
        self._net: Any = net.eval().to(device)
        self.dim = int(net.config.projection_dim)
        self._hash = weights_hash(net.state_dict())
        if name is None:  # a shipped model's preparation is the code's, somebody's folder's is the folder's
            self._hash += f"/{digest_of([type(self._processor).__name__, self._processor.to_dict()])}"

    @property
    def fingerprint(self) -> str:
        """Name, weights and, of a folder or repository, how pictures are prepared."""
        return f"{self.name}/1/{self._hash}"

    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """float32 [n, dim]; un-normalised, as IP-Adapter takes them."""

        def features(batch: Sequence[Pixels]) -> Any:
            x = self._processor(images=[Image.fromarray(p) for p in batch], return_tensors="pt")["pixel_values"]
            return self._net(pixel_values=x.to(self.device)).image_embeds

        return _in_batches(pictures, self.dim, features)


def _in_batches(pictures: Sequence[Pixels], dim: int, features: Callable[[Sequence[Pixels]], Any]) -> Floats:
    import torch

    def vectors(batch: Sequence[Pixels]) -> Floats:
        with torch.inference_mode():
            found: Floats = features(batch).float().cpu().numpy()
        return found

    out = np.empty((len(pictures), dim), np.float32)
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        out[start : start + len(batch)] = in_halves(vectors, batch)
    return out
