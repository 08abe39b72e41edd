"""Do the tests hold their level, and do the intervals cover? Simulated, with the functions that the leaderboard uses.

A *cell* is a shape (users, images, correlation) and a condition. Each run simulates a world with a known ground truth,
computes every test and interval, and counts. Runs are cut into blocks with seeds of their own, so that the result does
not depend on the number of processes.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
from scipy.special import gammaln, hyp2f1

from benchmark.planning.fit_worlds import compare_methods, find_difference
from benchmark.planning.item_worlds import compare_retrieval
from benchmark.planning.rates import ALPHA, FLIPS, PARTIAL_OFFSET, QUANTITIES, Cell, Counts, Rate, rate_of
from benchmark.stats.agreement import correlation_pooled, correlation_within
from benchmark.stats.comparison import Comparison, Rules, compare, image_wins, sign_flips
from benchmark.stats.groups import divided
from benchmark.stats.intervals import SHARE, mean_interval, resampling_weights
from benchmark.stats.personalisation import (
    block_permutation,
    image_shuffle,
    own_set_rank,
    pair_means,
    permutations_within,
    personal_lift,
    strata_of,
)
from benchmark.stats.random import stream
from benchmark.stats.simulation import (
    CONDITIONS,
    FIT_CONDITIONS,
    GENERATOR_CONDITIONS,
    GENERATORS,
    NO_FORMULA,
    Shape,
    simulate_generators,
    simulate_ratings,
    simulate_scorers,
    simulate_sets,
    true_auc,
)
from benchmark.stats.verifier import auc_by_user, auc_over_users, bootstrap_rows_auc
from rebeca.arrays import Floats, Ints

RUNS_PER_BLOCK = 50
"""Runs that share one set of bootstrap weights; a process computes one block at a time."""
PERMUTATIONS = 199
BOOTSTRAP = 999
ROW_DRAWS = 99
RATINGS_PER_USER = 20
IMAGES_FOR_GROUND_TRUTH = 200_000
"""Images from which a true value without a formula is estimated; its error is a tenth of an interval's at 210 users."""
AGREEMENT = 0.6
USERS_OF_A_GROUP = 25
"""Where users are compared in groups: half of what a task may ask for, so that the cost of small groups would show."""
WORLDS = {
    "sets": CONDITIONS,
    "groups": ("equal", "quality", "images by leniency"),
    "generators": GENERATOR_CONDITIONS,
    "verifier": ("equal",),
    "agreement": ("equal",),
    "fits": FIT_CONDITIONS,
}
"""Conditions by world."""
MEASURED_FIT_VARIANCE = 0.03
"""Variance between fits over that between users: .0146**2 over .085**2, personal lift on tinyworld, version 3."""


def cells(
    shape: Shape, lift: float, runs: int, fits: int = 1, fit_variance: float = MEASURED_FIT_VARIANCE
) -> list[Cell]:
    """Every world and condition for one shape; the number of fits concerns one world."""
    return [
        Cell(world, condition, shape, lift, runs, *((fits, fit_variance) if world == "fits" else ()))
        for world, conditions in WORLDS.items()
        for condition in conditions
    ]


def calibrate(
    work: Sequence[Cell], seed: int, workers: int = 1, report: Callable[[int, int, str], None] | None = None
) -> list[Rate]:
    """Counts every quantity in every cell.

    Args:
        work: Cells.
        seed: Names the random streams.
        workers: Processes; the result does not depend on them.
        report: Called with (blocks done, blocks, note).
    """
    jobs = [
        (cell, number, min(RUNS_PER_BLOCK, cell.runs - start), seed)
        for cell in work
        for number, start in enumerate(range(0, cell.runs, RUNS_PER_BLOCK))
    ]
    totals = {cell: Counts() for cell in work}
    for done, ((cell, *_), block) in enumerate(zip(jobs, _blocks(jobs, workers), strict=True), start=1):
        totals[cell].update(block)
        if report is not None:
            report(done, len(jobs), f"{cell.world}, {cell.condition}")
    return [
        rate_of(cell, QUANTITIES[name], total[name, True], total[name, True] + total[name, False])
        for cell, total in totals.items()
        for name in sorted({name for name, _ in total})
    ]


def _blocks(jobs: Sequence[tuple[Cell, int, int, int]], workers: int) -> Iterator[Counts]:
    if workers <= 1:
        yield from map(_block, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_block, jobs)


