"""The list that the stress command appends to a task."""

import tomllib
from importlib.metadata import EntryPoint

import pytest
import yaml

from rebeca.params import make_params
from tests.conftest import ROOT

LIST = ROOT / "benchmark" / "stress" / "adversaries.yaml"
NAMES = {"$verifier": "tinyworld:verifier-encoder", "$auditor": "tinyworld:auditor-encoder", "$images": 6}
GROUP = "rebeca_bench.generators"


def entries():
    return yaml.safe_load(LIST.read_text(encoding="utf-8"))["generators"]


def registered():
    points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"][GROUP]
    return {name: value for name, value in points.items() if name.startswith("attack-")}


def filled(value):
    if isinstance(value, list):
        return [filled(each) for each in value]
    return NAMES.get(value, value)


def test_ids_are_unique_and_every_adversary_is_listed():
    ids = [entry["id"] for entry in entries()]
    assert len(set(ids)) == len(ids) and all(name.startswith("attack-") for name in ids)
    assert {entry["use"] for entry in entries()} == registered().keys()


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry["id"])
def test_entries_are_read_as_a_task_reads_them(entry):
    assert entry.keys() <= {"id", "title", "use", "params"}
    kind = EntryPoint(entry["use"], registered()[entry["use"]], GROUP).load()
    params = {name: filled(value) for name, value in entry.get("params", {}).items()}
    read = make_params(kind.Params, params, entry["id"])
    kind.check(read)
    assert kind.family == "adversary" and isinstance(kind.fingerprint(read), str)
