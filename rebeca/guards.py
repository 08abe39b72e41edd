"""Guards around plug-ins: whatever a plug-in does wrong is one message with its kind and name.

A guard is an object of the kind's own base class that asks the plug-in and checks every answer. The harness runs
plug-ins behind guards, and :mod:`rebeca.testing` tests them behind the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, TypeVar

import numpy as np

from rebeca.arrays import LARGEST, Bools, Floats, Ints, Pixels, Plain
from rebeca.data.catalogue import PixelSource
from rebeca.data.dataset import Dataset
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.errors import DataError, PluginError, RebecaError, of_machine
from rebeca.interfaces import (
    DatasetSource,
    Decoder,
    Encoder,
    GeneratedImage,
    Generator,
    Judge,
    Plugin,
    Request,
    ScoredImages,
    Scorer,
    SetScorer,
)
from rebeca.pixels import MOST_PIXELS
from rebeca.seeds import canonical_json
from rebeca.spans import Part as Spent
from rebeca.spans import span

P = ParamSpec("P")
T = TypeVar("T")

WHERE = "rebeca-bench --debug run ... shows where"
LONGEST_MESSAGE = 1000
LONGEST_VALUE = 500
SPENT = {"read": Spent.DATA} | dict.fromkeys(
    ("fit", "generate", "decode", "encode", "rehearse", "score", "score_all", "score_sets", "worst"), Spent.MODELS
)
"""What the time of a plug-in's method is spent on; that of the others, on files of its own."""
NEED_OF_SPACE = {"task": "embeddings", "verifier": "verifier", "auditor": "auditor", "prior": "prior"}
"""By space: the need that a scorer must name before it may ask for embeddings of images in that space."""


@contextmanager
def guarded(kind: str, name: str) -> Iterator[None]:
    """Turns every exception of a plug-in into one message with its kind and name.

    Errors of the task file, the data and the machine (see :func:`rebeca.errors.of_machine`) stay what they are.

    Args:
        kind: Such as ``generator``; begins the message.
        name: Its name in the task.

    Raises:
        PluginError: For everything else.
    """
    label = f"{kind} '{name}'"
    try:
        yield
    except PluginError as error:
        if label in error.message:
            raise
        raise PluginError(f"{label}: {error.message}", hint=error.hint) from error
    except RebecaError:
        raise
    except (Exception, SystemExit) as error:  # a plug-in may raise anything
        if of_machine(error):
            raise
        raise PluginError(f"{label} failed: {type(error).__name__}: {message_of(error)}", hint=WHERE) from error


def message_of(error: BaseException) -> str:
    """Its text, cut where it is long."""
    text = str(error)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."


def checked_class(loaded: object, bases: tuple[type[Any], ...], label: str) -> type[Any]:
    """The class of a plug-in.

    Args:
        loaded: What is registered.
        bases: It must derive from one of them.
        label: Begins a message.

    Raises:
        PluginError: If it is no such class, an abstract one, or its ``Params`` is no dataclass.
    """
    if not (isinstance(loaded, type) and issubclass(loaded, bases)):
        wanted = " or ".join(f"rebeca.{base.__name__}" for base in bases)
        what = f"the class {loaded.__name__}" if isinstance(loaded, type) else f"a {type(loaded).__name__}"
        raise PluginError(f"{label} is {what}, which is not derived from {wanted}")
    plugin: Any = loaded
    if inspect.isabstract(plugin):
        missing = ", ".join(sorted(plugin.__abstractmethods__))
        raise PluginError(f"{label}: the class {plugin.__name__} does not define {missing}")
    refuse_if(
        not (isinstance(plugin.Params, type) and is_dataclass(plugin.Params)),
        f"{label}: {plugin.__name__}.Params is no dataclass",
    )
    return plugin


