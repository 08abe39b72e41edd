"""HPSv2: what people would choose between pictures of one prompt (Wu et al. 2023, arXiv 2306.09341).

The package ``hpsv2`` reads its checkpoint again at every call and scores one picture at a time; here the model is read
once and pictures go in batches. On the processor both give the same numbers, which a test holds where the package is
installed; on a GPU the package computes in half precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from benchmark.scorers.context import ScorerContext
from benchmark.scorers.pixels import PixelScorer, as_tensor
from rebeca.arrays import Floats, Pixels
from rebeca.encoders.clip import CLIP_DEVIATION, CLIP_MEAN
from rebeca.errors import MissingDependency, SpecError
from rebeca.interfaces import ScorerCard
from rebeca.params import Count
from rebeca.weights import reading, weights_hash

REFERENCE = "Wu et al. 2023, Human Preference Score v2, arXiv 2306.09341"
TINYWORLD = "tinyworld"
PACKAGE, PACKAGE_BACKBONE = "hpsv2-package", "ViT-H-14"


@dataclass(frozen=True, slots=True)
class HPSv2Params:
    """Parameters of a task file; scores of other prompts or versions cannot be compared.

    Attributes:
        backbone: open_clip's name of the model, or ``tinyworld`` for the stand-in.
        weights: Checkpoint file with a ``state_dict``; the stand-in's come with the package.
        prompt: The one prompt under which all pictures are scored.
        version: Said on the board.
        engine: ``batched``, or ``hpsv2-package`` to let the package score, one by one.
        batch: Pictures at once.
    """

    backbone: str = "ViT-H-14"
    weights: str | None = None
    prompt: str = ""
    version: str = "v2.0"
    engine: Literal["batched", "hpsv2-package"] = "batched"
    batch: Count = 64


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
                hint="hf download xswu/HPSv2 HPS_v2_compressed.pt, and give the path of the file",
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
        self.card = ScorerCard(name, "cosine", True, meaning, REFERENCE)

    @property
    def fingerprint(self) -> str:
        """Weights, prompt and engine."""
        p = self.params
        return f"hpsv2/1/{p.backbone}/{p.version}/{p.engine}/{p.prompt!r}/{weights_hash(self._net.state_dict())}"

    @cached_property
    def _net(self) -> Any:
        import open_clip

        if self.params.backbone == TINYWORLD:
            net = open_clip.create_model(f"local-dir:{tinyworld_folder()}", require_pretrained=True)
        else:
            path, hint = Path(str(self.params.weights)), "hf download xswu/HPSv2 HPS_v2_compressed.pt"
            if not path.is_file():
                raise MissingDependency(f"scorer 'hpsv2': {path} is not there", hint=hint)
            with reading(f"scorer 'hpsv2': {path} cannot be loaded as {self.params.backbone}", MissingDependency, hint):
                net = open_clip.create_model(self.params.backbone, pretrained=str(path), require_pretrained=True)
        return net.eval().float().to(self.device)

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
        import torch
        from torch.nn.functional import normalize

        if self.params.engine == PACKAGE:
            return self._by_package(pictures)
        side = self._net.visual.image_size
        side = side[0] if isinstance(side, tuple) else side
        x = torch.stack([prepared(picture, side) for picture in pictures]).to(self.device)
        with torch.inference_mode():
            image = normalize(self._net.encode_image(x).float(), dim=-1)
            scores: Floats = (image @ self._text.T)[:, 0].cpu().numpy()
        return scores

    def _by_package(self, pictures: list[Pixels]) -> Floats:
        import numpy as np
        from PIL import Image

        try:
            from hpsv2 import img_score
        except ImportError as error:
            raise MissingDependency(
                f"scorer 'hpsv2' with engine hpsv2-package cannot import '{error.name}'",
                hint="pip install --no-deps hpsv2x clint args",
            ) from error
        images = [Image.fromarray(p) for p in pictures]
        scored = img_score.score(images, self.params.prompt, self.params.weights, self.params.version)
        return np.asarray(scored, np.float32)


def tinyworld_folder() -> Path:
    """Where the stand-in lies."""
    from rebeca.tinyworld.models import layouts

    return layouts() / "clip" / "hps"


def prepared(picture: Pixels, side: int) -> Any:
    """float32 [3, side, side]: the longest side brought to ``side``, black borders, CLIP's mean and deviation."""
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as transform

    x = as_tensor(picture)
    height, width = x.shape[1:]
    scale = side / float(max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    if scale != 1.0:
        x = transform.resize(x, size, InterpolationMode.BICUBIC)
    down, right = side - size[0], side - size[1]
    x = transform.pad(x, [right // 2, down // 2, right - right // 2, down - down // 2])
    mean, deviation = torch.tensor(CLIP_MEAN).view(3, 1, 1), torch.tensor(CLIP_DEVIATION).view(3, 1, 1)
    return (x - mean) / deviation