def _block(job: tuple[Cell, int, int, int]) -> Counts:
    cell, number, runs, seed = job
    shape = cell.shape
    name = f"{cell.world}/{cell.condition}/{shape.users}/{shape.images}/{shape.correlation}/{cell.lift}"
    if cell.world in FIT_WORLDS:
        name += f"/{cell.fits}/{cell.fit_variance}"
    if cell.items:
        name += f"/{cell.items}"
    rng = stream("calibration", seed, _seed_name(name), number)
    weights = resampling_weights(shape.users, BOOTSTRAP, rng)
    counter = Counts()
    for _ in range(runs):
        SIMULATED[cell.world](cell, weights, rng, counter)
    return counter


def _seed_name(text: str) -> str:
    """Named as when docs/reports/calibration.csv was computed, so that its numbers can be repeated."""
    return text.replace("images", "pictures")


def _sets(cell: Cell, weights: Ints, rng: np.random.Generator, counter: Counts) -> None:
    for lift in (0.0, cell.lift):
        scores, owner = simulate_sets(cell.shape, cell.condition, lift, rng)
        counts = np.bincount(owner, minlength=cell.shape.users)
        pairs, _ = pair_means(scores, owner)
        strata, _ = strata_of(pairs, np.zeros(len(counts), np.int64), counts)
        if not strata:
            continue
        lifts, beats = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
        for stratum in strata:
            lifts[stratum.users] = personal_lift(stratum.scores)
            beats[stratum.users] = own_set_rank(stratum.scores)[0]
        permutations = permutations_within([len(stratum.users) for stratum in strata], PERMUTATIONS, rng)
        mean_test, median_test = block_permutation(strata, permutations)
        interval = mean_interval(lifts, weights)
        if lift == 0.0:
            counter.add("whole-set test, median of centred scores", median_test.p <= ALPHA)
            counter.add("whole-set test, mean", mean_test.p <= ALPHA)
            if np.isfinite(scores).all():
                published = image_shuffle(scores, owner, PERMUTATIONS, rng)
                counter.add("published scheme, single images", published.p <= ALPHA)
            counter.covers("lift, interval without an effect", interval, 0.0)
            counter.covers("share of sets that the own set beats", mean_interval(beats, weights), 0.5)
        else:
            counter.add("whole-set test, power at the planted lift", median_test.p <= ALPHA)
            if cell.condition not in NO_FORMULA:
                counter.covers("lift, interval", interval, lift)
                counter.covers("lift, bootstrap-t", mean_interval(lifts, weights, method="bootstrap-t"), lift)


def _groups(cell: Cell, weights: Ints, rng: np.random.Generator, counter: Counts) -> None:
    """Lifts among the users of random groups; the true value is the lift among all users."""
    users = cell.shape.users
    if users <= USERS_OF_A_GROUP:
        return
    for lift in (0.0, cell.lift):
        scores, owner = simulate_sets(cell.shape, cell.condition, lift, rng)
        group = divided(np.zeros(users, np.int64), USERS_OF_A_GROUP, rng)
        strata, _ = strata_of(pair_means(scores, owner)[0], group, np.bincount(owner, minlength=users))
        lifts = np.full(users, np.nan)
        for stratum in strata:
            lifts[stratum.users] = personal_lift(stratum.scores)
        permutations = permutations_within([len(stratum.users) for stratum in strata], PERMUTATIONS, rng)
        rejected = block_permutation(strata, permutations)[1].p <= ALPHA
        interval = mean_interval(lifts, weights)
        if lift == 0.0:
            counter.add("whole-set test, in groups", rejected)
            counter.covers("lift in groups, interval without an effect", interval, 0.0)
        else:
            counter.add("whole-set test, in groups, power at the planted lift", rejected)
            counter.covers("lift in groups, interval", interval, lift)


PAIRS = [(a, b) for a in range(GENERATORS) for b in range(a + 1, GENERATORS)]


