"""The calibration: what it simulates, that it does not depend on workers, and that the committed table is its own."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.analysis.fits import Fits
from benchmark.analysis.inputs import Plan, Rows
from benchmark.analysis.measures import Measure
from benchmark.planning.calibration import (
    _true_values,
    calibrate,
    cells,
    expected_correlation,
)
from benchmark.planning.pilot import estimate, pilot, set_correlation, spread_between_fits
from benchmark.planning.rates import LEVEL, Cell
from benchmark.planning.reach import Design, Detectable, Family, family_of
from benchmark.stats.levels import FEWEST_USERS
from benchmark.stats.personalisation import personal_lift
from benchmark.stats.simulation import (
    COMMON,
    CONDITIONS,
    FIT_CONDITIONS,
    NO_FORMULA,
    UNEQUAL,
    Shape,
    image_counts,
    simulate_fits,
    simulate_generators,
    simulate_ratings,
    simulate_sets,
    true_auc,
)
from benchmark.stats.verifier import auc, auc_by_user
from rebeca.interfaces import ScorerCard
from tests.conftest import ROOT, TINY, invoke, make_folder
from tests.scripts.test_scripts import load


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c not in NO_FORMULA])
def test_the_planted_lift_is_the_true_one(condition):
    lifts = []
    for seed in range(40):
        scores, owner = simulate_sets(Shape(80, 4, 0.3), condition, 0.5, rng(seed))
        pairs = np.stack([scores[:, owner == v].mean(axis=1) for v in range(80)], axis=1)
        lifts.append(personal_lift(pairs).mean())
    assert np.mean(lifts) == pytest.approx(0.5, abs=4 * np.std(lifts) / np.sqrt(40))


@pytest.mark.parametrize(("correlation", "generators"), [(0.3, 2), (0.3, 6), (0.0, 3)])
def test_the_correlation_is_estimated_without_bias(correlation, generators):
    correlations = []
    for seed in range(20):
        scores = simulate_generators(Shape(200, 6, correlation), "leniency", np.arange(generators) * 1.0, rng(seed))
        correlations.append(set_correlation([generator_of(scores[g], str(g)) for g in range(generators)], "ncf"))
    assert np.mean(correlations) == pytest.approx(correlation, abs=0.02)
    assert set_correlation([generator_of(scores[0], "0")], "ncf") is None


def generator_of(scores, name):
    """Rows of a generator with these scores."""
    users, k = scores.shape
    digest = np.array([[f"{name}-{u}-{i}" for i in range(k)] for u in range(users)])
    none = np.zeros((users, k), bool)
    return Rows(
        name,
        True,
        digest,
        none - 1,
        none,
        {"ncf": scores},
        {},
        {"ncf": ScorerCard("Verifier", "score", True, "")},
        {},
        {},
        {},
    )


def test_paired_generators_gain_from_more_images():
    """Generators that share their noise: what a pair of images has in common is no noise of the difference."""
    random = rng()
    shared = random.normal(size=(60, 8))
    a = shared + 0.3 * random.normal(size=(60, 8))
    b = shared + 0.3 * random.normal(size=(60, 8))
    effect = estimate(Measure("ncf"), [generator_of(a, "a"), generator_of(b, "b")], {}, [("a", "b")], "worst")
    more = [effect.at(Design(60, k, 1), ONE_PAIR, 0.05) for k in (8, 16, 32)]
    assert more == sorted(more, reverse=True)
    assert more[2] < 0.8 * more[0]
    assert effect.at(Design(240, 8, 1), ONE_PAIR, 0.05) == pytest.approx(more[0] / 2, rel=0.02)


ONE_PAIR = Family(comparisons=1, varying=2, sets=2)


def test_a_pilot_asks_the_generators_with_as_many_images_as_the_reference(tmp_path):
    """The reference of tinyworld has sixteen images per user, most others four: nothing was planned for it."""
    make_folder(tmp_path / "data")
    text = TINY.replace("id: rebeca\n", "id: rebeca\n    images: 4\n")
    (tmp_path / "tiny.yaml").write_text(text)
    invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet")
    result = pilot(tmp_path / "w" / "records" / "tiny" / "v1")
    assert result.images == 4 and result.correlation is not None and result.seconds > 0
    assert [each.measure.key for each in result.detectable] == ["ncf", "lift:ncf"]
    assert "4 images" in invoke("plan", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w")


def test_true_aucs_are_those_of_many_users():
    user, liked, score = simulate_ratings(Shape(3000, 1, 0.4), 30, rng())
    within, pooled = true_auc(0.4)
    assert np.nanmean(auc_by_user(user, liked, score, 3000)) == pytest.approx(within, abs=0.004)
    assert auc(liked, score) == pytest.approx(pooled, abs=0.008)


def test_expected_correlation_is_that_of_many_samples():
    x = rng().normal(size=(200_000, 5))
    y = 0.6 * x + 0.8 * rng(1).normal(size=(200_000, 5))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    correlations = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    assert expected_correlation(0.6, 5) == pytest.approx(correlations.mean(), abs=0.003)


def test_numbers_of_images_are_tied_to_what_they_are_tied_to():
    counts = image_counts(Shape(6, 8, 0), np.array([3.0, 1, 2, 9, 8, 7]))
    assert counts.tolist() == [4, 4, 4, 12, 12, 12]
    assert image_counts(Shape(3, 8, 0), None).tolist() == [8, 8, 8]


@pytest.mark.parametrize("shape", [(1, 8, 0.1), (8, 0, 0.1), (8, 8, 1.0)])
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="are needed"):
        Shape(*shape)


def test_workers_change_nothing():
    work = [
        Cell("agreement", "equal", Shape(10, 5, 0.2), 0.3, 120),
        Cell("sets", "skewed", Shape(8, 4, 0.2), 0.3, 60),
        Cell("generators", "equal", Shape(8, 4, 0.2), 0.3, 60),
        Cell("verifier", "equal", Shape(8, 4, 0.2), 0.3, 60),
        Cell("fits", "shared fits", Shape(8, 6, 0.2), 0.3, 60, 3, 0.5),
        Cell("power", "lift", Shape(8, 3, 0.2), 0.3, 60, 3, 0.5),
    ]
    assert calibrate(work, 3, workers=1) == calibrate(work, 3, workers=2)


def test_a_short_calibration_keeps_its_word():
    """Wide limits for few runs; the full table is docs/reports/calibration.csv."""
    for rate in calibrate(cells(Shape(30, 6, 0.3), 0.3, 100, fits=3), 5, workers=2):
        skewed = rate.condition.startswith("skewed")
        if rate.nominal is not None and rate.on_board and not skewed:
            assert abs(rate.rate - rate.nominal) < 5 * rate.error, rate
        if rate.kind == LEVEL and skewed:
            assert rate.rate < 0.3, rate


def test_the_published_scheme_is_caught():
    work = [Cell("sets", "equal", Shape(30, 8, 0.6), 0.3, 200)]
    rates = {rate.quantity: rate for rate in calibrate(work, 1)}
    published = rates["published scheme, single images"]
    assert published.off
    assert published.rate > 0.15
    assert not rates["whole-set test, median of centred scores"].off


def test_one_fit_is_taken_for_the_method_and_three_are_not():
    work = [Cell("fits", "own fits", Shape(30, 6, 0.3), 0.3, 150, fits, 0.25) for fits in (1, 3)]
    rates = {(rate.fits, rate.quantity): rate for rate in calibrate(work, 2)}
    one = rates[1, "one fit, a verdict in all pairs"]
    assert one.rate > 0.5 and one.nominal is None and not one.off
    assert rates[1, "one fit, the interval contains the methods' difference"].rate < 0.7
    assert rates[3, "methods, no difference, all pairs"].rate < 0.1
    assert rates[3, "difference of methods, interval"].rate > 0.9


@pytest.mark.parametrize("condition", FIT_CONDITIONS)
def test_simulated_fits_have_the_variances_asked_for(condition):
    shape, fits, variance = Shape(50, 10, 0.3), 5, 0.5
    random = rng()
    draws = np.stack([simulate_fits(shape, fits, variance, condition, np.arange(4.0), random) for _ in range(300)])
    effects = draws.mean(axis=3)  # [draws, generators, fits]
    of_users = (0.3 + 0.7 * fits / shape.images) / shape.users
    ratio = np.array(UNEQUAL.get(condition, (1, 1, 1, 1)))
    assert ratio.sum() == pytest.approx(4)
    assert effects.mean(axis=(0, 2)) == pytest.approx(np.arange(4.0), abs=0.06)
    assert effects.var(axis=0).mean(axis=1) == pytest.approx(0.3 * variance * ratio + of_users, rel=0.15)
    together = np.corrcoef(effects[:, 0].ravel(), effects[:, 1].ravel())[0, 1]
    expected = COMMON * 0.3 * variance / (0.3 * variance + of_users) if condition == "shared fits" else 0.0
    assert together == pytest.approx(expected, abs=0.08)
    with pytest.raises(ValueError, match="no multiple"):
        simulate_fits(shape, 3, variance, condition, np.zeros(4), random)


def test_the_true_value_of_a_skewed_pair_is_not_one_half():
    true_values = _true_values(Cell("generators", "skewed, unequal scales", Shape(8, 8, 0.6), 0.3, 1))
    assert true_values["prefer"] > 0.55


@pytest.mark.parametrize(
    ("world", "condition", "users", "fits"),
    [("sets", "equal", 8, 1), ("agreement", "equal", 30, 1), ("fits", "own fits", 8, 3)],
)
def test_the_committed_table_is_what_the_command_gives(world, condition, users, fits):
    script = load("calibration_table")
    rows = script.read(ROOT / "docs" / "reports" / "calibration.csv")
    wanted = [cell for batch in script.batches(2000) for cell in batch]
    assert {script.place(row) for row in rows} == {script.place(cell) for cell in wanted}
    key = world, condition, users, 0.3, fits
    cell = next(c for c in wanted if (c.world, c.condition, c.shape.users, c.shape.correlation, c.fits) == key)
    committed = {row["quantity"]: row for row in rows if script.place(row) == script.place(cell)}
    for rate in calibrate([cell], script.SEED, workers=2):
        row = committed.pop(rate.quantity)
        assert row["runs"] == rate.runs
        assert row["rate"] == pytest.approx(rate.rate, abs=2.2 / rate.runs), rate  # two runs, for other processors
    assert not committed


def test_the_page_is_made_from_the_table():
    script = load("calibration_table")
    reports = ROOT / "docs" / "reports"
    page = script.page(script.read(reports / "calibration.csv"))
    assert page == (reports / "calibration.md").read_text(), "python scripts/calibration_table.py --page"


def test_plan_asks_for_as_many_users_as_a_test_takes():
    design = Design(12, 3, 1)
    measured = Detectable(Measure("ncf"), (0.001,), (), users=12, images=3).reach(design, ONE_PAIR, 0.02, 0.05)
    assert measured.users_for_margin == measured.users_for_equivalence == FEWEST_USERS
    measured = Detectable(Measure("ncf"), (0.1,), (), users=12, images=3).reach(design, ONE_PAIR, 0.02, 0.05)
    assert measured.users_for_margin == 196  # (2.8 x 0.1 / 0.02) squared


def test_fits_set_a_limit_that_users_do_not_lower():
    noise = Detectable(Measure("ncf"), (0.1,), (), 100, 6, between_fits=0.01, fits_measured=True)
    reach = noise.reach(Design(100, 6, 3), Family(comparisons=11, varying=2, sets=12), 0.02, 0.05)
    table = {(each.users, each.fits): each for each in reach.table if each.images == 6}
    assert table[100, 1].adjusted < table[100, 5].adjusted < table[100, 3].adjusted
    assert table[400, 3].detectable > 2.8 * 0.01 * np.sqrt(2 / 3)
    assert all(each.adjusted > 1.2 * each.detectable for each in table.values())
    assert reach.users_for_margin is None and reach.users_for_equivalence is None
    five = noise.reach(Design(100, 6, 5), Family(11, 2, 12), 0.03, 0.05)
    error = (0.03 / 2.8) ** 2 - 2 * 0.01**2 / 5
    assert five.users_for_margin == int(np.ceil(0.1**2 / error))
    assert noise.at(Design(100, 6, 3), Family(11, 0, 1), 0.05) == table[100, 1].detectable


@pytest.mark.parametrize(("fits", "comparisons", "lowest"), [(3, 11, 0.045), (5, 11, 0.04)])
def test_the_adjusted_size_is_found_with_eighty_percent_power(fits, comparisons, lowest):
    """In the simulation the test adjusts by max-T, which finds slightly more than Bonferroni."""
    between, of_fits, within, users = 0.06, 0.0078, 0.12, 100
    spread = np.sqrt(2 * (between**2 + within**2 / fits))
    noise = Detectable(Measure("ncf"), (spread,), (), users, fits, between_fits=of_fits)
    size = noise.at(Design(users, fits, fits), Family(comparisons, 2, comparisons + 1), 0.05, comparisons)
    assert lowest < size
    score = np.hypot(between, within)
    cell = Cell(
        "power",
        "preference",
        Shape(users, fits, between**2 / score**2),
        size / score,
        150,
        fits,
        (of_fits / between) ** 2,
    )
    rates = {rate.quantity: rate.rate for rate in calibrate([cell], 1)}
    assert rates["methods, power, 11 comparisons"] == pytest.approx(0.8, abs=0.1)
    assert rates["methods, no difference, 11 comparisons"] < 0.11


def test_more_users_never_make_a_larger_difference_necessary():
    """Few fits in few sets: the degrees of freedom fall to theirs as users grow, faster than the error."""
    noise = Detectable(Measure("ncf"), (0.081,), (), 40, 6, between_fits=0.0139, fits_measured=True)
    sizes = [noise.at(Design(users, 6, 3), Family(36, 1, 1), 0.05, 36) for users in (20, 40, 80, 160, 320)]
    assert sizes == sorted(sizes, reverse=True)


def test_the_spread_between_fits_is_measured_where_records_have_several():
    plan = Plan("p", "ncf", "g0", "all-pairs", 0.05, 0.02, 99, 99, "auto", "exclude", 0.05, frozen=True)
    random, rows = rng(3), []
    for g in range(30):
        effects = np.tile(random.normal(0, 0.05, 3), 2)  # image k is of fit k mod 3
        row = generator_of(random.normal(size=(60, 1)) + effects + 0.1 * random.normal(size=(60, 6)), f"g{g}")
        rows.append(replace(row, procedure="prior", fits=3, fit_keys=tuple(f"{g}-{fit}" for fit in range(3))))

    def spread(rows):
        values = {row.id: row.values("exclude") for row in rows}
        return spread_between_fits(Measure("ncf"), rows, Fits(plan, rows, values))

    assert spread(rows) == pytest.approx(0.05, rel=0.2)
    single = [replace(row, fit_keys=row.fit_keys[:1]) for row in rows]
    assert spread(single) is None
    pairs = [("g0", "g1")]
    measured, assumed = (estimate(Measure("ncf"), rows[:2], {}, pairs, "exclude", own) for own in (0.05, None))
    assert (measured.between_fits, measured.fits_measured) == (0.05, True)
    assert (assumed.between_fits, assumed.fits_measured) == (None, False)  # the scorer's range has no limits
    assert assumed.at(Design(60, 6, 3), Family(1, 2, 2), 0.05) is None
    limited = [replace(row, ranges={"ncf": (1.0, 5.0)}) for row in rows[:2]]
    assert estimate(Measure("ncf"), limited, {}, pairs, "exclude").between_fits == pytest.approx(4 * 0.033)


def test_a_family_counts_the_fits_that_are_pooled():
    pairs = [("a", "b"), ("a", "c"), ("a", "r")]
    fits = {"a": ("prior", "1"), "b": ("prior", "2"), "c": ("prior", "2"), "r": None}
    assert family_of(pairs, fits) == Family(comparisons=3, varying=2.0, sets=2.0)
    assert family_of([("r", "r")], {"r": None}) == Family(1, 0.0, 1.0)
    assert family_of([], {}) == Family(0, 0.0, 1.0)


def test_plan_says_what_more_would_buy(done, tmp_path):
    import json

    plan = ("plan", done / "tiny.yaml", "--json", "--workdir")
    estimated = json.loads(invoke(*plan, done / "w"))
    assert estimated["images"] == estimated["images_cached"] == 180
    assert estimated["bytes"] > 0
    ncf = next(m for m in estimated["pilot"]["measures"] if m["measure"] == "ncf")
    table = {(cell["users"], cell["images"], cell["fits"]): cell for cell in ncf["table"]}
    alone = {key: cell["detectable"] for key, cell in table.items()}
    assert alone[12, 3, 1] == pytest.approx(2 * alone[48, 3, 1], rel=0.1)
    assert alone[12, 12, 1] <= alone[12, 6, 1] <= alone[12, 3, 1] <= alone[12, 3, 5] <= alone[12, 3, 3]
    assert all(cell["adjusted"] > cell["detectable"] for cell in table.values())
    assert not ncf["fits_measured"] and ncf["between_fits"] == 0.033
    assert ncf["users_for_margin"] > 12
    bare = json.loads(invoke(*plan, tmp_path / "w"))
    assert bare["pilot"] is None
    assert bare["detectable_in_sd"] == pytest.approx((2.201 + 0.876) / np.sqrt(12), abs=0.001)  # t, 11 degrees
    assert bare["adjusted_in_sd"] > bare["detectable_in_sd"] and bare["comparisons"] > 1
    piloted = json.loads(invoke(*plan, tmp_path / "w", "--pilot", done / "w" / "records" / "tiny" / "v1"))
    assert piloted["pilot"]["measures"] == estimated["pilot"]["measures"]
    assert "run a pilot first" in invoke("plan", done / "tiny.yaml", "--workdir", tmp_path / "w")
    assert "smallest detectable difference, personal lift" in invoke(
        "plan", done / "tiny.yaml", "--workdir", done / "w"
    )
