"""REBECA as a generator: conditions and controls, choices by judge and by validation ratings, saved fits."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

from rebeca.data.catalogue import ArraySource, Candidates, Catalogue
from rebeca.errors import PluginError, SpecError
from rebeca.generator import Rebeca
from rebeca.interfaces import Decoder, FittedJudge, GeneratedImage, GeneratorContext, Judge, Privileges, Request
from rebeca.options import SAMPLING_ONLY, RebecaParams
from rebeca.seeds import SeedScheme, substream
from tests.builders import grid, interactions

USERS = tuple(f"u{u}" for u in range(6))
ITEMS = 8
TINY = RebecaParams(
    network="mlp", hidden=8, layers=1, max_steps=3, patience=None, batch=16, lr=1e-2, steps=3,
    sampler="DPMSolverMultistepScheduler", prior_guidance=3.0,
)  # fmt: skip
EMBEDDINGS = np.random.default_rng(2).normal(size=(ITEMS, 4)).astype(np.float32)


@dataclass(frozen=True)
class EchoParams:
    metric: str = "euclidean"
    repeats: bool = True


class Echo(Decoder[EchoParams]):
    """Puts each point into an image's embedding and its request's seed into the pixels."""

    Params = EchoParams

    @property
    def repeats(self):
        return self.params.repeats

    def decode(self, points, requests):
        for point, request in zip(self.context.inverse(points), requests, strict=True):
            yield GeneratedImage(seed_as_pixels(request.seed), embedding=point)


def seed_as_pixels(seed):
    return np.frombuffer(seed.to_bytes(24, "big"), np.uint8).reshape(2, 4, 3)


def seed_of_pixels(pixels):
    return int.from_bytes(pixels.tobytes(), "big")


def seed_of_image(image):
    return seed_of_pixels(image.pixels)


def context(tmp_path, embeddings=EMBEDDINGS, validation=None, decoder=EchoParams(), **given):
    items = len(embeddings)
    catalogue = Catalogue(
        tuple(f"i{i}" for i in range(items)), ArraySource(np.zeros((items, 1, 1, 3), np.uint8)), np.zeros(items, int)
    )
    candidates = Candidates(USERS, np.ones((1, items), bool), np.zeros(len(USERS), int))
    nothing = interactions([0], [0], [3], len(USERS), items).where(np.zeros(1, bool))
    return GeneratorContext(
        users=USERS, catalogue=catalogue, candidates=candidates, embeddings=embeddings,
        training_items=np.ones(items, bool), validation=nothing if validation is None else validation,
        encoder=lambda: None, decoder=lambda space: Echo(decoder, space), seeds=SeedScheme("test", 1, 7), fit_seed=11,
        device="cpu", workdir=tmp_path, **given,
    )  # fmt: skip


def requests(users, seeds):
    return [Request(user, replicate, seed) for replicate, (user, seed) in enumerate(zip(users, seeds, strict=True))]


@pytest.fixture(scope="module")
def fit_of(tmp_path_factory):
    """Folder of a saved fit, one per set of parameters that a fit depends on."""
    folders = {}

    def fit(params):
        key = replace(params, **{name: getattr(TINY, name) for name in SAMPLING_ONLY})
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("fit")
            generator = Rebeca(key, context(tmp_path_factory.mktemp("work")))
            generator.fit(grid(len(USERS), ITEMS))
            generator.save(folders[key])
        return folders[key]

    return fit


@pytest.fixture
def loaded(fit_of, tmp_path):
    """A generator with other sampling parameters on a fit of its own kind."""

    def load(*, given=None, **changed):
        params = replace(TINY, **changed)
        generator = Rebeca(params, context(tmp_path, **(given or {})))
        generator.load(fit_of(params))
        return generator

    return load


# ---------------------------------------------------------------------------------------------- what is said beforehand


def test_a_fit_depends_on_all_but_the_parameters_of_sampling():
    names = {field.name for field in fields(RebecaParams)}
    assert names > SAMPLING_ONLY
    assert Rebeca.fit_parameters(TINY) == names - SAMPLING_ONLY
    chosen = replace(TINY, prior_guidance="validation", guidance_grid=(1.0, 3.0))
    assert Rebeca.fit_parameters(chosen) == names - SAMPLING_ONLY | {
        "sampler",
        "steps",
        "sample_dtype",
        "compile",
    }


@pytest.mark.parametrize(
    ("changed", "needs", "personal"),
    [
        ({}, set(), True),
        ({"condition": ("user",)}, set(), True),
        ({"rating": "dislike"}, set(), True),
        ({"condition": ("rating",)}, set(), False),
        ({"condition": ()}, set(), False),
        ({"users": "shuffled"}, set(), False),
        ({"train_users": "nobody"}, set(), False),
        ({"best_of": 2}, {"judge"}, True),
        ({"best_of": 2, "users": "shuffled"}, {"judge"}, True),
    ],
)
def test_which_controls_claim_to_be_personal_and_which_need_the_judge(changed, needs, personal):
    params = replace(TINY, **changed)
    assert Rebeca.needs(params) == needs
    assert Rebeca.claims_personal(params) is personal


# -------------------------------------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize("guidance", [3.0, "validation"])
def test_nothing_is_generated_before_a_fit(tmp_path, guidance):
    generator = Rebeca(replace(TINY, prior_guidance=guidance, guidance_grid=(1.0,)), context(tmp_path))
    with pytest.raises(PluginError, match="before it was fitted or loaded"):
        list(generator.generate(requests(["u0"], [1])))


def test_the_guidance_in_force(tmp_path):
    assert Rebeca(replace(TINY, prior_guidance=2), context(tmp_path)).prior_guidance == 2.0
    chosen = Rebeca(replace(TINY, prior_guidance="validation", guidance_grid=(1.0,)), context(tmp_path))
    with pytest.raises(PluginError, match="before it was fitted or loaded"):
        assert chosen.prior_guidance


def test_one_image_per_request_of_its_own_embedding(loaded):
    generator = loaded()
    asked = requests(["u3", "u3", "u1"], [4, 5, 6])
    images = list(generator.generate(asked))
    assert [seed_of_image(image) for image in images] == [4, 5, 6]
    np.testing.assert_array_equal([image.embedding for image in images], generator.sample(asked))
    assert generator.sample(asked).shape == (3, 4) and generator.sample(asked).dtype == np.float32


def test_an_embedding_depends_on_user_and_seed_and_not_on_what_is_asked_beside_it(loaded):
    generator = loaded()
    together = generator.sample(requests(["u0", "u1", "u2"], [7, 7, 8]))
    apart = np.concatenate([generator.sample(requests([u], [s])) for u, s in [("u0", 7), ("u1", 7), ("u2", 8)]])
    np.testing.assert_allclose(together, apart, atol=1e-5)
    np.testing.assert_allclose(
        loaded(sample_batch=2).sample(requests(["u0", "u1", "u2"], [7, 7, 8])), together, atol=1e-5
    )
    assert not np.allclose(together[0], together[1], atol=1e-3)
    assert not np.allclose(together[0], generator.sample(requests(["u0"], [8])), atol=1e-3)


@pytest.mark.parametrize("changed", [{"condition": ("rating",)}, {"condition": ()}, {"train_users": "nobody"}])
def test_without_the_user_all_users_get_the_same(loaded, changed):
    points = loaded(**changed).sample(requests(USERS, [5] * len(USERS)))
    np.testing.assert_allclose(points, np.broadcast_to(points[0], points.shape), atol=1e-5)


def test_a_dislike_is_another_request_unless_the_rating_is_left_out(loaded):
    asked = requests(USERS, range(len(USERS)))
    like, dislike = (loaded(rating=rating).sample(asked) for rating in ("like", "dislike"))
    assert not np.allclose(like, dislike, atol=1e-3)
    first, second = (loaded(rating=rating, condition=("user",)).sample(asked) for rating in ("like", "dislike"))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, like, atol=1e-3)


def test_without_guidance_the_condition_plays_no_part(loaded):
    asked = requests(USERS, [5] * len(USERS))
    points = loaded(prior_guidance=0.0).sample(asked)
    np.testing.assert_allclose(points, np.broadcast_to(points[0], points.shape), atol=1e-5)
    np.testing.assert_allclose(points, loaded(condition=()).sample(asked), atol=1e-5)


def test_shuffled_users_get_one_anothers_embeddings(loaded):
    asked = requests(USERS, [5] * len(USERS))
    own, shuffled = loaded().sample(asked), loaded(users="shuffled").sample(asked)
    distance = np.abs(shuffled[:, None] - own[None]).max(axis=2)
    source = distance.argmin(axis=1)
    assert sorted(source) == list(range(len(USERS))) and source.tolist() != list(range(len(USERS)))
    np.testing.assert_allclose(shuffled, own[source], atol=1e-5)
    alone = loaded(users="shuffled").sample(asked[4:5])
    np.testing.assert_allclose(alone, shuffled[4:5], atol=1e-5)


def test_a_user_without_an_index_is_an_error(loaded):
    with pytest.raises(KeyError, match="nobody"):
        loaded().sample(requests(["nobody"], [1]))


# ------------------------------------------------------------------------------------------------- the best of several


class ByTable(Judge):
    """Scores an image by a table of seeds; other users give half the score."""

    def __init__(self, table):
        self.table = table

    def fit(self, part, embeddings): ...

    def save(self, folder): ...

    def load(self, folder): ...

    def score_all(self, embeddings, users=None):
        scores = np.array([self.table[seed] for seed in embeddings])
        return np.stack([scores if user == 1 else scores / 2 for user in users])


def judge_of(table):
    judge = FittedJudge(lambda: ByTable(table), lambda: None, lambda images: [seed_of_pixels(p) for p in images])
    return Privileges({"judge": lambda: judge})


def streams(seed, count):
    """An image's own seed, and those of the candidates after it."""
    return [seed, *(substream(seed, f"candidate-{j}") for j in range(1, count))]


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.1, 0.9, 0.2], 1),
        ([0.1, 0.2, 0.9], 2),
        ([0.9, 0.2, 0.1], 0),
        ([0.5, 0.5, 0.5], 0),
        ([0.2, 0.7, 0.7], 1),
    ],
)
def test_the_candidate_that_the_judge_likes_best_is_kept(loaded, scores, best):
    first, second = streams(100, 3), streams(200, 3)
    table = dict(zip(first + second, scores + scores[::-1], strict=True))
    generator = loaded(best_of=3, given={"privileges": judge_of(table)})
    images = list(generator.generate(requests(["u1", "u0"], [100, 200])))
    assert seed_of_image(images[0]) == first[best]
    assert table[seed_of_image(images[1])] == max(scores)


