"""The contract of every generator: what it promises whatever it is."""

from dataclasses import replace

import numpy as np
import pytest

from baselines.catalogue import CatalogueGenerator, CatalogueParams, best_positions, factorise
from benchmark.dev.running import Running
from benchmark.task.resolve import load_task
from rebeca.data.dataset import Dataset
from rebeca.interfaces import GeneratedImage, GeneratorContext, Request
from tests.builders import interactions

PER_USER = ("data.split.kind=per-user", "data.split.test=8", "data.split.validation=4")
RANKINGS = ["random", "most-liked", "centroid", "ridge", "neighbours", "verifier", "heldout-likes"]


def generate(tiny, tmp_path, params, overrides=()):
    task = load_task(tiny, ("images=3", *overrides))
    spec = replace(task.generators[0], id="g", title="g", use=params[0], params=params[1])
    run = Running.of(replace(task, generators=(spec,)), tmp_path / "w")
    generator = run.fitted(spec)
    requests = run.requests(spec)
    return run, requests, list(generator.generate(requests))


def check(run, requests, answers):
    assert len(answers) == len(requests)
    for request, answer in zip(requests, answers, strict=True):
        assert isinstance(answer, GeneratedImage)
        assert answer.pixels.dtype == np.uint8
        user = run.world.candidates.user_ids.index(request.user)
        assert answer.item in run.world.candidates.of(user)
    for start in range(0, len(answers), 3):
        assert len({a.item for a in answers[start : start + 3]}) == 3


@pytest.mark.parametrize("rank_by", RANKINGS)
def test_catalogue_on_held_out_items(tiny, tmp_path, rank_by):
    check(*generate(tiny, tmp_path, ("catalogue", CatalogueParams(rank_by))))


@pytest.mark.parametrize("rank_by", [*RANKINGS, "matrix-factorisation"])
def test_catalogue_per_user(tiny, tmp_path, rank_by):
    check(*generate(tiny, tmp_path, ("catalogue", CatalogueParams(rank_by)), PER_USER))


def test_ridge_knows_users_where_nobody_else_rated_their_items():
    """A mean that contains the own rating would leave no taste, and one ranking for all users."""
    rng = np.random.default_rng(0)
    user, item, embeddings = np.repeat([0, 1], 40), np.arange(80), rng.normal(size=(80, 4)).astype(np.float32)
    rating = embeddings[item, 0] * np.where(user == 0, 1, -1)  # one likes what the other dislikes
    dataset = Dataset.in_memory(
        "Two users", np.zeros((80, 2, 2, 3), np.uint8), interactions(user, item, rating), scale=(-4, 4)
    )
    context = GeneratorContext.alone(dataset, embeddings=embeddings)
    generator = CatalogueGenerator(CatalogueParams("ridge"), context)
    generator.fit(dataset.ratings)
    correlations = [np.corrcoef(scores, embeddings[:, 0])[0, 1] for scores in generator._scores]
    assert correlations[0] > 0.5 and correlations[1] < -0.5


def test_rebeca(tiny, tmp_path):
    run = Running.of(load_task(tiny), tmp_path / "w")
    for spec in run.task.generators[:3]:
        requests = run.requests(spec)
        check(run, requests, list(run.fitted(spec).generate(requests)))


def test_trained_without_users_gives_everybody_the_same_distribution(tiny, tmp_path):
    run = Running.of(load_task(tiny, ("generators.rebeca.params.train_users=nobody",)), tmp_path / "w")
    spec = run.task.generators[0]
    generator = run.fitted(spec)
    requests = [Request(user, 0, 5) for user in run.world.user_ids]
    points = generator.inner.sample(requests)
    np.testing.assert_allclose(points, np.broadcast_to(points[0], points.shape), atol=1e-5)
    assert not spec.flags().claims_personal


def test_own_heldout_likes_are_the_best_there_is(tiny, tmp_path):
    run, requests, answers = generate(tiny, tmp_path, ("catalogue", CatalogueParams("heldout-likes")))
    ratings = run.world.division.test.matrix()
    for start in range(0, len(answers), 3):
        user = run.world.candidates.user_ids.index(requests[start].user)
        own = np.sort(ratings[user][run.world.candidates.of(user)])[::-1]
        assert [ratings[user, a.item] for a in answers[start : start + 3]] == own[:3].tolist()


def test_factorisation_knows_nothing_of_unseen_images(tiny, tmp_path):
    from rebeca.errors import PluginError

    with pytest.raises(PluginError, match="matrix factorisation knows none of the candidates"):
        generate(tiny, tmp_path, ("catalogue", CatalogueParams("matrix-factorisation")))


def test_factorisation_recovers_a_low_rank_matrix():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 30)) * 3
    user, item = np.nonzero(rng.random(truth.shape) < 0.7)
    predicted = factorise(interactions(user, item, truth[user, item], 40, 30), 2, 0)
    unseen = np.ones(truth.shape, bool)
    unseen[user, item] = False
    assert np.corrcoef(predicted[unseen], truth[unseen])[0, 1] > 0.8


def test_items_whose_scores_differ_by_rounding_are_drawn_by_the_seed():
    """Copies of one item that were scored in two batches; single precision alone parted some of them."""
    base = np.random.default_rng(0).random(50)
    requests = [Request("u", k, 5) for k in range(100)]
    chosen = [best_positions(np.concatenate([base, base + shift]), requests).tolist() for shift in (-2e-7, 0.0, 2e-7)]
    assert chosen[0] == chosen[1] == chosen[2] and sorted(chosen[0]) == list(range(100))


def test_needs_are_declared():
    assert CatalogueGenerator.needs(CatalogueParams("verifier")) == {"judge"}
    assert CatalogueGenerator.needs(CatalogueParams("heldout-likes")) == {"held-out"}
    assert CatalogueGenerator.needs(CatalogueParams("ridge")) == frozenset()
