"""docs/submit.md as it stands: from an empty folder to a row beside the published ones."""

import re

import pytest

from benchmark.records.files import read_comparison
from tests.conftest import ROOT, invoke

pytestmark = pytest.mark.slow
PAGE = (ROOT / "docs" / "submit.md").read_text()
STEPS = PAGE[: PAGE.index("## 7. ")]


def test_the_page_leads_from_nothing_to_a_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "results").symlink_to(ROOT / "results")
    printed = {}
    for language, code in re.findall(r"```(\w+)\n(.*?)```", STEPS, re.DOTALL):
        if language == "python":
            exec(compile(code, "docs/submit.md", "exec"), {"__name__": "docs"})  # the docs' own code
        elif language == "yaml":
            (tmp_path / "my.yaml").write_text(code)
        else:
            lines = [line.split() for line in code.splitlines() if line.startswith("rebeca-bench ")]
            for words in lines:
                printed[words[1]] = " ".join(invoke(*words[1:]).split())
    assert set(printed) == {"export", "submit", "check", "results", "show", "site"}
    assert "All 192 images are those that were scored" in printed["check"]
    assert "handed in: Items that look like liked ones, made and scored by Ada Lovelace" in printed["show"]
    task = read_comparison(tmp_path / "merged" / "tinyworld-quick" / "v8")
    assert task.order[-1] == "nearest-look"
    assert "nearest-look" in task.results.families["ncf"].ranks
    page = (tmp_path / "dist" / "site" / "tasks" / "tinyworld-quick" / "index.html").read_text()
    assert "Items that look like liked ones" in page
    listed = re.search(r"submissions/tinyworld-quick/v8/nearest-look/\n(.*?)```", PAGE, re.DOTALL).group(1)
    named = set(re.findall(r"[\w-]+\.(?:json|parquet)", listed))
    bundle = tmp_path / "submissions" / "tinyworld-quick" / "v8" / "nearest-look"
    assert named == {path.name for path in bundle.iterdir()}