def test_a_kept_candidate_is_what_its_own_seed_gives(loaded):
    seeds = streams(100, 2)
    generator = loaded(best_of=2, given={"privileges": judge_of(dict(zip(seeds, [0.1, 0.9], strict=True)))})
    (image,) = generator.generate(requests(["u1"], [100]))
    np.testing.assert_allclose(image.embedding, loaded().sample(requests(["u1"], seeds[1:]))[0], atol=1e-5)


@pytest.mark.parametrize(("failed", "kept"), [({0}, 1), ({1}, 0), ({0, 1}, None)])
def test_an_image_that_failed_is_kept_only_where_all_did(loaded, monkeypatch, failed, kept):
    seeds = streams(100, 2)

    def decode(self, points, asked):
        for request in asked:
            yield None if request.seed in {seeds[j] for j in failed} else GeneratedImage(seed_as_pixels(request.seed))

    monkeypatch.setattr(Echo, "decode", decode)
    generator = loaded(best_of=2, given={"privileges": judge_of(dict.fromkeys(seeds, 0.0))})
    (image,) = generator.generate(requests(["u1"], [100]))
    assert (image and seed_of_image(image)) == (None if kept is None else seeds[kept])


def test_the_best_of_several_needs_a_decoder_that_repeats(tmp_path):
    generator = Rebeca(replace(TINY, best_of=2), context(tmp_path, decoder=EchoParams(repeats=False)))
    generator.fit(grid(len(USERS), ITEMS))  # is given no decoder
    with pytest.raises(SpecError, match=r"^best_of: .*repeats is false") as error:
        list(generator.generate([Request(USERS[0], 0, 1)]))
    assert "repeats: true" in error.value.hint


