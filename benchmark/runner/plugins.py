"""Building and calling plug-ins: whatever a plug-in does wrong is one message with its kind and name.

:func:`build` returns an object of the kind's own base class that guards every call and checks every answer, so that the
rest of the harness and other plug-ins can trust the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Literal, ParamSpec, TypeVar, overload

import numpy as np

from benchmark.records.rows import LARGEST
from benchmark.task.encoders import ResolvedEncoder
from benchmark.task.registry import Kind, guarded, plugin_class
from rebeca.arrays import Bools, Floats, Ints, Pixels, Plain
from rebeca.data.catalogue import PixelSource
from rebeca.data.dataset import Dataset
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.errors import PluginError
from rebeca.interfaces import (
    DatasetContext,
    DatasetSource,
    Decoder,
    DecoderContext,
    Encoder,
    EncoderContext,
    GeneratedImage,
    Generator,
    GeneratorContext,
    Judge,
    JudgeContext,
    Plugin,
    Request,
    ScoredImages,
    Scorer,
    ScorerContext,
    SetScorer,
)
from rebeca.seeds import canonical_json

P = ParamSpec("P")
T = TypeVar("T")


@overload
def build(
    kind: Literal["generator"], name: str, params: Any, context: GeneratorContext, label: str | None = None
) -> Generator[Any]: ...
@overload
def build(
    kind: Literal["encoder"], name: str, params: Any, context: EncoderContext, label: str | None = None
) -> Encoder[Any]: ...
@overload
def build(
    kind: Literal["decoder"], name: str, params: Any, context: DecoderContext, label: str | None = None
) -> Decoder[Any]: ...
@overload
def build(
    kind: Literal["judge"], name: str, params: Any, context: JudgeContext, label: str | None = None
) -> Judge[Any]: ...
@overload
def build(
    kind: Literal["data set"], name: str, params: Any, context: DatasetContext, label: str | None = None
) -> DatasetSource[Any]: ...
@overload
def build(
    kind: Literal["scorer"], name: str, params: Any, context: ScorerContext, label: str | None = None
) -> Scorer[Any] | SetScorer[Any]: ...
def build(kind: Kind, name: str, params: Any, context: Any, label: str | None = None) -> Any:
    """Builds a plug-in.

    Args:
        kind: Its kind.
        name: Registered name.
        params: Its ``Params``, as ``rebeca.params.make_params`` reads them.
        context: The kind's context.
        label: Its name in messages; by default its registered name.

    Returns:
        The plug-in behind a guard of the same base class: every error becomes one message, every answer is checked.

    Raises:
        PluginError: If its class is not of this kind, or its constructor fails.
    """
    plugin = plugin_class(kind, name)
    guard = GUARDS["set scorer" if issubclass(plugin, SetScorer) else kind]
    with guarded(guard.kind, label or name):
        inner = plugin(params, context)
    return guard(inner, params, context, label or name)


def build_encoder(encoder: ResolvedEncoder, device: str) -> Encoder[Any]:
    """Builds an encoder and those below it; the project's own load their weights at the first image."""
    below = None if encoder.of is None else build_encoder(encoder.of, device)
    return build("encoder", encoder.use, encoder.params, EncoderContext(device, below), encoder.text)


def _guarded(method: Callable[P, T]) -> Callable[P, T]:
    """Every error in a method of a guard becomes a message with the plug-in's kind and name."""

    @wraps(method)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        guard: Any = arguments[0]
        with guarded(guard.kind, guard.name):
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
        return _guarded_iterator("generator", self.name, lambda: self.inner.generate(requests))


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
        for count, image in enumerate(_guarded_iterator("decoder", self.name, ask), start=1):
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
        dataset = self.inner.read()
        refuse_if(
            not isinstance(dataset, Dataset),
            f"read returned a {type(dataset).__name__}, expected a rebeca.Dataset",
        )
        _check_dataset(dataset)
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


def _guarded_iterator(kind: str, name: str, ask: Callable[[], Iterable[T]]) -> Iterator[T]:
    """Answers one after another, each guarded; errors of the harness between two answers pass unchanged."""
    with guarded(kind, name):
        answers = iter(ask())
    while True:
        with guarded(kind, name):
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


def _check_dataset(data: Dataset) -> None:
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
