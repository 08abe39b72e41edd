"""Wall seconds in records: per stage, per generated image, per scored image."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.analysis.inputs import Rows
from benchmark.records.schema import GeneratorRecord, Provenance

READ_STAGE = "data"
HELD_OUT_STAGE = "score held-out ratings"
ANALYSE_STAGE = "analyse"
PAGE_STAGE = "page"


def encode_stage(role: str) -> str:
    """The stage in which all items are encoded for a role."""
    return f"encode ({role})"


def judge_stage(role: str, share: float) -> str:
    """The stage in which a judge is fitted on a share of its ratings."""
    return f"fit {role}" + (f" on {share:.0%} of the ratings" if share < 1 else "")


def fit_stage(generator: str, number: int = 0, fits: int = 1) -> str:
    """The stage of one fit of a generator; ``number`` is counted from 0."""
    return f"fit {generator}" + (f", {number + 1} of {fits}" if fits > 1 else "")


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
    scored, scoring = 0, 0.0
    for row in rows:  # one whose scores all came from the store has no such stage
        stages = [stage for stage in origin.seconds if stage.startswith(score_stage(row.id, ""))]
        scored += row.digest.size if stages else 0
        scoring += sum(origin.seconds[stage] for stage in stages)
    return generating / images + (scoring / scored if scored else 0.0)