# ----------------------------------------------------------------------------------------------------- saved and loaded


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"normalize": "pca", "dims": 2, "scale": 0.5},
        {"user_rows": "taste"},
        {"network": "transformer", "tokens": 2, "heads": 2},
    ],
)
def test_what_was_saved_generates_what_was_fitted(tmp_path, changed):
    params = replace(TINY, **changed)
    generator = Rebeca(params, context(tmp_path))
    generator.fit(grid(len(USERS), ITEMS))
    generator.save(tmp_path)
    loaded = Rebeca(params, context(tmp_path))
    loaded.load(tmp_path)
    asked = requests(USERS, range(len(USERS)))
    for image, other in zip(generator.generate(asked), loaded.generate(asked), strict=True):
        np.testing.assert_array_equal(image.embedding, other.embedding)
        assert image.embedding.shape == (4,)  # back in the encoder's space


def test_another_fit_is_decoded_in_its_own_space(tmp_path, fit_of, loaded):
    """A decoder belongs to one space; that of an earlier fit would map back wrongly."""
    asked = requests(USERS, range(len(USERS)))
    generator = loaded()
    list(generator.generate(asked))
    other_space = {"normalize": "pca", "dims": 2, "scale": 0.5}
    generator.load(fit_of(replace(TINY, **other_space)))
    expected = loaded(**other_space)
    for image, other in zip(generator.generate(asked), expected.generate(asked), strict=True):
        np.testing.assert_array_equal(image.embedding, other.embedding)


