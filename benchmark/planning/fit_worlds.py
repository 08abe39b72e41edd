"""Simulated tasks whose generators are fitted several times: do verdicts hold for methods?"""

from __future__ import annotations

import numpy as np

from benchmark.planning.rates import ALPHA, FLIPS, PARTIAL_OFFSET, Cell, Counts
from benchmark.stats.comparison import Rules, compare, sign_flips
from benchmark.stats.fits import FitEffects, FittedValues, fit_effects, half_widths
from benchmark.stats.intervals import mean_interval, widened
from benchmark.stats.simulation import GENERATORS, OWN_PROCEDURES, SHARED_FITS, simulate_fits
from benchmark.stats.student import satterthwaite, two_sided_p
from rebeca.arrays import Bools, Floats, Ints

FLIPS_FOR_POWER = 1999
"""So many that their resolution costs no power."""
COMPARED = 12
"""Generators of the power simulation: eleven comparisons with the reference."""
STRANGERS = 3
"""Generators beside them with fitting procedures of their own."""
MARGIN = 3.0
"""Equivalence margin, in true standard errors of a difference."""
Pairs = tuple[Ints, Ints]


def _with_the_first(count: int) -> Pairs:
    """Every other generator of so many against the first."""
    return np.zeros(count - 1, np.int64), np.arange(1, count)


ALL_PAIRS = np.triu_indices(GENERATORS, 1)
REFERENCE = "against the reference"
FAMILIES = {REFERENCE: _with_the_first(GENERATORS), "all pairs": ALL_PAIRS}


def compare_methods(cell: Cell, weights: Ints, rng: np.random.Generator, counts: Counts) -> None:
    """Equal methods, then one that is better than the others."""
    null = np.zeros(GENERATORS)
    values = simulate_fits(cell.shape, cell.fits, cell.fit_variance, cell.condition, null, rng)
    sharing = 2 if cell.condition == SHARED_FITS else 1
    effects = _effects(values, FLIPS, rng, sharing, GENERATORS if cell.condition == OWN_PROCEDURES else 0)
    means = values.mean(axis=1)
    mean = widened(mean_interval(means[-1], weights), float(half_widths(effects.draws, 1 - ALPHA)[-1]))
    last = ALL_PAIRS[0][-1:], ALL_PAIRS[1][-1:]
    (pair,) = compare(_differences(means, last), weights, Rules(FLIPS, ALPHA), rng, fits=effects.pairs(*last))
    if cell.fits == 1:
        counts.covers("one fit, the interval contains the method's mean", mean, 0.0)
        counts.covers("one fit, the interval contains the methods' difference", pair.difference, 0.0)
        counts.add(f"one fit, a verdict {REFERENCE}", _verdict(means, effects, FAMILIES[REFERENCE], rng))
        counts.add("one fit, a verdict in all pairs", _verdict(means, effects, ALL_PAIRS, rng))
        return
    counts.covers("method, interval", mean, 0.0)
    counts.covers("difference of methods, interval", pair.difference, 0.0)
    # moved to a margin above 0, the interval lies within both margins
    margin = MARGIN * _true_error(cell)
    counts.add("methods, equivalence at the margin", -2 * margin < pair.inner.low and pair.inner.high < 0)
    better = means + np.array([*[0.0] * (GENERATORS - 1), PARTIAL_OFFSET])[:, None]
    for family, pairs in FAMILIES.items():
        counts.add(f"methods, no difference, {family}", _verdict(means, effects, pairs, rng))
        counts.add(f"methods, one better, {family}", _verdict(better, effects, pairs, rng, pairs[1] != GENERATORS - 1))


