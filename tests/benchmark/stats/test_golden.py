"""Every number of the statistics on fixed input, as it was when the oracles and properties beside this file agreed.

A change that these other tests cannot see, such as another order of random numbers or another field of a report, is
seen here. Where it is meant, write the file anew: ``python -m tests.benchmark.stats.test_golden``.
"""

import json
import math
from dataclasses import asdict, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmark.analysis import results
from benchmark.stats import agreement, comparison, intervals, levels, personalisation, ranks, simulation, verifier
from benchmark.stats.random import stream

GOLDEN = Path(__file__).with_name("golden.json")
ABSENT = ("over_users", "items")
"""Left out of records where items play no part."""


def recorded(result):
    """As records hold it."""
    kinds = {
        intervals.Interval: results.Interval.of,
        personalisation.PermutationResult: results.PermutationTest.of,
        comparison.Comparison: lambda pair: results.Comparison.of("a", "b", pair),
    }
    raw = asdict(kinds[type(result)](result))
    if isinstance(result, comparison.Comparison):  # with NaN where records hold nothing
        raw["inner"] = {"low": result.inner.low, "high": result.inner.high}
        raw["prefer"] = dict(zip(("share", "low", "high"), result.prefer, strict=True))
    return {key: value for key, value in raw.items() if key not in ("a", "b")}


def values(users, columns, seed=0, skewed=False):
    rng = np.random.default_rng(seed)
    table = rng.normal(0.1, 1.0, (users, columns)) + np.linspace(-0.4, 0.4, columns)
    return np.exp(table) if skewed else table


def holes(table):
    """Without some users in some columns."""
    out = table.copy()
    out[1, 0] = out[3, -1] = out[5, -1] = np.nan
    return out


def weights(users, draws=60, strata=None):
    return intervals.resampling_weights(users, draws, np.random.default_rng(1), strata)


def of_intervals():
    strata = np.array([0] * 5 + [1] * 7)
    yield "weights", weights(6, 4).tolist()
    yield "weights in strata", weights(12, 4, strata).tolist()
    for method in ("auto", "bootstrap-t"):
        for name, table in {
            "plain": values(12, 3),
            "holes": holes(values(12, 3)),
            "skewed": values(12, 2, skewed=True),
            "many": values(70, 2, 3),
            "many skewed": values(70, 2, 3, skewed=True),
            "constant": np.full((9, 1), 0.25),
            "nearly constant": np.full((9, 1), 0.25) + np.arange(9)[:, None] * 1e-15,
            "two": values(2, 2),
            "one": values(1, 2),
            "none": np.full((4, 1), np.nan),
        }.items():
            for confidence in (0.95, 0.9):
                result = intervals.mean_intervals(table, weights(len(table)), confidence, method)
                yield (
                    f"mean of {name}, {method}, {confidence}",
                    [recorded(each) | {"skewed": each.skewed} for each in result],
                )
    yield "mean of three", recorded(intervals.mean_interval(values(3, 1)[:, 0], weights(3)))
    for skew in (1.0, 1.0 + 1e-9):
        yield (
            f"constant up to {skew}",
            recorded(intervals.mean_interval(np.array([1e6, 1e6, 1e6 + skew * 1e-6]), weights(3))),
        )
    some = values(80, 2, 4)
    some[:, 1] = 0.5
    yield "one constant column of two", [recorded(each) for each in intervals.mean_intervals(some, weights(80))]
    yield (
        "bootstrap-t of ties",
        recorded(intervals.mean_interval(np.array([0.0, 0, 0, 0, 1e-4]), weights(5), 0.95, "bootstrap-t")),
    )
    yield "percentile of two", recorded(intervals.percentile(0.5, np.array([0.2, 0.4, 0.9]), 2))
    yield "percentile of one", recorded(intervals.percentile(0.5, np.array([0.2, 0.4, 0.9]), 1))
    yield (
        "bca, many equal to the mean",
        intervals.bca(np.array([0.0, 1, 2, 1]), np.array([1.0, 1, 1, 0.5, 1.5, 2]), 0.9),
    )
    yield "bca, all below", intervals.bca(np.array([0.0, 1, 2, 3.5]), np.linspace(0, 1, 40), 0.9)
    sample = values(20, 1, 5, skewed=True)[:, 0]
    draws = np.sort(np.random.default_rng(2).normal(sample.mean(), 0.3, 400))
    yield "bca", intervals.bca(sample, draws, 0.95)
    yield "bca at 80 %", intervals.bca(sample, draws, 0.8)
    yield "bca outside", intervals.bca(sample, draws + 10, 0.95)
    yield "percentile", recorded(intervals.percentile(sample.mean(), draws, 20))
    yield "percentile at 90 %", recorded(intervals.percentile(sample.mean(), draws, 20, 0.9))
    yield "percentile with holes", recorded(intervals.percentile(0.5, np.array([np.nan, 0.2, 0.4, 0.9, np.nan]), 3))
    yield "percentile of nothing", recorded(intervals.percentile(math.nan, np.array([np.nan, np.nan]), 2))
    yield "wilson", [intervals.wilson(k, n) for k, n in ((0, 5), (2.5, 5), (5, 5), (30, 60), (0, 0))]
    yield "wilson at 90 %", intervals.wilson(7, 9, 0.9)


