"""Which module of the project imports which, read from the syntax trees: nothing is imported to find out."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rebeca", "baselines", "benchmark")


@cache
def modules() -> dict[str, Path]:
    """Every module of the three packages, by its dotted name."""
    return {name_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(tree: ast.AST, known: Iterable[str], typing: bool) -> Iterator[str]:
    """Dotted names of all imports below ``tree``, also inside functions.

    Args:
        tree: A module's syntax tree.
        known: Names of modules; tells ``from package import module`` from ``from module import name``.
        typing: Whether imports under ``if TYPE_CHECKING:`` count.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno}: imports are absolute in this project")
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)
        elif isinstance(node, ast.If) and _is_type_checking(node.test) and not typing:
            for other in node.orelse:
                yield from imported_names(ast.Module([other], []), known, typing)
        else:
            yield from imported_names(node, known, typing)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


@cache
def all_imports(typing: bool = True) -> dict[str, frozenset[str]]:
    """For each module the names of everything that it imports."""
    return {
        name: frozenset(imported_names(ast.parse(path.read_text(encoding="utf-8")), modules(), typing))
        for name, path in modules().items()
    }


@cache
def graph(typing: bool = True) -> dict[str, frozenset[str]]:
    """For each module the modules of this project that it imports."""
    return {name: names & modules().keys() for name, names in all_imports(typing).items()}


def reachable(starts: Iterable[str], arrows: dict[str, frozenset[str]]) -> set[str]:
    """``starts`` and all that they import, directly or through others."""
    reached: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(arrows[name])
    return reached


def cycles(arrows: dict[str, frozenset[str]]) -> set[frozenset[str]]:
    """Groups of modules that import one another, directly or through others."""
    below = {name: reachable(arrows[name], arrows) for name in arrows}
    return {frozenset(other for other in below[name] if name in below[other]) for name in arrows if name in below[name]}


@cache
def fingerprint(name: str) -> str:
    """SHA-256 of a module's syntax tree, without docstrings; comments and layout do not count either."""
    tree = ast.parse(modules()[name].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = body[1:]  # type: ignore[attr-defined]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]
