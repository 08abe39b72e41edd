"""Building and asking plug-ins: whatever one does wrong is one message with its kind and name.

:func:`build` returns an object of the kind's own base class that guards every call and checks every answer, so that the
rest of the harness, and other plug-ins, can take answers at their word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import numpy as np

from benchmark.task.encoders import ResolvedEncoder
from benchmark.task.registry import Kind, PluginIdentity, guarded, identity, plugin_class
from rebeca.arrays import Floats, Ints, Pixels
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
    Request,
    ScoredImages,
    Scorer,
    ScorerCard,
    ScorerContext,
    SetScorer,
)
from rebeca.plain import Plain
from rebeca.seeds import canonical_json

__all__ = ["PluginIdentity", "build", "build_encoder", "build_scorer", "guarded", "identity", "plugin_class"]

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
        label: How messages call it; by default its name.

    Returns:
        The plug-in behind a guard of the same base class: every error becomes one message, every answer is checked.

    Raises:
        PluginError: If its class is not of this kind, or its constructor fails.
    """
    found, called = plugin_class(kind, name), label or name
    word = "set scorer" if issubclass(found, SetScorer) else kind
    with guarded(word, called):
        made = found(params, context)
    guards: dict[str, Callable[..., Any]] = {
        "generator": _Generator, "encoder": _Encoder, "decoder": _Decoder, "judge": _Judge, "data set": _DatasetSource,
        "scorer": _Scorer, "set scorer": _SetScorer,
    }  # fmt: skip
    return guards[word](made, params, context, called)


def build_encoder(encoder: ResolvedEncoder, device: str) -> Encoder[Any]:
    """Builds an encoder and those below it; own ones load their weights when the first image comes."""
    below = None if encoder.of is None else build_encoder(encoder.of, device)
    return build("encoder", encoder.use, encoder.params, EncoderContext(device, below), encoder.text)


def build_scorer(name: str, params: Any, context: ScorerContext, label: str) -> Scorer[Any] | SetScorer[Any]:
    """Builds a scorer or set scorer; see :func:`build`."""
    return build("scorer", name, params, context, label)


class _Generator(Generator[Any]):
    def __init__(self, inner: Generator[Any], params: Any, context: GeneratorContext, name: str) -> None:
        super().__init__(params, context)
        self.inner, self._name = inner, name

    def fit(self, train: Interactions) -> None:
        with guarded("generator", self._name):
            self.inner.fit(train)

    def save(self, folder: Path) -> None:
        with guarded("generator", self._name):
            self.inner.save(folder)

    def load(self, folder: Path) -> None:
        with guarded("generator", self._name):
            self.inner.load(folder)

    def report(self) -> Mapping[str, Plain]:
        with guarded("generator", self._name):
            said = self.inner.report()
            if not isinstance(said, Mapping):
                raise PluginError(f"report is a {type(said).__name__}, expected a mapping")
            canonical_json(said)  # numbers and text only, all of them finite
            return said

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        return _guarded_iterator("generator", self._name, lambda: self.inner.generate(requests))


class _Encoder(Encoder[Any]):
    def __init__(self, inner: Encoder[Any], params: Any, context: EncoderContext, name: str) -> None:
        super().__init__(params, context)
        self.inner, self._name = inner, name

    @property
    def dim(self) -> int:
        with guarded("encoder", self._name):
            size = self.inner.dim
            if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
                raise PluginError(f"dim is {size!r}, expected a positive whole number")
            return int(size)

    def fit(self, images: Sequence[Pixels], items: Sequence[int], seed: int) -> None:
        with guarded("encoder", self._name):
            self.inner.fit(images, items, seed)

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        with guarded("encoder", self._name):
            vectors = _numbers(self.inner.encode(images, items), "encode", (len(images), self.dim))
            return vectors.astype(np.float32, copy=False)


