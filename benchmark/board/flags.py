"""Words that warn about a row: what it was granted, what failed, what it copies, what its judges disagree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.board.format_numbers import percent

GAP = "gap"


def twins(records: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Generators whose every picture is another generator's too, and which one; changed parameters are named."""
    by_digest: dict[str, list[str]] = {}
    for name, record in records.items():
        by_digest.setdefault(record["pictures"]["digest"], []).append(name)
    found = {}
    for same in by_digest.values():
        for name in same if len(same) > 1 else []:
            other = next(o for o in same if o != name)
            found[name] = other + (
                " despite other parameters" if _settings(records[name]) != _settings(records[other]) else ""
            )
    return found


def gaps(records: Mapping[str, dict[str, Any]], reference: str) -> set[str]:
    """Who pleases the verifier beyond the auditor by clearly more than the reference does."""
    base = records[reference]["gap"] if reference in records else None
    if base is None or base["high"] is None:
        return set()
    limit = max(base["high"], 0.0)
    return {name for name, record in records.items() if (gap := record["gap"]) and (gap["low"] or 0.0) > limit}


def _settings(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record["generator"][key] for key in ("use", "params", "decoder"))


def flags_of(record: dict[str, Any], comparison: dict[str, Any], twin: str | None, gap: bool) -> list[str]:
    """All of a row's flags."""
    flags = [f"needs {need}" for need in record["generator"]["needs"]]
    pictures = record["pictures"]
    failed = pictures["requested"] - pictures["valid"]
    if failed:
        flags.append(f"failures {percent(failed / pictures['requested'])}")
    if twin is not None:
        flags.append(f"identical to {twin}")
    if pictures.get("copies"):
        flags.append(f"copies {percent(pictures['copies'] / pictures['requested'])}")
    people = max((summary["people"] for summary in record["summary"].values()), default=0)
    if record["generator"]["claims_personal"] and people > 1 and pictures["different"] * people <= pictures["valid"]:
        flags.append("same for everybody")
    if gap:
        flags.append(GAP)
    name = record["generator"]["id"]
    for caution in comparison["results"]["cautions"]:
        flag = caution["kind"].replace("-", " ")
        if flag not in flags and (caution["kind"] == "few-users" or name in caution["where"]):
            flags.append(flag)
    if name in comparison["provenance"].get("added", []):
        flags.append("added later")
    if comparison["task"]["modified"]:
        flags.append("modified")
    return flags
