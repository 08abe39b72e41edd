"""The script and the generator of docs/how-to/score-in-another-environment.md run, word for word."""

import json
import os
import re
import sys

import pandas as pd
import pytest

from tests.conftest import ROOT, TINY, invoke
from tests.plugins.conftest import forget
from tests.rebeca.scorers.test_script import with_old_pydantic

PAGE = (ROOT / "docs" / "how-to" / "score-in-another-environment.md").read_text()
SCRIPT, GENERATOR = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
SCORERS = re.search(r"```yaml\nscorers:\n  - ncf\n(.*?)```", PAGE, re.DOTALL)[1]
BEST = "  - {id: best, use: best, params: {script: my_scorer.py, python: ../old-env/bin/python}}\n"


@pytest.fixture
def best(tmp_path, monkeypatch):
    """The generator as if its package were installed."""
    packages = tmp_path / "packages"
    about = packages / "best-1.0.dist-info"
    about.mkdir(parents=True)
    (packages / "best_package.py").write_text(GENERATOR)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: best\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rebeca_bench.generators]\nbest = best_package:Best\n")
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv("PYTHONPATH", str(packages), prepend=os.pathsep)
    forget(["best_package"])
    yield packages
    forget(["best_package"])


@pytest.fixture
def task(tiny, tmp_path):
    """The tiny task in a folder of its own, beside an environment whose Pillow is that of this process."""
    import PIL

    python = with_old_pydantic(tmp_path / "old-env")
    (site,) = (tmp_path / "old-env" / "lib").glob("python*/site-packages")
    (site / "pillow.pth").write_text(f"{PIL.__path__[0].removesuffix('/PIL')}\n")
    assert python.exists()
    folder = tmp_path / "task"
    folder.mkdir()
    (tmp_path / "data").rename(folder / "data")
    (folder / "my_scorer.py").write_text("import pydantic\nassert pydantic.VERSION < '2'\n" + SCRIPT)
    text = TINY.replace("scorers:\n", "scorers:\n" + SCORERS).replace(
        "  - {id: catalogue-random", BEST + "  - {id: catalogue-random"
    )
    (folder / "task.yaml").write_text(text)
    return folder / "task.yaml"


@pytest.mark.parametrize("isolate", ["", "isolate: {seconds: 600}\n"])
def test_a_generator_chooses_by_the_script_that_scores(isolate, best, task, tmp_path):
    task.write_text(task.read_text() + isolate)
    invoke("run", task, "--workdir", tmp_path / "w", "--quiet")
    records = tmp_path / "w" / "records" / "tiny" / "v1"
    means = {
        name: pd.read_parquet(records / name / "scores.parquet").query("scorer == 'my-score'").score.mean()
        for name in ("best", "catalogue-random")
    }
    assert means["best"] > means["catalogue-random"] + 0.2
    environments = json.loads((records / "best" / "record.json").read_text())["provenance"]["environments"]
    assert environments["scorer my-score"] == environments["generator best"]
    assert environments["generator best"]["pydantic"] == "1.10.99"
    assert environments["generator best"]["python"] == sys.version.split()[0]
