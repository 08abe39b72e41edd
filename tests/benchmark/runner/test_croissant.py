"""The Croissant description of an export: every file with its hash, every column, nothing that leads nowhere."""

import csv
import json
import re
from hashlib import sha256

import pytest

from benchmark.runner.croissant import CONTEXT
from benchmark.runner.export import export_task
from benchmark.task.resolve import load_task
from tests.conftest import invoke

TYPES = {"sc:Text": str, "sc:Integer": int, "sc:Float": float}


@pytest.fixture
def exported(tiny, tmp_path):
    tiny.write_text(tiny.read_text() + "references:\n  - '@misc{me2026, title = {My Data}}'\n")
    invoke("export", tiny, "--out", tmp_path / "out", "--embeddings", "--workdir", tmp_path / "w")
    return tmp_path / "out"


def described(folder):
    return json.loads((folder / "croissant.json").read_text(encoding="utf-8"))


def read(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def ids(node):
    """Every @id that is defined, that is, beside an @type."""
    if isinstance(node, dict):
        own = [node["@id"]] if {"@id", "@type"} <= node.keys() else []
        return own + [each for key, child in node.items() if key != "@context" for each in ids(child)]
    return [each for child in node for each in ids(child)] if isinstance(node, list) else []


def references(node):
    """Every @id that is referred to."""
    if isinstance(node, dict):
        own = [node["@id"]] if node.keys() == {"@id"} else []
        return own + [each for key, child in node.items() if key != "@context" for each in references(child)]
    return [each for child in node for each in references(child)] if isinstance(node, list) else []


def test_the_data_set_is_described(exported, tiny):
    about = described(exported)
    task = load_task(tiny)
    assert about["@type"] == "sc:Dataset" and about["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert (about["name"], about["version"]) == (task.file.title, "1.0.0")
    assert about["license"] == "not declared" and about["citeAs"] == "@misc{me2026, title = {My Data}}\n"
    assert task.hash() in about["description"] and "no held-out rating" in about["description"]


def test_every_file_is_listed_with_its_hash(exported):
    files = {file["@id"]: file for file in described(exported)["distribution"] if file["@type"] == "cr:FileObject"}
    there = {path.name for path in exported.iterdir() if path.is_file()}
    assert files.keys() == there - {"croissant.json"} and "embeddings.npy" in files
    for name, file in files.items():
        data = (exported / name).read_bytes()
        assert file["sha256"] == sha256(data).hexdigest() and file["contentSize"] == f"{len(data)} B"
        assert file["contentUrl"] == name and "/" in file["encodingFormat"]
    (images,) = [each for each in described(exported)["distribution"] if each["@type"] == "cr:FileSet"]
    assert len(list(exported.glob(images["includes"]))) == 24


def test_every_column_is_a_field_of_its_type(exported):
    sets = {each["@id"]: each for each in described(exported)["recordSet"]}
    assert {f"{name}.csv" for name in sets} == {path.name for path in exported.glob("*.csv")}
    for name, records in sets.items():
        fields = {field["name"]: field for field in records["field"] if "fileObject" in field["source"]}
        rows = read(exported / f"{name}.csv")
        assert not rows or list(fields) == list(rows[0])
        for column, field in fields.items():
            assert field["source"]["fileObject"] == {"@id": f"{name}.csv"}
            assert field["source"]["extract"] == {"column": column}
            for row in rows:
                TYPES[field["dataType"]](row[column])
        key = records["key"] if isinstance(records["key"], list) else [records["key"]]
        columns = [each["@id"].partition("/")[2] for each in key]
        assert len({tuple(row[column] for column in columns) for row in rows}) == len(rows)


def test_images_are_joined_to_items(exported):
    (items,) = [each for each in described(exported)["recordSet"] if each["@id"] == "items"]
    fields = {field["name"]: field for field in items["field"]}
    pattern = fields["file"]["source"]["transform"]["regex"]
    names = {path.name for path in (exported / "items").iterdir()}
    assert {re.match(pattern, row["file"]).group(1) for row in read(exported / "items.csv")} == names
    assert fields["file"]["references"]["extract"] == {"fileProperty": "filename"}
    assert fields["image"]["source"]["extract"] == {"fileProperty": "content"}


def test_nothing_leads_nowhere(exported):
    about = described(exported)
    defined = ids(about)
    assert len(defined) == len(set(defined)) > 30
    assert set(references(about)) <= set(defined)


def test_every_name_is_in_the_context(exported):
    """What the context does not define would be taken for a word of schema.org."""
    own = {"cr:FileObject", "cr:FileSet", "cr:RecordSet", "cr:Field", "sc:Dataset"}
    of_schema_org = {"contentSize", "contentUrl", "description", "distribution", "encodingFormat", "license", "name",
                     "sha256", "version"}  # fmt: skip
    text = json.dumps({key: value for key, value in described(exported).items() if key != "@context"})
    assert set(re.findall(r'"@type": "([^"]+)"', text)) == own
    assert set(re.findall(r'"([A-Za-z]\w+)": ', text)) <= of_schema_org | CONTEXT.keys()
    assert {value.partition(":")[0] for value in CONTEXT.values() if isinstance(value, str)} <= {
        "cr", "dct", "en", "http", "https"
    }  # fmt: skip


def test_the_same_task_gives_the_same_bytes(tiny, tmp_path):
    task = load_task(tiny)
    for name in ("a", "b"):
        export_task(task, tmp_path / name)
    first, second = ((tmp_path / name / "croissant.json").read_bytes() for name in ("a", "b"))
    assert first == second and str(tmp_path).encode() not in first
    assert "citeAs" not in json.loads(first)
