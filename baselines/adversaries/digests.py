"""The best of a hundred digests: an attack on a judge whose random features are drawn from the digest of the images.

Such a judge cannot be known before the images are fixed. But whoever fixes them can try many sets that differ by one
bit, work out which judge each would meet, and hand in the set whose judge is the kindest. The judges are simulated with
the generators' own ratings, since the auditor's are not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from baselines.adversaries.adversary import Adversary
from baselines.adversaries.gradient import GradientAttack, GradientParams
from baselines.adversaries.surrogates import weights_fingerprint
from rebeca.arrays import Ints, Pixels, Plain
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces import GeneratedImage, GeneratorContext, Request
from rebeca.params import Count
from rebeca.pixels import pixels_digest
from rebeca.scorers.confirming import ConfirmingJudge, seed_of_row, thumbnails


@dataclass(frozen=True, slots=True)
class DigestsParams:
    """Parameters of a task file.

    Attributes:
        images: Images per user, in all fits together, as the task says; they are decided in the fit.
        surrogates: Encoders in whose spaces surrogates are fitted, as for ``attack-gradient``.
        budget: Largest change of a pixel, of 255.
        steps: Gradient steps.
        variants: Sets of images to choose from.
    """

    images: Count
    surrogates: tuple[str, ...]
    budget: Count = 8
    steps: Count = 30
    variants: Count = 100

    def __post_init__(self) -> None:
        self.gradient()

    def gradient(self) -> GradientParams:
        """Parameters of the attack that makes the images."""
        return GradientParams(self.surrogates, self.budget, self.steps)


class DigestsAttack(Adversary[DigestsParams]):
    """The images of ``attack-gradient``, in one of many variants of the whole row.

    A generator is asked for a few users at a time, while the digest is one of all images. So the fit makes them all,
    for every user of the data set with enough candidates, and the answers to requests are read from it. Where a task
    makes images for some users only, the row has another digest than the one that was chosen.
    """

    Params = DigestsParams

    def __init__(self, params: DigestsParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._inner = GradientAttack(params.gradient(), context)
        self._images: Pixels | None = None
        self._owner: Ints = np.zeros((0, 2), np.int64)
        self._simulated: list[float] = []

    @classmethod
    def fingerprint(cls, params: DigestsParams) -> str:
        return weights_fingerprint(params.surrogates)

    @classmethod
    def check(cls, params: DigestsParams) -> None:
        """Refuses encoders without gradients."""
        GradientAttack.check(params.gradient())

    def fit(self, train: Interactions) -> None:
        """Makes all images, simulates a judge for each variant, and keeps the variant that scores highest."""
        self._inner.fit(train)
        by_place = {
            (user, request.replicate): image.pixels
            for user, group in self._requests()
            for request, image in zip(group, self._inner.images_of(user, group), strict=True)
            if image is not None
        }
        in_order = sorted(by_place)  # of users and replicates, in which a row's digests seed its judge
        self._owner, images = np.array(in_order), np.stack([by_place[place] for place in in_order])
        catalogue, small = self.context.catalogue, thumbnails(images)
        items = thumbnails(catalogue.pixels(item) for item in range(len(catalogue)))
        digests = [pixels_digest(image) for image in images]
        users, row = np.unique(self._owner[:, 0], return_inverse=True)
        self._simulated = []
        for number in range(self.params.variants):
            seed = seed_of_row([pixels_digest(variant(images[:1], number)[0]), *digests[1:]])
            judge = ConfirmingJudge.fit(train, items, self.context.training_items, seed)
            likes = judge.score_all(small, users)[row, np.arange(len(images))]
            self._simulated.append(float(likes.mean()))
            self.context.progress(number + 1, self.params.variants, "variants")
        self._images = variant(images, int(np.argmax(self._simulated)))

    def save(self, folder: Path) -> None:
        """Writes all images, uint8 [n, side, side, 3], and whose they are: user and replicate, int64 [n, 2]."""
        np.savez(folder / "images.npz", images=np.asarray(self._images), owner=self._owner)

    def load(self, folder: Path) -> None:
        with np.load(folder / "images.npz", allow_pickle=False) as arrays:
            self._images, self._owner = arrays["images"], arrays["owner"]

    def report(self) -> Mapping[str, Plain]:
        """Preference by the simulated judges: of the variant that was kept, and on average."""
        return {"kept": max(self._simulated), "mean": float(np.mean(self._simulated))}

    def images_of(self, user: int, group: Sequence[Request]) -> Sequence[GeneratedImage | None]:
        if self._images is None:
            raise PluginError("it was asked to generate before it was fitted or loaded")
        place = {(int(owner), int(replicate)): row for row, (owner, replicate) in enumerate(self._owner)}
        missing = [request.replicate for request in group if (user, request.replicate) not in place]
        if missing:
            raise PluginError(
                f"it made no image {missing[0]} of user '{group[0].user}'",
                hint=f"params.images is {self.params.images}; set it to the task's images per user",
            )
        return [GeneratedImage(self._images[place[user, request.replicate]]) for request in group]

    def _requests(self) -> list[tuple[int, list[Request]]]:
        """Those that a task will make: per user and fit, for users with enough candidates."""
        fits, seeds = self.context.fits, self.context.seeds
        out = []
        for user, name in enumerate(self.context.users):
            for first in range(min(fits, self.params.images)):
                group = [Request(name, k, seeds.image(name, k)) for k in range(first, self.params.images, fits)]
                if len(self.context.candidates.of(user)) >= len(group):
                    out.append((user, group))
        return out


def variant(images: Pixels, number: int) -> Pixels:
    """The images, uint8 [n, height, width, 3]; but for number 0, the last bit of one value of the first is flipped."""
    changed = images.copy()
    values = changed[0].reshape(-1)
    values[number % len(values)] ^= np.uint8(number > 0)
    return changed
