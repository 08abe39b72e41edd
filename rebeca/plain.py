"""Plain data: what JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Plain = float | int | str | bool | None | Sequence["Plain"] | Mapping[str, "Plain"]
"""Numbers, text, and lists and mappings of them; where it is written as JSON, numbers are finite."""
