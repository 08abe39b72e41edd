"""Scorers: numbers for single images, or for all images of a user."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.errors import PluginError
from rebeca.interfaces.encoder import Encoder
from rebeca.interfaces.images import GeneratedImage
from rebeca.interfaces.judge import FittedJudge
from rebeca.interfaces.plugin import Offers, Plugin

if TYPE_CHECKING:
    from rebeca.data.catalogue import Catalogue
    from rebeca.data.dataset import Dataset
    from rebeca.data.interactions import Interactions

P = TypeVar("P")

Role = Literal[
    "", "verifier", "auditor", "confirming", "prior", "observed", "ground-truth", "aesthetic", "support", "copies"
]
"""What part a scorer plays on a leaderboard; most play none."""


@dataclass(frozen=True, slots=True)
class ScorerCard:
    """What the site says about a measure.

    Attributes:
        name: Short heading.
        unit: Unit of the numbers, e.g. ``probability``.
        higher_is_better: Direction.
        meaning: One sentence.
        reference: Source of the measure.
        role: What answers; ``confirming`` for a judge that is fitted after the images are fixed; ``aesthetic`` for what
            users like on the whole; ``support`` for whether images could be items of the data set at all; ``copies``
            for whether they are altered copies of items; empty for any other measure.
        is_ground_truth: Whether it knows users' real ratings or a world's ground truth. Ground truth is used to
            check a leaderboard, never to choose a model.

    Example:
        >>> from rebeca import ScorerCard
        >>> card = ScorerCard("Sharpness", "variance of the Laplacian", True, "How sharp an image is.")
        >>> card.higher_is_better, card.is_ground_truth
        (True, False)
    """

    name: str
    unit: str
    higher_is_better: bool
    meaning: str
    reference: str = ""
    role: Role = ""
    is_ground_truth: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ScoredImages:
    """Images of one generator, in one flat order, as scorers see them.

    Attributes:
        user: int [n]; index of the user for whom the image was generated.
        replicate: int [n].
        digest: One SHA-256 per image; equal images have equal digests.
        item: int [n]; catalogue index or -1.
        unique: Index of the first image with the same digest, int [n].
        embedding_of: Gives the embeddings of all images in a space, float32 [n, dim]: of the ``task``'s encoder, of the
            ``verifier``'s, of the ``auditor``'s; for ``prior``, what they were decoded from, NaN where unknown.
        pixels_of: Gives the pixels of image i, uint8 RGB [height, width, 3].

    Example:
        >>> import numpy as np
        >>> from rebeca import GeneratedImage, ScoredImages
        >>> black, white = (GeneratedImage(np.full((8, 8, 3), level, np.uint8)) for level in (0, 255))
        >>> images = ScoredImages.of([black, white, black], users=[0, 0, 1])
        >>> len(images), images.replicate.tolist(), images.unique.tolist()
        (3, [0, 1, 0], [0, 1, 0])
        >>> images.pixels_of(1).mean()
        np.float64(255.0)
    """

    user: Ints
    replicate: Ints
    digest: tuple[str, ...]
    item: Ints
    unique: Ints
    embedding_of: Callable[[str], Floats]
    pixels_of: Callable[[int], Pixels]

    @classmethod
    def of(
        cls,
        images: Sequence[GeneratedImage],
        users: npt.ArrayLike,
        embeddings: Mapping[str, Floats] = MappingProxyType({}),
    ) -> ScoredImages:
        """Images in memory, to call a scorer outside of any task.

        Args:
            images: n images.
            users: int [n]; index of the user for whom each was generated.
            embeddings: What ``embedding_of`` gives, float32 [n, dim] by space; nothing by default.
        """
        user = np.asarray(users, np.int64)
        digests = tuple(image.digest() for image in images)
        return cls(
            user=user,
            replicate=np.array([np.count_nonzero(user[:i] == user[i]) for i in range(len(user))], np.int64),
            digest=digests,
            item=np.array([-1 if image.item is None else image.item for image in images], np.int64),
            unique=np.array([digests.index(digest) for digest in digests], np.int64),
            embedding_of=embeddings.__getitem__,
            pixels_of=lambda i: images[i].pixels,
        )

    def __len__(self) -> int:
        return len(self.digest)


NEEDS = (
    "verifier", "auditor", "prior", "training", "validation", "auditor-ratings", "held-out", "ground-truth", "support",
    "embeddings",
)  # fmt: skip
"""What a scorer may ask for: judges, ratings, what a synthetic world knows, and the items' embeddings."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScorerContext(Offers):
    """What scorers and set scorers are given: what ``needs`` names, as properties, and the following.

    Attributes:
        users: Ids of all users of the data set, in the order of the user index.
        catalogue: All items, without ratings and captions.
        training_items: bool [items]; items that models could see during fits.
        block_of_user: int [users]; blocks share neither users nor items.
        scale: Lowest and highest possible rating.
        encoder: Gives an encoder by the name that a task would use; the scorer names it in ``encoders`` as well.
        device: Torch device name.

    Example:
        >>> from rebeca import ScorerContext
        >>> context = ScorerContext.alone()
        >>> context.users, context.scale
        ((), (0.0, 1.0))
        >>> context.held_out
        Traceback (most recent call last):
        ...
        rebeca.errors.PluginError: it uses 'held-out', which its needs() does not name
          hint: name it in needs(params)
    """

    users: tuple[str, ...]
    catalogue: Catalogue
    training_items: Bools
    block_of_user: Ints
    scale: tuple[float, float]
    encoder: Callable[[str], Encoder[Any]]
    device: str = "cpu"

    @classmethod
    def alone(
        cls,
        dataset: Dataset | None = None,
        given: Mapping[str, Callable[[], object]] = MappingProxyType({}),
        device: str = "cpu",
    ) -> ScorerContext:
        """A context outside of any task; every item counts as a training item.

        Args:
            dataset: By default there are no users and no items.
            given: Makes what ``needs`` names.
            device: Torch device name.
        """
        from rebeca.data.dataset import no_data

        data = no_data() if dataset is None else dataset

        def encoder(use: str) -> Encoder[Any]:
            raise PluginError(f"it asks for the encoder '{use}', which only a task can give")

        return cls(
            given=given,
            users=data.ratings.user_ids,
            catalogue=data.catalogue.without_captions(),
            training_items=np.ones(len(data.catalogue), bool),
            block_of_user=data.block_of_user,
            scale=data.scale,
            encoder=encoder,
            device=device,
        )

    @property
    def verifier(self) -> FittedJudge:
        """The judge that scores images."""
        return self._get("verifier")

    @property
    def auditor(self) -> FittedJudge:
        """The second judge, which no generator is given."""
        return self._get("auditor")

    @property
    def prior(self) -> FittedJudge:
        """The verifier refitted in the space of the task's encoder."""
        return self._get("prior")

    @property
    def training(self) -> Interactions:
        """Training ratings of the generators."""
        return self._get("training")

    @property
    def validation(self) -> Interactions:
        """Validation ratings of the generators."""
        return self._get("validation")

    @property
    def auditor_ratings(self) -> Interactions:
        """Training ratings of the auditor."""
        return self._get("auditor-ratings")

    @property
    def support(self) -> Callable[[Iterable[Pixels]], Bools]:
        """Whether images could be items of the synthetic world, bool [n]."""
        return self._get("support")

    @property
    def embeddings(self) -> Floats:
        """float32 [items, dim]; the items in the space of the task's encoder."""
        return self._get("embeddings")


