"""A leaderboard as a table for papers: LaTeX with booktabs, or Markdown."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from benchmark.analysis.numbers import Interval, Method
from benchmark.board.board import NOT_FROZEN, Board
from benchmark.board.format_numbers import MISSING, of_users, with_interval
from benchmark.board.row import Row

GENERATOR, FLAGS = "Generator", "Flags"
NUMBERS = ("Rank", "Preference", "Personal lift")
"""Headings."""
EM_PER_LETTER = 0.48
"""Mean width of a letter in a column of numbers: digits have half an em, signs more, blanks and dots less."""
DIGEST_DIGITS = 12
METHODS: dict[Method, str] = {
    "student-t": "Student's t",
    "bca": "BCa bootstrap",
    "bootstrap-t": "bootstrap-t",
    "percentile": "percentile bootstrap",
    "wilson": "Wilson",
}
"""How intervals are computed, in words."""
RANDOM = "Random weights stood in for published ones ({}): the numbers mean nothing."

SPECIAL = re.compile(r"[\\`*_{}\[\]#|~$@^]|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What Markdown, or GitHub's extensions of it, could read as markup or turn into a link."""
HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
THIN = "\N{NARROW NO-BREAK SPACE}"
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\^{}", "~": r"\~{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\symbol{34}",
    "`": r"\`{}", THIN: r"\,", "–": "--", "—": "---", "−": "$-$", "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}", "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}", "…": r"\ldots{}",
    "×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$", "°": r"$^{\circ}$", "²": "$^{2}$", "³": "$^{3}$",
    "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$", "∞": r"$\infty$", "→": r"$\to$",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
}  # fmt: skip
"""What plain LaTeX lacks, or reads as a command or comment."""
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
"""LaTeX's accents by combining letter, as far as its first fonts have them."""
GREEK = re.compile(
    "GREEK (?:SMALL LETTER (ALPHA|BETA|GAMMA|DELTA|EPSILON|ZETA|ETA|THETA|IOTA|KAPPA|LAMDA|MU|NU|XI|PI|RHO|SIGMA|TAU"
    "|UPSILON|PHI|CHI|PSI|OMEGA)|CAPITAL LETTER (GAMMA|DELTA|THETA|LAMDA|XI|PI|SIGMA|UPSILON|PHI|PSI|OMEGA))"
)
"""Unicode's names of the letters that have a command; the other capitals look like Latin ones."""
JOINED = "-,'"
"""Two of them in a row would become one sign: a dash or a quotation mark."""


def latex_text(text: str) -> str:
    """A text in plain LaTeX: ASCII, no command of its own, one line; letters that LaTeX lacks as ``[U+4E2D]``."""
    plain = re.sub(r"(?<=\d) (?=%)", THIN, _one_line(text))
    pieces = [_latex_letter(letter) for letter in unicodedata.normalize("NFC", plain)]
    apart = (f"{a}{{}}" if a[-1] in JOINED and b[0] == a[-1] else a for a, b in pairwise([*pieces, " "]))
    return "".join(apart)


def _latex_letter(letter: str) -> str:
    if letter in LATEX:
        return LATEX[letter]
    if letter.isascii() and letter.isprintable():
        return letter
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if len(marks) == 1 and marks[0] in ACCENTS and base.isascii() and base.isalpha():
        return rf"\{ACCENTS[marks[0]]}{{{chr(92) + base if base in 'ij' else base}}}"
    if greek := GREEK.fullmatch(unicodedata.name(letter, "")):
        small, capital = greek.groups()
        name = small.lower() if small else capital.capitalize()
        return rf"$\{name.replace('lamda', 'lambda').replace('Lamda', 'Lambda')}$"
    return f"[U+{ord(letter):04X}]"