def test_the_report_counts_parameters_and_keeps_losses(tmp_path):
    generator = Rebeca(TINY, context(tmp_path))
    assert generator.report() == {}
    generator.fit(grid(len(USERS), ITEMS))
    report = generator.report()
    assert set(report) == {"history", "parameters"}
    tables = (len(USERS) + 1) * 16 + 3 * 16
    first, block, last = (4 + 2 * 16 + 100) * 8 + 8 + 2 * 8, 2 * (8 * 8 + 8 + 2 * 8), 8 * 4 + 4
    assert report["parameters"] == tables + first + block + last
    assert report["history"]["steps"] == 3 and np.isfinite(report["history"]["train"]).all()


def test_the_seed_of_the_fit_decides_it(tmp_path):
    def points(seed):
        generator = Rebeca(TINY, replace(context(tmp_path), fit_seed=seed))
        generator.fit(grid(len(USERS), ITEMS))
        return generator.sample(requests(["u0"], [5]))

    np.testing.assert_array_equal(points(1), points(1))
    assert not np.allclose(points(1), points(2), atol=1e-3)


# ------------------------------------------------------------------------------------- guidance by validation ratings

PLACES = np.array([[0, 0], [10, 0], [4, 0], [5, 0], [6, 0]], np.float32)
"""Four of the five are the nearest to any point: who stands at 0 misses the item at 10."""
VALIDATION = [(0, [5, 1, 3, 3, 3]), (2, [1, 5, 3, 3, 3])]
"""Two users, and the personal ratings of items 0 and 1 are +2 and -2 for one, -2 and +2 for the other."""
NOBODY_MINDS = [3, 3, 3, 3, 3]


def choose(tmp_path, monkeypatch, points_of, values, places=PLACES, rows=VALIDATION, train=NOBODY_MINDS, **changed):
    """Fits a generator whose prior gives, per guidance and user, what ``points_of`` says; returns what was asked.

    In training all users rated the items as ``train`` says.
    """
    asked = []
    monkeypatch.setattr("rebeca.generator.LEAST_CHOOSING_USERS", 2)

    def sample(model, users, scores, seeds, objective, schedule, options, *_):
        asked.append((options.prior_guidance, users.tolist(), scores.tolist(), list(seeds)))
        return np.array([points_of(options.prior_guidance, user) for user in users], np.float32)

    monkeypatch.setattr("rebeca.prior.sampling.sample_prior", sample)
    ratings = [(user, item, rating) for user, row in rows for item, rating in enumerate(row) if rating]
    validation = interactions(*map(list, zip(*ratings, strict=True)), len(USERS), len(places))
    known = [(user, item, rating) for user in range(len(USERS)) for item, rating in enumerate(train) if rating]
    decoder = changed.pop("decoder", EchoParams())
    params = replace(TINY, prior_guidance="validation", guidance_grid=tuple(values), **changed)
    generator = Rebeca(params, context(tmp_path, places, validation, decoder))
    generator.fit(interactions(*map(list, zip(*known, strict=True)), len(USERS), len(places)))
    return generator, asked


def points_by_guidance(guidance, user):
    """1: everybody stands at 0. 3: each user stands by the item that they like. 7: by the other one."""
    liked, disliked = ((0, 0), (10, 0)) if user == 0 else ((10, 0), (0, 0))
    return {1.0: (0, 0), 3.0: liked, 4.0: liked, 7.0: disliked}[guidance]


def table_of(generator):
    return [
        (row["prior_guidance"], row["personal_rating"], row["standard_error"])
        for row in generator.report()["guidance"]["table"]
    ]


def test_guidance_is_chosen_by_the_personal_rating_of_the_nearest_items(tmp_path, monkeypatch):
    """Of five personal ratings that sum to 0 the mean of four is minus a quarter of the one left out."""
    generator, _ = choose(tmp_path, monkeypatch, points_by_guidance, [7.0, 1.0, 3.0])
    expected = [(7.0, -0.5, 0.0), (1.0, 0.0, 0.5), (3.0, 0.5, 0.0)]
    np.testing.assert_allclose(table_of(generator), expected, atol=1e-12)
    assert generator.report()["guidance"]["chosen"] == generator.prior_guidance == 3.0


@pytest.mark.parametrize(("values", "chosen"), [([3.0, 4.0], 3.0), ([4.0, 3.0], 4.0)])
def test_of_tied_values_the_first_is_chosen(tmp_path, monkeypatch, values, chosen):
    assert choose(tmp_path, monkeypatch, points_by_guidance, values)[0].prior_guidance == chosen


