"""Gradient attacks stay within their budget, rise in their own surrogates, and say what they cannot use."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.adversaries.gradient import GradientAttack, GradientParams, ascend, transformed
from baselines.adversaries.patches import PatchSurrogate
from baselines.adversaries.surrogates import as_square
from baselines.catalogue import CatalogueGenerator, CatalogueParams
from rebeca.errors import SpecError
from rebeca.interfaces import GeneratorContext, Request
from rebeca.params import ParamError, make_params
from rebeca.scorers.confirming import ConfirmingJudge, thumbnails
from rebeca.seeds import torch_generator
from rebeca.testing import make_world
from tests.baselines.adversaries.world import small_world

VERIFIER = "tinyworld:verifier-encoder"


def fitted(params):
    ratings, context = small_world()
    attack = GradientAttack(params, context)
    attack.fit(ratings)
    return attack, context


def requests(context, count=3):
    return [Request(user, k, context.seeds.image(user, k)) for user in context.users[:2] for k in range(count)]


def brightness(images):
    return images.mean(dim=(1, 2, 3))


@given(st.integers(1, 40), st.integers(1, 12), st.booleans(), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_no_value_moves_further_than_the_budget(budget, steps, augment, seed):
    start = np.random.default_rng(seed).integers(0, 256, (2, 12, 12, 3)).astype(np.uint8)
    changed = ascend(start, lambda step: [brightness], budget, steps, seed if augment else None)
    assert changed.dtype == np.uint8 and changed.shape == start.shape
    assert np.abs(changed.astype(int) - start).max() <= budget


def test_the_whole_budget_is_used_where_it_pays():
    start = np.full((1, 8, 8, 3), 100, np.uint8)
    assert (ascend(start, lambda step: [brightness], 8, 10) == 108).all()


def test_surrogates_score_attacked_images_higher():
    attack, context = fitted(GradientParams((VERIFIER,), steps=10))
    plain = CatalogueGenerator(CatalogueParams(), context)
    plain.fit(None)
    asked = requests(context)
    before, after = (list(generator.generate(asked)) for generator in (plain, attack))
    encoder = attack._encoders[0]
    scores = [
        attack._spaces[0].scores(encoder.encode([image.pixels for image in images]))[0, :3].mean()
        for images in (before, after)
    ]
    assert scores[1] > scores[0] + 0.02
    moved = [np.abs(a.pixels.astype(int) - b.pixels).max() for a, b in zip(after, before, strict=True)]
    assert max(moved) <= 8 and {image.item for image in after} == {None}


def test_patches_take_turns():
    import torch

    attack, _ = fitted(GradientParams(patch_nets=2, steps=2))
    scores = attack.scores_of(0)
    assert [len(scores(step)) for step in (0, 1)] == [1, 1]
    image = torch.full((1, 3, 20, 20), 0.4)
    answers = [float(scores(step)[0](image)) for step in range(3)]
    assert answers[0] == answers[2] != answers[1]
    both, _ = fitted(GradientParams((VERIFIER,), patch_nets=2, steps=2))
    assert len(both.scores_of(0)(1)) == 2


def test_items_of_other_sizes_are_resized_to_the_encoders_side():
    world = make_world()
    context = GeneratorContext.alone(world.dataset)
    attack = GradientAttack(GradientParams((VERIFIER,), steps=1), context)
    attack.fit(world.dataset.ratings)
    [image] = attack.generate([Request(context.users[0], 0, 5)])
    assert image.pixels.shape == (64, 64, 3)


def test_something_must_be_attacked():
    with pytest.raises(ParamError, match="name encoders in surrogates, or give a number of patch_nets"):
        make_params(GradientParams, {}, "params")
    with pytest.raises(ParamError, match="a pixel has 256 grades, found 300"):
        make_params(GradientParams, {"surrogates": [VERIFIER], "budget": 300}, "params")


@pytest.mark.parametrize(
    ("name", "message"), [("fourier", "has no gradients"), ("tinyworlds:verifier-encoder", "no encoder is called")]
)
def test_encoders_that_cannot_be_attacked_are_named(name, message):
    with pytest.raises(SpecError, match=message):
        GradientAttack.check(GradientParams((name,)))


def test_transformations_are_drawn_by_the_seed():
    import torch

    images = torch.rand(2, 3, 20, 20, generator=torch_generator(0))
    once, again, other = (transformed(images, torch_generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other) and once.shape == images.shape


@pytest.mark.parametrize("most", [3000, 8])
def test_a_confirming_judge_answers_the_same_with_gradients(most, monkeypatch):
    """What is attacked is the judge itself, with another seed; also where it learned from some of many items."""
    import torch

    monkeypatch.setattr("rebeca.scorers.confirming.MOST_ITEMS", most)
    ratings, context = small_world()
    pixels = [context.catalogue.pixels(item) for item in range(len(context.catalogue))]
    judge = ConfirmingJudge.fit(ratings, thumbnails(pixels), context.training_items, 3)
    surrogate = PatchSurrogate.of(judge)
    expected = judge.score_all(thumbnails(pixels[:4]), np.arange(ratings.num_users))
    images = torch.from_numpy(np.stack(pixels[:4])).permute(0, 3, 1, 2).float().div(255).requires_grad_()
    for user in range(ratings.num_users):
        scores = surrogate.tensor_scores(user)(images)
        np.testing.assert_allclose(scores.detach().numpy(), expected[user], atol=2e-2)
        (slope,) = torch.autograd.grad(scores.sum(), images)
        assert slope.abs().max() > 0


def test_squares_stay_what_they_are():
    pixels = np.zeros((5, 5, 3), np.uint8)
    assert as_square(pixels, 5) is pixels and as_square(pixels, 9).shape == (9, 9, 3)