def _guarded(method: Callable[P, T]) -> Callable[P, T]:
    """Every error in a method of a guard becomes a message with the plug-in's kind and name; each call is a span."""
    what = method.__name__
    spent = SPENT.get(what, Spent.PLUGINS)

    @wraps(method)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        guard: Any = arguments[0]
        with span(spent, f"{guard.kind} '{guard.name}': {what}"), guarded(guard.kind, guard.name):
            return method(*arguments, **options)

    return call


class _Guard(Plugin[Any, Any]):
    """Asks the plug-in ``inner``; every error of it becomes a message with its kind and name."""

    kind: ClassVar[str]

    def __init__(self, inner: Any, params: Any, context: Any, name: str) -> None:
        super().__init__(params, context)
        self.inner, self.name = inner, name


class _Saved(_Guard):
    """A plug-in whose fit is kept in a folder."""

    @_guarded
    def save(self, folder: Path) -> None:
        self.inner.save(folder)

    @_guarded
    def load(self, folder: Path) -> None:
        self.inner.load(folder)


class _Generator(_Saved, Generator[Any]):
    kind = "generator"

    @_guarded
    def fit(self, train: Interactions) -> None:
        self.inner.fit(train)

    @_guarded
    def report(self) -> Mapping[str, Plain]:
        report = self.inner.report()
        refuse_if(not isinstance(report, Mapping), f"report is a {type(report).__name__}, expected a mapping")
        canonical_json(report)  # numbers and text only, all of them finite
        return report

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        return _guarded_iterator("generator", self.name, "generate", lambda: self.inner.generate(requests))


class _Encoder(_Guard, Encoder[Any]):
    kind = "encoder"

    @property
    @_guarded
    def dim(self) -> int:
        size = self.inner.dim
        refuse_if(
            isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1,
            f"dim is {size!r}, expected a positive whole number",
        )
        return int(size)

    @_guarded
    def fit(self, images: Sequence[Pixels], items: Sequence[int], seed: int) -> None:
        self.inner.fit(images, items, seed)

    @_guarded
    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        vectors = _numbers(self.inner.encode(images, items), "encode", (len(images), self.dim))
        return vectors.astype(np.float32, copy=False)


