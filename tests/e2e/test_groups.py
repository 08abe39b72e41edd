"""A task whose users are compared in random groups: the same scores, lifts within groups, and records that say so."""

import shutil

import numpy as np
import pytest

import benchmark
from benchmark.analysis.inputs import lifts_of
from benchmark.records.files import read_record
from benchmark.records.rows import read_all
from benchmark.stats.personalisation import personal_lift
from benchmark.task.resolve import load_task
from tests.benchmark.records.test_verify import edit_rows, mend
from tests.builders import within_groups
from tests.conftest import TINY, invoke, make_folder

USERS, MOST = 105, 53
PLAIN = "\n".join(
    line for line in TINY.splitlines() if not line.startswith(("  - {id: rebeca-", "  auditor", "  - auditor"))
)
GROUPED = f"{PLAIN}\n  most_compared: {MOST}\n"


def run(folder, text):
    (folder / "tiny.yaml").write_text(text)
    invoke("run", folder / "tiny.yaml", "--workdir", folder / "w", "--quiet")
    return folder / "w" / "records" / "tiny" / "v1"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Records of one task without groups and with them, from one store; no test changes them."""
    folder = tmp_path_factory.mktemp("groups")
    make_folder(folder / "data", users=USERS)
    shutil.copytree(run(folder, PLAIN), folder / "whole")
    return folder / "whole", run(folder, GROUPED)


def test_lifts_are_those_within_random_groups(both):
    (_, whole), (task, grouped) = (read_all(folder) for folder in both)
    groups = grouped[0].groups
    assert sorted(len(own) for own in groups.each()) == [52, 53]
    assert (task.groups == grouped[0].group).all() and (np.diff(task.groups) != 0).any()
    for before, after in zip(whole, grouped, strict=True):
        assert before.scores["ncf"] == pytest.approx(after.scores["ncf"], abs=1e-5)
        assert after.pairs["ncf"].shape == (1, USERS, 53) and before.pairs["ncf"].shape == (1, USERS, USERS)
        assert after.pairs["ncf"] == pytest.approx(within_groups(groups, before.pairs["ncf"]), abs=1e-5, nan_ok=True)
        if before.shared is None:
            lifts, strata = lifts_of(after, "ncf", "exclude")
            assert len(strata) == 2
            for own in groups.each():
                assert lifts[own] == pytest.approx(personal_lift(after.pairs["ncf"][0, own, : len(own)]))


def test_records_are_verified_and_pages_and_frames_hold_everybody(both, tmp_path):
    _, records = both
    assert "all agree" in invoke("verify", records)
    invoke("site", "build", records, "--out", tmp_path / "site")
    pages = tmp_path / "site" / "tasks" / "tiny"
    assert f"in random groups of at most {MOST}." in (pages / "personal.html").read_text()
    assert "The groups were found among" not in (pages / "users.html").read_text()
    results = benchmark.load(records)
    pairs = results.pairs("ncf").query("generator == 'rebeca'")
    assert len(pairs) == 52**2 + 53**2 and pairs["user"].nunique() == USERS
    assert results.users().query("generator == 'rebeca'")["lift"].notna().all()
    assert not read_record(records / "rebeca").published_schemes


def test_a_pair_of_two_groups_is_refused(both, tmp_path):
    shutil.copytree(both[1], tmp_path / "v1")
    group = read_all(both[1])[0].groups
    other = int(np.flatnonzero(group != group[0])[0])

    def change(table):
        table.loc[0, "target"] = other

    edit_rows(tmp_path / "v1" / "rebeca", "pairs.parquet", change)
    mend(tmp_path / "v1")
    assert f"users 0 and {other} are not of one group" in invoke("verify", tmp_path / "v1", code=7)


def test_groups_are_declared(both, tmp_path):
    """Another limit is another declaration, with scores of its own."""
    shutil.copy(both[0].parent / "tiny.yaml", tmp_path / "tiny.yaml")
    shutil.copytree(both[0].parent / "data", tmp_path / "data")
    first = load_task(tmp_path / "tiny.yaml")
    second = load_task(tmp_path / "tiny.yaml", ("analysis.most_compared=60",))
    assert first.analysis_hash() != second.analysis_hash()
    message = invoke("validate", tmp_path / "tiny.yaml", "--set", "analysis.most_compared=10", code=2)
    assert "most_compared" in message and "50" in message
