"""HPSv2's network, read from the published layouts.

The package ``hpsv2`` reads its checkpoint again at every call and scores one image at a time; here the model is read
once and images are scored in batches. On the CPU both give the same numbers, which a test checks where the package is
installed; on a GPU the package computes in half precision.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.device import in_halves
from rebeca.errors import MissingDependency
from rebeca.pixels import CLIP_DEVIATION, CLIP_MEAN
from rebeca.weights import reading

HEADS = 16
CHECK = "rebeca-bench weights check TASK"
FETCH = "rebeca-bench weights fetch hpsv2.0"


class HPSv2Network:
    """A CLIP tuned on human choices, with both towers.

    Args:
        net: open_clip's model in evaluation mode, on its device and in its precision; see :func:`read_checkpoint`,
            :func:`read_file` and :func:`read_folder`.
        tokenizer: open_clip's tokenizer of the model.
    """

    def __init__(self, net: Any, tokenizer: Any) -> None:
        self.net = net
        self._tokenizer = tokenizer
        self._weight = next(net.parameters())
        self._texts: dict[str, Any] = {}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Floats:
        """Cosine of each image and its prompt, float32 [n] in [-1, 1].

        The product of unit vectors is taken in single precision: in half, scores would be multiples of 2.4e-4. A batch
        is halved where memory is short.

        Args:
            images: uint8 RGB, [height, width, 3] of any size.
            prompts: One per image.
        """
        return in_halves(self._in_batch, list(zip(images, prompts, strict=True)))

    def _in_batch(self, pairs: Sequence[tuple[Pixels, str]]) -> Floats:
        import torch
        from torch.nn.functional import normalize

        images, prompts = zip(*pairs, strict=True)
        side = self.net.visual.image_size
        side = side[0] if isinstance(side, tuple) else side
        different = list(dict.fromkeys(prompts))
        with torch.inference_mode():
            x = prepared(images, side, self._weight.device).to(self._weight.dtype)
            unit = normalize(self.net.encode_image(x).float(), dim=-1)
            cosines = (unit @ self._encoded(different).T).cpu().numpy()
        return cosines[np.arange(len(pairs)), [different.index(prompt) for prompt in prompts]]

    def _encoded(self, prompts: list[str]) -> Any:
        """Unit vectors of different prompts, float32 [n, dim]; those of the batch before are not computed again."""
        import torch
        from torch.nn.functional import normalize

        if new := [prompt for prompt in prompts if prompt not in self._texts]:
            tokens = self._tokenizer(new).to(self._weight.device)
            encoded = dict(zip(new, normalize(self.net.encode_text(tokens).float(), dim=-1), strict=True))
            self._texts = {prompt: encoded[prompt] if prompt in encoded else self._texts[prompt] for prompt in prompts}
        return torch.stack([self._texts[prompt] for prompt in prompts])


def read_checkpoint(path: Path, backbone: str, device: str, dtype: Any) -> HPSv2Network:
    """Reads a checkpoint in the published layout.

    Args:
        path: File with a ``state_dict``; code in it is never run.
        backbone: open_clip's name of the model; names the tokenizer.
        device: Torch device.
        dtype: Torch dtype of the network.

    Raises:
        MissingDependency: If the file is no such checkpoint.
    """
    import open_clip

    return HPSv2Network(read_clip(path, dtype).eval().to(device, dtype), open_clip.get_tokenizer(backbone))


def read_file(path: Path, backbone: str, device: str, dtype: Any) -> HPSv2Network:
    """Reads a checkpoint of a backbone that open_clip knows; as :func:`read_checkpoint`.

    Raises:
        MissingDependency: If the file is of another model.
    """
    import open_clip

    with reading(f"scorer 'hpsv2': {path} cannot be loaded as {backbone}", MissingDependency, FETCH):
        net = open_clip.create_model(backbone, pretrained=str(path), require_pretrained=True)
    return HPSv2Network(net.eval().to(device, dtype), open_clip.get_tokenizer(backbone))


def read_folder(folder: Path, device: str, dtype: Any) -> HPSv2Network:
    """Reads open_clip's own folder layout with its vocabulary in ``bpe.txt.gz``, as the miniature's stand-in has."""
    import open_clip

    name = f"local-dir:{folder}"
    net = open_clip.create_model(name, require_pretrained=True)
    return HPSv2Network(
        net.eval().to(device, dtype), open_clip.get_tokenizer(name, bpe_path=str(folder / "bpe.txt.gz"))
    )


def score_by_package(images: Sequence[Pixels], prompts: Sequence[str], weights: Path) -> Floats:
    """The package's own scores, float32 [n], one image after another; it reads the weights for each different prompt.

    Raises:
        MissingDependency: If the package is not installed.
    """
    from PIL import Image

    try:
        from hpsv2 import img_score
    except ImportError as error:
        raise MissingDependency(
            f"scorer 'hpsv2' with engine hpsv2-package cannot import '{error.name}'",
            hint="pip install --no-deps hpsv2x clint args",
        ) from error
    scores = np.empty(len(images), np.float32)
    for prompt in dict.fromkeys(prompts):
        rows = [row for row, other in enumerate(prompts) if other == prompt]
        scores[rows] = img_score.score([Image.fromarray(images[row]) for row in rows], prompt, str(weights))
    return scores


def read_clip(path: Path, dtype: Any) -> Any:
    """An open_clip model with the shapes of a checkpoint in the published layout, in a torch dtype.

    ViT-H has sixteen heads in both towers; weights do not tell their number, but all other sizes.

    Raises:
        MissingDependency: If the file is no such checkpoint; code in it is never run.
    """
    import torch
    from open_clip import CLIP

    with reading(f"scorer 'hpsv2': {path} cannot be loaded", MissingDependency, CHECK):
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


def _blocks(state: Mapping[str, object], prefix: str) -> int:
    matches = [re.match(rf"{re.escape(prefix)}resblocks\.(\d+)\.", name) for name in state]
    return max(int(match[1]) for match in matches if match) + 1


def prepared(images: Sequence[Pixels], side: int, device: Any = "cpu") -> Any:
    """float32 [n, 3, side, side]: the longest side brought to ``side``, black borders, CLIP's mean and deviation.

    Images of one size are prepared together, on the device.
    """
    import torch

    alike: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        alike.setdefault(image.shape, []).append(place)
    out = torch.empty(len(images), 3, side, side, device=device)
    for places in alike.values():
        out[places] = _prepared_alike(np.stack([images[i] for i in places]), side, device)
    return out


def _prepared_alike(images: Pixels, side: int, device: Any) -> Any:
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as transform

    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div(255)
    height, width = x.shape[2:]
    scale = side / float(max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    if scale != 1.0:
        x = transform.resize(x, size, InterpolationMode.BICUBIC)
    down, right = side - size[0], side - size[1]
    x = transform.pad(x, [right // 2, down // 2, right - right // 2, down - down // 2])
    mean, deviation = (torch.tensor(v, device=device).view(3, 1, 1) for v in (CLIP_MEAN, CLIP_DEVIATION))
    return (x - mean) / deviation