def of_comparison():
    for users, flips in ((5, 99), (7, 999), (12, 999), (12, 5000), (40, 1500)):
        table = holes(values(max(users, 6), 4, users))[:users]
        yield f"sign flips {users} {flips}", comparison.sign_flips(table, flips, np.random.default_rng(3))
    yield "sign flips of nothing", comparison.sign_flips(np.zeros((8, 2)), 199, np.random.default_rng(3))
    yield "holm", comparison.holm(np.array([0.2, 0.01, 0.03, 0.03, 0.9])).tolist()
    for users in (1, 2, 5, 6, 20, 61):
        for margin in (None, 0.6):
            for higher in (True, False):
                table = values(users, 5, users) + np.array([0, 1, -1, 0.05, 0])
                table[:, 4] = 0
                if users > 5:
                    table = holes(table)
                    table[:, 3] *= 0.05
                rules = comparison.Rules(499, 0.05, margin, higher)
                beats = np.clip(0.5 + table / 8, 0, 1) if margin else None
                result = comparison.compare(table, weights(users), rules, np.random.default_rng(4), beats)
                yield f"compare {users} {margin} {higher}", [recorded(each) for each in result]
    for interval in ("auto", "bootstrap-t"):
        table = values(14, 2, 9, skewed=True)
        rules = comparison.Rules(199, 0.05, 0.5, True, interval)
        result = comparison.compare(table, weights(14), rules, np.random.default_rng(4), table)
        yield f"compare skewed, {interval}", [recorded(each) for each in result]
    nobody = np.full((7, 1), np.nan)
    yield (
        "compare nobody",
        recorded(comparison.compare(nobody, weights(7), comparison.Rules(99, 0.05), np.random.default_rng(4))[0]),
    )
    edge = comparison.Rules(199, 0.05, 0.5)
    for p_max_t in (0.05, 0.0501):
        test = comparison.SignFlips(1, 199, False, p_max_t, p_max_t, p_max_t)
        for gain in (0.3, -0.3):
            inner = intervals.Interval(gain, -0.5, 0.4, "student-t", 9)
            yield f"verdict {p_max_t} {gain}", comparison._verdict(np.arange(9.0), gain, inner, test, edge)
    many = comparison.image_wins(values(5, 1500, 7), values(5, 1400, 8))
    yield "wins in blocks", many.tolist()
    yield "wins of one image", comparison.image_wins(values(3, 1, 7), values(3, 1, 8)).tolist()
    a, b = np.round(values(9, 4, 7), 1), np.round(values(9, 3, 8), 1)
    a[2] = np.nan
    b[4, 1] = np.nan
    yield "wins", comparison.image_wins(a, b).tolist()
    yield "wins, lower is better", comparison.image_wins(a, b, False).tolist()
    yield "smallest p", [levels.smallest_p(n, b) for n in (1, 5, 13, 14, 30, 31) for b in (32, 99, 9999, 2**30, 2**31)]


