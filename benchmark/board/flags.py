"""Words that warn about a row: what makes it privileged, what failed, what it copies, what its judges disagree on."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.analysis.measures import GAP
from benchmark.board.format_numbers import percent
from benchmark.records.schema import GeneratorRecord, TaskRecord


def twins(records: Mapping[str, GeneratorRecord]) -> dict[str, str]:
    """Generators whose every image is another generator's too, and which one; changed parameters are named."""
    by_digest: dict[str, list[str]] = {}
    for name, record in records.items():
        by_digest.setdefault(record.images.digest, []).append(name)
    found = {}
    for same in by_digest.values():
        for name in same if len(same) > 1 else []:
            other = next(twin for twin in same if twin != name)
            alike = _same_settings(records[name], records[other])
            found[name] = other if alike else f"{other} despite other parameters"
    return found


def gaps(records: Mapping[str, GeneratorRecord], reference: str) -> set[str]:
    """Who pleases the verifier beyond the auditor by clearly more than the reference does."""
    base = records[reference].gap if reference in records else None
    if base is None or base.high is None:
        return set()
    limit = max(base.high, 0.0)
    return {name for name, record in records.items() if record.gap and (record.gap.low or 0.0) > limit}


def _same_settings(a: GeneratorRecord, b: GeneratorRecord) -> bool:
    one, other = a.generator, b.generator
    return (one.use, one.params, one.decoder) == (other.use, other.params, other.decoder)


def flags_of(record: GeneratorRecord, task: TaskRecord, twin: str | None, gap: bool) -> list[str]:
    """All of a row's flags."""
    generator, images = record.generator, record.images
    flags = [f"needs {need}" for need in generator.needs]
    failed = images.requested - images.valid
    if failed:
        flags.append(f"failures {percent(failed / images.requested)}")
    if twin is not None:
        flags.append(f"identical to {twin}")
    if images.copies:
        flags.append(f"copies {percent(images.copies / images.requested)}")
    users = max((summary.users for summary in record.summary.values()), default=0)
    if generator.claims_personal and users > 1 and images.different * users <= images.valid:
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
