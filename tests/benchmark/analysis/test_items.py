"""What each held-out item does to observed ratings and to personal lift, against leaving it out by hand."""

import numpy as np
import pytest

from benchmark.analysis.inputs import HeldOutRatings, Rows
from benchmark.analysis.items import HeldOutItems
from benchmark.analysis.measures import Measure
from benchmark.stats.personalisation import personal_lift
from rebeca.interfaces import ScorerCard

USERS, ITEMS, K = 12, 16, 4
OBSERVED = ScorerCard("Observed rating", "rating", True, "The user's own rating.", role="observed")
NCF = ScorerCard("Verifier", "probability", True, "Likes it.", role="verifier")
MEASURES = [Measure("observed"), Measure("observed", is_lift=True)]


def generator(seed=0, failed=None, name="a", items=None):
    """A generator that retrieves items, with the ratings of all users."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=ITEMS) + rng.normal(size=(USERS, ITEMS))
    order = np.argsort(-(table + rng.normal(size=table.shape)), axis=1)[:, :K] if items is None else items
    failed = np.zeros((USERS, K), bool) if failed is None else failed
    item = np.where(failed, -1, order)
    scores = np.where(failed, np.nan, table[np.arange(USERS)[:, None], order])
    known = np.where(failed[None, :, :], np.nan, table[:, order])
    row = Rows(
        name, True, np.where(failed, "", np.char.add("d", order.astype(str))), item, failed,
        {"observed": scores, "ncf": scores}, {"observed": table.min(axis=1)}, {"observed": OBSERVED, "ncf": NCF},
        {}, {}, {"observed": np.nanmean(known, axis=2)[None]},
    )  # fmt: skip
    return row, table


def ratings_of(table):
    user, item = (place.ravel() for place in np.indices(table.shape))
    return HeldOutRatings(user, item, table.ravel())


def held_out(row, table, reading="exclude", block=None):
    block = np.zeros(USERS, int) if block is None else block
    return HeldOutItems.of(ratings_of(table), block, reading, [row])


def mean_of(table, shown, measure):
    """The mean over users of a measure, where user u is shown the items ``shown[u]``."""
    means = np.stack([table[:, items].mean(axis=1) for items in shown], axis=1)
    return personal_lift(means).mean() if measure.is_lift else np.diag(means).mean()


@pytest.mark.parametrize("measure", MEASURES)
def test_effects_are_those_of_leaving_an_item_out_for_everybody(measure):
    row, table = generator()
    effects = held_out(row, table).effects(row, measure)
    before = mean_of(table, [list(items[:-1]) for items in row.item], measure)
    for item in range(ITEMS):
        shown = [[i for i in items if i != item][: K - 1] for items in row.item]
        expected = before - mean_of(table, shown, measure)
        assert effects.effect[effects.item == item].sum() / USERS == pytest.approx(expected, abs=1e-12)


def test_other_scorers_do_not_depend_on_held_out_items():
    row, table = generator()
    items = held_out(row, table)
    assert items.effects(row, Measure("ncf")) is None
    assert items.effects(row, Measure("diversity")) is None
    assert items.variance(None, np.zeros(USERS)) is None


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_items_are_one_item(measure):
    """Users are shown one picture under two ids, which have the same digest."""
    row, table = generator()
    copies = row.item.copy()
    copies[::2] += ITEMS
    doubled = Rows(**{f: getattr(row, f) for f in Rows.__slots__ if f != "item"}, item=copies)
    plain = held_out(row, table).effects(row, measure)
    other = held_out(doubled, np.tile(table, 2)).effects(doubled, measure)
    assert len(np.unique(other.item)) == len(np.unique(plain.item))
    for user in range(USERS):
        own, same = (np.sort(effects.effect[effects.user == user]) for effects in (plain, other))
        np.testing.assert_allclose(own, same, atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_failure_counts_among_the_images_but_has_no_item(measure):
    failed = np.zeros((USERS, K), bool)
    failed[:, 1] = True
    row, table = generator(failed=failed)
    left_out, worst = (held_out(row, table, reading).effects(row, measure) for reading in ("exclude", "worst"))
    np.testing.assert_array_equal(left_out.item, worst.item)
    np.testing.assert_allclose(worst.effect, left_out.effect * (K - 2) / (K - 1), atol=1e-12)


def test_candidates_are_the_items_rated_in_a_block():
    row, table = generator(items=np.tile(np.arange(K), (USERS, 1)))
    block = np.repeat([0, 1], USERS // 2)
    ratings = ratings_of(table)
    own = (ratings.item < ITEMS // 2) == (block[ratings.user] == 0)
    items = HeldOutItems.of(
        HeldOutRatings(ratings.user[own], ratings.item[own], ratings.rating[own]), block, "worst", [row]
    )
    assert items.candidates == {0: ITEMS // 2, 1: ITEMS // 2}


def test_pairs_have_the_effects_of_both():
    first, table = generator(items=np.tile(np.arange(K), (USERS, 1)))
    second, _ = generator(items=np.tile(np.arange(K, 2 * K), (USERS, 1)), name="b")
    items = HeldOutItems.of(ratings_of(table), np.zeros(USERS, int), "exclude", [first, second])
    differences = np.zeros((USERS, 1))
    (pair,) = items.of_pairs([first, second], MEASURES[0], [("a", "b")], differences)
    (same,) = items.of_pairs([first, first], MEASURES[0], [("a", "a")], differences)
    assert pair.variance > 0
    assert same.variance == 0
