"""HPSv2: what people would choose between pictures of one prompt (Wu et al. 2023, arXiv 2306.09341).

The package ``hpsv2`` reads its checkpoint again at every call and scores one picture at a time; here the model is read
once and pictures go in batches. On the processor both give the same numbers, which a test holds where the package is
installed; on a GPU the package computes in half precision.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from benchmark.scorers.context import ScorerContext
from benchmark.scorers.pixels import PixelScorer
from rebeca.arrays import Floats, Pixels
from rebeca.device import in_halves, precision
from rebeca.encoders.clip import CLIP_DEVIATION, CLIP_MEAN
from rebeca.errors import MissingDependency, SpecError
from rebeca.interfaces import ScorerCard
from rebeca.params import Count
from rebeca.published import PREFIX, identity, is_published, locate, published
from rebeca.weights import reading, weights_hash

REFERENCE = "Wu et al. 2023, Human Preference Score v2, arXiv 2306.09341"
TINYWORLD = "tinyworld"
HEADS = 16
PACKAGE, PACKAGE_BACKBONE = "hpsv2-package", "ViT-H-14"


@dataclass(frozen=True, slots=True)
class HPSv2Params:
    """Parameters of a task file; scores of other prompts or versions cannot be compared.

    Attributes:
        backbone: open_clip's name of the model, or ``tinyworld`` for the stand-in.
        weights: ``published:hpsv2.0`` or ``published:hpsv2.1``, or a checkpoint file with a ``state_dict``, relative to
            the task file; the stand-in's come with the package.
        prompt: The one prompt under which all pictures are scored.
        version: Said on the board; must be that of the published weights.
        engine: ``batched``, or ``hpsv2-package`` to let the package score, one by one.
        batch: Pictures at once; halved where memory is short.
        dtype: Of the network: ``float32``, ``float16``, or ``auto``: half precision on a GPU. The final product of unit
            vectors is always single: in half, scores come in steps of 2.4e-4.
    """

    backbone: str = "ViT-H-14"
    weights: str | None = None
    prompt: str = ""
    version: str = "v2.0"
    engine: Literal["batched", "hpsv2-package"] = "batched"
    batch: Count = 64
    dtype: Literal["float32", "float16", "auto"] = "float32"
    LATER: ClassVar[tuple[str, ...]] = ("dtype",)
    FILES: ClassVar[tuple[str, ...]] = ("weights",)


class HPSv2Scorer(PixelScorer):
    """``hpsv2``: cosine of picture and prompt in a space tuned on people's choices."""

    Params = HPSv2Params

    def __init__(self, context: ScorerContext) -> None:
        self.params: HPSv2Params = context.spec
        self.device = context.device
        self.batch = self.params.batch
        if self.params.backbone != TINYWORLD and self.params.weights is None:
            raise SpecError(
                "scorer 'hpsv2': weights is not set",
                hint=f"weights: {PREFIX}hpsv2.0, or the path of a file",
            )
        if is_published(self.params.weights):
            said = f"v{published(str(self.params.weights)).name.removeprefix('hpsv')}"
            if said != self.params.version:
                raise SpecError(
                    f"scorer 'hpsv2': weights {self.params.weights} are {said}, version says {self.params.version}",
                    hint="scores of other versions do not compare: make them agree",
                )
        if self.params.engine == PACKAGE and self.params.backbone != PACKAGE_BACKBONE:
            raise SpecError(
                f"scorer 'hpsv2': the package knows {PACKAGE_BACKBONE} only, not {self.params.backbone}",
                hint="use engine: batched",
            )
        stand_in = self.params.backbone == TINYWORLD
        name = "HPSv2 stand-in" if stand_in else f"HPSv2 {self.params.version}"
        meaning = (
            "Cosine with a model that learned which of two postcards made-up raters choose; the miniature's stand-in."
            if stand_in
            else f"What people would choose, by a model of their choices, under the prompt '{self.params.prompt}'."
        )
        self.card = ScorerCard(name, "cosine", True, meaning, REFERENCE, role="aesthetic")

    @property
    def fingerprint(self) -> str:
        """Weights, prompt and engine."""
        p = self.params
        if is_published(p.weights):
            weights = f"{identity(str(p.weights))}/{p.dtype}"
        else:
            weights = weights_hash(self._net.state_dict())
        return f"hpsv2/1/{p.backbone}/{p.version}/{p.engine}/{p.prompt!r}/{weights}"

    @cached_property
    def _net(self) -> Any:
        import open_clip
        import torch

        dtype = getattr(torch, precision(self.params.dtype, self.device))
        if self.params.backbone == TINYWORLD:
            net = open_clip.create_model(f"local-dir:{tinyworld_folder()}", require_pretrained=True)
        elif is_published(self.params.weights):
            net = read_clip(locate(str(self.params.weights)), dtype)
        else:
            path, hint = Path(str(self.params.weights)), "rebeca-bench weights fetch hpsv2.0"
            if not path.is_file():
                raise MissingDependency(f"scorer 'hpsv2': {path} is not there", hint=hint)
            with reading(f"scorer 'hpsv2': {path} cannot be loaded as {self.params.backbone}", MissingDependency, hint):
                net = open_clip.create_model(self.params.backbone, pretrained=str(path), require_pretrained=True)
        return net.eval().to(self.device, dtype)

    @cached_property
    def _text(self) -> Any:
        import open_clip
        import torch
        from torch.nn.functional import normalize

        if self.params.backbone == TINYWORLD:
            folder = tinyworld_folder()
            tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe.txt.gz"))
        else:
            tokenizer = open_clip.get_tokenizer(self.params.backbone)
        with torch.inference_mode():
            return normalize(self._net.encode_text(tokenizer([self.params.prompt]).to(self.device)).float(), dim=-1)

    def score_pixels(self, pictures: list[Pixels]) -> Floats:
        """float32 [n]; the product of unit vectors in single precision."""
        if self.params.engine == PACKAGE:
            return self._by_package(pictures)
        return in_halves(self._in_batch, pictures)

    def _in_batch(self, pictures: Sequence[Pixels]) -> Floats:
        import torch
        from torch.nn.functional import normalize

        side = self._net.visual.image_size
        side = side[0] if isinstance(side, tuple) else side
        with torch.inference_mode():
            x = prepared(pictures, side, self.device).to(next(self._net.parameters()).dtype)
            image = normalize(self._net.encode_image(x).float(), dim=-1)
            scores: Floats = (image @ self._text.T)[:, 0].cpu().numpy()
        return scores

    def _by_package(self, pictures: list[Pixels]) -> Floats:
        from PIL import Image

        try:
            from hpsv2 import img_score
        except ImportError as error:
            raise MissingDependency(
                f"scorer 'hpsv2' with engine hpsv2-package cannot import '{error.name}'",
                hint="pip install --no-deps hpsv2x clint args",
            ) from error
        images = [Image.fromarray(p) for p in pictures]
        weights = self.params.weights
        path = str(locate(str(weights))) if is_published(weights) else weights
        scored = img_score.score(images, self.params.prompt, path, self.params.version)
        return np.asarray(scored, np.float32)


