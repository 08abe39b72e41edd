"""Tables for papers: LaTeX that compiles and Markdown that holds together, whatever titles say."""

import dataclasses
import html
import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from benchmark.board.board import NOT_FROZEN, read_board
from benchmark.board.format_numbers import with_interval
from benchmark.board.typeset import latex_table, latex_text, markdown_table, markdown_text
from tests.conftest import ROOT, invoke

HOSTILE = (
    r"\input{/etc/passwd}",
    "100 % & more_of $x^2$ ~ #1 {a} \\",
    "--- ,, '' ?` !` << >>",
    "[Ctrl] * **bold** _it_ `code` | cell",
    "a\nb\r\n\n| c |\n# d",
    "<script>alert(1)</script> &amp; <b>",
    "http://example.org www.example.org a@example.org [x](y) ![x](y)",
    "Ελένη, naïve Škoda, Łódź, Ångström, 猫, λ = 0.1, 2 − 1, 🐈, ï ĵ ǖ",
    r"\\[2cm] \\* \par \verb|x| \end{table*} %",
)
TITLES = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(HOSTILE)

COMMANDS = (
    r"textbackslash|textless|textgreater|textbar|textquoteleft|textquoteright|textquotedblleft|textquotedblright|ldots"
    "|ss|ae|AE|oe|OE|o|O|l|L|i"
)
TOKENS = re.compile(
    rf"""(?P<command>\\(?:{COMMANDS})\{{\}})
    | (?P<symbol>\\symbol\{{34\}})
    | (?P<accent>\\[`'^"~=.uvHrc]\{{(?:[A-Za-z]|\\[ij])?\}})
    | (?P<escaped>\\[{{}}$&\#%_,])
    | (?P<math>\$(?:-|\\[A-Za-z]+|\^\{{(?:[23]|\\circ)\}})\$)
    | (?P<nothing>\{{\}})
    | (?P<letter>[A-Za-z0-9 !'()*+,\-./:;=?@\[\]])""",
    re.VERBOSE,
)
"""All that an escaped text may hold: no other command, no bare special character, nothing outside of ASCII."""
PAGE = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""With HTML, so that what is not escaped is seen."""


def tokens(text):
    """The tokens of an escaped text, which must be nothing else."""
    place, found = 0, []
    while place < len(text):
        token = TOKENS.match(text, place)
        assert token, f"{text[place:]!r} in {text!r}"
        found.append(token.group())
        place = token.end()
    return found


@pytest.fixture(scope="module")
def board(done):
    return read_board(done / "w" / "records" / "tiny" / "v1")


def titled(board, title):
    """The leaderboard with this title, and the first two generators called the same."""
    task = board.record.task.model_copy(update={"title": title})
    first, second, *others = board.rows
    rows = [dataclasses.replace(first, title=title), dataclasses.replace(second, title=title, flags=[title]), *others]
    return dataclasses.replace(board, record=board.record.model_copy(update={"task": task}), rows=rows)


@given(TITLES)
@example("".join(HOSTILE))
def test_latex_of_any_text_has_known_tokens_only(text):
    escaped = latex_text(text)
    found = tokens(escaped)
    joined = {a for a, b in pairwise(found) if a == b and a in "-,'"}
    assert joined <= ({"-"} if {"–", "—"} & set(text) else set())
    plain = " ".join(text.split())
    if plain.isascii() and plain.isalnum():
        assert escaped == plain


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("−0.004 (−0.018 to +0.009)", "$-$0.004 ($-$0.018 to +0.009)"),
        ("2–3 ab", "2--3 ab"),
        ("rebeca--guidance-2", "rebeca-{}-guidance-2"),
        ("outside the world 8 %", r"outside the world 8\,\%"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("naïve Škoda, λ, Ω, 猫", r"na\"{\i}ve \v{S}koda, $\lambda$, $\Omega$, [U+732B]"),
        ("a\n\n b", "a b"),
    ],
)
def test_latex_is_typeset(text, latex):
    assert latex_text(text) == latex
    tokens(latex)


def latex_rows(table):
    """Cells of the table between its rules, escaped as they are."""
    body = table.partition("\\midrule\n")[2].partition("\\bottomrule")[0]
    assert body.endswith(" \\tabularnewline\n")
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \tabularnewline")) for line in body.splitlines()]


@given(title=TITLES)
def test_a_table_of_latex_keeps_its_form(board, title):
    spoilt = titled(board, title)
    table = latex_table(spoilt)
    assert table.isascii() and table.count("\\begin{") == table.count("\\end{") == 2
    rows = latex_rows(table)
    assert len(rows) == len(spoilt.rows)
    for row, cells in zip(spoilt.rows, rows, strict=True):
        name, *numbers = cells
        title_cell, _, flags = name.removeprefix(r"\raggedright ").partition(r"\newline\textit{")
        assert title_cell == latex_text(row.title)
        tokens(title_cell), tokens(flags[:-1])
        assert numbers[1] == latex_text(with_interval(row.measure("ncf")))
        assert len(numbers) == 3 and all(tokens(cell) for cell in numbers)
    caption = re.search(r"^\\caption\{(.*)\}$", table, re.MULTILINE).group(1)
    assert caption.startswith(latex_text(spoilt.title)) and tokens(caption)


def page_of(text):
    """Texts of the cells, and of the paragraphs around the table; nothing but these may be on the page."""
    page = PAGE.render(text)
    assert set(re.findall(r"<(\w+)", page)) == {"p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    cells = [[html.unescape(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", row)] for row in rows]
    return cells, [html.unescape(text) for text in re.findall(r"<p>(.*?)</p>", page, re.DOTALL)]


@given(title=TITLES)
def test_a_table_of_markdown_holds_the_titles(board, title):
    spoilt = titled(board, title)
    cells, (caption, _) = page_of(markdown_table(spoilt))
    assert [len(row) for row in cells] == [5] * (1 + len(spoilt.rows))
    shown = [" ".join(row.title.split()) for row in spoilt.rows]
    nothing = str.maketrans("\0", "\ufffd")  # as CommonMark says
    assert [row[0] for row in cells[1:]] == [text.strip().translate(nothing) for text in shown]
    assert " ".join(spoilt.title.split()).translate(nothing) in caption.removeprefix("<strong>")


def test_links_of_githubs_markdown_are_broken_up():
    escaped = markdown_text("http://x.org WWW.x.org a@x.org https://y.org")
    assert escaped == r"http\://x.org WWW\.x.org a\@x.org https\://y.org"


# ----------------------------------------------------------------------------------------------------------- content


def test_rows_and_note_say_what_the_leaderboard_says(board):
    cells, (caption, note) = page_of(markdown_table(board))
    assert cells[0] == ["Generator", "Rank", "Preference", "Personal lift", "Flags"]
    for row, (title, rank, preference, lift, flags) in zip(board.rows, cells[1:], strict=True):
        assert (title, rank) == (row.title, "–" if row.rank is None else row.rank.with_letters)
        assert preference == with_interval(row.measure("ncf"))
        assert lift == with_interval(row.lift("ncf"), sign=True)
        own = [flag for flag in row.flags if flag not in board.common_flags]
        assert flags.split(", ")[: len(own)] == own or not own
    assert f"{board.title} (task tiny, version 1): {board.size}." in caption
    methods = {row.measure("ncf").method for row in board.rows}
    assert methods == {"student-t"} and f"95 % intervals over {board.scope.sampled} (Student's t" in note
    assert "share a letter" in note and "adjusted over all pairs by max-T, level 0.05" in note
    assert f"Most rows: {', '.join(board.common_flags)}." in note
    assert note.endswith(f"Record {board.record.digest[:12]}, self-reported.")


def test_what_spoils_the_numbers_is_said(board):
    record = board.record.model_copy(
        update={
            "task": board.task.model_copy(update={"modified": True}),
            "analysis": board.record.analysis.model_copy(update={"frozen": False}),
            "provenance": board.record.provenance.model_copy(update={"weights": {"sd15": "sd15 random 0123"}}),
        }
    )
    text = markdown_table(dataclasses.replace(board, record=record))
    assert "version 1, modified)" in text and NOT_FROZEN in text
    assert "Random weights stood in for published ones (sd15): the numbers mean nothing." in text


def test_letters_are_explained_only_where_there_are_some(board):
    rows = [
        row if row.rank is None else dataclasses.replace(row, rank=dataclasses.replace(row.rank, letters=""))
        for row in board.rows
    ]
    text = markdown_table(dataclasses.replace(board, rows=rows))
    assert "2–3 means" in text and "letter" not in text
    rows = [dataclasses.replace(row, rank=None) for row in board.rows]
    assert "2–3 means" not in markdown_table(dataclasses.replace(board, rows=rows))


def test_the_command_prints_both(done, board):
    records = done / "w" / "records" / "tiny" / "v1"
    assert invoke("show", records, "--latex") == latex_table(board)
    assert invoke("show", records, "--markdown") == markdown_table(board)
    assert "--csv and --markdown exclude each other" in invoke("show", records, "--markdown", "--csv", code=2)


@pytest.mark.parametrize("records", ["results/tinyworld-quick/v8", "results/tinyworld/v4", "results/sprites/v2"])
def test_published_leaderboards_are_typeset(records):
    if not (ROOT / records).is_dir():
        pytest.skip("there are no published records in this checkout")
    published = read_board(ROOT / records)
    assert [cells[1] for cells in latex_rows(latex_table(published))] == [
        "--" if row.rank is None else latex_text(row.rank.with_letters) for row in published.rows
    ]
