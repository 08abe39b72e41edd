"""Generators: images for users."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Never, TypeVar

import numpy as np

from rebeca.arrays import Bools, Floats, Plain
from rebeca.data.interactions import Interactions
from rebeca.errors import PluginError
from rebeca.interfaces.decoder import Decoder
from rebeca.interfaces.encoder import Encoder
from rebeca.interfaces.images import GeneratedImage, Request, Space
from rebeca.interfaces.judge import FittedJudge, no_progress
from rebeca.interfaces.plugin import Offers, Plugin
from rebeca.seeds import SeedScheme

if TYPE_CHECKING:
    from rebeca.data.catalogue import Candidates, Catalogue
    from rebeca.data.dataset import Dataset

P = TypeVar("P")

PRIVILEGES = ("judge", "held-out", "ground-truth")
"""What a generator may ask for beyond its training ratings. Asking marks its row and leaves it unranked."""
STEPS = ("fit", "generate")
"""Where a generator may ask for the decoder."""


@dataclass(frozen=True, slots=True, eq=False)
class Privileges(Offers):
    """What a privileged generator was given; a property raises where its need was not declared.

    Attributes:
        given: Makes what was asked for, by need: ``judge``, ``held-out``, ``ground-truth``.

    Example:
        >>> import numpy as np
        >>> from rebeca import GroundTruth, Privileges
        >>> likes_even = GroundTruth("probability", "Even items.", lambda users, items: 1.0 - items % 2, exact={})
        >>> privileges = Privileges({"ground-truth": lambda: likes_even})
        >>> privileges.ground_truth.utility(np.array([0]), np.arange(4)).tolist()
        [1.0, 0.0, 1.0, 0.0]
        >>> privileges.judge
        Traceback (most recent call last):
        ...
        rebeca.errors.PluginError: it uses 'judge', which its needs() does not name
          hint: name it in needs(params)
    """

    @property
    def judge(self) -> FittedJudge:
        """The verifier."""
        return self._get("judge")


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorContext:
    """What a generator is given besides training ratings.

    Attributes:
        users: Ids of all users of the data set, in the order of the user index.
        catalogue: All items, without ratings; with captions where ``reads_captions`` says so.
        candidates: Which items may be shown to whom.
        embeddings: The catalogue in the space of the task's encoder, float32 [items, dim].
        training_items: bool [items]; the items that fits may look at.
        validation: Ratings for early stopping and for choices, out of the generators' own part.
        encoder: Gives the task's encoder, fitted where it learns.
        decoder: Builds the task's decoder for points of a space, where ``decodes_in`` says so.
        seeds: Seeds of the task.
        fit_seed: Seed of this fit.
        fits: How many fits the task asks for; image k of a user is made by fit k modulo this number.
        device: Torch device name.
        workdir: A folder for checkpoints and temporary files of this fit.
        progress: Called with (done, total, note).
        privileges: What ``needs`` names.

    Example:
        >>> import numpy as np
        >>> from rebeca import Dataset, GeneratorContext, Interactions
        >>> ratings = Interactions(*np.zeros((4, 1), int), ("ann",), ("cat", "dog"))
        >>> dataset = Dataset.in_memory("Animals", np.zeros((2, 8, 8, 3), np.uint8), ratings, scale=(0, 1))
        >>> context = GeneratorContext.alone(dataset, embeddings=np.zeros((2, 16), np.float32))
        >>> context.users, context.embeddings.shape, context.candidates.of(0).tolist()
        (('ann',), (2, 16), [0])
    """

    users: tuple[str, ...]
    catalogue: Catalogue
    candidates: Candidates
    embeddings: Floats
    training_items: Bools
    validation: Interactions
    encoder: Callable[[], Encoder[Any]]
    decoder: Callable[[Space], Decoder[Any]]
    seeds: SeedScheme
    fit_seed: int
    device: str
    workdir: Path
    fits: int = 1
    progress: Callable[[int, int, str], None] = no_progress
    privileges: Privileges = field(default_factory=Privileges)

    @classmethod
    def alone(
        cls,
        dataset: Dataset | None = None,
        embeddings: Floats | None = None,
        *,
        decoder: Callable[[Space], Decoder[Any]] | None = None,
        seed: int = 0,
        device: str = "cpu",
        workdir: Path = Path(),
    ) -> GeneratorContext:
        """A context outside of any task: all items train, and a user may be shown all items of the user's block.

        Args:
            dataset: By default there are no users and no items.
            embeddings: The items' embeddings, float32 [items, dim]; of length 0 by default.
            decoder: Builds the decoder for points of a space.
            seed: Seed of the fit.
            device: Torch device name.
            workdir: A folder for checkpoints and temporary files.
        """
        from rebeca.data.dataset import no_data

        data = no_data() if dataset is None else dataset
        count = len(data.catalogue)

        def missing(*_: object) -> Never:
            raise PluginError("it asks for an encoder or a decoder that only a task can give")

        return cls(
            users=data.ratings.user_ids,
            catalogue=data.catalogue,
            candidates=data.all_candidates(),
            embeddings=np.zeros((count, 0), np.float32) if embeddings is None else embeddings,
            training_items=np.ones(count, bool),
            validation=data.ratings.where(np.zeros(len(data.ratings), bool)),
            encoder=missing,
            decoder=missing if decoder is None else decoder,
            seeds=SeedScheme("alone", 1, seed),
            fit_seed=seed,
            device=device,
            workdir=workdir,
        )


class Generator(Plugin[P, GeneratorContext]):
    """Returns images for users.

    Example:
        >>> import numpy as np
        >>> from dataclasses import dataclass
        >>> from rebeca import GeneratedImage, Generator, GeneratorContext, Request
        >>> @dataclass(frozen=True)
        ... class NoiseParams:
        ...     side: int = 16
        >>> class Noise(Generator[NoiseParams]):
        ...     Params = NoiseParams
        ...     def fit(self, train):
        ...         pass
        ...     def save(self, folder):
        ...         pass
        ...     def load(self, folder):
        ...         pass
        ...     def generate(self, requests):
        ...         for request in requests:
        ...             rng = np.random.default_rng(request.seed)
        ...             yield GeneratedImage(rng.integers(0, 256, (self.params.side, self.params.side, 3), np.uint8))
        >>> noise = Noise(NoiseParams(side=2), GeneratorContext.alone())
        >>> [image] = noise.generate([Request("ann", replicate=0, seed=7)])
        >>> image.pixels.shape
        (2, 2, 3)

    Attributes:
        family: Shown on the leaderboard: ``rebeca``, ``catalogue``, ``prompt``, ``control``, ``adversary`` or
            ``external``.
        privileged_at: Where it uses what it ``needs``: in the ``fit``, or only in ``generate``.
        fitted_elsewhere: Whether somebody else fitted the models: then two generators of this name have nothing in
            common, and their variances between fits are not pooled.
    """

    family: ClassVar[str] = "external"
    fitted_elsewhere: ClassVar[bool] = False
    privileged_at: ClassVar[Literal["fit", "generate"]] = "fit"

    @classmethod
    def needs(cls, params: P) -> frozenset[str]:
        """Privileges it asks for, a subset of :data:`PRIVILEGES`; nothing, for a generator that is to be ranked."""
        return frozenset()

    @classmethod
    def fit_parameters(cls, params: P) -> frozenset[str]:
        """Names of the parameters that the fit depends on; equal values share one fit. All of them by default."""
        return frozenset(parameter.name for parameter in fields(cls.Params))

    @classmethod
    def fit_varies(cls, params: P) -> bool:
        """Whether a fit with another seed may learn something else.

        If not, one fit serves all fits that a task asks for. The images of each are still asked for separately.
        """
        return True

    @classmethod
    def decodes_in(cls, params: P) -> frozenset[str]:
        """Where it asks its context for the decoder, a subset of :data:`STEPS`; only there it is given.

        Fits and images that rest on no decoder stay cached when the decoder changes.
        """
        return frozenset({"generate"})

    @classmethod
    def reads_captions(cls, params: P) -> bool:
        """Whether it reads the captions of items; else its catalogue holds none.

        Fits that do not read captions stay cached when captions change.
        """
        return False

    @classmethod
    def claims_personal(cls, params: P) -> bool:
        """Whether images are meant to differ between users because of their taste."""
        return True

    @classmethod
    def needs_repeats(cls, params: P) -> bool:
        """Whether it decodes several images per request, so that the decoder must be able to repeat one."""
        return False

    @classmethod
    def prompts(cls, params: P) -> Sequence[str]:
        """Prompts that are known before the fit; those that are too long for the text encoder are reported."""
        return ()

    @classmethod
    def notes(cls, params: P) -> Sequence[str]:
        """Sentences about parameters that work otherwise than they seem to; shown before the fit. May import torch."""
        return ()

    @abc.abstractmethod
    def fit(self, train: Interactions) -> None:
        """Learns from training ratings."""

    @abc.abstractmethod
    def save(self, folder: Path) -> None:
        """Writes what the fit learned into an empty folder."""

    @abc.abstractmethod
    def load(self, folder: Path) -> None:
        """Reads what :meth:`save` wrote."""

    def report(self) -> Mapping[str, Plain]:
        """Facts about the fit, e.g. losses and a chosen guidance; saved beside it, shown on its page.

        Asked once, after :meth:`fit` and :meth:`save`.
        """
        return {}

    @abc.abstractmethod
    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        """Yields one image per request, or None where there is none.

        Args:
            requests: Those of whole users that this fit answers, in replicate order. Take randomness from their seeds,
                so that an image does not depend on what is asked for beside it.
        """
