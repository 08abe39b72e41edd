"""Warnings beside a row: privileges, failures, copied images, judges that disagree."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.analysis.measures import COPIES, GAP, SUPPORT, with_role
from benchmark.board.format_numbers import percent
from benchmark.records.schema import GeneratorRecord, TaskRecord
from rebeca.ties import TIE, TIE_OF_SCORES

FEW = 0.01
"""From this share of images that could not be items of the data set on, a row has a flag; fewer may be mistakes."""
MANY_COPIES = 0.05
"""Above this share of near-copies a row has a flag. Of honest images 1 % count by construction, and few users have few
images, so that twice or three times as many are no sign."""


def twins(records: Mapping[str, GeneratorRecord]) -> dict[str, str]:
    """Generators that returned the same images as another one, and which one; other parameters are mentioned.

    A generator without a valid image has no twin.
    """
    twin_of = {}
    for name, record in records.items():
        if not record.images.valid:
            continue
        others = [
            other
            for other, each in records.items()
            if other != name and (each.submission is None or record.submission is not None)
        ]  # what somebody hands in later is no flaw of the task's own row
        same = (other for other in others if records[other].images.digest == record.images.digest)
        if (twin := next(same, None)) is not None:
            alike = _settings(record) == _settings(records[twin])
            twin_of[name] = twin if alike else f"{twin} despite other parameters"
    return twin_of


def gaps(records: Mapping[str, GeneratorRecord], reference: str) -> set[str]:
    """Generators whose verifier score exceeds the auditor's by clearly more than that of the reference does."""
    base = records[reference].gap if reference in records else None
    if base is None or base.high is None:
        return set()
    return {name for name, record in records.items() if record.gap and (record.gap.low or 0.0) > max(base.high, 0.0)}


def _settings(record: GeneratorRecord) -> tuple[object, ...]:
    return record.generator.use, record.generator.params, record.generator.decoder


def _same_for_everybody(record: GeneratorRecord) -> bool:
    """Whether images do not differ between users.

    There are few different ones, and no lift but for rounding. Retrieval may show a user the same items in every fit,
    so that few different images can be those of a few kinds of users.
    """
    users = max((summary.users for summary in record.summary.values()), default=0)
    if users < 2 or not 0 < record.images.different * users <= record.images.valid:
        return False
    lifts = {scorer: personal.lift for scorer, personal in record.personal.items() if personal.lift is not None}
    return all(
        abs(lift.estimate or 0.0) <= TIE_OF_SCORES * abs(record.summary[scorer].interval.estimate or 0.0)
        for scorer, lift in lifts.items()
    )


def share_by_role(record: GeneratorRecord, role: str) -> float | None:
    """Mean of the scorer with a role, failures left out; None where nobody asked, or there is no image."""
    name = with_role({name: info.card for name, info in record.measures.items()}, role)
    return None if name is None else record.summary[name].exclude


def flags_of(record: GeneratorRecord, task: TaskRecord, twin: str | None, gap: bool) -> list[str]:
    generator, images = record.generator, record.images
    flags = [f"needs {need}" for need in generator.needs]
    failed = images.requested - images.valid
    if failed:
        flags.append(f"failures {percent(failed / images.requested)}")
    if generator.may_vary and len(record.fits) == 1 < task.spec.fits:
        flags.append("one fit")
    if generator.id in task.results.failing:
        flags.append("too many failures")
    if generator.id in task.results.incomplete:
        flags.append("incomplete")
    if generator.id in task.results.unconfirmed:
        flags.append("unconfirmed")
    if twin is not None:
        flags.append(f"identical to {twin}")
    if images.copies:
        flags.append(f"copies {percent(images.copies / images.requested)}")
    copies, inside = share_by_role(record, COPIES), share_by_role(record, SUPPORT)
    if copies is not None and (copies > MANY_COPIES + TIE or generator.id in task.results.copying):
        flags.append(f"near-copies {percent(copies)}")
    if inside is not None and (1 - inside >= FEW or generator.id in task.results.outside):
        flags.append(f"outside the world {percent(1 - inside)}")
    if generator.claims_personal and _same_for_everybody(record):
        flags.append("same for everybody")
    if gap:
        flags.append(GAP)
    for caution in task.results.cautions:
        flag = caution.kind.replace("-", " ")
        if flag not in flags and (caution.kind == "few-users" or generator.id in caution.where):
            flags.append(flag)
    if generator.id in task.provenance.added:
        flags.append("added later")
    if task.task.modified:
        flags.append("modified")
    return flags
