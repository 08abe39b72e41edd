"""The command ``stress`` on a tiny task: adversaries run beside its generators, and what each reached is printed."""

import csv
import io
import json
import shutil

import pytest

from tests.conftest import invoke

ONLY = ("attack-memorised", "attack-abstain-50", "attack-near-copy-flip", "catalogue-random")


@pytest.fixture(scope="module")
def stressed(done, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stress")
    shutil.copytree(done, folder, dirs_exist_ok=True)
    return folder


def stress(folder, *options):
    only = [part for name in ONLY for part in ("--only", name)]
    return invoke("stress", folder / "tiny.yaml", "--workdir", folder / "w", *only, *options)


@pytest.fixture(scope="module")
def rows(stressed):
    return {row["id"]: row for row in csv.DictReader(io.StringIO(stress(stressed, "--csv")))}


def test_every_generator_has_a_row(rows):
    assert set(rows) == {*ONLY, "rebeca"}
    assert {name for name, row in rows.items() if row["adversary"] == "True"} == set(ONLY) - {"catalogue-random"}


def test_copies_that_do_not_say_so_lose_their_rank(rows):
    for name in ("attack-memorised", "attack-near-copy-flip"):
        assert rows[name]["undefended"] and not rows[name]["defended"], rows[name]
        assert "near-copies" in rows[name]["flags"]
    assert rows["catalogue-random"]["defended"] and rows["rebeca"]["defended"]  # they declare their items


def test_who_withholds_half_of_the_images_is_ranked_only_where_failures_cost_nothing(rows):
    assert rows["attack-abstain-50"]["undefended"] and not rows["attack-abstain-50"]["defended"]


def test_whatever_a_file_adds_is_an_adversary(done, tmp_path):
    """Also a plug-in of another family. Where one row alone keeps a rank, the output says that nothing is compared."""
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    mine, task = tmp_path / "mine.yaml", ("stress", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w")
    mine.write_text("generators:\n  - {id: mine, use: catalogue, params: {rank_by: most-liked}}\n")
    data = json.loads(invoke(*task, "--with", mine, "--only", "mine", "--only", "attack-memorised", "--json"))
    assert {row["id"] for row in data if row["adversary"]} == {"mine", "attack-memorised"}
    assert "nothing was compared" in invoke(*task, "--only", "attack-memorised", "--quiet")
    assert "nothing was compared" not in invoke(*task, "--only", "catalogue-random", "--quiet")


def test_the_same_numbers_as_text_and_json(stressed, rows):
    data = {row["id"]: row for row in json.loads(stress(stressed, "--json"))}
    assert {name: str(row["preference"]["estimate"]) for name, row in data.items()} == {
        name: row["preference"] for name, row in rows.items()
    }
    text = stress(stressed, "--quiet")
    assert all(name in text for name in ONLY)
    assert "Honest generators that lose their rank: none." in text and "left out" not in text


def test_records_of_the_stressed_task_verify(stressed, rows):
    (records,) = (stressed / "w" / "records" / "tiny").glob("v1-modified-*")
    assert "all agree" in invoke("verify", records)
    page = (records.parents[2] / "site" / "tiny" / records.name / "tasks" / "tiny" / "index.html").read_text()
    assert "undeclared near-copies of items" in page
    own = records.parents[2] / "site" / "tiny" / records.name / "tasks" / "tiny"
    assert "not ranked, because too many images are" in (own / "generators" / "attack-memorised.html").read_text()
    assert "not ranked, because" not in (own / "generators" / "catalogue-random.html").read_text()
    assert "Does a judge that nobody could know agree?" in (own / "validity.html").read_text()
