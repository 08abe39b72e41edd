"""One vocabulary: what docs, messages, templates and identifiers must not say, and how long a sentence may be.

The vocabulary has a word on the left, used everywhere, and words on the right, used nowhere:

====================  =============================================  =======================================
word                  for                                            not
====================  =============================================  =======================================
user                  somebody with ratings                          person, people, reader
item                  a picture of the data set                      catalogue picture, found picture
image                 a picture that a generator returns             painting, made picture
generator             what returns images for users                  arm, painter
decoder               embedding (and prompt) to image                painter
encoder               image to embedding                             eyes
ground truth          what a synthetic world knows                   truth
privileged            given the judge or other hidden knowledge      granted
leaderboard           the page                                       board
cached                in the store                                   there
synthetic             made by a program                              made world, made-up
plug-in               code from another package                      foreign, third-party, external
work unit             images of a few whole users                    unit of work
====================  =============================================  =======================================

Some words of the right column have an honest use. The patterns below leave these alone:

- *truth* after "ground";
- *method* (of REBECA, of an interval), *right* (the side), *unit* (of a measure, unit variance): no pattern can tell
  them from the use that the vocabulary forbids, so they are left to review;
- *person* and *people* in running text for outsiders: README, the index of the docs, tutorials and the site.
  Tables, headings, messages and identifiers say user;
- *board* in identifiers, since a package is called so; *external* as a value in code, a family of generators;
- *made* in "made by", *there* in "there is".

What stands in code spans and code blocks of a page is not searched: identifiers are searched where they are defined.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "tasks" / "new_plugin" / "shared" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
CODE = [
    path
    for package in ("rebeca", "baselines", "benchmark", "scripts", "tasks")
    for path in sorted((ROOT / package).rglob("*.py"))
]
TEMPLATES = sorted((ROOT / "site" / "templates").glob("*.html"))
FOR_OUTSIDERS = {ROOT / "README.md", ROOT / "docs" / "README.md", *(ROOT / "docs" / "tutorial").glob("*.md")}

MOST_WORDS = 25
LONG_SENTENCES = 0.05
"""Share of sentences that may have more words."""

VOCABULARY = {
    r"\b(?:catalogue|found) (?:picture|image)s?\b": "item",
    r"\bmade (?:picture|image)s?\b": "image",
    r"\bpaint(?:s|ed|ing|ings|er|ers)?\b": "generator, decoder or image",
    r"\barms?\b": "generator",
    r"\beyes\b": "encoder",
    r"(?<!ground )(?<!ground-)\btruths?\b": "ground truth",
    r"\bgrant(?:s|ed)?\b": "privileged",
    r"\bboards?\b": "leaderboard",
    r"\bthird[- ]part(?:y|ies)\b|\bforeign\b|\bexternal\b": "plug-in",
    r"\bmade[- ]up\b|\bmade worlds?\b": "synthetic",
    r"\bunits? of work\b": "work unit",
    r"\b(?:is|are) there already\b|\b(?:what|that) (?:is|are) there\b": "cached",
    r"\breaders?\b": "user",
}
PERSON = {r"\b(?:persons?|people)\b(?!')|\b(?:person|people)'s?\b": "user"}

SINGULAR = (
    "person|user|image|picture|item|generator|unit|block|run|row|cell|fit|epoch|step|batch|call|second|minute|hour|set"
    "|measure|task|taste|version|configuration|pair|combination|replicate|scorer|family|key|part|vector|request|side"
    "|repository|file|line|embedding|judge|group|model|folder|formula|feature|kind|party|module"
)
COUNTED = (
    "pictures|images|items|ratings|rows|seconds|minutes|hours|folders|files|values|numbers|tables|modules|people|users"
    "|steps|tests|embeddings|columns|lines|generators|tokens|networks|models|regression|directions"
)
VERBS_TOO = "fits|sets|draws|samples|likes|calls|scores|seeds|signs|points|names|means|votes"
"""Only after a number or the like, since "it draws an image" is no count."""
QUANTITY = r"\d[\d,.]*|two|three|four|five|six|eight|ten|twelve|many|few|several|some|more|most|of|all|in"
DISTRIBUTIVE = {
    rf"\b(?:{COUNTED}) an? (?:{SINGULAR})\b": "per",
    rf"\b(?:{QUANTITY}) (?:{VERBS_TOO}) an? (?:{SINGULAR})\b": "per",
    rf"\bone \w+ an? (?:{SINGULAR})\b": "per",
    rf"\ba (?:row|seed|folder|file|call|number|value|ridge|regression|module|step|sign) an? (?:{SINGULAR})\b": "per",
}


@dataclass(frozen=True)
class Block:
    """A paragraph, a list item, a heading or a table cell of a page."""

    kind: str
    generated: bool
    lines: tuple[tuple[int, str], ...]

    def text(self) -> str:
        return " ".join(text for _, text in self.lines)

    def line_of(self, offset: int) -> int:
        for number, text in self.lines:
            if offset <= len(text):
                return number
            offset -= len(text) + 1
        return self.lines[-1][0]


def blocks(page: Path) -> Iterator[Block]:
    """Everything that is read on a page; code blocks are left out, a code span is the word ``Code``."""
    open_block: list[tuple[int, str]] = []
    in_code = generated = False

    def close(kind: str = "prose") -> Iterator[Block]:
        if open_block:
            yield Block(kind, generated, tuple(open_block))
            open_block.clear()

    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            yield from close()
            in_code = not in_code
            continue
        if in_code:
            continue
        line = re.sub(r"(?<=.)<!--.*?-->", "", line)  # where a number comes from
        if line.startswith("<!--"):
            yield from close()
            generated = not line.startswith("<!-- end")
            continue
        text = plain(line)
        if not text or (line.startswith("    ") and not open_block):  # a formula
            yield from close()
        elif line.startswith("|"):
            yield from close()
            if set(line) - set("|-: "):
                cells = [cell.strip() for cell in text.strip("|").split("|")]
                yield from (Block("table", generated, ((number, cell),)) for cell in cells if cell)
        elif line.startswith("#"):
            yield from close()
            yield Block("heading", generated, ((number, text.lstrip("# ")),))
        else:
            if re.match(r"\s*(?:[-*]|\d+\.) ", line):
                yield from close()
            open_block.append((number, text))
    yield from close()


def plain(line: str) -> str:
    """A line without code, addresses of links, and marks of emphasis; what a picture shows is kept."""
    line = re.sub(r"`[^`]+`", "Code", line)
    line = re.sub(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)", r"\1", line)
    line = re.sub(r"\*\*|(?<!\w)[*_](?=\w)|(?<=[\w.,])[*_](?!\w)", "", line)
    return re.sub(r"^\s*(?:[-*]|\d+\.) ", "", line).strip()


def found_in(text: str, patterns: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    """Offset, what was found, and the word to use."""
    for pattern, better in patterns.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield match.start(), match.group(), better


def report(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(sorted(set(problems)))


def where(path: Path, line: int, word: str, better: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: '{word}', say '{better}'"


def page_problems(page: Path, *, generated: bool) -> list[str]:
    problems = []
    for block in blocks(page):
        if block.generated is not generated:
            continue
        patterns = VOCABULARY | DISTRIBUTIVE
        if block.kind != "prose" or page not in FOR_OUTSIDERS:
            patterns |= PERSON
        problems += [
            where(page, block.line_of(at), word, better) for at, word, better in found_in(block.text(), patterns)
        ]
    return problems


def sentences(block: Block) -> Iterator[tuple[int, str]]:
    """Line and text of each sentence of a block."""
    text = re.sub(r"\b(e\.g|i\.e|et al|vs|cf)\.", lambda match: match.group().replace(".", "·"), block.text())
    start = 0
    for match in re.finditer(r"[.!?][\"')\]*]*(?:\s+(?=[^a-z])|$)", text):
        yield block.line_of(start), text[start : match.end()].strip()
        start = match.end()
    if text[start:].strip():
        yield block.line_of(start), text[start:].strip()


def words(sentence: str) -> int:
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


def long_sentences(pages: list[Path], kinds: set[str]) -> tuple[list[str], int]:
    """The sentences over the limit, and how many there are in all."""
    long, count = [], 0
    for page in pages:
        for block in blocks(page):
            if block.generated or block.kind not in kinds:
                continue
            for line, sentence in sentences(block):
                count += 1
                if words(sentence) > MOST_WORDS:
                    long.append(f"{page.relative_to(ROOT)}:{line}: {words(sentence)} words: {sentence}")
    return long, count


# --- pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_the_vocabulary(page):
    report(page_problems(page, generated=False))


def test_tables_made_from_code_use_the_vocabulary():
    """Their words stand in the models of records and in the names of simulated quantities."""
    report([problem for page in PAGES for problem in page_problems(page, generated=True)])


@pytest.mark.parametrize("kinds", [{"prose"}, {"table"}], ids=["running text", "tables"])
def test_few_sentences_are_long(kinds):
    """Cells are counted by themselves, so that short ones cannot hide long paragraphs."""
    long, count = long_sentences(PAGES, kinds)
    assert count > 100
    assert len(long) <= LONG_SENTENCES * count, f"\n{len(long)} of {count}:\n" + "\n".join(long)


# --- code ----------------------------------------------------------------------------------------------------------

IDENTIFIER = {
    r"(?:^|_)(?:persons?|people)(?:_|$)": "user",
    r"(?:^|_)arms?(?:_|$)": "generator",
    r"(?:^|_)paint(?:ed|er|ers|ing|ings|s)?(?:_|$)": "generator, decoder or image",
    r"(?:^|_)eyes?(?:_|$)": "encoder",
    r"(?<!ground)(?:^|_)(?<!ground_)truths?(?:_|$)": "ground_truth",
    r"(?:^|_)grant(?:s|ed)?(?:_|$)": "privileged",
    r"(?:^|_)(?:foreign|third_party)(?:_|$)": "plugin",
    r"(?:^|_)made_up(?:_|$)": "synthetic",
    r"^(?:one|found|there|made|say)$": "a name that says what it holds",
    r"^(?:picture|scored_pictures)$": "generated_image, scored_images, image or item",
}
PER = {r"(?:^|_)(?!(?:as|at|by|for|from|in|is|not|of|on|to|with|without)_)[a-z0-9]+_an?_[a-z0-9]": "_per_"}
"""The article after a preposition is no "per"."""

SPEAKS = {
    "echo", "secho", "say", "info", "warn", "notify", "Field", "option", "argument", "ScorerCard", "Card", "progress",
    "MissingDependency", "Exception", "UsageError", "BadParameter", "ClickException", "check", "_check", "problem",
}  # fmt: skip
"""Calls whose strings a user gets to see; besides these, whatever is raised, and every ``hint`` and ``help``."""
SHOWN_KEYWORDS = {"help", "hint", "meaning", "description", "title", "note", "reason"}


def defined_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield 0, node.asname


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def text_of(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Strings below a node; an f-string is one string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "x" for part in node.values]
        yield node.lineno, "".join(str(part) for part in parts)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from text_of(part.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from text_of(child)


def messages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What a user may read: raised, echoed, in help texts, in descriptions of fields and measures."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield from text_of(node.exc)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in SPEAKS or name.endswith("Error"):
                yield from text_of(node)
            else:
                for keyword in node.keywords:
                    if keyword.arg in SHOWN_KEYWORDS:
                        yield from text_of(keyword.value)
        elif isinstance(node, ast.FunctionDef) and any(
            "command" in ast.dump(decorator) or "group" in ast.dump(decorator) for decorator in node.decorator_list
        ):
            yield node.lineno, ast.get_docstring(node) or ""


def template_text(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, kind and text of a template: without tags and expressions, with the attributes that are read aloud."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())  # noqa: E731
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|<(?:script|style)\b.*?</(?:script|style)>", blank, source, flags=re.DOTALL)
    source = re.sub(r"\{\{.*?\}\}", lambda match: re.sub(r"[^\n]", "x", match.group()), source, flags=re.DOTALL)
    for match in re.finditer(r"(?:aria-label|title|alt|placeholder)=\"([^\"]*)\"|>([^<]+)<", source):
        text = match[1] or match[2] or ""
        before = source[: match.start() + 1]
        kind = "table" if before.rfind("<th") > before.rfind("</th") else "prose"
        if text.strip():
            start = match.start() + len(match.group()) - len(match.group().lstrip(">\n "))
            yield source.count("\n", 0, start) + 1, kind, " ".join(text.split())


def test_messages_use_the_vocabulary():
    problems = []
    for path in CODE:
        for line, text in messages(ast.parse(path.read_text(encoding="utf-8"))):
            if " " in text.strip():  # a single word is a key or a name
                text = re.sub(r"'[^']*'|``[^`]*``|`[^`]*`", "code", " ".join(text.split()))
                patterns = VOCABULARY | PERSON | DISTRIBUTIVE
                problems += [where(path, line, word, better) for _, word, better in found_in(text, patterns)]
    report(problems)


def test_templates_use_the_vocabulary():
    problems = []
    for path in TEMPLATES:
        for line, kind, text in template_text(path.read_text(encoding="utf-8")):
            patterns = VOCABULARY | DISTRIBUTIVE | (PERSON if kind == "table" else {})
            problems += [where(path, line, word, better) for _, word, better in found_in(text, patterns)]
    report(problems)


def test_identifiers_use_the_vocabulary():
    problems = []
    for path in CODE:
        for line, name in defined_names(ast.parse(path.read_text(encoding="utf-8"))):
            if any(True for _ in found_in(snake(name), IDENTIFIER | PER)):
                problems += [
                    where(path, line, name, better) for _, _, better in found_in(snake(name), IDENTIFIER | PER)
                ]
    report(problems)


# --- the test itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("Five pictures a person are made.", True),
        ("A regression with one ridge a person.", True),
        ("Five images per user are made.", False),
        ("The layout is one folder a person.", True),
        ("A seed a picture, and three draws a user.", True),
        ("It gives a generator a folder and a seed.", False),
        ("It draws an image and scores a user's set.", False),
        ("The truth is known.", True),
        ("The ground truth is known.", False),
        ("Points on the board.", True),
        ("Points on the leaderboard.", False),
        ("Painted by the decoder.", True),
        ("The army of armchairs.", False),
    ],
)
def test_what_is_caught(text, caught):
    assert any(True for _ in found_in(text, VOCABULARY | DISTRIBUTIVE)) is caught


@pytest.mark.parametrize(
    ("name", "caught"),
    [
        ("USERS_A_UNIT", True), ("USERS_PER_UNIT", False), ("ratings_a_user", True),
        ("fit_for_a_page", False), ("_without_a_row", False), ("is_truth", True),
        ("is_ground_truth", False), ("ground_truth", False), ("TruthScorer", True), ("GroundTruthScorer", False),
        ("prior_eyes", True), ("by_person", True), ("charm", False), ("found", True), ("not_found", False),
    ],
)  # fmt: skip
def test_which_identifiers_are_caught(name, caught):
    assert any(True for _ in found_in(snake(name), IDENTIFIER | PER)) is caught


def test_sentences_and_words():
    block = Block("prose", False, ((1, "It is .82, e.g. here. The next"), (2, "sentence has six words.")))
    assert [(line, words(text)) for line, text in sentences(block)] == [(1, 5), (1, 6)]


def test_messages_of_a_command_are_found():
    tree = ast.parse(
        "@main.command()\n@click.option('--x', help='Some help.')\ndef run():\n    'What it does.'\n"
        "    raise SpecError(f'no {thing} here', hint='a hint')\n"
    )
    assert {text for _, text in messages(tree)} >= {"Some help.", "What it does.", "no x here", "a hint"}
