"""Fits and images of a generator in several processes: the same records, and every failure is told as before."""

import json
import subprocess
import sys

import pytest

from benchmark.runner.reproduce import compare
from tests.conftest import TINY, invoke, make_folder

FITS = (
    TINY.replace("images: 3\n", "images: 6\nfits: 3\n")
    .replace("  auditor:", "  # auditor:")
    .replace("  - auditor\n", "")
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


def run(folder, number, monkeypatch, code=0):
    monkeypatch.setenv("REBECA_PROCESSES", str(number))
    output = invoke("run", folder / "tiny.yaml", "--workdir", folder / f"w{number}", "--quiet", code=code)
    return folder / f"w{number}" / "records" / "tiny" / "v1", output


@pytest.fixture
def task(tmp_path):
    make_folder(tmp_path / "data", users=40)
    (tmp_path / "tiny.yaml").write_text(FITS)
    return tmp_path


def test_records_do_not_depend_on_the_number_of_processes(task, monkeypatch):
    (alone, _), (spread, _) = (run(task, number, monkeypatch) for number in (1, 3))
    assert compare(alone, spread).bytes == []
    seconds = json.loads((spread / "_task" / "comparison.json").read_text())["provenance"]["seconds"]
    assert seconds["fit rebeca, 3 of 3"] > 0 and seconds["images rebeca"] > 0


def test_a_failure_in_a_process_is_one_message(task, monkeypatch):
    from rebeca.prior.training import PriorTraining

    def fails(*_, **__):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(PriorTraining, "run", fails)
    _, output = run(task, 2, monkeypatch, code=6)
    assert "No space left on device" in output and output.count("error:") == 1


def test_impossible_numbers_are_refused():
    command = [sys.executable, "-c", "from benchmark.commands.main import main; main()", "settings"]
    result = subprocess.run(
        command, capture_output=True, text=True, env={"PATH": "/usr/bin", "REBECA_PROCESSES": "many"}
    )
    assert result.returncode == 2 and "REBECA_PROCESSES=many: not a number of processes" in result.stderr
