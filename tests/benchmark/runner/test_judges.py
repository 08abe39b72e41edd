"""Judges: fitted once, loaded when they are asked."""

import numpy as np
import pytest

from benchmark.runner.judges import fitted_judge, judge_jobs, part_of


def test_a_judge_is_fitted_once(prepared, monkeypatch):
    address = prepared.addresses.judges["verifier"]
    monkeypatch.setattr("benchmark.runner.judges.build", lambda *arguments: pytest.fail("a judge was built"))
    embeddings = prepared.materials.embeddings["verifier"]
    jobs = judge_jobs([address], {address.space: embeddings}, prepared.world, "cpu")
    (folder,) = prepared.stages.make_all(jobs, "cpu")
    assert folder == prepared.stages.store.folder(address.fit)


def test_a_fitted_judge_gives_probabilities(prepared):
    judge = prepared.materials.judges["auditor"]
    scores = judge.catalogue_scores()
    assert scores.shape == (12, 24) and ((scores > 0) & (scores < 1)).all()
    assert judge.model() is judge.model()
    assert judge.fingerprint == prepared.addresses.judges["auditor"].fit.key
    pixels = [prepared.world.dataset.catalogue.pixels(i) for i in range(4)]
    users = np.array([3, 0, 3, 11])
    np.testing.assert_allclose(judge.score(pixels, users), scores[users, np.arange(4)], atol=1e-5)


def test_the_same_fit_gives_the_same_judge(prepared, tmp_path):
    from benchmark.runner.progress import Reporter
    from benchmark.runner.stages import Stages
    from benchmark.runner.store import Store

    address, materials = prepared.addresses.judges["verifier"], prepared.materials
    stages = Stages(Store(tmp_path, print), Reporter(quiet=True))
    embeddings = materials.embeddings["verifier"]
    (folder,) = stages.make_all(judge_jobs([address], {address.space: embeddings}, prepared.world, "cpu"), "cpu")
    again = fitted_judge(address, folder, embeddings, materials.encoders, prepared.world, "cpu")
    assert np.array_equal(again.catalogue_scores(), materials.judges["verifier"].catalogue_scores())
    assert list(stages.seconds) == ["fit verifier"]


def test_the_learning_curve_sees_a_share_of_the_verifiers_ratings(prepared):
    (half,) = prepared.addresses.curve
    whole = prepared.addresses.judges["verifier"]
    assert half.share == 0.5 and half.seed == whole.seed and half.fit != whole.fit
    few, many = part_of(half, prepared.world).train, part_of(whole, prepared.world).train
    pairs = [set(zip(rows.user.tolist(), rows.item.tolist(), strict=True)) for rows in (few, many)]
    assert pairs[0] < pairs[1]
    assert np.array_equal(few.ratings_per_user(), np.ceil(many.ratings_per_user() / 2))
