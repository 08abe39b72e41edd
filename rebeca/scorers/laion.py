"""LAION aesthetics for any images: a head, and the CLIP that it was trained on."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from rebeca.arrays import Floats
from rebeca.encoders import make_encoder
from rebeca.errors import SpecError
from rebeca.hashes import file_hash
from rebeca.images import ImageSource, read_images
from rebeca.interfaces import Encoder
from rebeca.published import find, is_published, published
from rebeca.scorers.laion_head import CLIPS, KNOWN, read_head
from rebeca.scorers.shared import TINYWORLD, located

HEADS = ("laion-v2",)
BACKBONE = "published:vit-l"
STAND_IN_BACKBONE = "tinyworld:auditor-encoder"


class LAION:
    """LAION aesthetics: how beautiful human raters would find an image (Schuhmann et al. 2022, arXiv 2210.08402).

    A small head on embeddings of CLIP, trained on ratings of images. It knows neither prompt nor user.

    Args:
        weights: ``published:laion-v2``, or the file of a head in one of the forms
            :data:`rebeca.scorers.laion_head.FORMS`. ``tinyworld`` is a stand-in that comes with the package; it learned
            from synthetic raters of postcards.
        backbone: The CLIP that the head was trained on, as :func:`rebeca.encoders.make_encoder` names it, or an encoder
            that was built already. By default ``published:vit-l``, or the stand-in's own.
        device: Torch device of a backbone that is given by its name.

    Raises:
        MissingDependency: If weights are not on this machine, with the command that fetches them.
        DataError: If a file is no head of a known form.
        SpecError: If head and backbone do not belong together. Of a file that nobody published, only the length of the
            embeddings tells.

    Example:
        >>> import numpy as np
        >>> from rebeca.scorers import LAION
        >>> images = [np.full((64, 64, 3), grey, np.uint8) for grey in (0, 120, 240)]
        >>> scorer = LAION("tinyworld")  # "published:laion-v2" once its weights were fetched
        >>> scorer.score(images).shape
        (3,)
    """

    def __init__(
        self,
        weights: str | PathLike[str],
        *,
        backbone: str | Encoder[Any] | None = None,
        device: str = "cpu",
    ) -> None:
        if weights == TINYWORLD:
            from rebeca.tinyworld.models import layouts

            self._head = read_head(layouts() / "laion" / "head.safetensors")
        else:
            self._head = read_head(located("laion", weights, HEADS))
        if backbone is None:
            backbone = STAND_IN_BACKBONE if weights == TINYWORLD else BACKBONE
        if isinstance(backbone, str):
            if weights != TINYWORLD:
                check_backbone(weights, backbone)
            backbone = make_encoder(backbone, device)
        if not isinstance(backbone, Encoder):
            raise SpecError(f"scorer 'laion': backbone is {backbone!r}", hint="name an encoder, or build one")
        if backbone.dim != self._head.dim:
            raise SpecError(
                f"scorer 'laion': a head of {self._head.dim} numbers on embeddings of {backbone.dim}",
                hint="the head and the encoder belong together",
            )
        self._encoder = backbone

    def score(self, images: ImageSource) -> Floats:
        """The rating that raters would give, float64 [n]; mostly 1 to 10 for published heads, 1 to 5 for the stand-in.

        Args:
            images: A folder, or n paths, Pillow's images or uint8 arrays; see :func:`rebeca.images.read_images`, which
                also tells the order of a folder's files.

        Raises:
            DataError: Naming what is no image.
        """
        return self._head.score(self._encoder.encode(read_images(images)))


def check_backbone(weights: str | PathLike[str], backbone: str) -> None:
    """Refuses a published head on another encoder than its own; other files and random weights pass.

    Raises:
        SpecError: With the encoders that the head was trained on.
    """
    text = str(weights)
    if not is_published(text):
        digest = file_hash(Path(weights))
    else:
        digest = str(published(text).files[0].sha256) if find(text).origin == "published" else ""
    known = KNOWN.get(digest)
    if known is not None and not known.takes(backbone):
        raise SpecError(
            f"scorer 'laion': the head {known.name} belongs to OpenAI's CLIP {known.clip}, the backbone is {backbone}",
            hint=f"backbone: {' or '.join(CLIPS[known.clip])}",
        )
