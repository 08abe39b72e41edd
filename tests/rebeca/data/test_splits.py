"""Divisions into training, validation and test ratings."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca.data.interactions import Interactions
from rebeca.data.remains import find_candidates, remarks, users_with_candidates
from rebeca.data.splits import SplitRule, divide
from rebeca.errors import DataError
from tests.builders import grid, interactions


@pytest.mark.parametrize("kind", ["per-user", "held-out-items", "cold-users"])
@pytest.mark.parametrize("mode", ["shared", "disjoint"])
def test_nobody_sees_test_ratings(kind, mode):
    ratings = grid()
    share = kind == "held-out-items"
    rule = SplitRule(kind, 0.25 if share else 10, 0.2 if share else 6, mode)
    d = divide(ratings, rule, 4, np.zeros(40, int), 3)
    key = lambda r: set(zip(r.user.tolist(), r.item.tolist(), strict=True))  # noqa: E731
    parts = [key(p) for party in (d.generators, d.verifier, d.auditor) for p in (party.train, party.validation)]
    assert not any(part & key(d.test) for part in parts)
    if mode == "disjoint":
        assert sum(len(p) for p in parts) == len(set().union(*parts))
    else:
        assert parts[0] == parts[2] == parts[4]
    if share:
        assert d.test_items.sum() == 10
        assert not (d.test_items & d.validation_items).any()
        assert set(d.test.item) == set(np.flatnonzero(d.test_items))
    else:
        assert (d.test.ratings_per_user() == 10).all()
    if kind == "cold-users":
        assert d.cold.sum() == 4
        assert max(d.generators.train.ratings_per_user()[d.cold]) <= 5


def test_published_counts():
    # min(10, n) test ratings, then up to 10 validation ratings per user
    ratings = grid(users=6, items=50)
    d = divide(ratings, SplitRule("per-user", 10, 10, "shared"), 4, np.zeros(50, int), 42)
    assert (len(d.test), len(d.generators.validation), len(d.generators.train)) == (60, 60, 180)


def test_a_user_more_changes_nobody_elses_division():
    ratings = grid(users=8)
    fewer = ratings.where(ratings.user != 7)
    rule = SplitRule("per-user", 10, 6, "disjoint")
    a = divide(ratings, rule, 4, np.zeros(40, int), 1).generators.train
    b = divide(fewer, rule, 4, np.zeros(40, int), 1).generators.train
    mask = a.user != 7
    assert a.item[mask].tolist() == b.item.tolist()


RULES = st.one_of(
    st.builds(
        SplitRule,
        st.sampled_from(["per-user", "per-user-exact", "cold-users"]),
        st.integers(1, 4),
        st.integers(0, 3),
        st.sampled_from(["shared", "disjoint"]),
        keep=st.integers(1, 3),
    ),
    st.builds(
        SplitRule,
        st.just("held-out-items"),
        st.sampled_from([0.2, 0.5]),
        st.sampled_from([0.0, 0.3]),
        st.sampled_from(["shared", "disjoint"]),
    ),
)


@st.composite
def data_sets(draw):
    """Ratings of some of the pairs of up to six users and twelve items, in up to three blocks, some items equal."""
    users, items = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    block = np.array(draw(st.lists(st.integers(0, 2), min_size=items, max_size=items)))
    own = np.array(draw(st.lists(st.integers(0, 2), min_size=users, max_size=users)))
    image = draw(st.lists(st.integers(0, items - 1), min_size=items, max_size=items))
    originals = np.array([image.index(number) for number in image])
    pairs = [(u, i) for u in range(users) for i in range(items) if block[i] == own[u] and draw(st.booleans())]
    user, item = (np.array([pair[k] for pair in pairs], np.int32) for k in (0, 1))
    rating = np.array([draw(st.integers(1, 5)) for _ in pairs], float)
    ids = tuple(f"u{k}" for k in range(users)), tuple(f"i{k}" for k in range(items))
    return Interactions(user, item, rating, np.zeros(len(pairs), bool), *ids), own, block, originals


def images_of(rows, originals):
    return {(user, originals[item]) for user, item in zip(rows.user.tolist(), rows.item.tolist(), strict=True)}


@given(data_sets(), RULES, st.sampled_from([3, "user-median"]), st.integers(0, 5))
def test_no_image_lies_on_two_sides_and_who_is_left_with_nothing_is_counted(data, rule, like_at, seed):
    """Against a reference that counts with sets: no image twice, no rating lost but those of cold users, all counts."""
    ratings, own, block, originals = data
    try:
        d = divide(ratings, rule, like_at, block, seed, originals)
    except DataError:
        return
    parts = [rows for part in (d.generators, d.verifier, d.auditor) for rows in (part.train, part.validation)]
    sides = [
        images_of(rows, originals)
        for rows in ([*parts, d.test] if rule.ratings == "disjoint" else [*parts[:2], d.test])
    ]
    assert sum(map(len, sides)) == len(set().union(*sides))
    held_out = set(originals[d.test_items].tolist())
    assert not held_out & set(originals[d.training_items].tolist())
    assert not set(originals[d.validation_items].tolist()) & set(originals[d.training_items | d.test_items].tolist())
    kept = sum(map(len, (parts if rule.ratings == "disjoint" else parts[:2]))) + len(d.test)
    assert kept == len(ratings) if rule.kind != "cold-users" else kept <= len(ratings)

    candidates = find_candidates(ratings, d, own, block, originals)
    trained = {
        user: {originals[i] for rows in parts for u, i in zip(rows.user, rows.item, strict=True) if u == user}
        for user in range(len(own))
    }
    may = {
        user: [
            i
            for i in range(len(block))
            if block[i] == own[user] and (d.test_items[i] if held_out else originals[i] not in trained[user])
        ]
        for user in range(len(own))
    }
    assert [candidates.of(user).tolist() for user in may] == list(may.values())
    assert users_with_candidates(candidates).tolist() == [user for user, items in may.items() if items]

    joined = d.generators.joined()
    users = set(range(len(own)))
    expected = {
        "the same pixels": len(block) - len(set(originals.tolist())),
        "a training rating": len(users - set(joined.user.tolist())),
        "a like among": len(users - {u for u, liked in zip(joined.user.tolist(), joined.liked, strict=True) if liked}),
        "a held-out rating": len(users - set(d.test.user.tolist())),
        "a candidate item": sum(not items for items in may.values()),
        "a rating": len(block) - len(set(ratings.item.tolist())),
    }
    sentences = list(remarks(ratings, d, candidates, originals))
    said = {what: number for what, number in expected.items() if number}
    assert len(sentences) == len(said)
    for (what, number), sentence in zip(said.items(), sentences, strict=True):
        assert what in sentence and int(sentence.split()[0]) == number


def test_a_users_ratings_of_equal_items_stay_together():
    """Before, five of seven held-out items had been trained on under another id."""
    ratings = grid(users=10, items=20)
    originals = np.arange(20) // 2 * 2  # every image is listed twice
    for kind, test in (("per-user", 4), ("held-out-items", 0.3), ("cold-users", 4)):
        d = divide(ratings, SplitRule(kind, test, 0, "shared"), 4, np.zeros(20, int), 1, originals)
        assert not images_of(d.test, originals) & images_of(d.generators.joined(), originals)
        assert (d.test.ratings_per_user() == (8 if kind != "held-out-items" else 10)).all() or kind == "held-out-items"


def test_where_all_items_differ_nothing_moves():
    """The division of published records, as a digest of all its rows."""
    ratings = grid(users=6, items=30)
    digest = hashlib.sha256()
    for kind in ("per-user", "per-user-exact", "held-out-items", "cold-users"):
        rule = SplitRule(kind, 0.25 if kind == "held-out-items" else 5, 0.2 if kind == "held-out-items" else 4)
        for originals in (None, np.arange(30)):
            d = divide(ratings, rule, "user-median", np.arange(30) % 2, 7, originals)
            assert digest_of_division(d) == digest_of_division(
                divide(ratings, rule, "user-median", np.arange(30) % 2, 7)
            )
        digest.update(digest_of_division(d))
    assert digest.hexdigest()[:16] == "7741adc51b025e7a"


def digest_of_division(d):
    rows = [part for each in (d.generators, d.verifier, d.auditor) for part in (each.train, each.validation)]
    columns = [getattr(part, name) for part in (*rows, d.test) for name in ("user", "item", "rating", "liked")]
    columns += [d.training_items, d.validation_items, d.test_items, d.cold]
    return b"|".join(column.astype(np.float64).tobytes() for column in columns)


def test_users_without_a_training_rating_are_counted_where_medians_need_one():
    ratings = interactions([0, 0, 0, 0, 1, 2], [0, 1, 2, 3, 0, 1], [1, 2, 3, 4, 5, 5])
    with pytest.raises(DataError, match=r"2 of 3 have none, the first is 'u1'") as raised:
        divide(ratings, SplitRule("per-user", 2, 0, "shared"), "user-median", np.zeros(4, int), 1)
    assert "min_ratings" in raised.value.hint
