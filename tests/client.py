"""A script of somebody who installed the packages and writes one plug-in of each kind.

`tests/test_client.py` runs this script and its neighbours `client_*.py`, lets mypy check them as a user would, and sees
that together they use every public name.
"""
# ruff: noqa: T201

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import assert_type

import numpy as np

from rebeca import (
    Candidates,
    CaptionFile,
    Catalogue,
    DataError,
    Dataset,
    DatasetContext,
    DatasetSource,
    Decoder,
    DecoderContext,
    Encoder,
    EncoderContext,
    FittedJudge,
    GeneratedImage,
    Generator,
    GeneratorContext,
    GroundTruth,
    Interactions,
    Judge,
    JudgeContext,
    LinearSpace,
    MissingDependency,
    NoParams,
    Part,
    Plugin,
    PluginError,
    Privileges,
    RebecaError,
    RecordError,
    Request,
    ScoredImages,
    Scorer,
    ScorerCard,
    ScorerContext,
    SetScorer,
    Space,
    SpecError,
    StoreError,
    whole_users,
)
from rebeca.arrays import Bools, Floats, Ints, Pixels, Plain, unit_rows
from rebeca.hashes import file_hash, tree_hash
from rebeca.params import (
    AtLeastOne,
    Count,
    Dropout,
    NotNegative,
    Positive,
    Probability,
    Share,
    Whole,
    make_params,
)
from rebeca.seeds import SeedScheme, seed_of, substream, torch_generator

# ---------------------------------------------------------------------------------------------------------- data set


@dataclass(frozen=True)
class ShadesParams:
    users: Count = 4
    items: Count = 12
    noise: NotNegative = 10.0
    near: Share = 0.5


class Shades(DatasetSource[ShadesParams]):
    """Grey squares; every user likes one shade."""

    Params = ShadesParams
    ITEM_FILES = ("captions.txt",)

    @classmethod
    def check(cls, params: ShadesParams) -> None:
        if params.items < params.users:
            raise SpecError(f"{params.items} items for {params.users} users", hint="raise items")

    @classmethod
    def fingerprint(cls, params: ShadesParams) -> str:
        return "shades 1"

    @classmethod
    def caption_file(cls, params: ShadesParams, folder: Path) -> CaptionFile | None:
        text = (folder / "captions.txt").read_bytes()
        return CaptionFile("captions.txt", captions=sha256(text).hexdigest(), others="")

    def read(self) -> Dataset:
        assert_type(self.params, ShadesParams)
        users, items = self.params.users, self.params.items
        captions = (self.context.folder / "captions.txt").read_text().splitlines()
        if len(captions) != items:
            raise DataError(f"captions.txt: {len(captions)} captions, {items} items")
        nearness: Floats = 1 - np.abs(np.arange(users)[:, None] / users - np.arange(items) / items)
        user, item = (index.ravel() for index in np.indices((users, items)))
        rating = 1 + 4 * nearness[user, item]
        names = tuple(f"user{u}" for u in range(users)), tuple(f"item{i}" for i in range(items))
        ratings = Interactions(user, item, rating, nearness[user, item] > self.params.near, *names)
        grey = np.linspace(0, 200, items)[:, None, None, None]
        noise = np.random.default_rng(0).uniform(0, self.params.noise, (items, 8, 8, 3))
        pixels: Pixels = (grey + noise).astype(np.uint8)
        known = GroundTruth("nearness", "How near the shade is.", lambda u, i: nearness[u, i], exact={"best": 1.0})
        return Dataset.in_memory("Shades", pixels, ratings, scale=(1.0, 5.0), ground_truth=known, redistribute=True)


# ----------------------------------------------------------------------------------------------- encoder and decoder


@dataclass(frozen=True)
class ThumbnailParams:
    side: Count = 2


class Thumbnail(Encoder[ThumbnailParams]):
    """Pixels on a regular grid."""

    Params = ThumbnailParams
    ARGUMENT = "side"

    @property
    def dim(self) -> int:
        return 3 * self.params.side**2

    def encode(self, images: Sequence[Pixels], items: Sequence[int | None] | None = None) -> Floats:
        small = [self.small(image) for image in images]
        return np.array(small, np.float32).reshape(len(images), self.dim) / 255

    def small(self, image: Pixels) -> Pixels:
        rows, columns = (np.linspace(0, size - 1, self.params.side).astype(int) for size in image.shape[:2])
        smaller: Pixels = image[rows][:, columns]
        return smaller


