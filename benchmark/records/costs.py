"""Wall seconds in records: per stage, per generated image, per scored image."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.analysis.inputs import Rows
from benchmark.records.schema import GeneratorRecord, Provenance


def images_stage(generator: str) -> str:
    """The stage in which a generator's images are decoded, as records name it."""
    return f"images {generator}"


def score_stage(generator: str, scorer: str) -> str:
    """The stage in which a scorer scores a generator's images."""
    return f"score {generator} by {scorer}"


def seconds_per_image(record: GeneratorRecord) -> float | None:
    """Wall seconds per image of one generator, fits aside; None where the run took them from the store."""
    origin, name = record.provenance, record.generator.id
    spent = origin.seconds.get(images_stage(name))
    return None if spent is None else spent / origin.decoded.get(name, record.images.requested)


def seconds_with_scores(origin: Provenance, rows: Sequence[Rows]) -> float | None:
    """Wall seconds per image of generating plus scoring, each over the images of its own stages."""
    generated = [row for row in rows if images_stage(row.id) in origin.seconds]
    images = sum(origin.decoded.get(row.id, row.digest.size) for row in generated)
    if not images:
        return None
    generating = sum(origin.seconds[images_stage(row.id)] for row in generated)
    scoring = {row.id: _scoring(origin, row.id) for row in rows}
    scored = sum(row.digest.size for row in rows if scoring[row.id] is not None)
    spent = sum(seconds for seconds in scoring.values() if seconds is not None)
    return generating / images + (spent / scored if scored else 0.0)


def _scoring(origin: Provenance, generator: str) -> float | None:
    """Seconds of all its scorers; None where all scores came from the store."""
    spent = [seconds for stage, seconds in origin.seconds.items() if stage.startswith(score_stage(generator, ""))]
    return sum(spent) if spent else None
