"""Who may import whom, what importing costs, and that no stage changes unnoticed."""

import ast
import hashlib
import json
import subprocess
import sys

import pytest

from benchmark.runner.store import STAGE_VERSIONS
from tests.conftest import ROOT

ALLOWED = {"rebeca": {"rebeca"}, "baselines": {"rebeca", "baselines"}, "benchmark": {"rebeca", "benchmark"}}
REACHED_BY_NAME_ONLY = {
    "rebeca.generator", "rebeca.worlds", "rebeca.decoders", "rebeca.train_prior", "rebeca.prior", "rebeca.taste",
}  # fmt: skip


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def files(package):
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_go_one_way(package):
    for path in files(package):
        for name in imports(path):
            top = name.partition(".")[0]
            if top in ALLOWED:
                assert top in ALLOWED[package], f"{path}: {name}"


def test_the_harness_reaches_generators_through_the_registry_only():
    for path in files("benchmark"):
        for name in imports(path):
            assert not any(name == r or name.startswith(r + ".") for r in REACHED_BY_NAME_ONLY), f"{path}: {name}"


def test_statistics_know_numpy_and_scipy_only():
    for path in files("benchmark/stats"):
        for name in imports(path):
            top = name.partition(".")[0]
            own = name.startswith("benchmark.stats")
            assert own or top in {"numpy", "scipy"} or top in sys.stdlib_module_names, f"{path}: {name}"


@pytest.mark.parametrize(
    "module",
    [
        "rebeca",
        "rebeca.interfaces",
        "benchmark.task.resolve",
        "benchmark.commands.main",
        "benchmark.commands.show",
        "benchmark.commands.plan",
        "rebeca.generator",
    ],
)
def test_cheap_imports(module):
    heavy = ("torch", "transformers", "diffusers", "pandas")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_plugins_say_beforehand_needs_no_torch():
    """Of every task that is bundled: cards, needs, fingerprints of shipped weights; nothing is built."""
    code = """
import sys
from benchmark.task.bundled import folder
from benchmark.task.registry import plugin_class
from benchmark.task.resolve import load_task
for path in sorted(folder("tasks").glob("*.yaml")):
    task = load_task(path)
    [spec.flags() for spec in (*task.generators, *task.scorers)]
    if "tinyworld" in path.stem or "sprites" in path.stem:
        [encoder.address() for encoder in (task.encoder, *(judge.encoder for judge in task.judges.values()))]
        [plugin_class("scorer", scorer.use).fingerprint(scorer.params) for scorer in task.scorers]
        decoder = plugin_class("decoder", task.file.decoder.use)
        [decoder.fingerprint(spec.decoder) for spec in task.generators]
print([m for m in ("torch", "transformers", "diffusers", "pandas") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_stay_readable():
    for package in ALLOWED:
        for path in files(package):
            assert len(path.read_text().splitlines()) <= 480, path
            assert path.stem != "utils"


STAGES = {
    "embeddings": ["rebeca/encoders/*.py", "rebeca/space.py", "benchmark/runner/embed.py"],
    "judge": ["rebeca/ncf/model.py", "rebeca/ncf/training.py", "rebeca/ncf/verifier.py", "rebeca/population.py"],
    "fit": [
        "rebeca/train_prior.py", "rebeca/prior/*.py", "rebeca/generator.py", "rebeca/taste.py", "baselines/*.py",
        "rebeca/data/*.py", "rebeca/worlds/*.py", "rebeca/population.py",
    ],
    "pictures": [
        "rebeca/prior/sampling.py", "rebeca/decoders/*.py", "benchmark/runner/images.py", "rebeca/seeds.py",
        "benchmark/runner/world.py", "rebeca/data/catalogue.py", "rebeca/tinyworld/models.py",
        "rebeca/tinyworld/words.py",
    ],
    "scores": [
        "benchmark/scorers/*.py", "rebeca/scorers/*.py", "rebeca/tinyworld/taste.py", "rebeca/tinyworld/world.py",
    ],
    "verifier": ["benchmark/runner/held_out_scores.py", "rebeca/population.py"],
    "records": [
        "benchmark/analysis/analyse.py", "benchmark/stats/*.py", "benchmark/runner/scoring.py",
        "benchmark/runner/write_records.py",
        "benchmark/records/gallery.py",
    ],
}  # fmt: skip


def fingerprint(patterns):
    """SHA-256 over the syntax trees; comments, layout and docstrings do not count."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                body = getattr(node, "body", None)
                first = body[0] if isinstance(body, list) and body else None
                if (
                    isinstance(first, ast.Expr)
                    and isinstance(first.value, ast.Constant)
                    and isinstance(first.value.value, str)
                ):
                    node.body = body[1:]
            digest.update(path.relative_to(ROOT).as_posix().encode() + ast.dump(tree).encode())
    return digest.hexdigest()[:16]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="syntax trees are written down for Python 3.11")
def test_no_stage_changes_unnoticed():
    """When this fails: raise the stage's version in benchmark/runner/store.py if results could change, then
    write the new fingerprints with ``python -m tests.test_architecture``."""
    assert set(STAGES) == set(STAGE_VERSIONS)
    known = json.loads((ROOT / "tests" / "stages.json").read_text())
    for stage, patterns in STAGES.items():
        assert known[stage] == [STAGE_VERSIONS[stage], fingerprint(patterns)], stage


if __name__ == "__main__":
    state = {stage: [STAGE_VERSIONS[stage], fingerprint(patterns)] for stage, patterns in STAGES.items()}
    (ROOT / "tests" / "stages.json").write_text(json.dumps(state, indent=1, sort_keys=True) + "\n")