@dataclass(frozen=True)
class StripesParams:
    side: Count = 8
    contrast: Positive = 1.0
    fog: Probability = 0.0


class Stripes(Decoder[StripesParams]):
    """Draws an embedding as stripes."""

    Params = StripesParams

    def decode(self, points: Floats, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        assert_type(self.context, DecoderContext)
        side = self.params.side
        space: Space = self.context.space
        for vector in space.inverse(points):
            levels = np.interp(np.linspace(0, 1, side), np.linspace(0, 1, len(vector)), vector)
            clear = np.clip(255 * self.params.contrast * levels, 0, 255) * (1 - self.params.fog)
            pixels = np.broadcast_to(clear.astype(np.uint8)[:, None, None], (side, side, 3)).copy()
            yield GeneratedImage(pixels, embedding=vector.astype(np.float32))


# ------------------------------------------------------------------------------------------------------------- judge


@dataclass(frozen=True)
class NearnessParams:
    sharpness: AtLeastOne = 4.0
    forgets: Dropout = 0.0


class Nearness(Judge[NearnessParams]):
    """Likes what is near to the mean of a user's likes."""

    Params = NearnessParams
    means: Floats

    def fit(self, part: Part, embeddings: Floats) -> None:
        assert_type(self.context, JudgeContext)
        kept: Bools = np.random.default_rng(self.context.seed).random(len(part.train)) >= self.params.forgets
        likes = part.train.where(part.train.liked & kept)
        sums = np.zeros((len(self.context.users), embeddings.shape[1]))
        np.add.at(sums, likes.user, embeddings[likes.item])
        self.means = sums / np.maximum(likes.ratings_per_user(), 1)[:, None]
        self.context.progress(1, 1, "fitted")

    def save(self, folder: Path) -> None:
        np.save(folder / "means.npy", self.means)

    def load(self, folder: Path) -> None:
        self.means = np.load(folder / "means.npy")

    def score_all(self, embeddings: Floats, users: Ints | None = None) -> Floats:
        means = self.means if users is None else self.means[users]
        distances = np.square(means[:, None] - embeddings[None]).mean(axis=2)
        likes: Floats = np.exp(-self.params.sharpness * distances)
        return likes


# --------------------------------------------------------------------------------------------------------- generator


@dataclass(frozen=True)
class LuckyParams:
    number: Whole = 7


class Lucky(Generator[LuckyParams]):
    """Returns the candidates that follow the lucky number, and decodes one embedding per user that has none."""

    Params = LuckyParams
    likes_of_user: Ints

    def fit(self, train: Interactions) -> None:
        assert_type(self.context, GeneratorContext)
        self.likes_of_user = train.where(train.liked).ratings_per_user()

    def save(self, folder: Path) -> None:
        (folder / "likes.json").write_text(json.dumps(self.likes_of_user.tolist()))

    def load(self, folder: Path) -> None:
        self.likes_of_user = np.array(json.loads((folder / "likes.json").read_text()))

    def report(self) -> Mapping[str, Plain]:
        return {"likes": int(self.likes_of_user.sum()), "number": self.params.number}

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        catalogue: Catalogue = self.context.catalogue
        candidates: Candidates = self.context.candidates
        for group in whole_users(requests):
            items = candidates.of(self.context.users.index(group[0].user))
            for request in group[:-1]:
                item = int(items[(self.params.number + request.replicate) % len(items)])
                yield GeneratedImage(catalogue.pixels(item), item=item)
            yield from self.decoded(group[-1])

    def decoded(self, request: Request) -> Iterator[GeneratedImage | None]:
        space = LinearSpace("pca", dim=2).fit(self.context.embeddings)
        rng = np.random.default_rng(substream(request.seed, "point"))
        yield from self.context.decoder(space).decode(rng.normal(size=(1, 2)), [request])


# ----------------------------------------------------------------------------------------------------------- scorers


class Wanted(Scorer[NoParams]):
    """The verifier's answer."""

    judges_everyone = True

    @classmethod
    def needs(cls, params: NoParams) -> frozenset[str]:
        return frozenset({"verifier"})

    @classmethod
    def card(cls, params: NoParams) -> ScorerCard:
        return ScorerCard("Wanted", "probability", True, "What the verifier expects.", role="verifier")

    def score(self, images: ScoredImages, users: Ints) -> Floats:
        assert_type(self.context, ScorerContext)
        verifier: FittedJudge = self.context.verifier
        return verifier.score([images.pixels_of(i) for i in range(len(images))], users)

    def score_all(self, images: ScoredImages, users: Ints) -> Floats:
        return np.stack([self.score(images, np.full(len(images), user)) for user in users])


class Colours(SetScorer[NoParams]):
    """How far apart the images of a user are."""

    @classmethod
    def needs(cls, params: NoParams) -> frozenset[str]:
        return frozenset({"embeddings"})

    @classmethod
    def cards(cls, params: NoParams) -> Mapping[str, ScorerCard]:
        return {"colours": ScorerCard("Colours", "1 - cosine", True, "Spread of a user's images.")}

    def score_sets(self, images: ScoredImages, users: Ints) -> Mapping[str, Floats]:
        rows = unit_rows(images.embedding_of("task") - self.context.embeddings.mean(axis=0))
        own = [rows[images.user == user] for user in users]
        return {"colours": np.array([1 - float((each @ each.T).mean()) if len(each) else np.nan for each in own])}


# ------------------------------------------------------------------------------------------------- everything at work


def read(folder: Path) -> Dataset:
    (folder / "captions.txt").write_text("\n".join(f"shade {i}" for i in range(12)))
    params = make_params(ShadesParams, {"items": 12}, "data.params")
    assert_type(params, ShadesParams)
    Shades.check(params)
    captions = Shades.caption_file(params, folder)
    assert captions is not None and captions.captions == file_hash(folder / "captions.txt")
    return Shades(params, DatasetContext(folder)).read()


def generate(dataset: Dataset, embeddings: Floats, folder: Path) -> list[GeneratedImage]:
    def decoder(space: Space) -> Stripes:
        return Stripes(StripesParams(), DecoderContext.alone(space))

    context = GeneratorContext.alone(dataset, embeddings, decoder=decoder, seed=seed_of("client"), workdir=folder)
    generator = Lucky(LuckyParams(number=2), context)
    generator.fit(dataset.ratings)
    generator.save(folder)
    seeds = SeedScheme("client", version=1, seed=0)
    requests = [Request(user, k, seeds.image(user, k)) for user in context.users for k in range(3)]
    images = [image for image in generator.generate(requests) if image is not None]
    assert len(images) == len(requests) and len(tree_hash(folder)) == 64
    print("report:", dict(generator.report()))
    return images


def judge(dataset: Dataset, encoder: Thumbnail, embeddings: Floats) -> FittedJudge:
    nearness = Nearness(NearnessParams(), JudgeContext(dataset.ratings.user_ids, np.ones(len(embeddings), bool)))
    nearness.fit(Part(dataset.ratings, dataset.ratings.where(np.zeros(0, int))), embeddings)
    return FittedJudge(lambda: nearness, lambda: embeddings, encoder.encode)


def score(dataset: Dataset, images: Sequence[GeneratedImage], verifier: FittedJudge, embeddings: Floats) -> None:
    users = np.repeat(np.arange(dataset.ratings.num_users), 3)
    scored = ScoredImages.of(images, users, {"task": embeddings})
    context = ScorerContext.alone(dataset, {"verifier": lambda: verifier, "embeddings": lambda: embeddings})
    assert_type(context.verifier, FittedJudge)
    table = Wanted(NoParams(), context).score_all(scored, np.arange(4))
    spread = Colours(NoParams(), context).score_sets(scored, np.arange(4))
    print("wanted:", table.mean(axis=1).round(2).tolist())
    print("colours:", spread["colours"].round(2).tolist())
    privileges = Privileges({"judge": lambda: verifier})
    assert privileges.judge is verifier


def errors() -> None:
    for kind in (SpecError, DataError, MissingDependency, PluginError, StoreError, RecordError):
        try:
            raise kind("wrong", hint="mend it")
        except RebecaError as error:
            print(error.exit_code, error.message, error.hint)


def main() -> None:
    with TemporaryDirectory() as folder:
        dataset = read(Path(folder))
        assert dataset.ground_truth is not None
        print("utility:", dataset.ground_truth.utility(np.array([0]), np.array([0, 11])).round(2).tolist())
        encoder = Thumbnail(ThumbnailParams(), EncoderContext())
        embeddings = encoder.encode([dataset.catalogue.pixels(i) for i in range(len(dataset.catalogue))])
        images = generate(dataset, embeddings, Path(folder))
        verifier = judge(dataset, encoder, embeddings)
        score(dataset, images, verifier, encoder.encode([image.pixels for image in images]))
    errors()
    plugins: list[type[Plugin[NoParams, ScorerContext]]] = [Wanted, Colours]
    print([plugin.__name__ for plugin in plugins], torch_generator(7).initial_seed())


if __name__ == "__main__":
    main()
