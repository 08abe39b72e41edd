"""Heads of LAION aesthetics: a small head on CLIP embeddings of unit length, trained on human ratings of beauty.

Published heads have five forms (:data:`FORMS`). They differ in what stands between their layers and in the length that
they expect of an embedding, which no shape tells. So a head is read as one of these forms or not at all.

Source: Schuhmann et al. 2022, LAION-5B, arXiv 2210.08402; Pressman et al. 2022, Simulacra Aesthetic Captions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rebeca.arrays import Floats, unit_rows
from rebeca.errors import DataError, first_few
from rebeca.weights import reading

MLP = (1024, 128, 64, 16)
"""Inner widths of LAION's second version, which its training script fixes."""
NAMED = 12
"""Tensors that a message names."""


@dataclass(frozen=True, slots=True)
class Form:
    """A published form of head.

    Attributes:
        title: Names it.
        layers: Names of its linear layers; empty where the file holds bare ``weight`` and ``bias``.
        widths: Inner widths.
        relu: Whether a ReLU follows each layer but the last; else nothing does that counts after training.
        scaled: Whether embeddings are brought to a length of the root of their dimension instead of 1.
    """

    title: str
    layers: tuple[str, ...]
    widths: tuple[int, ...] = ()
    relu: bool = False
    scaled: bool = False

    @property
    def tensors(self) -> frozenset[str]:
        """Names of all its tensors."""
        parts = ("weight", "bias")
        return frozenset(f"{layer}.{part}".lstrip(".") for layer in self.layers for part in parts)

    @property
    def described(self) -> str:
        """Its tensors and widths in words."""
        names = ", ".join(f"{layer}.weight".lstrip(".") for layer in self.layers)
        return f"{names}{f'; widths {self.widths}' if self.widths else ''}"


FORMS = (
    Form("LAION v2, linear", tuple(f"layers.{n}" for n in (0, 2, 4, 6, 7)), MLP),
    Form("LAION v2, with ReLU", tuple(f"layers.{n}" for n in (0, 3, 6, 9, 11)), MLP, relu=True),
    Form("LAION v1", ("",)),
    Form("Simulacra", ("linear",), scaled=True),
    Form("one linear layer", ("layers.0",)),
)
"""The last one is that of tinyworld's stand-in."""


