"""Writes the tables of docs/reference/records.md: every field of every record, from the model that checks them.

python scripts/record_fields.py            # writes
python scripts/record_fields.py --check    # fails where the page is behind
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import click
from pydantic import BaseModel

from benchmark.records.attestation import Statement
from benchmark.records.schema import GeneratorRecord, TaskRecord

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "records.md"
START, END = "<!-- fields: made by scripts/record_fields.py -->", "<!-- end of fields -->"


def describe() -> str:
    """Markdown: one table per model, in the order in which they are met."""
    waiting: list[type] = [GeneratorRecord, TaskRecord, Statement]
    parts, seen = [], set()
    while waiting:
        model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        rows = []
        for field in fields_of(model):
            waiting += [inner for inner in models_in(field.annotation) if inner not in seen]
            rows.append(f"| `{field.name}` | {kind(field.annotation)} | {field.meaning} |")
        intro = (model.__doc__ or "").strip().splitlines()[0]
        parts.append(
            "\n".join([f"### {model.__name__}", "", intro, "", "| field | type | meaning |", "|---|---|---|", *rows])
        )
    return "\n\n".join(parts)


@dataclass(frozen=True)
class Field:
    """A field of a record."""

    name: str
    annotation: Any
    meaning: str


def fields_of(model: type[Any]) -> list[Field]:
    """Of a pydantic model from its descriptions, of a dataclass from the ``Attributes`` of its docstring."""
    if issubclass(model, BaseModel):
        fields = model.model_fields.items()
        return [Field(field.alias or name, field.annotation, field.description or "") for name, field in fields]
    meanings = attributes(model)
    hints = get_type_hints(model, include_extras=True)
    return [Field(field.name, hints[field.name], meanings[field.name]) for field in dataclasses.fields(model)]


def attributes(model: type[Any]) -> dict[str, str]:
    """Meaning by name, from a docstring in Google style."""
    _, _, section = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")
    section = section.partition("\n\n")[0]  # another one may follow
    entries = re.split(r"\n    (?=\w+: )", "\n" + section)
    pairs = (entry.split(": ", 1) for entry in entries if ": " in entry)
    return {name.strip(): " ".join(meaning.split()) for name, meaning in pairs}


def is_model(annotation: Any) -> bool:
    """Whether it has fields of its own."""
    return isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation))


def models_in(annotation: Any) -> list[type]:
    """Models that an annotation mentions."""
    if is_model(annotation):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_in(inner)]


def kind(annotation: Any) -> str:
    """An annotation in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is Annotated:
        return kind(inner[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" if value else "empty" for value in inner)
    if origin in (types.UnionType,) or str(origin) == "typing.Union":
        return " or ".join(kind(part) for part in inner)
    if origin in (list, tuple):
        return f"list of {kind(inner[0])}"
    if origin in (dict, Mapping):
        return f"object of {kind(inner[1])}"
    if is_model(annotation):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}.get(annotation, "anything")


@click.command()
@click.option("--check", is_flag=True, help="Write nothing, fail where the page is behind.")
def main(check: bool) -> None:
    """Writes or checks the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    _, after = rest.split(END)
    expected = f"{before}{START}\n\n{describe()}\n\n{END}{after}"
    if check and expected != page:
        sys.exit("docs/reference/records.md is behind: run python scripts/record_fields.py")
    if not check:
        PAGE.write_text(expected, encoding="utf-8")


if __name__ == "__main__":
    main()
