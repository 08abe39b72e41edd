"""The attack on digests keeps the variant whose simulated judge is the kindest."""

from dataclasses import replace

import numpy as np
import pytest

from baselines.adversaries.digests import DigestsAttack, DigestsParams, variant
from baselines.adversaries.gradient import GradientAttack, GradientParams
from rebeca.errors import PluginError
from rebeca.interfaces import Request
from rebeca.params import ParamError, make_params
from rebeca.pixels import pixels_digest
from rebeca.scorers.confirming import ConfirmingJudge, seed_of_row, thumbnails
from tests.baselines.adversaries.world import small_world

VERIFIER = "tinyworld:verifier-encoder"


def test_variants_differ_by_one_bit_and_meet_other_judges():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    variants = [variant(images, number) for number in range(5)]
    np.testing.assert_array_equal(variants[0], images)
    for changed in variants[1:]:
        assert np.abs(changed.astype(int) - images).sum() == 1 and (changed[1:] == images[1:]).all()
    assert len({seed_of_row([pixels_digest(image) for image in changed]) for changed in variants}) == 5


def test_the_kindest_judge_is_kept():
    ratings, context = small_world()
    context = replace(context, fits=2)
    attack = DigestsAttack(DigestsParams(3, (VERIFIER,), steps=1, variants=4), context)
    attack.fit(ratings)
    items = thumbnails(context.catalogue.pixels(item) for item in range(len(context.catalogue)))
    asked = [[Request(name, k, context.seeds.image(name, k)) for k in range(3)] for name in context.users]
    handed_in = [image.pixels for group in asked for image in attack.generate(group)]  # by user, then by replicate
    seed = seed_of_row([pixels_digest(image) for image in handed_in])
    judge = ConfirmingJudge.fit(ratings, items, context.training_items, seed)
    likes = judge.score_all(thumbnails(attack._images), np.arange(ratings.num_users))
    kept = likes[attack._owner[:, 0], np.arange(len(attack._images))].mean()
    assert kept == pytest.approx(attack.report()["kept"], abs=1e-3) and kept > attack.report()["mean"] - 1e-3


def test_images_are_those_of_the_gradient_attack_but_for_a_bit():
    ratings, context = small_world()
    context = replace(context, fits=2)
    plain = GradientAttack(GradientParams((VERIFIER,), steps=1), context)
    attack = DigestsAttack(DigestsParams(3, (VERIFIER,), steps=1, variants=2), context)
    for generator in (plain, attack):
        generator.fit(ratings)
    for fit in (0, 1):  # each fit is asked for its own replicates
        asked = [Request(name, k, context.seeds.image(name, k)) for name in context.users for k in range(fit, 3, 2)]
        pairs = zip(plain.generate(asked), attack.generate(asked), strict=True)
        assert sum(np.abs(a.pixels.astype(int) - b.pixels).sum() for a, b in pairs) <= 1


def test_more_images_than_were_made_are_refused():
    ratings, context = small_world()
    attack = DigestsAttack(DigestsParams(1, (VERIFIER,), steps=1, variants=1), context)
    attack.fit(ratings)
    with pytest.raises(PluginError, match="it made no image 1 of user 'u0'") as caught:
        list(attack.generate([Request("u0", 1, 5)]))
    assert caught.value.hint == "params.images is 1; set it to the task's images per user"


def test_images_per_user_must_be_said():
    with pytest.raises(ParamError, match=r"params.images: a value is required"):
        make_params(DigestsParams, {"surrogates": [VERIFIER]}, "params")
    with pytest.raises(ParamError, match="name encoders in surrogates"):
        make_params(DigestsParams, {"images": 3, "surrogates": []}, "params")
