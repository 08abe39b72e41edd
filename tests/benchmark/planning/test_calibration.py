"""The calibration: what it simulates, that it does not depend on workers, and that the committed table is its own."""

import numpy as np
import pytest

from benchmark.analysis.inputs import Rows
from benchmark.analysis.measures import Measure
from benchmark.planning.calibration import (
    LEVEL,
    Cell,
    _true_values,
    calibrate,
    cells,
    expected_correlation,
)
from benchmark.planning.pilot import Detectable, estimate, pilot, set_correlation
from benchmark.stats.levels import FEWEST_USERS
from benchmark.stats.personalisation import personal_lift
from benchmark.stats.simulation import (
    CONDITIONS,
    NO_FORMULA,
    Shape,
    image_counts,
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
    effect = estimate(Measure("ncf"), [generator_of(a, "a"), generator_of(b, "b")], {}, [("a", "b")])
    more = [effect.at(60, k, 0.05) for k in (8, 16, 32)]
    assert more == sorted(more, reverse=True)
    assert more[2] < 0.8 * more[0]
    assert effect.at(240, 8, 0.05) == pytest.approx(more[0] / 2)


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
    ]
    assert calibrate(work, 3, workers=1) == calibrate(work, 3, workers=2)


def test_a_short_calibration_keeps_its_word():
    """Wide limits for few runs; the full table is docs/reports/calibration.csv."""
    for rate in calibrate(cells(Shape(30, 6, 0.3), 0.3, 100), 5, workers=2):
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


def test_the_true_value_of_a_skewed_pair_is_not_one_half():
    true_values = _true_values(Cell("generators", "skewed, unequal scales", Shape(8, 8, 0.6), 0.3, 1))
    assert true_values["prefer"] > 0.55


@pytest.mark.parametrize(("world", "condition", "users"), [("sets", "equal", 8), ("agreement", "equal", 30)])
def test_the_committed_table_is_what_the_command_gives(world, condition, users):
    script = load("calibration_table")
    rows = script.read(ROOT / "docs" / "reports" / "calibration.csv")
    assert min(row["runs"] for row in rows) >= 2000
    assert {(row["users"], row["correlation"]) for row in rows} == {
        (p, c) for p in script.USERS for c in script.CORRELATIONS
    }
    cell = Cell(world, condition, Shape(users, script.IMAGES, 0.3), script.LIFT, 2000)
    for rate in calibrate([cell], script.SEED, workers=2):
        (row,) = [
            r
            for r in rows
            if (r["world"], r["condition"], r["users"], r["correlation"], r["quantity"])
            == (world, condition, users, 0.3, rate.quantity)
        ]
        assert row["rate"] == pytest.approx(rate.rate, abs=0.0011), rate  # two runs of 2,000 for other processors


def test_the_page_is_made_from_the_table():
    script = load("calibration_table")
    reports = ROOT / "docs" / "reports"
    page = script.page(script.read(reports / "calibration.csv"))
    assert page == (reports / "calibration.md").read_text(), "python scripts/calibration_table.py --page"


def test_plan_asks_for_as_many_users_as_a_test_takes():
    measured = Detectable(Measure("ncf"), (0.001,), (), users=12, images=3).reach(12, 3, margin=0.02, alpha=0.05)
    assert measured.users_for_margin == measured.users_for_equivalence == FEWEST_USERS
    measured = Detectable(Measure("ncf"), (0.1,), (), users=12, images=3).reach(12, 3, margin=0.02, alpha=0.05)
    assert measured.users_for_margin == 196  # (2.8 x 0.1 / 0.02) squared


def test_plan_says_what_more_would_buy(done, tmp_path):
    import json

    plan = ("plan", done / "tiny.yaml", "--json", "--workdir")
    estimated = json.loads(invoke(*plan, done / "w"))
    assert estimated["images"] == estimated["images_cached"] == 180
    assert estimated["bytes"] > 0
    ncf = next(m for m in estimated["pilot"]["measures"] if m["measure"] == "ncf")
    table = {(cell["users"], cell["images"]): cell["detectable"] for cell in ncf["table"]}
    assert table[12, 3] == pytest.approx(2 * table[48, 3])
    assert table[12, 12] <= table[12, 6] <= table[12, 3]
    assert ncf["users_for_margin"] > 12
    bare = json.loads(invoke(*plan, tmp_path / "w"))
    assert bare["pilot"] is None
    assert bare["detectable_in_sd"] == pytest.approx(2.8 / np.sqrt(12))
    piloted = json.loads(invoke(*plan, tmp_path / "w", "--pilot", done / "w" / "records" / "tiny" / "v1"))
    assert piloted["pilot"]["measures"] == estimated["pilot"]["measures"]
    assert "run a pilot first" in invoke("plan", done / "tiny.yaml", "--workdir", tmp_path / "w")
    assert "smallest detectable difference, personal lift" in invoke(
        "plan", done / "tiny.yaml", "--workdir", done / "w"
    )
