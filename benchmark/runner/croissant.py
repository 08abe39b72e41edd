"""The exported files of a task as Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html).

``croissant.json`` names every file with size and hash, and every column with its type. It holds no date and no path of
this machine, so the same task gives the same bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from benchmark.disk import file_digest
from benchmark.runner.world import World
from benchmark.task.references import data_bibtex
from benchmark.task.resolved import Task

NAME = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
ITEMS = "items"
"""Folder of the items' image files."""
IMAGES = "item-images"
FORMATS = {".csv": "text/csv", ".json": "application/json", ".md": "text/markdown", ".npy": "application/octet-stream"}
OWN_TERMS = (
    "citeAs column equivalentProperty extract field fileObject fileProperty fileSet format includes isLiveDataset"
    " jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source"
    " subField transform"
)
CONTEXT: Mapping[str, JsonValue] = {
    **{term: f"cr:{term}" for term in OWN_TERMS.split()},
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
"""As Croissant 1.0 publishes it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the export.

    Attributes:
        name: File without its suffix; also the name of the record set.
        meaning: What a row is.
        key: Columns that no two rows have in common.
    """

    name: str
    meaning: str
    key: tuple[str, ...]


TABLES = (
    Table("users", "Users, with the block whose items they rate and see.", ("user",)),
    Table("items", "Items: image file, block, whether a model may learn from the item, caption.", ("item",)),
    Table("training_ratings", "Ratings to learn from; like is 1 or 0.", ("user", "item")),
    Table("validation_ratings", "Ratings for early stopping and other choices; like is 1 or 0.", ("user", "item")),
    Table("requests", "Images that are asked for, with the seed of each.", ("user", "replicate")),
    Table("candidates", "Items that may be shown to users of a block.", ("block", "item")),
    Table("excluded", "Items that may not be shown to this user.", ("user", "item")),
)
INTEGERS = ("block", "fit", "like", "replicate", "seed", "training")
NUMBERS = {"rating": "sc:Float"} | dict.fromkeys(INTEGERS, "sc:Integer")
"""Types of columns that are not text."""


def describe(folder: Path, task: Task, world: World) -> Mapping[str, JsonValue]:
    """What ``croissant.json`` holds.

    Args:
        folder: The exported files, all of them written.
        task: The task.
        world: Its data.
    """
    dataset = world.dataset
    files: list[JsonValue] = [*_files(folder), _images()]
    record_sets: list[JsonValue] = [_record_set(folder, table) for table in TABLES]
    citation = data_bibtex(task)
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": task.file.title,
        "description": (
            f"Inputs of a generator for the task {task.file.id}, version {task.file.version}, of rebeca-bench (hash"
            f" {task.hash()}): ratings and items of the data set '{dataset.title}', and the images that are asked for."
            " They hold no held-out rating."
        ),
        "license": dataset.licence,
        "version": f"{task.file.version}.0.0",
        **({"citeAs": citation} if citation else {}),
        "distribution": files,
        "recordSet": record_sets,
    }


def _files(folder: Path) -> Iterator[dict[str, JsonValue]]:
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        yield {
            "@type": "cr:FileObject",
            "@id": path.name,
            "name": path.name,
            "contentUrl": path.name,
            "contentSize": f"{path.stat().st_size} B",
            "encodingFormat": FORMATS[path.suffix],
            "sha256": file_digest(path),
        }


def _images() -> dict[str, JsonValue]:
    return {
        "@type": "cr:FileSet",
        "@id": IMAGES,
        "name": IMAGES,
        "description": "The items' images, as generators of the benchmark get them.",
        "encodingFormat": "image/png",
        "includes": f"{ITEMS}/*.png",
    }


def _record_set(folder: Path, table: Table) -> dict[str, JsonValue]:
    with (folder / f"{table.name}.csv").open(encoding="utf-8", newline="") as stream:
        columns: Sequence[str] = next(csv.reader(stream))
    key: list[JsonValue] = [{"@id": f"{table.name}/{column}"} for column in table.key]
    fields: list[JsonValue] = [_field(table, column) for column in columns]
    if table.name == "items":
        fields.append(_IMAGE)
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.meaning,
        "key": key if len(key) > 1 else key[0],
        "field": fields,
    }


_IMAGE: JsonValue = {
    "@type": "cr:Field",
    "@id": "items/image",
    "name": "image",
    "dataType": "sc:ImageObject",
    "source": {"fileSet": {"@id": IMAGES}, "extract": {"fileProperty": "content"}},
}


def _field(table: Table, column: str) -> JsonValue:
    """A column. The name of an image file leads to that file.

    Ids do not refer to the tables that list them: mlcroissant joins what refers to each other, and fails on ids that
    look like numbers.
    """
    source: dict[str, JsonValue] = {"fileObject": {"@id": f"{table.name}.csv"}, "extract": {"column": column}}
    field: dict[str, JsonValue] = {
        "@type": "cr:Field",
        "@id": f"{table.name}/{column}",
        "name": column,
        "dataType": NUMBERS.get(column, "sc:Text"),
        "source": source,
    }
    if column == "file":
        source["transform"] = {"regex": f"^(?:{ITEMS}/)?(.*)$"}
        field["references"] = {"fileSet": {"@id": IMAGES}, "extract": {"fileProperty": "filename"}}
    return field
