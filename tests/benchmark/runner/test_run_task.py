"""A run with nothing to do: fast, without torch, and yet it reads every byte."""

import json
import shutil
import subprocess
import sys

import pytest

from benchmark.runner.run_task import all_intact, is_current, run_task
from benchmark.runner.store import STAGE_VERSIONS, Store
from benchmark.task.resolve import load_task
from tests.running import find

STAGES = sorted(STAGE_VERSIONS)


def flip(path):
    """Changes one bit in the middle of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])


def files(work, stage):
    return sorted(path for path in (work / "w" / stage).rglob("*") if path.is_file())


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "lock"}


CHILD = """
import json, sys
from benchmark.commands.main import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    assert not left.code
heavy = ("torch", "transformers", "diffusers", "pandas", "scipy", "sklearn", "altair")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""


def test_with_nothing_to_do_nothing_is_imported(done):
    command = ["run", str(done / "tiny.yaml"), "--workdir", str(done / "w"), "--site", str(done / "site")]
    run = subprocess.run([sys.executable, "-c", CHILD, *command], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == []
    assert " ..." not in run.stdout + run.stderr


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "records"])
def test_every_flipped_bit_of_an_artefact_is_noticed(work, stage):
    task, said = load_task(work / "tiny.yaml"), []
    store = Store(work / "w", said.append)
    addresses = find(task, work / "w")
    assert all_intact(store, addresses)
    assert files(work, stage)
    for path in files(work, stage):
        before = path.read_bytes()
        flip(path)
        assert not all_intact(store, addresses), path
        (aside,) = (work / "w" / "set-aside").iterdir()
        aside.rename(path.parent)
        path.write_bytes(before)
    assert all_intact(store, addresses)
    assert len(said) == len(files(work, stage))


def test_every_flipped_bit_of_the_records_is_noticed(work):
    records = work / "w" / "records" / "tiny" / "v1"
    address = json.loads((records / "_task" / "comparison.json").read_text())["address"]
    assert is_current(records, address)
    for path in files(work, "records"):
        before = path.read_bytes()
        flip(path)
        assert not is_current(records, address), path
        path.write_bytes(before)
    assert is_current(records, address)


@pytest.mark.parametrize("stage", STAGES)
def test_the_same_run_makes_what_is_damaged_anew(work, done, stage):
    for path in files(work, stage):
        if path.name != "artefact.json":
            flip(path)
    said = []
    store = Store(work / "w", said.append)
    run_task(load_task(work / "tiny.yaml"), store)
    shutil.rmtree(work / "w" / "set-aside", ignore_errors=True)
    if stage != "records":
        assert said
        assert contents(work / "w" / "records") == contents(done / "w" / "records")
    assert contents(work / "w" / stage).keys() == contents(done / "w" / stage).keys()
    if stage not in ("records", "scores"):  # these hold times
        assert contents(work / "w" / stage) == contents(done / "w" / stage)


def test_damaged_artefacts_leave_intact_records_alone(work):
    before = contents(work / "w" / "records")
    shutil.rmtree(work / "w" / "judge")
    result = run_task(load_task(work / "tiny.yaml"), Store(work / "w", print))
    assert result.records == work / "w" / "records" / "tiny" / "v1"
    assert contents(work / "w" / "records") == before
    assert files(work, "judge")


def test_a_run_in_an_empty_folder_is_the_same_run(tiny, tmp_path, done):
    result = run_task(load_task(tiny), Store(tmp_path / "w", print), command=["somebody"])
    for name in ("rebeca", "catalogue-verifier"):
        for rows in ("scores.parquet", "users.parquet", "pairs.parquet"):
            other = done / "w" / "records" / "tiny" / "v1" / name / rows
            assert (result.records / name / rows).read_bytes() == other.read_bytes()
