"""What the contracts of generators and decoders share: both answer requests with images."""

from __future__ import annotations

from typing import Any

import numpy as np

from rebeca.guards import check_image, refuse_if
from rebeca.interfaces import GeneratedImage, Request
from rebeca.testing.compare import Answers
from rebeca.testing.contract import Contract

SEED = "take the randomness of an image from request.seed alone, and keep no state from image to image"


class DrawingContract(Contract):
    """What a plug-in must keep that draws images."""

    def described(self, image: GeneratedImage | None, request: Request) -> Answers:
        """Pixels, item and embedding of an answer; refuses what cannot be an image."""
        where = called(request)
        if image is None:
            return {where: None}
        refuse_if(
            not isinstance(image, GeneratedImage), f"{where} is a {type(image).__name__}, expected a GeneratedImage"
        )
        check_image(image, where, len(self.shared_world.dataset.catalogue))
        return {
            where: image.pixels.copy(),  # a plug-in may use its array again
            f"the item of {where}": None if image.item is None else int(image.item),
            f"the embedding of {where}": None if image.embedding is None else image.embedding.copy(),
        }

    def drawn(self) -> dict[str, Any]:
        """Pixels of those answers that are images."""
        answers = self.answers()
        return {name: value for name, value in answers.items() if name.startswith("image ") and value is not None}

    def refuse_few_images(self) -> None:
        """Refuses answers most of which are None."""
        wanted = sum(name.startswith("image ") for name in self.answers())
        missing = wanted - len(self.drawn())
        refuse_if(2 * missing > wanted, f"{missing} of {wanted} images are None")

    def refuse_wrong_items(self) -> None:
        """Refuses images that name an item and show another."""
        catalogue = self.shared_world.dataset.catalogue
        for name, image in self.drawn().items():
            item = self.answers()[f"the item of {name}"]
            same = item is None or np.array_equal(image, catalogue.pixels(item))
            refuse_if(not same, f"{name} names item {item}, and its pixels are others")


def called(request: Request) -> str:
    """Name of an answer."""
    return f"image {request.replicate} of user '{request.user}'"