def of_personalisation():
    table = values(9, 9, 11) + np.eye(9)
    gaps = table.copy()
    gaps[2, 5] = np.nan
    yield "lift", personalisation.personal_lift(table).tolist()
    yield "lift with gaps", personalisation.personal_lift(gaps).tolist()
    yield "centred", personalisation.double_centred(table).tolist()
    stratum, images = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2]), np.array([3, 3, 3, 3, 5, 5, 4, 5, 3])
    apart = np.where(stratum[:, None] == stratum[None, :], table, np.nan)
    strata, left = personalisation.strata_of(apart, stratum, images)
    yield "strata", [left, *strata]
    yield "permutations", [p.tolist() for p in personalisation.permutations_within([4, 3], 5, np.random.default_rng(5))]
    for draws in (9, 299):
        moved = personalisation.permutations_within([len(s.users) for s in strata], draws, np.random.default_rng(6))
        yield f"block {draws}", [recorded(each) for each in personalisation.block_permutation(strata, moved)]
    three = [personalisation.Stratum(np.arange(m), values(m, m, m)) for m in (4, 3, 5)]
    moved = personalisation.permutations_within([4, 3, 5], 19, np.random.default_rng(6))
    yield "block of three strata", [recorded(each) for each in personalisation.block_permutation(three, moved)]
    one_image = personalisation.strata_of(values(4, 4, 2), np.zeros(4, int), np.array([1, 1, 0, 0]))
    yield "strata of one image", [one_image[1], *one_image[0]]
    flat = np.arange(25.0).reshape(5, 5)
    flat[2, 3] += 1e-14
    yield "centred up to rounding", personalisation.double_centred(flat * 0.1).tolist()
    few = np.array([0, 0, 1, 3, 3, 3])  # one user has one image, one has none
    yield (
        "image shuffle of few",
        recorded(personalisation.image_shuffle(values(4, 6, 13), few, 49, np.random.default_rng(7))),
    )
    large = np.repeat(np.arange(20), 2000)
    result = personalisation.image_shuffle(values(20, 40_000, 13), large, 150, np.random.default_rng(7))
    yield "image shuffle in blocks", recorded(result)
    yield "own set rank of large numbers", [p.tolist() for p in personalisation.own_set_rank(table * 1e9)]
    owner = np.repeat(np.arange(4), 3)
    scores = values(4, 12, 13)
    result = personalisation.image_shuffle(scores, owner, 99, np.random.default_rng(7))
    yield "image shuffle", recorded(result) | {"p": result.p, "z": result.z}
    result = personalisation.image_shuffle(np.full((4, 12), 0.5), owner, 99, np.random.default_rng(7))
    yield "image shuffle of nothing", recorded(result)
    yield "own set rank", [part.tolist() for part in personalisation.own_set_rank(np.round(table, 0))]
    yield "own set rank with gaps", [part.tolist() for part in personalisation.own_set_rank(gaps)]


def of_verifier():
    rng = np.random.default_rng(17)
    user = np.repeat(np.arange(8), 10)
    liked = rng.random(80) < np.repeat(np.linspace(0, 0.9, 8), 10)
    score = np.round(np.clip(0.4 * liked + rng.random(80) * 0.6, 0, 1), 2)
    yield "auc", verifier.auc(liked, score)
    yield "auc of one kind", verifier.auc(np.ones(4, bool), np.arange(4.0))
    yield "auc by user", verifier.auc_by_user(user, liked, score, 9).tolist()
    yield "auc over users", recorded(verifier.auc_over_users(user, liked, score, weights(8, 40)))
    yield (
        "auc over users of one kind",
        recorded(verifier.auc_over_users(user, np.ones(80, bool), score, weights(8, 40))),
    )
    yield "rows bootstrap", verifier.bootstrap_rows_auc(liked, score, 80, np.random.default_rng(8))
    yield (
        "rows bootstrap of one kind",
        verifier.bootstrap_rows_auc(np.ones(5, bool), score[:5], 9, np.random.default_rng(8)),
    )
    lone = np.array([True, False, False, True, False])
    users = np.array([0, 0, 1, 2, 3])
    yield "auc over users with one rating", recorded(verifier.auc_over_users(users, lone, score[:5], weights(4, 40)))
    yield "roc of equal scores", verifier.roc(lone, np.full(5, 0.5))
    yield "roc", verifier.roc(liked, score)
    yield "roc of few points", verifier.roc(liked, score, 7)
    yield "roc of one kind", verifier.roc(np.zeros(5, bool), np.arange(5.0))
    yield "calibration", verifier.calibration(liked, score)
    yield "calibration in four", verifier.calibration(liked, score, 4)
    yield "calibration at the edges", verifier.calibration(np.array([True, False, True]), np.array([0.0, 1.0, 0.5]))