class ScorerPlugin(Plugin[P, ScorerContext]):
    """What scorers and set scorers have in common."""

    @classmethod
    def needs(cls, params: P) -> frozenset[str]:
        """What the scores depend on, a subset of :data:`NEEDS`; nothing where pixels suffice."""
        return frozenset()

    @classmethod
    def encoders(cls, params: P) -> tuple[str, ...]:
        """Names of encoders that it asks its context for, as a task would write them; none by default."""
        return ()


class Scorer(ScorerPlugin[P]):
    """Scores single images for users.

    Example:
        >>> import numpy as np
        >>> from rebeca import GeneratedImage, NoParams, ScoredImages, Scorer, ScorerCard, ScorerContext
        >>> class Brightness(Scorer[NoParams]):
        ...     @classmethod
        ...     def card(cls, params):
        ...         return ScorerCard("Brightness", "grey level 0 to 255", True, "Mean of the image's pixels.")
        ...     def score(self, images, users):
        ...         return np.array([images.pixels_of(i).mean() for i in range(len(images))])
        >>> greys = [GeneratedImage(np.full((8, 8, 3), level, np.uint8)) for level in (10, 200)]
        >>> images = ScoredImages.of(greys, users=[0, 1])
        >>> Brightness(NoParams(), ScorerContext.alone()).score(images, images.user).tolist()
        [10.0, 200.0]

    Attributes:
        judges_everyone: Whether every user can be asked about every image; then personal lift can be computed. May
            depend on the data, and is read after the scorer was built.
    """

    judges_everyone: bool = False

    @classmethod
    @abc.abstractmethod
    def card(cls, params: P) -> ScorerCard:
        """What the site says about it."""

    @abc.abstractmethod
    def score(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [n]; score of image i for user ``users[i]``, NaN where there is no answer.

        Args:
            images: n images.
            users: int [n]; user indices.
        """

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        """float64 [users, n]; every image for every one of ``users``; only where ``judges_everyone``."""
        raise NotImplementedError

    def worst(self, users: Ints) -> Floats:
        """float64 [users]; what a failed image counts for each user under ``failures: worst``.

        Define it if the worst score over all training items is known at once. Where it is NaN, as by default, the
        harness asks :meth:`score` about some training items and takes the user's worst score.
        """
        return np.full(len(users), np.nan)


class SetScorer(ScorerPlugin[P]):
    """Scores all images of a user together; one number per user and measure.

    Example:
        >>> import numpy as np
        >>> from rebeca import GeneratedImage, NoParams, ScoredImages, ScorerCard, ScorerContext, SetScorer
        >>> class DistinctImages(SetScorer[NoParams]):
        ...     @classmethod
        ...     def cards(cls, params):
        ...         return {"distinct-images": ScorerCard("Distinct", "images", True, "Different images of a user.")}
        ...     def score_sets(self, images, users):
        ...         counts = [len(np.unique(images.unique[images.user == user])) for user in users]
        ...         return {"distinct-images": np.array(counts, float)}
        >>> grey = GeneratedImage(np.zeros((8, 8, 3), np.uint8))
        >>> images = ScoredImages.of([grey, grey], users=[0, 0])
        >>> scores = DistinctImages(NoParams(), ScorerContext.alone()).score_sets(images, np.array([0, 1]))
        >>> scores["distinct-images"].tolist()
        [1.0, 0.0]

    Attributes:
        compares_users: Whether a user's numbers rest on the images of other users as well.
    """

    compares_users: ClassVar[bool] = False

    @classmethod
    @abc.abstractmethod
    def cards(cls, params: P) -> Mapping[str, ScorerCard]:
        """What the site says about each measure, by the measure's name."""

    @abc.abstractmethod
    def score_sets(self, images: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        """For each measure of ``cards`` float64 [users]; NaN where a user has no value.

        Args:
            images: n images.
            users: int [users]; indices of the users to score.
        """
