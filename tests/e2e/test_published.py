"""The published synthetic experiment with its own shapes, and steps cut short."""

import json

from tests.e2e.test_tiny import invoke

SHORT = (
    "data.params.sprites=60", "data.split.test=60", "data.split.validation=20", "images=50",
    "encoder.params.epochs=1", "generators.rebeca.params.max_steps=4", "generators.rebeca.params.steps=5",
    "generators.rebeca.params.samples_per_user=160", "judges.verifier.params.epochs=1",
    "analysis.permutations=99", "analysis.bootstrap=99",
)  # fmt: skip


def test_sprites_published_runs(tmp_path):
    changes = [part for change in SHORT for part in ("--set", change)]
    output = invoke(
        "run", "sprites-published", "--workdir", tmp_path / "w", "--site", tmp_path / "s", "--quiet", *changes
    )
    assert "few users" in output
    (records,) = (tmp_path / "w" / "records" / "sprites-published").iterdir()
    assert "all agree" in invoke("verify", records)
    record = json.loads((records / "rebeca" / "record.json").read_text())
    assert {f"precision@{k}" for k in (1, 5, 10, 20, 25)} <= set(record["summary"])
    comparison = json.loads((records / "_task" / "comparison.json").read_text())
    pairs = comparison["results"]["families"]["ground-truth"]["comparisons"]
    assert {pair["verdict"] for pair in pairs} == {"described"}  # four users are too few for a test