def tinyworld_folder() -> Path:
    """Where the stand-in lies."""
    from rebeca.tinyworld.models import layouts

    return layouts() / "clip" / "hps"


def read_clip(path: Path, dtype: Any) -> Any:
    """An open_clip model with the shapes of a checkpoint in the published layout, in a torch dtype.

    ViT-H has sixteen heads in both towers; weights do not tell their number, all else is read off them.

    Raises:
        MissingDependency: If the file is no such checkpoint; code in it is never run.
    """
    import torch
    from open_clip import CLIP

    hint = "rebeca-bench weights check TASK"
    with reading(f"scorer 'hpsv2': {path} cannot be loaded", MissingDependency, hint):
        state = torch.load(path, map_location="cpu", mmap=True, weights_only=True)["state_dict"]
        patches, width, words = (
            state["visual.conv1.weight"],
            len(state["visual.class_embedding"]),
            state["token_embedding.weight"],
        )
        side = math.isqrt(len(state["visual.positional_embedding"]) - 1) * patches.shape[2]
        vision = {
            "width": width, "layers": _blocks(state, "visual.transformer."), "head_width": width // HEADS,
            "patch_size": patches.shape[2], "image_size": side,
        }  # fmt: skip
        text = {
            "context_length": len(state["positional_embedding"]), "vocab_size": len(words), "width": words.shape[1],
            "heads": HEADS, "layers": _blocks(state, "transformer."),
        }  # fmt: skip
        with torch.device("meta"):
            net = CLIP(state["text_projection"].shape[1], vision, text)
        net.load_state_dict({name: value.to(dtype) for name, value in state.items()}, assign=True)
    size = text["context_length"]
    net.attn_mask = torch.full((size, size), float("-inf"), dtype=dtype).triu(1)  # no weight, so not in the file
    return net


def _blocks(state: dict[str, Any], prefix: str) -> int:
    found = [re.match(rf"{re.escape(prefix)}resblocks\.(\d+)\.", name) for name in state]
    return max(int(one[1]) for one in found if one) + 1


def prepared(pictures: Sequence[Pixels], side: int, device: str = "cpu") -> Any:
    """float32 [n, 3, side, side]: the longest side brought to ``side``, black borders, CLIP's mean and deviation.

    Pictures of one size are prepared together, on the device.
    """
    import torch

    alike: dict[tuple[int, ...], list[int]] = {}
    for place, picture in enumerate(pictures):
        alike.setdefault(picture.shape, []).append(place)
    out = torch.empty(len(pictures), 3, side, side, device=device)
    for places in alike.values():
        out[places] = _prepared_alike(np.stack([pictures[i] for i in places]), side, device)
    return out


def _prepared_alike(pictures: Pixels, side: int, device: str) -> Any:
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as transform

    x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float().div(255)
    height, width = x.shape[2:]
    scale = side / float(max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    if scale != 1.0:
        x = transform.resize(x, size, InterpolationMode.BICUBIC)
    down, right = side - size[0], side - size[1]
    x = transform.pad(x, [right // 2, down // 2, right - right // 2, down - down // 2])
    mean, deviation = (torch.tensor(v, device=device).view(3, 1, 1) for v in (CLIP_MEAN, CLIP_DEVIATION))
    return (x - mean) / deviation
