"""Full-size random weights, nightly: ``REBECA_FULL=FOLDER`` names where they lie or are to be made (2 GB)."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from tests.conftest import ROOT

FULL = os.environ.get("REBECA_FULL")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FULL is None, reason="REBECA_FULL is not set; see docs/explanation/testing.md"),
]


def test_hpsv2_equals_the_package_on_a_full_size_checkpoint(monkeypatch):
    """Within 1e-6, on images square and not."""
    pytest.importorskip("hpsv2.img_score", reason="pip install --no-deps hpsv2x clint args")
    from benchmark.dev.random_weights import make_weights
    from rebeca.published import ALL

    root = Path(str(FULL))
    if not (root / ALL["hpsv2.0"].folder / "HPS_v2_compressed.pt").is_file():
        make_weights("hpsv2", "full", root)
    monkeypatch.setenv("REBECA_WEIGHTS", str(root))
    spec = importlib.util.spec_from_file_location("preference_score", ROOT / "scripts/perf/preference_score.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    report = script.measure(4, 1, True)
    assert report["apart"] < script.APART
    assert report["weights"] == "random"
