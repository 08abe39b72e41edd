"""Extension of griffe: reads the docstrings of this project as Markdown.

They name code in Sphinx's way, and have one example, below ``Example:``. Griffe calls the section ``Examples:``.
"""

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`]+)`")
EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)


def as_markdown(docstring: str) -> str:
    """The docstring with code in backticks, and its example in a section of griffe's."""
    return EXAMPLE.sub(r"\1Examples: Example:", ROLE.sub(r"`\1`", docstring))


class Docstrings(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
