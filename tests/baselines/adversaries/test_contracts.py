"""Adversaries keep the contract of generators, on the contracts' small world."""

import numpy as np

from baselines.adversaries.choosing import (
    AbstainAttack,
    AbstainParams,
    BestOfAttack,
    ChoosingParams,
    CrowdAttack,
    HeldOutAttack,
    OthersAttack,
)
from baselines.adversaries.contentless import ContentlessAttack, ContentlessParams
from baselines.adversaries.digests import DigestsAttack, DigestsParams
from baselines.adversaries.gradient import GradientAttack, GradientParams
from baselines.adversaries.near_copy import MemorisedAttack, NearCopyAttack, NearCopyParams
from rebeca.testing import GeneratorContract

ENCODERS = ("tinyworld:verifier-encoder", "tinyworld:auditor-encoder")


class TestGradient(GeneratorContract):
    plugin = GradientAttack
    params = GradientParams(ENCODERS, steps=2)


class TestGradientThroughTransformations(GeneratorContract):
    plugin = GradientAttack
    params = GradientParams(ENCODERS[:1], steps=2, augment=True)


class TestPatches(GeneratorContract):
    plugin = GradientAttack
    params = GradientParams(patch_nets=2, steps=3)


class TestDigests(GeneratorContract):
    plugin = DigestsAttack
    params = DigestsParams(3, ENCODERS[:1], steps=1, variants=2)


class TestContentless(GeneratorContract):
    plugin = ContentlessAttack
    params = ContentlessParams(count=40)


class TestContentlessInSpaces(GeneratorContract):
    plugin = ContentlessAttack
    params = ContentlessParams(ENCODERS, count=20)


class TestNearCopy(GeneratorContract):
    plugin = NearCopyAttack
    params = NearCopyParams("crop")


class TestMemorised(GeneratorContract):
    plugin = MemorisedAttack


class TestAbstain(GeneratorContract):
    plugin = AbstainAttack
    params = AbstainParams(1 / 3)


class TestBestOf(GeneratorContract):
    plugin = BestOfAttack


class TestBestOfInSpaces(GeneratorContract):
    plugin = BestOfAttack
    params = ChoosingParams(ENCODERS)


class TestOthers(GeneratorContract):
    plugin = OthersAttack


class TestCrowd(GeneratorContract):
    plugin = CrowdAttack


class TestHeldOut(GeneratorContract):
    plugin = HeldOutAttack


def test_only_what_learns_from_held_out_ratings_is_privileged():
    kinds = (GradientAttack, ContentlessAttack, NearCopyAttack, MemorisedAttack, AbstainAttack, BestOfAttack)
    params = (GradientParams(ENCODERS), *(kind.Params() for kind in kinds[1:]))
    assert not any(kind.needs(own) for kind, own in zip(kinds, params, strict=True))
    assert HeldOutAttack.needs(ChoosingParams()) == {"held-out"}
    assert not CrowdAttack.needs(ChoosingParams()) and not OthersAttack.needs(ChoosingParams())


def test_all_are_of_the_family_of_adversaries():
    kinds = (GradientAttack, ContentlessAttack, NearCopyAttack, MemorisedAttack, AbstainAttack, BestOfAttack)
    assert {kind.family for kind in (*kinds, CrowdAttack, OthersAttack, HeldOutAttack)} == {"adversary"}
    assert np.all([kind.Params.__doc__ for kind in kinds])