def of_agreement_and_ranks():
    rng = np.random.default_rng(19)
    user = np.repeat(np.arange(7), 6)
    x = rng.normal(size=42) + np.repeat(np.arange(7), 6)
    y = x + rng.normal(size=42)
    flat = np.where(user == 3, 1.0, x)
    far = x + 1e6
    same = 3 * x
    for name, (a, b) in {
        "plain": (x, y),
        "one user does not vary": (flat, y),
        "far from zero": (far, y + 1e6),
        "in line": (x, same),
        "against": (x, -same),
    }.items():
        result, users = agreement.correlation_within(user, a, b, weights(7, 40))
        yield f"within, {name}", [recorded(result), users]
        yield f"pooled, {name}", recorded(agreement.correlation_pooled(user, a, b, weights(7, 40)))
        yield f"ranks within, {name}", agreement.ranks_within(user, np.round(a, 0)).tolist()
    lonely = np.array([0, 0, 1, 2, 2, 2])
    result, users = agreement.correlation_within(lonely, x[:6], y[:6], weights(3, 40))
    yield "within, one rating", [recorded(result), users]
    many = np.repeat(np.arange(70), 4)
    a, b = values(280, 2, 23).T
    result, users = agreement.correlation_within(many, a, a + b, weights(70, 80))
    yield "within, many users", [recorded(result), users]
    yield "midranks", ranks.midranks(np.array([3.0, 1.0, 3.0, 2.0, 2.0, 2.0])).tolist()
    better = {("a", "b"): True, ("a", "c"): True, ("b", "c"): False, ("d", "a"): True}
    yield "rank intervals", ranks.rank_intervals(["a", "b", "c", "d"], better)
    yield "first", ranks.share_first(values(10, 3, 21), weights(10, 50)).tolist()
    yield "streams", [int(stream(*name).integers(1 << 60)) for name in (("a",), ("a", 1), ("b", "1"))]


def of_simulation():
    rng = np.random.default_rng
    for shape in (simulation.Shape(8, 4, 0.3), simulation.Shape(9, 5, 0.6)):
        name = f"{shape.users} {shape.images} {shape.correlation}"
        for condition in simulation.CONDITIONS:
            pairs, images = simulation.simulate_sets(shape, condition, 0.2, rng(31))
            yield f"sets {name} {condition}", [pairs.tolist(), images.tolist()]
        for condition in simulation.GENERATOR_CONDITIONS:
            result = simulation.simulate_generators(shape, condition, np.array([0.0, 0.1, 0.4, 0.2]), rng(32))
            yield f"generators {name} {condition}", result.tolist()
        yield f"ratings {name}", [part.tolist() for part in simulation.simulate_ratings(shape, 5, rng(33))]
        yield f"scorers {name}", [part.tolist() for part in simulation.simulate_scorers(shape, 0.5, rng(34))]
    yield "counts", simulation.image_counts(simulation.Shape(9, 8, 0.1), None).tolist()
    yield "counts tied", simulation.image_counts(simulation.Shape(9, 8, 0.1), np.arange(9.0)[::-1]).tolist()
    yield "noise", simulation.skewed_noise(rng(35), (3, 4)).tolist()
    yield "true auc", [simulation.true_auc(r) for r in (0.0, 0.3, 0.6)]


PARTS = {
    part.__name__: part
    for part in (of_intervals, of_comparison, of_personalisation, of_verifier, of_agreement_and_ranks, of_simulation)
}


def plain(value):
    """JSON with NaN as text."""
    if is_dataclass(value):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(key): plain(child) for key, child in value.items() if child is not None or key not in ABSENT}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(child) for child in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else repr(float(value))
    return value.item() if isinstance(value, np.generic) else value


def assert_equal(result, expected, where):
    if isinstance(expected, dict):
        assert result.keys() == expected.keys(), where
        for key in expected:
            assert_equal(result[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(result) == len(expected), where
        for i, (f, e) in enumerate(zip(result, expected, strict=True)):
            assert_equal(f, e, f"{where}[{i}]")
    elif isinstance(expected, float) and not isinstance(result, str):
        assert result == pytest.approx(expected, rel=1e-9, abs=1e-12), where
    else:
        assert result == expected, where


@pytest.mark.parametrize("part", PARTS)
def test_numbers_are_those_of_before(part):
    result = {name: plain(value) for name, value in PARTS[part]()}
    assert_equal(result, json.loads(GOLDEN.read_text())[part], part)


if __name__ == "__main__":
    every = {part: {name: plain(value) for name, value in make()} for part, make in PARTS.items()}
    GOLDEN.write_text(json.dumps(every, separators=(",", ":")) + "\n")
