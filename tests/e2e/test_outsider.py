"""Images of a script that knows an exported folder only give the rows of the same generators inside, byte for byte."""

import ast
import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT, TINY, invoke, make_folder, wild_installed

OUTSIDER = ROOT / "tests" / "outsider.py"
INSIDE = {
    "random": "{use: catalogue, params: {rank_by: random}}",
    "centroid": "{use: catalogue, params: {rank_by: centroid}}",
    "noise": "{use: wild, params: {how: well}}",
}
LAYOUTS = ("folders", "table")
FILES = ("scores.parquet", "users.parquet", "pairs.parquet", "images.parquet")
OF_ITSELF = {"generator", "fits"}
"""What a record says of the generator itself: id, title, parameters, the addresses of its fits."""


def task_text(split):
    head, tail = TINY.split("generators:\n")
    scorers = tail[tail.index("scorers:") :].replace("reference: rebeca", "reference: random")
    lines = [f"  - {{id: {how}, {spec[1:]}" for how, spec in INSIDE.items()]
    for how in INSIDE:
        retrieval = str(how != "noise").lower()
        personal = str(how != "random").lower()
        lines += [
            f"  - {{id: {how}-{layout}, use: folder, params: {{path: {how}-{layout}, retrieval: {retrieval},"
            f" personal: {personal}}}}}"
            for layout in LAYOUTS
        ]
    head = head.replace("  learning_curve: [0.5]\n", "")
    if split != "held-out-items":
        head = head.replace("{kind: held-out-items, test: 0.34, validation: 0.25}", split)
    return head + "generators:\n" + "\n".join(lines) + "\n" + scorers


@pytest.fixture(scope="module", params=["held-out-items", "{kind: per-user, test: 8, validation: 4}"])
def handed_in(request, tmp_path_factory):
    """The records of a run of both, inside and outside."""
    folder = tmp_path_factory.mktemp("outsider")
    make_folder(folder / "data")
    (folder / "tiny.yaml").write_text(task_text(request.param))
    with wild_installed(folder / "packages"):
        common = ("--workdir", folder / "w")
        invoke("export", folder / "tiny.yaml", "--out", folder / "inputs", "--embeddings", *common)
        for how in INSIDE:
            for layout in LAYOUTS:
                arguments = [folder / "inputs", folder / f"{how}-{layout}", how, layout]
                subprocess.run([sys.executable, "-I", OUTSIDER, *arguments], check=True, cwd=folder)
        invoke("run", folder / "tiny.yaml", "--quiet", *common)
        yield folder / "w" / "records" / "tiny" / "v1"


def test_the_outsider_knows_nothing_of_the_project():
    nodes = list(ast.walk(ast.parse(OUTSIDER.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} - sys.stdlib_module_names == {"numpy", "PIL"}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("how", INSIDE)
def test_the_row_equals_that_of_the_same_generator_inside(handed_in, how, layout):
    inside, outside = handed_in / how, handed_in / f"{how}-{layout}"
    for name in FILES:
        assert (inside / name).read_bytes() == (outside / name).read_bytes(), name
    records = [json.loads((folder / "record.json").read_text()) for folder in (inside, outside)]
    assert records[0].keys() == records[1].keys()
    for key in records[0].keys() - OF_ITSELF:
        assert records[0][key] == records[1][key], key
    assert pq.read_table(outside / "scores.parquet").num_rows == 36 * 4