def _generators(cell: Cell, weights: Ints, rng: np.random.Generator, counter: Counts) -> None:
    rules, true_values = Rules(FLIPS, ALPHA), _true_values(cell)
    null = simulate_generators(cell.shape, cell.condition, np.zeros(GENERATORS), rng)
    results = _compared(null, weights, rules, rng)
    if results[0].test is None:
        return
    adjusted = [r.test for r in results if r.test is not None]
    counter.add("sign flips, one pair", adjusted[-1].p <= ALPHA)
    counter.add("max-T, no difference anywhere", min(t.p_max_t for t in adjusted) <= ALPHA)
    counter.add("Holm, no difference anywhere", min(t.p_holm for t in adjusted) <= ALPHA)
    last = results[-1]
    counter.covers("difference, interval", last.difference, 0.0)
    counter.add("share of users who prefer, Wilson", last.prefer[1] <= true_values["prefer"] <= last.prefer[2])
    if last.beats is not None:
        counter.covers("image beats image", last.beats, true_values["beats"])
    values = np.nanmean(null, axis=2)
    differences = values[-2] - values[-1]
    counter.covers("mean, interval", mean_interval(values[-1], weights), 0.0)
    counter.covers("mean, bootstrap-t", mean_interval(values[-1], weights, method="bootstrap-t"), 0.0)
    counter.covers("difference, bootstrap-t", mean_interval(differences, weights, method="bootstrap-t"), 0.0)
    # a difference as large as the margin must not be called equivalent; half of the time it is seen as smaller
    margin = 5 * true_values["sd"] / np.sqrt(cell.shape.users)
    inner = compare((differences + margin)[:, None], weights, rules, rng)[0].inner
    counter.add("equivalence at the margin", bool(-margin < inner.low and inner.high < margin))
    shift = 2.8 * true_values["sd"] / np.sqrt(cell.shape.users)
    test = compare((differences + shift)[:, None], weights, rules, rng)[0].test
    counter.add("sign flips, power at the detectable difference", test is not None and test.p <= ALPHA)
    offsets = np.array([PARTIAL_OFFSET, *[0.0] * (GENERATORS - 1)])
    partial = np.nanmean(simulate_generators(cell.shape, cell.condition, offsets, rng), axis=2)
    tests = sign_flips(np.column_stack([partial[a] - partial[b] for a, b in PAIRS]), FLIPS, rng)
    true_nulls = [test for (a, _), test in zip(PAIRS, tests, strict=True) if a != 0]
    counter.add("max-T, one generator better", min(t.p_max_t for t in true_nulls) <= ALPHA)
    counter.add("Holm, one generator better", min(t.p_holm for t in true_nulls) <= ALPHA)


def _compared(scores: Floats, weights: Ints, rules: Rules, rng: np.random.Generator) -> list[Comparison]:
    values = np.nanmean(scores, axis=2)
    differences = np.column_stack([values[a] - values[b] for a, b in PAIRS])
    beats = np.column_stack([image_wins(scores[a], scores[b]) for a, b in PAIRS])
    return compare(differences, weights, rules, rng, beats)


@cache
def _true_values(cell: Cell) -> dict[str, float]:
    """From many users: the last pair's standard deviation, share of users that prefer, share of images that win."""
    many = Shape(IMAGES_FOR_GROUND_TRUTH // cell.shape.images, cell.shape.images, cell.shape.correlation)
    rng = stream("calibration-truth", _seed_name(str(cell)))
    scores = simulate_generators(many, cell.condition, np.zeros(GENERATORS), rng)
    d = np.nanmean(scores[-2], axis=1) - np.nanmean(scores[-1], axis=1)
    wins = image_wins(scores[-2], scores[-1])
    return {"sd": float(d.std()), "prefer": float((d > 0).mean()), "beats": float(wins.mean())}


def _verifier(cell: Cell, weights: Ints, rng: np.random.Generator, counter: Counts) -> None:
    user, liked, score = simulate_ratings(cell.shape, RATINGS_PER_USER, rng)
    within, pooled = true_auc(cell.shape.correlation)
    by_user = auc_by_user(user, liked, score, cell.shape.users)
    counter.covers("AUC within user", mean_interval(by_user, weights, bounds=SHARE), within)
    counter.covers("AUC pooled, users drawn", auc_over_users(user, liked, score, weights), pooled)
    low, high = bootstrap_rows_auc(liked, score, ROW_DRAWS, rng)
    counter.add("AUC pooled, rows drawn", low <= pooled <= high)


def _agreement(cell: Cell, weights: Ints, rng: np.random.Generator, counter: Counts) -> None:
    if cell.shape.images < 3:  # a user's own images have no correlation
        return
    user, first, second = simulate_scorers(cell.shape, AGREEMENT, rng)
    counter.covers("correlation pooled", correlation_pooled(user, first, second, weights), AGREEMENT)
    within, _ = correlation_within(user, first, second, weights)
    counter.covers("correlation within user", within, expected_correlation(AGREEMENT, cell.shape.images))


def expected_correlation(correlation: float, n: int) -> float:
    """Mean of the sample correlation of n normal pairs (Hotelling 1953)."""
    shrink = 2 / (n - 1) * np.exp(2 * (gammaln(n / 2) - gammaln((n - 1) / 2)))
    return float(correlation * shrink * hyp2f1(0.5, 0.5, (n + 1) / 2, correlation**2))


FIT_WORLDS = {"fits": compare_methods, "power": find_difference}
SIMULATED: dict[str, Callable[[Cell, Ints, np.random.Generator, Counts], None]] = {
    "sets": _sets,
    "groups": _groups,
    "generators": _generators,
    "verifier": _verifier,
    "agreement": _agreement,
    "items": compare_retrieval,
    **FIT_WORLDS,
}
