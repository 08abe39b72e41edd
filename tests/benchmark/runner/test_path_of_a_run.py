"""What a run passes through stays readable: no function is longer than a page."""

import ast

import pytest

from tests.conftest import ROOT

LONGEST = 60
PACKAGES = ("runner", "records", "scorers", "analysis")
FILES = [path for package in PACKAGES for path in (ROOT / "benchmark" / package).glob("*.py")]
PRODUCT = ("rebeca", "baselines", "benchmark")


@pytest.mark.parametrize("package", PRODUCT)
def test_no_function_is_longer_than_a_page(package):
    """A run may pass through any of them: data sets, encoders and generators are plug-ins."""
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= LONGEST
    ]
    assert long == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_function_keeps_what_others_are_to_find(path):
    """Attributes are set by constructors and by the class itself, not from outside; no list serves as a cell."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    assert target.value.id in ("self", "cls"), f"{path.name}:{node.lineno}"
