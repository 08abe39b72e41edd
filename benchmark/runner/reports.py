"""What fits say about themselves, kept beside them: losses, numbers of parameters, what was chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from rebeca.errors import PluginError
from rebeca.plain import Plain

REPORT = "report.json"


def write_report(folder: Path, report: Mapping[str, Plain], generator: str) -> None:
    """Writes a fit's report beside it.

    Raises:
        PluginError: If the generator wrote a file of that name itself.
    """
    path = folder / REPORT
    if path.exists():
        raise PluginError(f"generator '{generator}': save wrote {REPORT}, which the harness writes", hint="rename it")
    path.write_text(json.dumps(report, indent=1, sort_keys=True), encoding="utf-8")


def read_report(folder: Path) -> Mapping[str, JsonValue]:
    """What :func:`write_report` wrote."""
    report: Mapping[str, JsonValue] = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    return report