def test_what_everybody_likes_is_not_personal(tmp_path, monkeypatch):
    everybody = [5, 1, 3, 3, 3]
    rows = [(user, everybody) for user in (0, 2)]
    generator, _ = choose(tmp_path, monkeypatch, points_by_guidance, [1.0, 3.0, 7.0], rows=rows, train=everybody)
    np.testing.assert_allclose([rating for _, rating, _ in table_of(generator)], 0.0, atol=1e-12)


def test_items_that_one_user_rated_count(tmp_path, monkeypatch):
    """No validation item has two raters. A mean that contains the own rating leaves 0, and the first value wins."""
    places = np.concatenate([PLACES, PLACES])
    rows = [(0, [5, 1, 3, 3, 3]), (2, [None] * 5 + [1, 5, 3, 3, 3])]
    train = [None] * 5 + NOBODY_MINDS
    generator, _ = choose(tmp_path, monkeypatch, points_by_guidance, [7.0, 1.0, 3.0], places, rows, train)
    facts = generator.report()["guidance"]
    assert facts["chosen"] == 3.0
    assert [row["personal_rating"] for row in facts["table"]] == pytest.approx([-0.5, 0.0, 0.5], abs=0.2)
    assert (facts["users"], facts["ratings"], facts["ratings_without_other_raters"]) == (2, 10, 5)


def test_users_with_four_validation_ratings_do_not_count(tmp_path, monkeypatch):
    rows = [*VALIDATION, (4, [1, 5, 3, 3])]
    generator, asked = choose(tmp_path, monkeypatch, points_by_guidance, [1.0, 3.0], rows=rows)
    assert [users for _, users, _, _ in asked] == [[0, 0, 0, 0, 2, 2, 2, 2]] * 2
    assert generator.report()["guidance"]["ratings"] == 10


def test_too_few_users_are_refused_before_the_training(tmp_path, monkeypatch):
    def train(*_):
        raise AssertionError("it was trained")

    monkeypatch.setattr("rebeca.prior.prior.Prior.train", train)
    rows = [VALIDATION[0], (4, [1, 5, 3, 3])]
    with pytest.raises(PluginError, match=r"^prior_guidance: 1 user with more than 4 validation ratings") as error:
        choose(tmp_path, monkeypatch, points_by_guidance, [1.0], rows=rows)
    assert "raise data.split.validation" in error.value.hint


def test_values_are_compared_on_the_same_likes_and_seeds(tmp_path, monkeypatch):
    _, asked = choose(tmp_path, monkeypatch, points_by_guidance, [1.0, 3.0, 7.0])
    assert [guidance for guidance, *_ in asked] == [1.0, 3.0, 7.0]
    assert all(request[1:] == asked[0][1:] for request in asked)
    assert set(asked[0][2]) == {1} and len(set(asked[0][3])) == 8


def test_a_prior_without_users_is_asked_for_nobody(tmp_path, monkeypatch):
    _, asked = choose(tmp_path, monkeypatch, lambda guidance, user: (0, 0), [1.0], train_users="nobody")
    assert asked[0][1] == [len(USERS)] * 8


@pytest.mark.parametrize(("metric", "expected"), [("euclidean", 0.0), ("cosine", -0.25)])
def test_the_nearest_items_are_found_by_the_decoders_metric(tmp_path, monkeypatch, metric, expected):
    """User 0 at (1, 0) misses item 1 by distance and item 4 by angle; user 2 at (-1, 0) misses item 1 by both."""
    places = np.array([[1, 0], [10, 0], [0, 1], [0, -1], [-1, 0]], np.float32)
    generator, _ = choose(
        tmp_path, monkeypatch, lambda guidance, user: (1, 0) if user == 0 else (-1, 0), [1.0], places,
        decoder=EchoParams(metric),
    )  # fmt: skip
    assert table_of(generator)[0][1] == pytest.approx(expected, abs=1e-12)


def test_the_chosen_guidance_is_saved_and_used(tmp_path, monkeypatch):
    generator, asked = choose(tmp_path, monkeypatch, points_by_guidance, [1.0, 3.0])
    (tmp_path / "fit").mkdir()
    generator.save(tmp_path / "fit")
    loaded = Rebeca(generator.params, generator.context)
    loaded.load(tmp_path / "fit")
    assert loaded.prior_guidance == 3.0
    asked.clear()
    list(loaded.generate(requests(["u0"], [5])))
    assert [request[0] for request in asked] == [3.0]
