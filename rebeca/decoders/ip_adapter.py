"""Which base model an IP-Adapter is for, read from the shapes in its file before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open

from rebeca.errors import MissingDependency, SpecError
from rebeca.weights import reading

BASES = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "SDXL"}
"""By the width of the text embeddings that a UNet attends to."""
ENCODERS = {768: "CLIP ViT-L/14", 1024: "CLIP ViT-H/14", 1280: "CLIP ViT-bigG/14"}
"""By the length of an image embedding."""
NORM, PROJECTION = "image_proj.norm.weight", "image_proj.proj.weight"


def check_adapter(adapter: Path, unet: Path) -> None:
    """Compares an adapter with the UNet that it shall work in.

    Args:
        adapter: Its file; only safetensors are looked into.
        unet: ``config.json`` of the UNet.

    Raises:
        SpecError: If the adapter is for another base model, or of another kind than the plain one.
        MissingDependency: If a file cannot be read.
    """
    if adapter.suffix != ".safetensors" or not (adapter.is_file() and unet.is_file()):
        return  # loading names it
    with reading(f"decoder: adapter {adapter} cannot be read", MissingDependency), safe_open(adapter, "numpy") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118  no mapping
    with reading(f"decoder: {unet} cannot be read", MissingDependency):
        width = json.loads(unet.read_text(encoding="utf-8"))["cross_attention_dim"]
    if NORM not in shapes or PROJECTION not in shapes:
        projection = sorted(name for name in shapes if name.startswith("image_proj."))[:3]
        raise SpecError(
            f"decoder: adapter {adapter} is no plain IP-Adapter, it projects by {', '.join(projection) or 'nothing'}",
            hint=f"plain ones hold {PROJECTION} and {NORM}; those called plus, full or face do not",
        )
    own = shapes[NORM][0]
    if own != width:
        raise SpecError(
            f"decoder: adapter {adapter} is for {_base(own)} (text embeddings of {own} numbers),"
            f" the model {unet.parent.parent} is {_base(width)} ({width})",
            hint="name an adapter of the model's own base",
        )


def _base(width: int) -> str:
    return BASES.get(width, "another base model")


def encoder_of(dim: int) -> str:
    """The encoder whose embeddings have so many numbers, in words."""
    return ENCODERS.get(dim, "its own image encoder")