def find_difference(cell: Cell, weights: Ints, rng: np.random.Generator, counts: Counts) -> None:
    """Eleven equal methods beside the reference, then one of them better; with a simple test of the same values.

    The better one is looked for once more beside generators that pool with nobody. ``weights`` is not used: nothing
    here has an interval.
    """
    pairs = _with_the_first(COMPARED)
    for effect in (0.0, cell.lift):
        offsets = np.array([0.0, effect, *[0.0] * (COMPARED - 2)])
        values = simulate_fits(cell.shape, cell.fits, cell.fit_variance, cell.condition, offsets, rng)
        effects = _effects(values, FLIPS_FOR_POWER, rng)
        differences = _differences(values.mean(axis=1), pairs)
        tests = sign_flips(differences, FLIPS_FOR_POWER, rng, effects.pairs(*pairs))
        adjusted = np.array([test.p_max_t for test in tests])
        simple = pooled_t_tests(differences, effects)
        if effect:
            counts.add("methods, power, 11 comparisons", adjusted[0] <= ALPHA)
            counts.add("pooled t-test, power, 11 comparisons", simple[0] <= ALPHA)
            more = simulate_fits(cell.shape, cell.fits, cell.fit_variance, cell.condition, np.zeros(STRANGERS), rng)
            values, wider = np.concatenate([values, more]), _with_the_first(COMPARED + STRANGERS)
            effects = _effects(values, FLIPS_FOR_POWER, rng, alone=STRANGERS)
            tests = sign_flips(_differences(values.mean(axis=1), wider), FLIPS_FOR_POWER, rng, effects.pairs(*wider))
            counts.add("methods, power, 11 comparisons and 3 with strangers", tests[0].p_max_t <= ALPHA)
        else:
            counts.add("methods, no difference, 11 comparisons", adjusted.min() <= ALPHA)
            counts.add("pooled t-test, no difference, 11 comparisons", simple.min() <= ALPHA)


def pooled_t_tests(differences: Floats, effects: FitEffects) -> Floats:
    """float64 [pairs]; Bonferroni's p of a t-test with the pooled variance between fits, for methods with own fits.

    Args:
        differences: float64 [users, pairs].
        effects: Of one fitting procedure.
    """
    (variance,) = effects.procedures.values()
    square = variance.total
    users, pairs = differences.shape
    fits = 1 + square.degrees // len(effects.variances)
    own = differences.var(axis=0, ddof=1) / users
    error = own + 2 * square.variance / fits
    degrees = satterthwaite((own, np.full(pairs, 2 * square.value / fits)), (users - 1, square.degrees), error)
    return np.minimum(1.0, pairs * two_sided_p(differences.mean(axis=0) / np.sqrt(error), degrees))


def _effects(values: Floats, draws: int, rng: np.random.Generator, sharing: int = 1, alone: int = 0) -> FitEffects:
    """Of generators [generators, fits, users]; ``sharing`` in a row have the same fits, the last pool with nobody."""
    generators = [
        FittedValues(
            f"g{g}",
            "method" if g < len(values) - alone else f"method {g}",
            tuple(f"{g // sharing}-{fit}" for fit in range(len(own))),
            own,
        )
        for g, own in enumerate(values)
    ]
    return fit_effects(generators, draws, "calibration", str(rng.integers(2**62)))


def _differences(means: Floats, pairs: Pairs) -> Floats:
    """float64 [users, pairs] of means [generators, users]."""
    first, second = pairs
    return np.asarray((means[first] - means[second]).T)


def _verdict(
    means: Floats, effects: FitEffects, pairs: Pairs, rng: np.random.Generator, counted: Bools | None = None
) -> bool:
    """Whether any pair of a family, or any of those that are counted, is called different."""
    tests = sign_flips(_differences(means, pairs), FLIPS, rng, effects.pairs(*pairs))
    adjusted = np.array([test.p_max_t for test in tests])
    return bool((adjusted if counted is None else adjusted[counted]).min() <= ALPHA)


def _true_error(cell: Cell) -> float:
    """Standard error of a difference of two methods with the mean variance between fits."""
    rho, shape = cell.shape.correlation, cell.shape
    of_users = (rho + (1 - rho) / shape.images) / shape.users
    return float(np.sqrt(2 * (of_users + rho * cell.fit_variance / cell.fits)))
