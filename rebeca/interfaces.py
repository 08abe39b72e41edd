"""The public vocabulary: what a generator, scorer, encoder and decoder are.

Importing this module imports neither torch nor pandas, so that a third party can write against it cheaply.
"""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from rebeca.arrays import Bools, Floats, Ints, Pixels
from rebeca.data.interactions import Interactions
from rebeca.errors import GeneratorError

if TYPE_CHECKING:
    from rebeca.data.catalogue import Candidates, Catalogue

NEEDS = ("judge", "heldout", "ground-truth")
"""What a generator may ask for beyond its training ratings. Asking marks its row and leaves it unranked."""


@dataclass(frozen=True, slots=True)
class Request:
    """One picture to be made.

    Attributes:
        user: The person's id.
        replicate: 0 to K - 1, counted within the user.
        seed: The picture's own seed; streams are derived with ``rebeca.seeds.substream``.
    """

    user: str
    replicate: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedImage:
    """One picture, made or found.

    Attributes:
        pixels: uint8 RGB, [height, width, 3].
        embedding: What it was decoded from, float32 [dim] in the space of the task's encoder, or None.
        item: Index in the catalogue where the picture is a catalogue picture, else None.
    """

    pixels: Pixels
    embedding: Floats | None = None
    item: int | None = None

    def digest(self) -> str:
        """SHA-256 over shape and pixels."""
        return pixels_digest(self.pixels)


def pixels_digest(pixels: Pixels) -> str:
    """SHA-256 over shape and pixel values: equal for equal pictures, whatever file they came in."""
    header = f"{pixels.shape[0]}x{pixels.shape[1]}:".encode()
    return hashlib.sha256(header + np.ascontiguousarray(pixels).tobytes()).hexdigest()


class Encoder(abc.ABC):
    """Turns pictures into vectors.

    Attributes:
        name: How a task names it, e.g. ``efficientnet-lite2``.
        dim: Numbers a vector.
    """

    name: str
    dim: int

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever a vector could: weights, preprocessing, version; what :meth:`fit` learns aside."""

    @abc.abstractmethod
    def encode(self, pictures: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        """Encodes pictures, float32 [len(pictures), dim]; ``items`` gives catalogue indices where known."""

    def fit(self, pictures: Sequence[Pixels], items: Sequence[int], seed: int) -> None:
        """Learns from training pictures (never from held-out ones). Most encoders have nothing to learn."""

    @property
    def learns(self) -> bool:
        """Whether :meth:`fit` does anything."""
        return False


@dataclass(frozen=True, slots=True)
class FitContext:
    """What a generator is given besides training ratings.

    Attributes:
        users: Ids of all people of the data set, in the order of ``train``'s user index.
        catalogue: All pictures, without ratings.
        candidates: Which catalogue pictures may be shown to whom.
        encoder: Gives the task's encoder, fitted where it learns.
        embeddings: Catalogue in the encoder's space, float32 [items, dim].
        training_items: bool [items]; the pictures that fits may look at.
        validation: Ratings for early stopping and for choices, out of the generators' own part.
        decoder: Makes the task's decoder for a prior's space.
        seeds: Seeds of the task.
        fit_seed: Seed of this fit.
        device: Torch device name.
        workdir: A folder for checkpoints and temporary files of this fit.
        progress: Called with (done, total, note).
        grants: ``judge``, ``heldout`` or ``ground-truth`` where the generator's ``needs`` names them.
    """

    users: tuple[str, ...]
    catalogue: Catalogue
    candidates: Candidates
    encoder: Callable[[], Encoder]
    embeddings: Floats
    training_items: Bools
    validation: Interactions
    decoder: Callable[[Space], Decoder]
    seeds: Any
    fit_seed: int
    device: str
    workdir: Path
    progress: Callable[[int, int, str], None]
    grants: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Space(Protocol):
    """Maps between an encoder's space and the space in which a prior works."""

    def forward(self, embeddings: Floats) -> Floats:
        """Encoder's space -> prior's space, [n, dim] -> [n, prior dim]."""

    def inverse(self, points: Floats) -> Floats:
        """Prior's space -> encoder's space, [n, prior dim] -> [n, dim]."""


class Decoder(abc.ABC):
    """Turns points of a prior's space into pictures."""

    @abc.abstractmethod
    def decode(self, points: Floats, requests: Sequence[Request]) -> Iterable[GeneratedImage | None]:
        """Decodes [n, prior dim] into n pictures, None where one failed; ``requests`` hold whole users in order.

        Pictures may come one after another: whoever needs them all at once makes a list.
        """

    def decode_prompts(
        self, prompts: Sequence[str], negative_prompts: Sequence[str], requests: Sequence[Request]
    ) -> Iterable[GeneratedImage | None]:
        """Makes n pictures from words alone, None where one failed.

        Raises:
            GeneratorError: If this decoder reads no words.
        """
        raise GeneratorError(
            f"the decoder {type(self).__name__} reads no words", hint="use stable-diffusion-ip-adapter with prompts"
        )

    def rehearse(self, batch: int | None = None) -> int | None:
        """Finds out how many pictures can be made at once, before the first one counts; None where it does not matter.

        Args:
            batch: What an earlier rehearsal on this kind of device found; it is used again.
        """
        return None

    @classmethod
    def weights(cls, params: Any) -> str | None:
        """SHA-256 of the weights that pictures depend on, where there are some."""
        return None


