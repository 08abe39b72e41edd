"""Data of a task, divided: who sees which ratings, who may be shown which items, for whom images are made.

The users are known to the store, so that the data set is read only when something is to be made.
"""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmark.runner.store import Store
from benchmark.runner.world import build_world, find_data, keep_users, near_copies_of_training_items
from benchmark.task.resolve import load_task
from rebeca.data.catalogue import ArraySource, Catalogue
from rebeca.errors import DataError, SpecError
from tests.conftest import TINY

HELD_OUT = "split: {kind: held-out-items, test: 0.34, validation: 0.25}"
PER_USER = "split: {kind: per-user, test: 6, validation: 2}"
COLD = "split: {kind: cold-users, test: 6, validation: 2, cold_share: 0.25, keep: 3}"


def world(tiny, split=HELD_OUT, more="", **options):
    tiny.write_text(TINY.replace(HELD_OUT, split) + more)
    return build_world(load_task(tiny, **options))


def test_held_out_items_are_the_candidates_of_their_block(tiny):
    built = world(tiny)
    assert built.user_ids == built.dataset.ratings.user_ids and len(built.user_ids) == 12
    assert built.division.test_items.sum() == round(0.34 * 24)
    assert built.candidates.rated is None
    for user in built.users:
        assert built.candidates.of(user).tolist() == np.flatnonzero(built.division.test_items).tolist()


@pytest.mark.parametrize("ratings", ["shared", "disjoint"])
def test_nobody_is_shown_what_anybody_learned_from(tiny, ratings):
    tiny.write_text(TINY.replace(HELD_OUT, PER_USER).replace("ratings: shared", f"ratings: {ratings}"))
    built = build_world(load_task(tiny))
    for user in built.users:
        rated = {
            int(item)
            for party in (built.division.generators, built.division.verifier, built.division.auditor)
            for item in party.joined().item[party.joined().user == user]
        }
        assert set(built.candidates.of(user).tolist()) == set(range(24)) - rated
        test = built.division.test
        assert set(test.item[test.user == user].tolist()) == set(range(24)) - rated  # everybody rated everything


def test_candidates_stay_within_blocks(tiny):
    """The first half of the users rated even items only, the others odd ones."""
    path = tiny.parent / "data" / "ratings.csv"
    header, *rows = path.read_text().splitlines()

    def kept(row):
        user, item, _ = row.split(",")
        return (int(user[1:]) < 6) == (int(item[1:]) % 2 == 0)

    path.write_text("\n".join([header, *filter(kept, rows)]) + "\n")
    for split in (PER_USER.replace("test: 6", "test: 3"), HELD_OUT):
        built = world(tiny, split)
        ids = built.dataset.catalogue.item_ids
        for user, name in zip(built.users, built.user_ids, strict=True):
            parity = {int(ids[item][1:]) % 2 for item in built.candidates.of(user)}
            assert parity == {0 if int(name[1:]) < 6 else 1}


def test_the_order_of_rows_changes_nothing(tiny):
    path = tiny.parent / "data" / "ratings.csv"
    first = world(tiny)
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, rows[0], *reversed(rows[1:])]) + "\n")
    again = world(tiny)
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.dataset.ratings.rating, first.dataset.ratings.rating)
    order = np.lexsort((again.dataset.ratings.item, again.dataset.ratings.user))
    assert np.array_equal(order, np.arange(len(order)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 7", "seed: 8"),
        ("like_at: 4", "like_at: 5"),
        ("ratings: shared", "ratings: disjoint"),
        ("validation: 0.25", "validation: 0.3"),
    ],
)
def test_the_fingerprint_knows_data_and_division(tiny, old, new):
    first = world(tiny).fingerprint
    assert world(tiny).fingerprint == first and len(first) == 64
    tiny.write_text(TINY.replace(old, new))
    assert build_world(load_task(tiny)).fingerprint != first


def test_the_fingerprint_does_not_know_what_is_made_of_the_data(tiny):
    first = world(tiny).fingerprint
    tiny.write_text(TINY.replace("images: 3", "images: 2").replace("title: A tiny task", "title: Another"))
    assert build_world(load_task(tiny)).fingerprint == first


def test_cold_and_other_users_are_all_users(tiny):
    parts = {segment: world(tiny, COLD, f"users: {{segment: {segment}}}\n") for segment in ("all", "cold", "seen")}
    cold, seen = parts["cold"], parts["seen"]
    assert (len(cold.users), len(seen.users)) == (3, 9)
    assert sorted([*cold.users, *seen.users]) == parts["all"].users.tolist() == list(range(12))
    assert cold.division.cold[cold.users].all() and not cold.division.cold[seen.users].any()
    counts = cold.division.generators.joined().ratings_per_user()
    assert set(counts[cold.users]) == {3} and set(counts[seen.users]) == {18}
    assert cold.fingerprint == seen.fingerprint  # whom images are made for is no part of the data


def test_a_segment_of_nobody_is_refused(tiny):
    with pytest.raises(SpecError, match=r"users\.segment: no user is cold") as raised:
        world(tiny, PER_USER, "users: {segment: cold}\n")
    assert raised.value.hint == "use split.kind: cold-users"


def test_limits_take_few_users_and_smaller_ones_are_part_of_larger_ones(tiny):
    chosen = [world(tiny, limit_users=limit).users.tolist() for limit in (1, 5, 8, 12, 99)]
    assert [len(users) for users in chosen] == [1, 5, 8, 12, 12]
    for few, many in itertools.pairwise(chosen):
        assert set(few) <= set(many) and few == sorted(few)
    assert chosen[1] != list(range(5))  # drawn, not the first ones


