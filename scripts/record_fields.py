"""Writes the tables of docs/reference/records.md: every field of every record, from the model that checks them.

python scripts/record_fields.py            # writes
python scripts/record_fields.py --check    # fails where the page is behind
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel

from benchmark.records.schema import GeneratorRecord, TaskRecord

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "records.md"
START, END = "<!-- fields: made by scripts/record_fields.py -->", "<!-- end of fields -->"


def describe() -> str:
    """Markdown: a table a model, in the order in which they are met."""
    parts, waiting, seen = [], [GeneratorRecord, TaskRecord], set()
    while waiting:
        model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        rows = []
        for name, field in model.model_fields.items():
            annotation = field.annotation
            waiting += [inner for inner in models_in(annotation) if inner not in seen]
            rows.append(f"| `{field.alias or name}` | {kind(annotation)} | {field.description or ''} |")
        intro = (model.__doc__ or "").strip().splitlines()[0]
        parts.append(
            "\n".join([f"### {model.__name__}", "", intro, "", "| field | type | meaning |", "|---|---|---|", *rows])
        )
    return "\n\n".join(parts)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Models that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
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
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (types.UnionType,) or str(origin) == "typing.Union":
        return " or ".join(kind(part) for part in inner)
    if origin is list:
        return f"list of {kind(inner[0])}"
    if origin is dict:
        return f"object of {kind(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}.get(annotation, "anything")


@click.command()
@click.option("--check", is_flag=True, help="Write nothing, fail where the page is behind.")
def main(check: bool) -> None:
    """Writes or checks the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    _, after = rest.split(END)
    made = f"{before}{START}\n\n{describe()}\n\n{END}{after}"
    if check and made != page:
        sys.exit("docs/reference/records.md is behind: run python scripts/record_fields.py")
    if not check:
        PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
