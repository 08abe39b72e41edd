"""HPSv2 for any images and prompts: which weights, and what reads and runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import Literal

import numpy as np

from rebeca.arrays import Floats, Pixels
from rebeca.device import check_device, precision
from rebeca.errors import SpecError, did_you_mean
from rebeca.images import ImageSource, batches, read_images
from rebeca.params import whole_number
from rebeca.published import is_published
from rebeca.scorers.hpsv2_network import HPSv2Network, read_checkpoint, read_file, read_folder, score_by_package
from rebeca.scorers.shared import TINYWORLD, located, one_per_image

PACKAGE = "hpsv2-package"
PACKAGE_BACKBONE = "ViT-H-14"
VERSIONS = ("hpsv2.0", "hpsv2.1")
DTYPES = ("float32", "float16", "bfloat16", "auto")


class HPSv2:
    """Human Preference Score v2: which of two images of one prompt humans prefer (Wu et al. 2023, arXiv 2306.09341).

    The score is the cosine of image and prompt in a CLIP that was tuned on choices of human raters. It compares images
    of one prompt, by one version of the weights.

    Args:
        weights: ``published:hpsv2.0``, ``published:hpsv2.1``, or a checkpoint file with a ``state_dict``. ``tinyworld``
            is a stand-in that comes with the package; it learned from synthetic raters of postcards.
        backbone: open_clip's name of the model, where the weights are a file.
        device: Torch device.
        dtype: Of the network: ``float32``, ``float16``, ``bfloat16``, or ``auto``: half precision on every device but
            the CPU.
        engine: ``batched``, or ``hpsv2-package`` to let the authors' package score, one image after another.
        batch: Images per batch; halved where memory is short.

    Raises:
        MissingDependency: If weights are not on this machine, with the command that fetches them; or if they are
            damaged or of another model.
        SpecError: If an argument is unknown, or weights are not HPSv2's.

    Example:
        >>> import numpy as np
        >>> from rebeca.scorers import HPSv2
        >>> images = [np.full((64, 64, 3), grey, np.uint8) for grey in (0, 120, 240)]
        >>> scorer = HPSv2("tinyworld")  # "published:hpsv2.1" once its weights were fetched
        >>> scores = scorer.score(images, "a postcard")
        >>> scores.shape, bool((abs(scores) <= 1).all())
        ((3,), True)
        >>> scorer.score(images[:2], ["a postcard", "a lighthouse"]).dtype
        dtype('float32')
    """

    def __init__(
        self,
        weights: str | PathLike[str],
        *,
        backbone: str = PACKAGE_BACKBONE,
        device: str = "cpu",
        dtype: Literal["float32", "float16", "bfloat16", "auto"] = "float32",
        engine: Literal["batched", "hpsv2-package"] = "batched",
        batch: int = 64,
    ) -> None:
        for name, value, allowed in (("dtype", dtype, DTYPES), ("engine", engine, ("batched", PACKAGE))):
            if value not in allowed:
                raise SpecError(f"scorer 'hpsv2': no {name} '{value}'", hint=did_you_mean(str(value), allowed))
        self._batch = whole_number("scorer 'hpsv2': batch", batch, least=1)
        self._score: Callable[[Sequence[Pixels], Sequence[str]], Floats]
        if engine == PACKAGE:
            check_package(TINYWORLD if weights == TINYWORLD else backbone)
            self._score = partial(score_by_package, weights=located("hpsv2", weights, VERSIONS))
        else:
            self._score = read_network(weights, backbone, device, precision(dtype, device)).score

    def score(self, images: ImageSource, prompts: str | Sequence[str]) -> Floats:
        """Cosine of each image and its prompt, float32 [n] in [-1, 1]; published tables show it times 100.

        Only images of one prompt compare. A prompt has at most 75 tokens; the network sees nothing of what follows.

        Args:
            images: A folder, or n paths, Pillow's images or uint8 arrays; see :func:`rebeca.images.read_images`, which
                also tells the order of a folder's files.
            prompts: One for all images, or one per image.

        Raises:
            DataError: Naming what is no image, or the number of prompts.
        """
        images = read_images(images)
        prompts = one_per_image(prompts, len(images))
        scores = np.empty(len(images), np.float32)
        start = 0
        for batch in batches(images, self._batch):
            stop = start + len(batch)
            scores[start:stop] = self._score(batch, prompts[start:stop])
            start = stop
        return scores


def check_package(backbone: str) -> None:
    """Refuses a backbone that the authors' package does not know.

    Raises:
        SpecError: With the other engine.
    """
    if backbone != PACKAGE_BACKBONE:
        raise SpecError(
            f"scorer 'hpsv2': the package knows {PACKAGE_BACKBONE} only, not {backbone}", hint="use engine: batched"
        )


def read_network(weights: str | PathLike[str], backbone: str, device: str, dtype: str) -> HPSv2Network:
    """Reads the network of published weights, of a file, or of tinyworld's stand-in; arguments as :class:`HPSv2`."""
    check_device(device)
    import torch

    number = getattr(torch, dtype)
    if weights == TINYWORLD:
        from rebeca.tinyworld.models import layouts

        return read_folder(layouts() / "clip" / "hps", device, number)
    path = located("hpsv2", weights, VERSIONS)
    return (read_checkpoint if is_published(str(weights)) else read_file)(path, backbone, device, number)
