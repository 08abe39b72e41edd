"""FLICKR-AES: the published files, the published division, and whatever may be wrong with them."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.dev.synthetic_data import write_synthetic
from rebeca.data import flickr_aes
from rebeca.data.flickr_aes import IMAGES, INDEX, TABLE, prepare, read_flickr_aes
from rebeca.data.splits import SplitRule, divide
from rebeca.errors import DataError, StoreError
from tests.builders import interactions
from tests.conftest import invoke


def silent(done, total):
    pass


@pytest.fixture
def root(tmp_path):
    write_synthetic(tmp_path / "flickr", users=6, items=70, ratings=48)
    return tmp_path / "flickr"


@pytest.fixture
def ready(root):
    prepare(root, "refuse", silent)
    return root


def changed(root, change):
    lines = (root / TABLE).read_text().splitlines()
    (root / TABLE).write_text("\n".join(change(lines)) + "\n")


def test_the_published_files_are_read(ready):
    dataset = read_flickr_aes(ready)
    assert (ready / TABLE).read_text().startswith(" worker, imagePair, score\n")
    assert dataset.ratings.num_users == 6 and len(dataset.ratings) == 288
    assert dataset.ratings.user_ids[0] == "A000" and dataset.scale == (1, 5) and not dataset.redistribute
    assert set(np.unique(dataset.ratings.rating)) <= {1, 2, 3, 4, 5}
    catalogue = dataset.catalogue
    assert len({catalogue.digest(i) for i in range(len(catalogue))}) == len(catalogue) <= 70
    assert catalogue._memory.bytes == 0  # digests come from the index, no image was decoded
    assert catalogue.pixels(0).shape[2] == 3


def test_the_division_holds_the_published_counts():
    """210 users, 193,208 ratings, 48 of the fewest: 2,100 for test and validation each, as the original printed."""
    rng = np.random.default_rng(0)
    counts = np.full(210, 48)
    counts[1:] = rng.integers(49, 400, 209)
    counts[-1] += 193_208 - counts.sum()
    items = 200_000
    user = np.repeat(np.arange(210), counts)
    item = np.concatenate([rng.choice(items, c, replace=False) for c in counts])
    ratings = interactions(user, item, rng.integers(1, 6, len(user)))
    counts = flickr_aes.facts(ratings, 0).counts
    assert {name: counts[name] for name in flickr_aes.PUBLISHED} == flickr_aes.PUBLISHED
    assert flickr_aes.facts(ratings, 0).as_published
    division = divide(ratings, SplitRule("per-user-exact", 10, 10, "shared"), 4, np.zeros(items, int), 42)
    parts = {"training": division.generators.train, "validation": division.generators.validation, "test": division.test}
    assert {name: len(rows) for name, rows in parts.items()} == {name: counts[name] for name in parts}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=6), st.integers(0, 5))
def test_exact_divisions_give_everybody_what_there_is(counts, seed):
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(len(counts)), counts)
    item = np.concatenate([rng.choice(80, c, replace=False) for c in counts])
    ratings = interactions(user, item, rng.integers(1, 6, len(user)))
    try:
        division = divide(ratings, SplitRule("per-user-exact", 10, 10, "shared"), 4, np.zeros(80, int), 42)
    except DataError as error:
        assert "no training ratings" in error.message and max(counts) <= 20
        return
    counts = np.array(counts)
    np.testing.assert_array_equal(division.test.ratings_per_user(), np.minimum(counts, 10))
    held = np.minimum(np.maximum(counts - 10, 0), 10)
    np.testing.assert_array_equal(division.generators.validation.ratings_per_user(), held)
    rows = division.generators.train.ratings_per_user() + held + division.test.ratings_per_user()
    np.testing.assert_array_equal(rows, counts)


def test_without_the_index_the_remedy_is_named(root):
    with pytest.raises(DataError, match="was not prepared, or changed since") as error:
        read_flickr_aes(root)
    assert error.value.hint == f"rebeca-bench data prepare flickr-aes --root {root}"


def test_an_image_that_changed_must_be_prepared_again(ready):
    name = sorted((ready / IMAGES).iterdir())[3]
    other = sorted((ready / IMAGES).iterdir())[4]
    time.sleep(0.01)
    name.write_bytes(other.read_bytes())
    with pytest.raises(DataError, match=name.name):
        read_flickr_aes(ready)
    before = json.loads((ready / INDEX).read_text())
    prepare(ready, "refuse", silent)
    after = json.loads((ready / INDEX).read_text())
    assert [key for key in after if after[key] != before[key]] == [name.name]
    assert after[name.name][2] == after[other.name][2]


def test_preparing_goes_on_where_it_stopped(root, monkeypatch):
    monkeypatch.setattr(flickr_aes, "AT_ONCE", 16)
    opened = []
    digest = flickr_aes.pixels_digest

    def stop(pixels):
        opened.append(1)
        if len(opened) > 40:
            raise KeyboardInterrupt
        return digest(pixels)

    monkeypatch.setattr(flickr_aes, "pixels_digest", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(root, "refuse", silent)
    assert len(json.loads((root / INDEX).read_text())) == 32
    monkeypatch.setattr(flickr_aes, "pixels_digest", lambda pixels: opened.append(2) or digest(pixels))
    told = []
    prepare(root, "refuse", lambda done, total: told.append((done, total)))
    assert told[0][0] == 32 and told[-1][0] == told[-1][1]
    assert opened.count(2) == told[-1][1] - 32
    (root / INDEX).write_text("not JSON")  # made from the images alone, so it is made again
    assert prepare(root, "refuse", silent).counts["ratings"] == 288


def test_damaged_images_are_counted_and_named_after_all_others_were_opened(root):
    files = sorted((root / IMAGES).iterdir())
    files[2].write_bytes(files[2].read_bytes()[:300])
    files[5].write_bytes(b"no image")
    rated = {line.split(", ")[1] for line in (root / TABLE).read_text().splitlines()[1:]}
    bad = [f for f in (files[2], files[5]) if f.name in rated]
    with pytest.raises(DataError, match=rf"{len(bad)} of \d+ images cannot be read: .*{bad[0].name}"):
        prepare(root, "refuse", silent)
    assert len(json.loads((root / INDEX).read_text())) == len(rated) - len(bad)


def test_an_image_that_is_listed_but_absent_is_named_with_its_row(root):
    lines = (root / TABLE).read_text().splitlines()
    name = lines[5].split(", ")[1]
    row = next(i + 1 for i, line in enumerate(lines) if name in line)
    (root / IMAGES / name).unlink()
    with pytest.raises(DataError, match=rf"{TABLE}: row {row}: file '{name}' is not in"):
        prepare(root, "refuse", silent)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (" A000, x.jpg, 7", "row 290: rating 7 is outside the declared scale 1 to 5"),
        (" A000, x.jpg, good", "row 290: column 'score' holds 'good', which is not a finite number"),
        (" , x.jpg, 3", "row 290: column 'worker' is empty"),
        (" A000, ../../etc/passwd, 3", "row 290: file '../../etc/passwd' points outside"),
        (" A000, /etc/passwd, 3", "is an absolute path"),
    ],
)
def test_bad_rows_are_named(root, line, message):
    changed(root, lambda lines: [*lines, line])
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        prepare(root, "refuse", silent)


def test_rows_are_those_of_the_file_where_repetitions_were_left_out(root):
    changed(root, lambda lines: [lines[0], lines[1], lines[1], lines[1], *lines[2:], " A000, x.jpg, 7"])
    with pytest.raises(DataError, match="row 292: rating 7 is outside"):
        prepare(root, "first", silent)


def test_missing_columns_files_and_folders_are_named(root, tmp_path):
    with pytest.raises(DataError, match="missing") as error:
        read_flickr_aes(tmp_path)
    assert "personalizedImageAesthetics" in error.value.hint
    changed(root, lambda lines: [" worker, picture, score", *lines[1:]])
    with pytest.raises(DataError, match="no column 'imagePair'"):
        read_flickr_aes(root)


def test_an_image_rated_twice_is_refused_or_the_first_counts(root):
    changed(root, lambda lines: [*lines, lines[1].rpartition(", ")[0] + ", 1"])
    with pytest.raises(DataError, match=r"row 290: user 'A000' rated item .* twice"):
        prepare(root, "refuse", silent)
    prepared = prepare(root, "first", silent)
    assert prepared.repeated == 1 and prepared.counts["ratings"] == 288
    assert len(read_flickr_aes(root, "first").ratings) == 288


def test_made_up_data_never_replace_others(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(StoreError, match="holds something else"):
        write_synthetic(tmp_path, 3, 10, 5)


def test_the_command_says_what_differs_from_what_was_published(root):
    output = invoke("data", "prepare", "flickr-aes", "--root", root)
    assert "published: 193,208" in output and f"--set data.path={root}" in output
    prepared = json.loads(invoke("data", "prepare", "flickr-aes", "--root", root, "--json"))
    assert prepared["counts"]["users"] == 6 and not prepared["as_published"]
    assert "missing" in invoke("data", "prepare", "flickr-aes", "--root", root / "nowhere", code=3)
