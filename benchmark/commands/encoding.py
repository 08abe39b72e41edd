"""What is printed where standard output cannot encode a character: plain ASCII instead of a traceback."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

PLAIN = {
    "−": "-", "–": "-", "—": "-", "≥": ">=", "≤": "<=", "×": "x", "·": "*", "•": "*", "→": "->",
    "‘": "'", "’": "'", "“": '"', "”": '"', "ß": "ss",
}  # fmt: skip
UNKNOWN = "?"
HANDLER = "rebeca-bench-plain"


def print_plainly() -> None:
    """From now on, both streams replace characters that they cannot encode."""
    codecs.register_error(HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(letter: str) -> str:
    """The letter in ASCII: one of ``PLAIN``, or without its accent."""
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return PLAIN.get(letter) or bare or UNKNOWN
