"""The statistics of sprites and OASIS against a calculation by hand that shares no code with the benchmark."""

import pytest

from tests.conftest import ROOT, invoke
from tests.scripts.test_scripts import load

OASIS = """
extends: {root}/tasks/oasis.yaml
id: oasis-small
title: OASIS ratings, cheap encoders
data: {{path: "{data}"}}
judges:
  verifier:
    use: ncf
    encoder: {{use: "pca:8", of: "fourier:12"}}
    params: {{nets: 1, dims: 8, epochs: 3, patience: 2}}
  auditor:
    use: ncf
    encoder: {{use: "pca:6", of: "fourier:8"}}
    params: {{nets: 1, dims: 6, epochs: 3, patience: 2}}
  learning_curve: [0.5]
encoder: {{use: "pca:8", of: "fourier:16"}}
generators:
  - {{id: catalogue-random, use: catalogue, params: {{rank_by: random}}}}
  - {{id: catalogue-most-liked, use: catalogue, params: {{rank_by: most-liked}}}}
  - {{id: catalogue-ridge, use: catalogue, params: {{rank_by: ridge}}}}
scorers: [ncf, auditor, observed]
analysis: {{reference: catalogue-ridge, permutations: 1999, bootstrap: 999}}
"""


def test_sprites_by_hand():
    check = load("by_hand").run(ROOT / "results" / "sprites" / "v2")
    assert not check.wrong
    assert check.agree > 1000


def test_fits_without_any_value_have_no_spread_by_hand():
    """New images that name their fits have no observed ratings."""
    script = load("by_hand")
    check = script.Check(verbose=False, draws=199)
    script.check_spread(check, "new images", [{}, {}], {"by_fit": [None, None], "between_fits": None})
    script.check_spread(check, "others", [{0: 0.1}, {0: 0.3}], {"by_fit": [0.1, 0.3], "between_fits": 0.02**0.5})
    assert check.agree == 6 and not check.wrong


@pytest.mark.slow
def test_oasis_by_hand(shared, tmp_path):
    """Real ratings in four blocks; the whole task's records were checked likewise, see docs/reports/oasis.md."""
    path = tmp_path / "oasis.yaml"
    path.write_text(OASIS.format(root=ROOT, data=shared / "data" / "oasis"))
    invoke("run", path, "--workdir", tmp_path / "w", "--quiet")
    [records] = (tmp_path / "w" / "records" / "oasis-small").iterdir()  # the version is that of tasks/oasis.yaml
    check = load("by_hand").run(records)
    assert not check.wrong
    assert check.agree > 150
    invoke("verify", records)


@pytest.mark.parametrize("number", ["summary", "personal", "results"])
def test_the_hand_notices(done, tmp_path, number, monkeypatch):
    """The comparison itself can fail."""
    import json
    import shutil

    records = tmp_path / "v1"
    shutil.copytree(done / "w" / "records" / "tiny" / "v1", records)
    path = records / ("_task/comparison.json" if number == "results" else "rebeca/record.json")
    record = json.loads(path.read_text())
    if number == "summary":
        record["summary"]["ncf"]["interval"]["low"] -= 0.01
    elif number == "personal":
        record["personal"]["observed"]["lift"]["estimate"] += 0.01
    else:
        record["results"]["families"]["ncf"]["comparisons"][0]["detectable"] *= 1.1
    path.write_text(json.dumps(record))
    assert load("by_hand").run(records).wrong