def test_the_data_are_read_once(tiny, tmp_path, monkeypatch):
    task, store = load_task(tiny), Store(tmp_path, print)
    first = find_data(task, store)
    assert first.world is not None and first.read() is first.world
    keep_users(first, store)
    monkeypatch.setattr("benchmark.runner.world.build_world", lambda task: pytest.fail("the data were read again"))
    again = find_data(task, store)
    assert again.users == first.users == tuple(sorted(f"u{i}" for i in range(12)))
    assert again.world is None


def test_other_ratings_are_read(tiny, tmp_path):
    task, store = load_task(tiny), Store(tmp_path, print)
    keep_users(find_data(task, store), store)
    path = tiny.parent / "data" / "ratings.csv"
    path.write_text("\n".join(row for row in path.read_text().splitlines() if not row.startswith("u11,")) + "\n")
    assert set(find_data(task, store).users) == {f"u{i}" for i in range(11)}


def test_a_limit_is_another_set_of_users(tiny, tmp_path):
    store = Store(tmp_path, print)
    whole = find_data(load_task(tiny), store)
    keep_users(whole, store)
    assert len(whole.users) == 12
    few = find_data(load_task(tiny, limit_users=4), store)
    assert len(few.users) == 4


def copy_of(path, item, other):
    """Gives an item the pixels of another one."""
    images = path.parent / "data" / "images"
    (images / f"{item}.png").write_bytes((images / f"{other}.png").read_bytes())


@pytest.mark.parametrize("split", [HELD_OUT, PER_USER, COLD])
def test_equal_images_do_not_leak_over_the_split(tiny, split):
    for item, other in ((1, 0), (3, 2), (5, 4), (7, 6)):
        copy_of(tiny, item, other)
    built = world(tiny, split)
    original = built.dataset.catalogue.originals()
    assert original.tolist()[:9] == [0, 0, 2, 2, 4, 4, 6, 6, 8]
    training, test = built.division.generators.joined(), built.division.test
    for user in built.users:
        learned, held_out = (set(original[rows.item[rows.user == user]].tolist()) for rows in (training, test))
        assert held_out and not learned & held_out
        assert not learned & set(original[built.candidates.of(user)].tolist())
    assert built.notes[0].startswith("4 items have the same pixels as another one; ")


def notes_of_copies(items, training):
    catalogue = Catalogue(tuple(map(str, range(len(items)))), ArraySource(items), np.zeros(len(items), int))
    return list(near_copies_of_training_items(catalogue, SimpleNamespace(training_items=training)))


def test_altered_copies_over_the_split_are_counted(monkeypatch):
    items = np.random.default_rng(0).integers(0, 200, (200, 4, 4, 3)).astype(np.uint8).repeat(4, 1).repeat(4, 2)
    training = np.arange(200) < 150
    assert notes_of_copies(items, training) == []
    items[151] = items[0][:, ::-1]
    assert notes_of_copies(items, training) == []  # a single one may be chance
    items[160:170] = items[10:20] + 20
    (note,) = notes_of_copies(items, training)
    assert note == (
        "11 of 50 held-out items look like altered copies of training items, so that models may have seen them"
    )
    assert notes_of_copies(items, np.ones(200, bool)) == []  # ratings are held out
    assert notes_of_copies(items, np.arange(200) < 99) == []  # too few to compare with
    monkeypatch.setattr("benchmark.runner.world.MOST_ITEMS_COMPARED", 199)
    assert notes_of_copies(items, training) == []


def with_a_lonely_user(tiny):
    """One more user and an item that nobody else rated: a block from which no share of the items can be held out."""
    data = tiny.parent / "data"
    with (data / "items.csv").open("a") as items, (data / "ratings.csv").open("a") as ratings:
        items.write("lonely,lonely.png,x\nunrated,1.png,x\n")
        ratings.write("u99,lonely,7\n")
    Image.new("RGB", (8, 8), (1, 2, 3)).save(data / "images" / "lonely.png")


def test_users_without_a_candidate_are_left_out_and_all_is_counted(tiny):
    with_a_lonely_user(tiny)
    built = world(tiny)
    assert "u99" in built.dataset.ratings.user_ids and "u99" not in built.user_ids and len(built.user_ids) == 12
    assert built.notes == (
        "1 item has the same pixels as another one; equal items are on one side of the split, and no candidate equals"
        " a training item",
        "1 of 13 users without a held-out rating",
        "1 of 13 users without a candidate item; no images are made for them",
        "1 of 26 items without a rating",
    )


def test_a_division_that_leaves_nothing_is_refused_before_anything_is_fitted(tiny):
    """One block has a single item, which trains; of the other one only the held-out item was rated."""
    data, refused = tiny.parent / "data", []
    header, *items = (data / "items.csv").read_text().splitlines()
    blocks = [f"{line},{'b' if line.startswith(('i1,', 'i2,', 'i3,')) else line.split(',')[0]}" for line in items]
    (data / "items.csv").write_text("\n".join([f"{header},block", *blocks]) + "\n")
    for rated in ("i1", "i2", "i3"):
        (data / "ratings.csv").write_text(f"user,item,rating\nu,i0,1\nv,{rated},7\n")
        try:
            world(tiny)
        except DataError as error:
            refused.append(error.message)
    assert refused.count("no user has both a training rating and a candidate item") == 1
    assert refused.count("the split leaves no test ratings") == 2


def test_all_damaged_images_are_named(tiny):
    for item in (3, 5, 8):
        (tiny.parent / "data" / "images" / f"{item}.png").write_bytes(b"no image")
    with pytest.raises(DataError) as raised:
        world(tiny)
    assert [f"{item}.png: not a readable image" in raised.value.message for item in (3, 5, 8)] == [True] * 3