class _Decoder(Decoder[Any]):
    def __init__(self, inner: Decoder[Any], params: Any, context: DecoderContext, name: str) -> None:
        super().__init__(params, context)
        self.inner, self._name = inner, name

    @property
    def repeats(self) -> bool:
        with guarded("decoder", self._name):
            return bool(self.inner.repeats)

    def decode(self, points: Floats, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        return self._counted(lambda: self.inner.decode(points, requests), len(requests))

    def decode_prompts(
        self, prompts: Sequence[str], negative_prompts: Sequence[str], requests: Sequence[Request]
    ) -> Iterator[GeneratedImage | None]:
        return self._counted(lambda: self.inner.decode_prompts(prompts, negative_prompts, requests), len(requests))

    def rehearse(self, batch: int | None = None) -> int | None:
        with guarded("decoder", self._name):
            return self.inner.rehearse(batch)

    def _counted(
        self, ask: Callable[[], Iterable[GeneratedImage | None]], wanted: int
    ) -> Iterator[GeneratedImage | None]:
        count = 0
        for image in _guarded_iterator("decoder", self._name, ask):
            count += 1
            if not (image is None or isinstance(image, GeneratedImage)):
                raise PluginError(
                    f"decoder '{self._name}' returned a {type(image).__name__}, expected a GeneratedImage or None"
                )
            if count > wanted:
                raise PluginError(f"decoder '{self._name}' returned more than {wanted} images for {wanted} requests")
            yield image
        if count < wanted:
            raise PluginError(f"decoder '{self._name}' returned {count} images for {wanted} requests")


class _Judge(Judge[Any]):
    def __init__(self, inner: Judge[Any], params: Any, context: JudgeContext, name: str) -> None:
        super().__init__(params, context)
        self.inner, self._name = inner, name

    def fit(self, part: Part, embeddings: Floats) -> None:
        with guarded("judge", self._name):
            self.inner.fit(part, embeddings)

    def save(self, folder: Path) -> None:
        with guarded("judge", self._name):
            self.inner.save(folder)

    def load(self, folder: Path) -> None:
        with guarded("judge", self._name):
            self.inner.load(folder)

    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        people = len(self.context.users) if users is None else len(users)
        with guarded("judge", self._name):
            scores = _numbers(self.inner.score_all(embeddings, users), "score_all", (people, len(embeddings)))
            if ((scores < 0) | (scores > 1)).any():
                raise PluginError("score_all returned a number outside [0, 1], expected probabilities")
            return scores


class _DatasetSource(DatasetSource[Any]):
    def __init__(self, inner: DatasetSource[Any], params: Any, context: DatasetContext, name: str) -> None:
        super().__init__(params, context)
        self.inner, self._name = inner, name

    def read(self) -> Dataset:
        with guarded("data set", self._name):
            found = self.inner.read()
            if not isinstance(found, Dataset):
                raise PluginError(f"read returned a {type(found).__name__}, expected a rebeca.Dataset")
            _check_dataset(found)
            found.catalogue.source = _PixelSource(found.catalogue.source, self._name)
            return found


@dataclass(frozen=True, slots=True, eq=False)
class _PixelSource:
    """Pixels of a data set's items, which are read long after the data set."""

    inner: PixelSource
    name: str

    def read(self, index: int) -> Pixels:
        with guarded("data set", self.name):
            pixels = self.inner.read(index)
            if not (isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.shape[2:] == (3,)):
                raise PluginError(f"the pixels of item {index} are no uint8 [height, width, 3]")
            return pixels


class _Scorer(Scorer[Any]):
    def __init__(self, inner: Scorer[Any], params: Any, context: ScorerContext, name: str) -> None:
        super().__init__(params, context)
        self.inner, self._name = inner, name
        with guarded("scorer", name):
            self.judges_everyone = bool(inner.judges_everyone)

    @classmethod
    def card(cls, params: Any) -> ScorerCard:
        raise NotImplementedError("ask the plug-in's class: benchmark.task.declared.scorer_flags")

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        with guarded("scorer", self._name):
            return _numbers(self.inner.score(images, users), "score", (len(images),), gaps=True)

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        with guarded("scorer", self._name):
            return _numbers(self.inner.score_all(images, users), "score_all", (len(users), len(images)), gaps=True)

    def worst(self, users: Ints) -> Floats:
        with guarded("scorer", self._name):
            return _numbers(self.inner.worst(users), "worst", (len(users),), gaps=True)


class _SetScorer(SetScorer[Any]):
    def __init__(self, inner: SetScorer[Any], params: Any, context: ScorerContext, name: str) -> None:
        super().__init__(params, context)
        self.inner, self._name = inner, name

    @classmethod
    def cards(cls, params: Any) -> Mapping[str, ScorerCard]:
        raise NotImplementedError("ask the plug-in's class: benchmark.task.declared.scorer_flags")

    def score_sets(self, images: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        with guarded("set scorer", self._name):
            measured = self.inner.score_sets(images, users)
            wanted = sorted(type(self.inner).cards(self.params))
            if not isinstance(measured, Mapping) or sorted(measured) != wanted:
                said = sorted(measured) if isinstance(measured, Mapping) else type(measured).__name__
                raise PluginError(f"score_sets returned {said}, its cards are {wanted}")
            return {name: _numbers(measured[name], f"score_sets '{name}'", (len(users),), gaps=True) for name in wanted}


def _guarded_iterator(kind: str, name: str, ask: Callable[[], Iterable[T]]) -> Iterator[T]:
    """Answers one after another, each of them guarded; what the harness raises between them passes."""
    with guarded(kind, name):
        answers = iter(ask())
    while True:
        with guarded(kind, name):
            try:
                answer = next(answers)
            except StopIteration:
                return
        yield answer


def _numbers(found: object, what: str, shape: tuple[int, ...], *, gaps: bool = False) -> Floats:
    """An array of finite numbers of a shape; with ``gaps``, NaN stands for no answer."""
    if not isinstance(found, np.ndarray) or not (
        np.issubdtype(found.dtype, np.floating) or np.issubdtype(found.dtype, np.integer) or found.dtype == np.bool_
    ):
        said = f"an array of {found.dtype}" if isinstance(found, np.ndarray) else f"a {type(found).__name__}"
        raise PluginError(f"{what} returned {said}, expected an array of numbers")
    if found.shape != shape:
        raise PluginError(f"{what} returned {list(found.shape)} numbers, expected {list(shape)}")
    bad = np.isinf(found) if gaps else ~np.isfinite(found)
    if bad.any():
        where = np.unravel_index(int(np.flatnonzero(bad)[0]), found.shape)
        raise PluginError(f"{what} returned a number that is not finite, at {[int(i) for i in where]}")
    return found if np.issubdtype(found.dtype, np.floating) else found.astype(np.float64)


def _check_dataset(data: Dataset) -> None:
    ratings, items = data.ratings, len(data.catalogue)
    if not len(ratings):
        raise PluginError("read returned a data set without ratings")
    columns = {name: len(getattr(ratings, name)) for name in ("user", "item", "rating", "liked")}
    if len(set(columns.values())) != 1:
        raise PluginError(f"read returned ratings whose columns differ in length: {columns}")
    if ratings.num_items != items or len(data.catalogue.block) != items:
        raise PluginError(f"read returned {items} items, ratings of {ratings.num_items}")
    if len(data.block_of_user) != ratings.num_users:
        raise PluginError(f"read returned blocks of {len(data.block_of_user)} users, ratings of {ratings.num_users}")
    for name, most in (("user", ratings.num_users), ("item", items)):
        index = getattr(ratings, name)
        if index.min() < 0 or index.max() >= most:
            raise PluginError(f"read returned ratings with a {name} index outside 0 to {most - 1}")
    low, high = data.scale
    if not (np.isfinite(ratings.rating).all() and ratings.rating.min() >= low and ratings.rating.max() <= high):
        raise PluginError(f"read returned a rating outside its scale, {low:g} to {high:g}")