@dataclass(frozen=True, slots=True)
class NoParams:
    """For classes without parameters."""


class Generator(abc.ABC):
    """Makes pictures for people.

    A class names a frozen dataclass ``Params`` and is built from one; the harness makes it from the ``params`` of a
    task file, where unknown names and wrong types are the spec's errors, not the class's.
    ``generate`` always receives all requests of whole users in replicate order and yields one picture a
    request, in the same order.

    Attributes:
        Params: Dataclass of the parameters, all with defaults or checked by the constructor.
        needs: Subset of :data:`NEEDS`; may depend on the parameters.
        family: Shown on the board: ``rebeca``, ``catalogue``, ``prompt``, ``control`` or ``external``.
        granted_at: Where it uses what it ``needs``: in the ``fit``, or only when it comes to ``generate``.
        claims_personal: False where every person is meant to get the same distribution of pictures.
    """

    Params: ClassVar[type[Any]] = NoParams
    family: ClassVar[str] = "external"
    granted_at: ClassVar[Literal["fit", "generate"]] = "fit"

    @property
    def fit_parameters(self) -> frozenset[str]:
        """Names of the parameters that the fit depends on; equal values share one fit."""
        return frozenset()

    @property
    def needs(self) -> frozenset[str]:
        """Nothing, for an honest generator."""
        return frozenset()

    @property
    def claims_personal(self) -> bool:
        """Whether pictures are meant to differ between people because of their taste."""
        return True

    @abc.abstractmethod
    def fit(self, train: Interactions, context: FitContext) -> None:
        """Learns from training ratings."""

    @abc.abstractmethod
    def save(self, folder: Path) -> None:
        """Writes what the fit learned into an empty folder."""

    @abc.abstractmethod
    def load(self, folder: Path, context: FitContext) -> None:
        """Reads what :meth:`save` wrote."""

    @abc.abstractmethod
    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """Yields one picture a request, or None where there is no picture."""


@dataclass(frozen=True, slots=True)
class ScorerCard:
    """What the site says about a scorer.

    Attributes:
        name: Short heading.
        unit: Unit of the numbers, e.g. ``probability``.
        higher_is_better: Direction.
        meaning: One sentence.
        reference: Source of the measure.
        role: What the scorer is to the harness; empty for a scorer without a part of its own.
        is_ground_truth: Whether it knows the ground truth. Ground truth validates and never selects.
    """

    name: str
    unit: str
    higher_is_better: bool
    meaning: str
    reference: str = ""
    role: Literal["", "verifier", "auditor", "prior", "observed", "ground-truth", "aesthetic"] = ""
    is_ground_truth: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ScoredImages:
    """Pictures of one generator, in one flat order, as scorers see them.

    Attributes:
        user: int [n]; index of the person for whom the picture was made.
        replicate: int [n].
        digest: One SHA-256 a picture; equal pictures have equal digests.
        item: int [n]; catalogue index or -1.
        unique: Index of the first picture with the same digest, int [n].
        embedding_of: Gives the vectors of all pictures in an encoder's space, float32 [n, dim]; for ``prior``, what
            they were decoded from, NaN where nothing is known.
        pixels_of: Gives the pixels of picture i.
    """

    user: Ints
    replicate: Ints
    digest: tuple[str, ...]
    item: Ints
    unique: Ints
    embedding_of: Callable[[str], Floats]
    pixels_of: Callable[[int], Pixels]


class Scorer(abc.ABC):
    """Scores single pictures for people.

    Attributes:
        card: What the site says about it.
        judges_everyone: Whether any person can be asked about any picture (then lift can be computed).
        is_ground_truth: Whether it knows the ground truth of its world. Ground truth validates and never selects.
    """

    card: ScorerCard
    judges_everyone: bool = False
    is_ground_truth: bool = False

    @abc.abstractmethod
    def score(self, pictures: ScoredImages, users: Ints) -> Floats:
        """float64 [n]: score of picture i by person ``users[i]``; NaN where there is no answer."""

    def score_all(self, pictures: ScoredImages, users: Ints) -> Floats:
        """float64 [len(users), n]: every picture by every person; only where ``judges_everyone``."""
        raise NotImplementedError

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever a score could."""


class SetScorer(abc.ABC):
    """Scores the whole set of pictures of a person; one number a person and measure."""

    cards: Mapping[str, ScorerCard]

    @abc.abstractmethod
    def score_sets(self, pictures: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        """For each measure float64 [len(users)]; NaN where a person has no value."""

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever a score could."""


def whole_users(requests: Iterable[Request]) -> list[list[Request]]:
    """Groups consecutive requests by user, in order."""
    groups: list[list[Request]] = []
    for request in requests:
        if groups and groups[-1][0].user == request.user:
            groups[-1].append(request)
        else:
            groups.append([request])
    return groups
