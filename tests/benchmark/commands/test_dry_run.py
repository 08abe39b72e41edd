"""A dry run says what the run then does, and changes nothing."""

import json
import subprocess
import sys

import pytest

from tests.benchmark.commands.test_cache import tree
from tests.conftest import ROOT, invoke


def plan(*arguments):
    return json.loads(invoke("run", *arguments, "--dry-run", "--json"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_run_takes_the_steps_that_were_named(tiny, tmp_path, cache):
    work = tmp_path / "w"
    before = tree(tiny.parent)
    planned = plan(tiny, "--workdir", work)
    after = {
        path: data for path, data in tree(tiny.parent).items() if not path.endswith("cache/rebeca-bench/hashes.json")
    }
    assert after == before and not work.exists()
    assert planned["cached"] == 0 and planned["results"] == 46 and planned["seconds"] is None
    invoke("run", tiny, "--workdir", work, "--quiet")
    status = json.loads((work / "runs" / "tiny" / "v1" / "status.json").read_text())
    assert [step["title"] for step in status["steps"]] == [step["title"] for step in planned["steps"]]
    assert planned["records"] == str(work / "records" / "tiny" / "v1")


def test_nothing_is_left_but_the_page(done):
    before = tree(done / "w")
    planned = plan(done / "tiny.yaml", "--workdir", done / "w")
    assert [step["title"] for step in planned["steps"]] == ["page"] and planned["cached"] == planned["results"]
    assert tree(done / "w") == before
    output = invoke("run", done / "tiny.yaml", "--workdir", done / "w", "--dry-run")
    assert "nothing is computed or written" in output and "46 of 46 results are cached" in output


def test_a_change_costs_what_such_steps_cost_before(done):
    before = tree(done / "w")
    planned = plan(done / "tiny.yaml", "--workdir", done / "w", "--set", "images=2")
    steps = {step["title"]: step for step in planned["steps"]}
    assert "fit rebeca" not in steps and steps["images rebeca"]["units"] == 24
    assert steps["images rebeca"]["seconds"] > 0 and planned["seconds"] > 0
    assert "-modified-" in planned["records"]
    assert tree(done / "w") == before


def test_it_refuses_what_a_run_refuses(done, tmp_path):
    run = ("run", done / "tiny.yaml", "--workdir", done / "w", "--dry-run", "--limit-users", 7)
    assert "no test can reject" in invoke(*run, "--set", "analysis.alpha=0.01", code=2)
    assert "not published" in invoke(*run, "--publish", tmp_path, code=2)
    assert list(tmp_path.iterdir()) == []


def test_it_names_where_it_would_publish(done, tmp_path):
    planned = plan(done / "tiny.yaml", "--workdir", done / "w", "--publish", tmp_path)
    assert planned["publish"] == str(tmp_path / "tiny" / "v1") and list(tmp_path.iterdir()) == []


def test_it_says_that_a_declaration_no_longer_holds(done):
    other = done / "changed.yaml"
    other.write_text((done / "tiny.yaml").read_text().replace("bootstrap: 199", "bootstrap: 299"))
    frozen = tree(done / "w" / "frozen")
    assert "changed after the first image" in plan(other, "--workdir", done / "w")["declared"]
    assert tree(done / "w" / "frozen") == frozen
    assert plan(done / "tiny.yaml", "--workdir", done / "w")["declared"] == ""


def test_it_needs_no_torch(done):
    code = f"""
import sys
from click.testing import CliRunner
from benchmark.commands.main import main
result = CliRunner().invoke(main, ["run", {str(done / "tiny.yaml")!r}, "--workdir", {str(done / "w")!r}, "--dry-run"])
print(result.exit_code, [name for name in ("torch", "pandas", "sklearn") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "0 []\n"


def test_weights_that_would_be_fetched_are_named(tmp_path, monkeypatch, published):
    output = invoke("weights", "fetch", "sd15", "laion-v2", "--dry-run")
    assert output == f"0 of 2 are missing, 0.00 GB to {published}\n"
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "none"))
    output = invoke("weights", "fetch", "sd15", "sd15", "laion-v2", "--dry-run")
    assert "2 of 2 are missing" in output and output.startswith("sd15 ") and not (tmp_path / "none").exists()