class _Decoder(_Guard, Decoder[Any]):
    kind = "decoder"

    @property
    @_guarded
    def repeats(self) -> bool:
        return bool(self.inner.repeats)

    def decode(self, points: Floats, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        return self._counted(lambda: self.inner.decode(points, requests), len(requests))

    def decode_prompts(
        self, prompts: Sequence[str], negative_prompts: Sequence[str], requests: Sequence[Request]
    ) -> Iterator[GeneratedImage | None]:
        return self._counted(lambda: self.inner.decode_prompts(prompts, negative_prompts, requests), len(requests))

    @_guarded
    def rehearse(self, batch: int | None = None) -> int | None:
        return self.inner.rehearse(batch)

    def _counted(
        self, ask: Callable[[], Iterable[GeneratedImage | None]], wanted: int
    ) -> Iterator[GeneratedImage | None]:
        count, name = 0, f"decoder '{self.name}'"
        for count, image in enumerate(_guarded_iterator("decoder", self.name, "decode", ask), start=1):
            refuse_if(
                not (image is None or isinstance(image, GeneratedImage)),
                f"{name} returned a {type(image).__name__}, expected a GeneratedImage or None",
            )
            refuse_if(count > wanted, f"{name} returned more than {wanted} images for {wanted} requests")
            yield image
        refuse_if(count < wanted, f"{name} returned {count} images for {wanted} requests")


class _Judge(_Saved, Judge[Any]):
    kind = "judge"

    @_guarded
    def fit(self, part: Part, embeddings: Floats) -> None:
        self.inner.fit(part, embeddings)

    @_guarded
    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        shape = len(self.context.users if users is None else users), len(embeddings)
        scores = _numbers(self.inner.score_all(embeddings, users), "score_all", shape)
        refuse_if(
            ((scores < 0) | (scores > 1)).any(), "score_all returned a number outside [0, 1], expected probabilities"
        )
        return scores


class _DatasetSource(_Guard, DatasetSource[Any]):
    kind = "data set"

    @_guarded
    def read(self) -> Dataset:
        try:
            dataset = self.inner.read()
        except FileNotFoundError as error:
            folder = self.inner.context.path
            if folder is None or not Path(str(error.filename)).is_relative_to(folder):
                raise
            hint = f"{folder} is the folder that the task names as data.path"
            raise DataError(f"{error.filename}: no such file", hint=hint) from error
        refuse_if(
            not isinstance(dataset, Dataset),
            f"read returned a {type(dataset).__name__}, expected a rebeca.Dataset",
        )
        check_dataset(dataset)
        dataset.catalogue.source = _PixelSource(dataset.catalogue.source, self.name)
        return dataset


@dataclass(frozen=True, slots=True, eq=False)
class _PixelSource:
    """Pixels of a data set's items, which are read long after the data set."""

    inner: PixelSource
    name: str
    kind = "data set"

    @_guarded
    def read(self, index: int) -> Pixels:
        pixels = self.inner.read(index)
        refuse_if(
            not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[2:] != (3,),
            f"the pixels of item {index} are no uint8 [height, width, 3]",
        )
        return pixels


@Scorer.register  # not derived from it: cards are asked of the plug-in's class, before anything is built
class _Scorer(_Guard):
    kind = "scorer"

    @property
    @_guarded
    def judges_everyone(self) -> bool:
        return bool(self.inner.judges_everyone)

    @_guarded
    def score(self, images: ScoredImages, users: Ints) -> Floats:
        return _numbers(self.inner.score(images, users), "score", (len(images),), gaps=True)

    @_guarded
    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        return _numbers(self.inner.score_all(images, users), "score_all", (len(users), len(images)), gaps=True)

    @_guarded
    def worst(self, users: Ints) -> Floats:
        return _numbers(self.inner.worst(users), "worst", (len(users),), gaps=True)


@SetScorer.register
class _SetScorer(_Guard):
    kind = "set scorer"

    @_guarded
    def score_sets(self, images: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        measured = self.inner.score_sets(images, users)
        wanted = sorted(type(self.inner).cards(self.params))
        if not isinstance(measured, Mapping) or sorted(measured) != wanted:
            answer = sorted(measured) if isinstance(measured, Mapping) else type(measured).__name__
            raise PluginError(f"score_sets returned {answer}, its cards are {wanted}")
        return {name: _numbers(measured[name], f"score_sets '{name}'", (len(users),), gaps=True) for name in wanted}


GUARDS: dict[str, type[_Guard]] = {
    guard.kind: guard for guard in (_Generator, _Encoder, _Decoder, _Judge, _DatasetSource, _Scorer, _SetScorer)
}


def refuse_if(condition: object, message: str) -> None:
    """Raises a PluginError with this message where the condition is true."""
    if condition:
        raise PluginError(message)


def _guarded_iterator(kind: str, name: str, what: str, ask: Callable[[], Iterable[T]]) -> Iterator[T]:
    """Answers one after another, each guarded and a span; errors of the harness between two pass unchanged."""
    spent, called = SPENT[what], f"{kind} '{name}': {what}"
    with span(spent, called), guarded(kind, name):
        answers = iter(ask())
    while True:
        with span(spent, called), guarded(kind, name):
            try:
                answer = next(answers)
            except StopIteration:
                return
        yield answer


def _numbers(answer: object, what: str, shape: tuple[int, ...], *, gaps: bool = False) -> Floats:
    """An array of numbers of a shape, none beyond ``LARGEST``; with ``gaps``, NaN stands for no answer."""
    if not isinstance(answer, np.ndarray):
        raise PluginError(f"{what} returned a {type(answer).__name__}, expected an array of numbers")
    refuse_if(
        answer.dtype.kind not in "fiub", f"{what} returned an array of {answer.dtype}, expected an array of numbers"
    )
    refuse_if(answer.shape != shape, f"{what} returned {list(answer.shape)} numbers, expected {list(shape)}")
    fine = np.isfinite(answer)
    if answer.dtype == np.float64:  # other types hold nothing as large
        fine &= np.abs(answer) <= LARGEST
    if gaps:
        fine |= np.isnan(answer)
    if not fine.all():
        where = np.unravel_index(int(np.flatnonzero(~fine)[0]), answer.shape)
        raise PluginError(f"{what} returned {answer[where]}, at {[int(i) for i in where]}")
    return answer if answer.dtype.kind == "f" else answer.astype(np.float64)


def check_dataset(data: Dataset) -> None:
    """Refuses a data set whose parts do not fit together.

    Raises:
        PluginError: Naming the first fault.
    """
    ratings, items = data.ratings, len(data.catalogue)
    refuse_if(not len(ratings), "read returned a data set without ratings")
    columns = {name: len(getattr(ratings, name)) for name in ("user", "item", "rating", "liked")}
    refuse_if(len(set(columns.values())) != 1, f"read returned ratings whose columns differ in length: {columns}")
    refuse_if(
        ratings.num_items != items or len(data.catalogue.block) != items,
        f"read returned {items} items, ratings of {ratings.num_items}",
    )
    refuse_if(
        len(data.block_of_user) != ratings.num_users,
        f"read returned blocks of {len(data.block_of_user)} users, ratings of {ratings.num_users}",
    )
    for name, most in (("user", ratings.num_users), ("item", items)):
        index = getattr(ratings, name)
        refuse_if(
            index.min() < 0 or index.max() >= most,
            f"read returned ratings with a {name} index outside 0 to {most - 1}",
        )
    low, high = data.scale
    fine: Bools = np.isfinite(ratings.rating) & (ratings.rating >= low) & (ratings.rating <= high)
    refuse_if(not fine.all(), f"read returned a rating outside its scale, {low:g} to {high:g}")


def check_image(answer: GeneratedImage, where: str, items: int) -> None:
    """Refuses an image whose pixels, embedding or item cannot be.

    Args:
        answer: What a generator or decoder returned.
        where: Begins the message.
        items: Number of items of the data set.

    Raises:
        PluginError: Naming the first fault.
    """
    pixels, embedding = answer.pixels, answer.embedding
    refuse_if(
        not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3,
        f"{where}: expected uint8 RGB [height, width, 3], got {_kind_of(pixels)}",
    )
    if embedding is not None:
        refuse_if(
            not isinstance(embedding, np.ndarray) or embedding.dtype.kind != "f" or embedding.ndim != 1,
            f"{where}: expected a float embedding [dim], got {_kind_of(embedding)}",
        )
        refuse_if(not np.isfinite(embedding).all(), f"{where}: the embedding holds a number that is not finite")
    item = -1 if answer.item is None else answer.item
    refuse_if(
        not isinstance(item, int | np.integer),
        f"{where}: expected the index of an item, got {item!r}"[:LONGEST_VALUE],
    )
    refuse_if(answer.item is not None and not 0 <= item < items, f"{where}: the data set has no item {item}")
    height, width = pixels.shape[:2]
    refuse_if(
        not 0 < height * width <= MOST_PIXELS,
        f"{where}: {width} x {height} pixels; an image has 1 to {MOST_PIXELS:,} of them",
    )


def _kind_of(value: object) -> str:
    """For messages: ``uint8 [4, 4, 3]`` for an array, otherwise the name of the type."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__


def restricted(images: ScoredImages, needs: frozenset[str]) -> ScoredImages:
    """The images for a scorer, with embeddings only in the spaces that its needs name."""

    def embedding(role: str) -> Floats:
        need = NEED_OF_SPACE.get(role)
        refuse_if(need is None, f"it asks for embeddings in the space '{role}'; allowed: {', '.join(NEED_OF_SPACE)}")
        if need not in needs:
            raise PluginError(f"it uses embeddings in the space '{role}'", hint=f"name '{need}' in needs(params)")
        return images.embedding_of(role)

    return replace(images, embedding_of=embedding)
