"""The world of the contract tests has everybody and everything that careless code forgets."""

import numpy as np

from rebeca import GroundTruth, NoParams
from rebeca.data.cells import check_id
from rebeca.data.splits import SplitRule
from rebeca.guards import check_dataset
from rebeca.interfaces import EncoderContext
from rebeca.testing import World, make_world
from rebeca.testing.compare import first_difference
from rebeca.testing.interpreter import global_seed, global_state, heavy_imports
from rebeca.testing.progress import ProgressLog
from rebeca.testing.stand_ins import Colours
from rebeca.testing.world import AWKWARD, GLAD, LONELY, SOUR


def test_it_is_a_data_set_like_any_other():
    world = make_world()
    check_dataset(world.dataset)
    assert not any(check_id(name) for name in (*world.users, *world.dataset.catalogue.item_ids))
    assert len({request.seed for request in world.requests}) == len(world.requests) == 24


def test_some_users_and_items_have_nothing():
    world = make_world()
    part = world.division.generators
    counts, likes = part.train.ratings_per_user(), np.bincount(part.train.user, part.train.liked, 8)
    assert counts[LONELY] == 0 == part.validation.ratings_per_user()[LONELY]
    assert likes[SOUR] == 0 < counts[SOUR] and likes[GLAD] == counts[GLAD] > 0
    assert len(world.dataset.catalogue) - 1 not in world.dataset.ratings.item
    assert all(len(world.candidates.of(user)) >= 3 for user in range(8))


def test_images_are_awkward():
    shapes = [image.shape[:2] for image in AWKWARD]
    assert (1, 1) in shapes and any(width > 99 * height for height, width in shapes)
    images = make_world().scored_images(frozenset({"embeddings", "prior"}))
    assert (images.item >= 0).any() and (images.item < 0).any() and len(np.unique(images.unique)) < len(images)
    assert np.isnan(images.embedding_of("prior")).any() and np.isfinite(images.embedding_of("task")).all()
    assert not images.pixels_of(0).flags.writeable


def test_other_data_and_rules_can_be_given():
    dataset = make_world().dataset
    world = World.of(dataset, Colours(NoParams(), EncoderContext()), rule=SplitRule("per-user", 5, 2, "shared"))
    assert world.division.training_items.all() and world.embeddings.shape == (24, 8)
    assert isinstance(world.ground_truth, GroundTruth)
    likes = world.division.test.rating[world.division.test.liked]
    assert likes.min() >= 4  # the middle of the scale


def test_what_was_changed_is_seen():
    world = make_world()
    before = world.digests()
    world.embeddings[0, 0] += 1
    after = world.digests()
    assert {name for name in before if before[name] != after[name]} == {"embeddings"}


def test_global_states_are_put_back():
    before = global_state()
    with global_seed(1):
        np.random.random()  # noqa: NPY002
        assert global_state() != before
    assert global_state() == before


def test_differences_are_found():
    a = {"x": np.array([1.0, np.nan]), "y": None}
    assert first_difference(a, a) == "" and first_difference(a, {"x": a["x"]}) == "y"
    assert first_difference(a, a | {"x": np.array([1.00001, np.nan])}) == "x"
    assert first_difference(a, a | {"x": np.array([1.00001, np.nan])}, 1e-4) == ""
    assert first_difference({"x": np.zeros(2)}, {"x": np.zeros(3)}) == "x"
    levels = np.array([[3, 4]], np.uint8)
    assert first_difference({"x": levels}, {"x": levels + 1}) == "x"
    assert first_difference({"x": levels}, {"x": levels + 2}, 1e-4) == "x"
    assert first_difference({"x": levels}, {"x": levels - 1}, 1e-4) == ""


def test_heavy_imports_are_seen_in_a_fresh_interpreter():
    assert "torch" in heavy_imports("rebeca.ncf.model") and heavy_imports("rebeca.ncf.judge") == ()
    assert heavy_imports("no.such.module") == ()


def test_progress_is_noted():
    log = ProgressLog()
    for done in (0, 1, 1, 2):
        log(done, 2, "epochs")
    log(0, 5, "another step")
    log.check()