CLIPS = {
    "ViT-L/14": (
        "published:vit-l",
        "open_clip:ViT-L-14-quickgelu/openai",
        "transformers:openai/clip-vit-large-patch14",
    ),
    "ViT-B/16": ("open_clip:ViT-B-16-quickgelu/openai", "transformers:openai/clip-vit-base-patch16"),
    "ViT-B/32": ("open_clip:ViT-B-32-quickgelu/openai", "transformers:openai/clip-vit-base-patch32"),
}
"""OpenAI's CLIPs, and the encoders of a task file that are each of them."""


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A published file.

    Attributes:
        name: As published, without its ending.
        clip: OpenAI's CLIP whose embeddings it was trained on, one of :data:`CLIPS`.
    """

    name: str
    clip: str

    def takes(self, encoder: str) -> bool:
        """Whether an encoder of a task file is its CLIP, or a file on this machine, which no name identifies."""
        kind, _, source = encoder.partition(":")
        path = source.partition("/")[2] if kind == "open_clip" else source
        return encoder in CLIPS[self.clip] or (kind in ("open_clip", "transformers") and Path(path).exists())


KNOWN = {
    "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0": KnownHead(
        "sac+logos+ava1-l14-linearMSE", "ViT-L/14"
    ),
    "390a3aafaf3b37d57148f9b22f30556de38343064b7d915acfa80d3812b4c9ff": KnownHead(
        "ava+logos-l14-linearMSE", "ViT-L/14"
    ),
    "0af3254c651d55b7ea851429c20f26ec880bb0169805a4df85b814bd7966f3e4": KnownHead("ava+logos-l14-reluMSE", "ViT-L/14"),
    "8ad3923d7ecf019df20ecd2ab5542a3075fbba0278d239c0371345f3d7fcbde0": KnownHead("sa_0_4_vit_b_16_linear", "ViT-B/16"),
    "c7b14cead230694acc7b9447974d3cad78003c72da032e402a303b6c2429e85f": KnownHead("sa_0_4_vit_b_32_linear", "ViT-B/32"),
    "2cd4e60f4f24ae3bcd57b847b13c1f3ba27edc28cc1a7f9ce74ee9f421243cba": KnownHead("sa_0_4_vit_l_14_linear", "ViT-L/14"),
    "cdc27b2196565bcb69f2692731084b0189612b98aae74adec033782469ab583c": KnownHead(
        "sac_public_2022_06_29_vit_b_16_linear", "ViT-B/16"
    ),
    "64315370e2293a08cc2f4816ae9db715f935791569c1a57d84b943e482ea5e12": KnownHead(
        "sac_public_2022_06_29_vit_b_32_linear", "ViT-B/32"
    ),
    "f77d1d0f4bb04b0ff8e60c5747fd0bfff0cc4a85263a6106627522c06eae85c6": KnownHead(
        "sac_public_2022_06_29_vit_l_14_linear", "ViT-L/14"
    ),
}
"""Published heads by SHA-256. Heads of B/32 and B/16 have the same shapes, so only this tells them apart."""


def known_head(sha256: str) -> str | None:
    """Name of the published head with this hash."""
    return KNOWN[sha256].name if sha256 in KNOWN else None


@dataclass(frozen=True, slots=True, eq=False)
class LaionHead:
    """A head, with neighbouring linear layers folded into one.

    Attributes:
        layers: float64 weight [out, in] and bias [out] of each; a ReLU follows each but the last, which has out = 1.
        length: That embeddings are brought to.
    """

    layers: tuple[tuple[Floats, Floats], ...]
    length: float = 1.0

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        return int(self.layers[0][0].shape[1])

    def score(self, embeddings: Floats) -> Floats:
        """float64 [n] on the scale of the raters, 1 to 10 for the published heads.

        Args:
            embeddings: float [n, dim] of the head's own CLIP, of any length.
        """
        x = unit_rows(embeddings).astype(np.float64) * self.length
        for weight, bias in self.layers[:-1]:
            x = np.maximum(x @ weight.T + bias, 0)
        weight, bias = self.layers[-1]
        return x @ weight[0] + float(bias[0])


def read_head(path: Path) -> LaionHead:
    """Reads a head in one of the published forms.

    Raises:
        DataError: If it holds another form; the message says which tensors were found and which forms are known.
    """
    tensors = _tensors(path)
    form = next((form for form in FORMS if form.tensors == tensors.keys()), None)
    if form is None:
        raise _unknown(path, tensors)
    layers = [_layer(tensors, name, path) for name in form.layers]
    widths = tuple(len(bias) for _, bias in layers)
    if form.widths and widths != (*form.widths, 1):
        raise _unknown(path, tensors)
    if widths[-1] != 1:
        raise DataError(f"{path}: the head ends in {widths[-1]} numbers, expected 1")
    for below, (weight, _) in zip(widths, layers[1:], strict=False):
        if weight.shape[1] != below:
            raise _unknown(path, tensors)
    length = float(np.sqrt(layers[0][0].shape[1])) if form.scaled else 1.0
    return LaionHead(tuple(layers) if form.relu else (_folded(layers),), length)


def _folded(layers: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """One layer that does what a chain of linear ones does."""
    weight, bias = layers[0]
    for above, shift in layers[1:]:
        weight, bias = above @ weight, above @ bias + shift
    return weight, bias


def _layer(tensors: Mapping[str, Floats], name: str, path: Path) -> tuple[Floats, Floats]:
    """Weight [out, in] and bias [out]."""
    weight, bias = (tensors[f"{name}.{part}".lstrip(".")] for part in ("weight", "bias"))
    name = name or "weight"
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        raise DataError(f"{path}: {name} is no linear layer, with shapes {weight.shape} and {bias.shape}")
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise DataError(f"{path}: {name} holds numbers that are not finite")
    return weight, bias


def _unknown(path: Path, tensors: Mapping[str, Floats]) -> DataError:
    """What was found, and what is known."""
    shown = [f"{name} {list(value.shape)}" for name, value in tensors.items()]
    held = first_few(shown, NAMED) or "no tensors"
    known = "; ".join(f"{form.title} ({form.described})" for form in FORMS)
    return DataError(f"{path}: no known form of head, it holds {held}", hint=f"known are {known}")


def _tensors(path: Path) -> dict[str, Floats]:
    """float64 arrays of a safetensors file or of a torch file without code."""
    import torch
    from safetensors.torch import load_file

    with reading(f"{path}: cannot be read as weights", DataError):
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise DataError(f"{path}: holds a {type(state).__name__}, expected tensors by name")
    return {name: value.double().numpy() for name, value in state.items() if isinstance(value, torch.Tensor)}
