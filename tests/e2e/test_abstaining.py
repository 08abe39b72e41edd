"""A generator that withholds its weak images gains nothing by it: the whole harness on a small data set."""

import json

import pytest

from benchmark.board.board import read_board
from benchmark.records.rows import read_all
from scripts.abstaining import gains, generators_of, installed, name_of
from tests.conftest import invoke, make_folder

TASK = """
schema: 1
id: abstaining
version: 1
title: Failing on purpose
data:
  kind: folder
  path: data
  params: {scale: [1, 7]}
  like_at: 4
  split: {kind: held-out-items, test: 0.4, validation: 0.2}
judges:
  verifier: {use: ncf, encoder: "fourier:8", params: {nets: 1, dims: 4, epochs: 2}}
images: 16
encoder: {use: "pca:4", of: "fourier:8"}
decoder: {use: nearest-picture}
scorers: [ncf, observed, diversity]
analysis: {primary: {scorer: observed}, reference: random-16, family: all-pairs, permutations: 199, bootstrap: 199}
"""
HALF, ONE, NEARLY_ALL = (name_of("random", *rest) for rest in ((16, 8, "liking"), (16, 1, "taste"), (20, 19, "taste")))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("abstaining")
    make_folder(folder / "data", users=16, items=60)
    (folder / "task.yaml").write_text("\n".join([TASK + "generators:", *generators_of(["random"]), ""]))
    with installed(folder / "packages"):
        invoke("run", folder / "task.yaml", "--workdir", folder / "w", "--quiet")
        assert "all agree" in invoke("verify", folder / "w" / "records" / "abstaining" / "v1")
    return folder / "w" / "records" / "abstaining" / "v1"


def test_no_reading_that_decides_gains_by_failing(records):
    """Of 16 images the best 15, 8, 4 or 1 by what the user will like, or by what only this user will; 19 of 20."""
    record, rows = read_all(records)
    assert record.spec.failures == "worst" and record.plan.reading == "worst"
    by_id = {row.id: row for row in rows}
    lossy = [row for row in rows if row.failures]
    assert len(lossy) == 10
    for row in lossy:
        whole = by_id[f"random-{row.per_user}"]
        measures = ("ncf", "lift:ncf", "observed", "lift:observed", "distinct", "diversity")
        for measure in measures[: 5 if "-1" in row.id.removeprefix("random-16") else 6]:  # one image has no diversity
            gain = gains(whole, row, measure, "worst")
            assert gain.mean() < 0, (row.id, measure)
    # the surrogate works, and failures that are left out do pay: the test above can fail
    for measure in ("observed", "lift:observed"):
        assert gains(by_id["random-16"], by_id[HALF], measure, "exclude").mean() > 0.5


def test_who_fails_too_often_has_no_rank_and_is_named(records):
    board = read_board(records)
    unranked = [row for row in board.rows if not row.ranked]
    assert {row.id for row in unranked} == {row.id for row in board.rows if row.failures > 0.05}
    assert len(unranked) == 8 and board.row(NEARLY_ALL).ranked
    ranks = board.record.results.families["observed"].ranks
    assert ranks["random-20"].order < ranks[NEARLY_ALL].order
    for row in unranked:
        assert row.rank is None and "too many failures" in row.flags
        assert f"{row.title} ({100 * row.failures:.3g} %)" in board.finding
    assert all(row.id not in family.ranks for row in unranked for family in board.record.results.families.values())


def test_commands_say_why_there_is_no_rank(records):
    work = ("--workdir", records.parents[2])
    output = invoke("show", "abstaining", *work)
    assert f"Not ranked: 240 of 256 images of {ONE} failed, more than the declared 5 %." in output
    refused = invoke("compare", "abstaining", "random-16", ONE, *work, code=2)
    assert f"93.8 % of the images of '{ONE}' failed; 5 % (analysis.most_failures) may" in refused
    row = next(
        row for row in json.loads(invoke("show", "abstaining", "--json", *work))["generators"] if row["id"] == ONE
    )
    assert (row["ranked"], row["rank"]) == (False, None) and "too many failures" in row["flags"]