def markdown_text(text: str) -> str:
    """A text in Markdown, for a cell of a table or a paragraph: one line, no markup, no HTML, no link."""
    return SPECIAL.sub(r"\\\g<0>", _one_line(text)).translate(HTML)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def latex_table(board: Board) -> str:
    """A ``table*`` with a caption, and a note below; the package booktabs is needed and nothing else.

    It is as wide as the text. Generators and their flags wrap in what the numbers leave.
    """
    rows = _rows(board)
    longest = (max(map(len, cells)) for cells in zip(NUMBERS, *(row.numbers for row in rows), strict=True))
    wide = sum(longest) * EM_PER_LETTER
    lines = [
        f"% record {board.record.digest}",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{latex_text(_caption(board))}}}",
        rf"\label{{tab:{board.task.id}}}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\begin{{tabular}}{{@{{}}p{{\dimexpr\linewidth-{wide:g}em-24pt\relax}}{'l' * len(NUMBERS)}@{{}}}}",
        r"\toprule",
        " & ".join([GENERATOR, *NUMBERS]) + r" \\",
        r"\midrule",
        *(_latex_row(row) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        "",
        rf"\smallskip\raggedright {latex_text(_note(board))}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(row: _Row) -> str:
    r"""Flags stand below the name. It is set ragged, where only ``\tabularnewline`` ends a row."""
    name = rf"\raggedright {latex_text(row.title)}"
    flags = rf"\newline\textit{{{latex_text(row.flags)}}}" if row.flags else ""
    return " & ".join([name + flags, *map(latex_text, row.numbers)]) + r" \tabularnewline"


def markdown_table(board: Board) -> str:
    """A caption, a table as GitHub and most other programs read it, and a note."""
    cells = [[row.title, *row.numbers, row.flags] for row in _rows(board)]
    heading = [GENERATOR, *NUMBERS, FLAGS]
    table = [heading, ["---"] * len(heading), *(map(markdown_text, texts) for texts in cells)]
    lines = [
        f"**{markdown_text(_caption(board))}**",
        "",
        *(f"| {' | '.join(texts)} |" for texts in table),
        "",
        markdown_text(_note(board)),
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Row:
    """One generator: texts that are not escaped yet.

    Attributes:
        title: Its title.
        numbers: Rank and letters, preference, personal lift; as the columns :data:`NUMBERS`.
        flags: Warnings, in words; empty where there are none.
    """

    title: str
    numbers: tuple[str, str, str]
    flags: str


def _rows(board: Board) -> list[_Row]:
    return [
        _Row(
            row.title,
            (
                MISSING if row.rank is None else row.rank.with_letters,
                with_interval(row.measure(board.primary)),
                with_interval(row.lift(board.primary), sign=True),
            ),
            ", ".join(_flags(board, row)),
        )
        for row in board.rows
    ]


def _has_letters(board: Board) -> bool:
    """Whether all pairs were tested."""
    return any(row.rank is not None and row.rank.letters for row in board.rows)


def _intervals(board: Board) -> list[Interval]:
    """Every interval in the table."""
    both = (interval for row in board.rows for interval in (row.measure(board.primary), row.lift(board.primary)))
    return [interval for interval in both if interval is not None]


def _flags(board: Board, row: Row) -> list[str]:
    """Warnings that most rows lack, and how many users the numbers are over where these are not all."""
    measured = {"preference": row.measure(board.primary), "lift": row.lift(board.primary)}
    users = {name: of_users(interval, board.users) for name, interval in measured.items()}
    own = [flag for flag in row.flags if flag not in board.common_flags]
    return [*own, *(f"{name}: {shown}" for name, shown in users.items() if shown)]


def _caption(board: Board) -> str:
    modified = ", modified" if board.task.modified else ""
    return f"{board.title} (task {board.task.id}, version {board.task.version}{modified}): {board.size}."


def _note(board: Board) -> str:
    """What interval and test, what the ranks are about, what spoils the numbers, and of which record they are."""
    shown, analysis = _intervals(board), board.record.spec.analysis
    methods = "; ".join(METHODS[name] for name in METHODS if name in {interval.method for interval in shown})
    drawn = " and held-out items" if any(interval.over_users is not None for interval in shown) else ""
    ranks = ["Rank: 2–3 means second or third, by sign-flip tests of preference over users"]
    if _has_letters(board):
        ranks.append("generators that share a letter are not significantly different")
    tested = f"adjusted over {analysis.family.replace('-', ' ')} by max-T, level {analysis.alpha:g}"
    sentences = [
        f"Means with 95 % intervals over {board.scope.sampled}{drawn}{f' ({methods})' if methods else ''}.",
        f"{'; '.join(ranks)} ({tested})." if any(row.rank is not None for row in board.rows) else "",
        f"Most rows: {', '.join(board.common_flags)}." if board.common_flags else "",
        board.scope.sentence,
        *(f"Without a row: {failed.title} ({failed.reason})." for failed in board.record.failed),
        "" if board.frozen else NOT_FROZEN,
        RANDOM.format(", ".join(board.random_weights)) if board.random_weights else "",
        f"Record {board.record.digest[:DIGEST_DIGITS]}, {board.status}.",
    ]
    return " ".join(filter(None, sentences))
