"""What can be said of a row before it stands beside others: why it will have no rank, and what seems a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.analysis.confirmation import exceeds, unconfirmed
from benchmark.analysis.measures import COPIES, SUPPORT
from benchmark.board.flags import share_by_role
from benchmark.board.format_numbers import exact_percent, number
from benchmark.records.schema import GeneratorRecord, plan_of
from benchmark.task.spec import Spec


def remarks(record: GeneratorRecord, spec: Spec) -> list[str]:
    """Sentences about a generator's record under the rules of a task."""
    return [*(f"no rank: {reason}" for reason in _no_rank(record, spec)), *_mistakes(record)]


def _no_rank(record: GeneratorRecord, spec: Spec) -> Iterator[str]:
    images, plan = record.images, plan_of(spec, frozen=True)
    if record.generator.needs:
        yield f"it needs {', '.join(record.generator.needs)}"
    failed = images.requested - images.valid
    if exceeds(plan.most_failures, failed / images.requested):
        yield f"{failed:,} of {images.requested:,} images failed, the task allows {exact_percent(plan.most_failures)}"
    copies, inside = share_by_role(record, COPIES), share_by_role(record, SUPPORT)
    if plan.most_copies is not None and exceeds(plan.most_copies, copies):
        yield (
            f"{exact_percent(copies or 0.0)} of the images are undeclared near-copies of items, the task allows"
            f" {exact_percent(plan.most_copies)}"
        )
    outside = None if inside is None else 1 - inside
    if plan.most_outside is not None and exceeds(plan.most_outside, outside):
        yield (
            f"{exact_percent(outside or 0.0)} of the images could not be items of the world, the task allows"
            f" {exact_percent(plan.most_outside)}"
        )
    for measure, margin in unconfirmed(plan, record.excess):
        yield (
            f"a judge that is fitted afterwards confirms less {measure.kind}, by clearly more than the"
            f" {number(margin, 2)} that the task allows"
        )


def _mistakes(record: GeneratorRecord) -> Iterator[str]:
    images = record.images
    if record.generator.params.get("retrieval") is True and images.valid and not images.from_catalogue:
        yield "params.retrieval is true, and no image equals an item in every pixel: leave it out"
