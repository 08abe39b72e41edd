"""Generators of others, well and badly behaved, in the run's own process and in one of their own."""

import json
import shutil
import sys

import pytest

from tests.conftest import invoke, with_wild

BREAKS_THE_CONTRACT = {
    "raises": "failed: KeyError: 'out of ideas'",
    "recursion": "failed: RecursionError",
    "missing-file": "failed: FileNotFoundError",
    "too-few": "answered 35 of 36 requests",
    "too-many": "answered more than 36 requests",
    "grey": "expected uint8 RGB [height, width, 3], got uint8 [16, 16]",
    "rgba": "got uint8 [16, 16, 4]",
    "floats": "got float32 [16, 16, 3]",
    "empty": "16 x 0 pixels",
    "huge": "9000 x 9000 pixels",
    "text": "expected a GeneratedImage, got str",
    "nan-embedding": "the embedding holds a number that is not finite",
    "no-such-item": "the data set has no item 1000000",
    "constructor": "failed: ZeroDivisionError: cannot be built",
}
CRASHES = {
    "segfault": "was killed by SIGSEGV",
    "exits": "left with exit code 3 before it was done",
    "sys-exits": "failed: SystemExit: 0",
    "memory": "ran out of memory (isolate.memory_mb is 2,048)",
    "hangs": "was stopped after 15 s",
}


@pytest.mark.parametrize("how", sorted(BREAKS_THE_CONTRACT))
def test_whatever_breaks_the_contract_is_named(installed, done, tmp_path, how):
    shutil.copytree(done / "data", tmp_path / "data")
    shutil.copytree(done / "w", tmp_path / "w")
    (tmp_path / "tiny.yaml").write_text(with_wild(how, isolate=None))
    output = invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet", code=5)
    assert f"generator '{how}'" in output
    assert BREAKS_THE_CONTRACT[how] in output
    assert len(output) < 2000


@pytest.mark.slow
def test_what_fails_in_its_own_process_loses_its_row_and_nothing_else(installed, done, tmp_path):
    """All at once; what stays is what a task without them says."""
    shutil.copytree(done / "data", tmp_path / "data")
    hows = [*CRASHES, "raises", "raises-much", "too-few", "constructor", "prints", "never-leaves"]
    limits = "{seconds: 15, memory_mb: 2048}"
    (tmp_path / "tiny.yaml").write_text(with_wild(*hows, isolate=limits))
    run = ("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--site", tmp_path / "site")
    output = invoke(*run, "--quiet")
    failed = {
        failure["id"]: failure["reason"]
        for failure in json.loads(invoke("show", "tiny", "--json", "--workdir", tmp_path / "w"))["failed"]
    }
    assert set(failed) == set(hows) - {"prints", "never-leaves"}
    for how, reason in CRASHES.items():
        assert reason in failed[how]
        assert f"generator '{how}' {reason}; the leaderboard is without it" in output
    assert len(failed["raises-much"]) <= 500
    assert "\x1b" not in failed["raises-much"]
    page = (tmp_path / "site" / "tasks" / "tiny" / "index.html").read_text()
    assert "was killed by SIGSEGV" in page
    assert "<script>" not in page
    records = tmp_path / "w" / "records" / "tiny" / "v1"
    assert "all agree" in invoke("verify", records)
    for name in ("rebeca", "catalogue-verifier"):
        for rows in ("scores.parquet", "users.parquet", "pairs.parquet"):
            assert (records / name / rows).read_bytes() == (
                done / "w" / "records" / "tiny" / "v1" / name / rows
            ).read_bytes()


def test_a_module_that_cannot_be_imported_is_named(installed, done, tmp_path):
    package = tmp_path / "packages" / "wild_package.py"
    for text, name in (
        ("1 +", "SyntaxError"),
        ("raise OSError('no')", "OSError"),
        ("raise ValueError(1)", "ValueError"),
    ):
        package.write_text(text)
        (tmp_path / "tiny.yaml").write_text(with_wild("well"))
        output = invoke("validate", tmp_path / "tiny.yaml", code=5)
        assert f"generator 'wild': importing wild_package:Wild failed: {name}" in output


def test_a_failure_is_tried_again(installed, done, tmp_path, monkeypatch):
    shutil.copytree(done / "data", tmp_path / "data")
    shutil.copytree(done / "w", tmp_path / "w")
    (tmp_path / "tiny.yaml").write_text(with_wild("exits", isolate="true"))
    run = ("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet")
    assert "left with exit code 3" in invoke(*run)
    package = tmp_path / "packages" / "wild_package.py"
    package.write_text(package.read_text().replace("os._exit(3)", "pass"))
    sys.modules.pop("wild_package", None)
    assert "without it" not in invoke(*run)
    assert "Wild exits" in invoke("show", "tiny", "--workdir", tmp_path / "w")


def test_the_reference_cannot_be_missed(installed, done, tmp_path):
    shutil.copytree(done / "data", tmp_path / "data")
    shutil.copytree(done / "w", tmp_path / "w")
    (tmp_path / "tiny.yaml").write_text(with_wild("exits").replace("reference: rebeca", "reference: exits"))
    output = invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet", code=5)
    assert "left with exit code 3" in output
