"""What the docs show is run: Python and quick-start commands are executed, other commands parsed, links followed."""

import re
import shlex
import shutil

import click
import pytest
import yaml

from benchmark.commands.main import main
from benchmark.task import registry
from rebeca.params import make_params
from tests.conftest import ROOT, invoke, make_folder

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "results" / "README.md",
    *DOCS,
    *sorted((ROOT / "tasks").glob("*.md")),
]
KINDS = {"tutorial", "how-to", "reference", "api", "explanation", "reports"}
PUBLISHED = sorted((ROOT / "results").glob("*/*/_task"))


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands(page, text):
    """Command lines of the project in a block of shell, without comments, variables before them, files behind ``>``."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        while words and "=" in words[0] and not words[0].startswith("-"):
            words = words[1:]
        if words and words[0].rpartition("/")[2] == "rebeca-bench":
            yield page, words[1 : words.index(">") if ">" in words else None]


def name_of(page):
    return page.relative_to(ROOT).as_posix()


PYTHON = [(page, code) for page in PAGES for code in blocks(page, "python")]
COMMANDS = [command for page in PAGES for text in blocks(page, "sh") for command in commands(page, text)]
README = (ROOT / "README.md").read_text()
QUICK_START = README[README.index("## Quick start") :].partition("\n## ")[0]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty folder that has what a checkout has, and a cache of its own."""
    for name in ("results", "tasks", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "code"), PYTHON, ids=[name_of(page) for page, _ in PYTHON])
def test_python_runs(page, code, checkout):
    if "results/" in code and not PUBLISHED:
        pytest.skip("there are no published records in this checkout")
    if "inputs/" in code:  # what the page's own task exports
        (checkout / "my-task.yaml").write_text(blocks(page, "yaml")[0])
        invoke(*next(words for place, words in COMMANDS if place == page and words[0] == "export"))
    if "my-data/images" in code:
        make_folder(checkout / "my-data", users=6, items=20)
    exec(compile(code, str(page), "exec"), {"__name__": "docs"})  # the docs' own code


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[" ".join(words) for _, words in COMMANDS])
def test_commands_are_valid(page, words):
    command, rest = main, words
    context = click.Context(main)
    while isinstance(command, click.Group):
        rest = rest[1:] if rest[0] == "--debug" else rest
        name, command, rest = command.resolve_command(context, rest)
    command.make_context(name, list(rest))


def test_the_home_page_of_the_site_names_commands_that_are_valid():
    page = ROOT / "site" / "templates" / "home.html"
    lines = re.findall(r"<code>(rebeca-bench .*?)</code>", page.read_text())
    listed = [words for _, words in commands(page, "\n".join(lines))]
    assert [words[0] for words in listed] == ["export", "submit", "check"]
    for words in listed:
        test_commands_are_valid(page, words)


@pytest.mark.skipif(not PUBLISHED, reason="there are no published records in this checkout")
@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[" ".join(words) for _, words in COMMANDS])
def test_commands_name_records_that_exist(page, words):
    for word in words:
        if re.match(r"results/[\w-]+", word) and "my-task" not in word:
            assert (ROOT / word).exists(), word


def quick_start():
    """What the README says to type, in order."""
    return [words for _, words in commands(None, "\n".join(re.findall(r"```sh\n(.*?)```", QUICK_START, re.DOTALL)))]


@pytest.mark.skipif(not PUBLISHED, reason="there are no published records in this checkout")
@pytest.mark.slow
def test_the_quick_start_works(checkout):
    """As typed and in order, but that the published records stand for what the run would leave."""
    for words in quick_start():
        if words[0] == "run":
            kept = checkout / "cache" / "rebeca-bench" / "records" / words[1]
            shutil.copytree(ROOT / "results" / words[1], kept)
        else:
            invoke(*words)
    assert (checkout / "dist" / "site" / "index.html").is_file()
    assert list((checkout / "dist" / "figures").rglob("*.pdf"))


@pytest.mark.slow
def test_the_run_of_the_quick_start_works(checkout):
    """As typed, with what is shown of it."""
    for words in quick_start():
        if words[0] in ("run", "show", "compare"):
            invoke(*words)


def test_the_readme_shows_what_make_demo_left():
    """The same work folder and the same page as in the Makefile."""
    recipe = re.search(r"^demo:.*\n\t.*/rebeca-bench (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = recipe.group(1).split()
    folder, page = (words[words.index(option) + 1] for option in ("--workdir", "--site"))
    install = README.partition("## Quick start")[0]
    assert f".venv/bin/rebeca-bench show {words[1]} --workdir {folder}\n" in install
    assert f"`{page}/index.html`" in install


def test_there_are_commands_and_code():
    assert len(COMMANDS) > 40
    assert len(PYTHON) >= 4


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target, _, heading in re.findall(r"\]\(([^)#]*)(#([^)]*))?\)", page.read_text()):
        if "://" in target:
            continue
        file = page.parent / target if target else page
        assert file.exists(), target
        if heading:
            assert heading in headings(file), f"{target}#{heading}"


def headings(page):
    """Anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_has_a_kind_and_stands_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    for page in DOCS:
        place = page.relative_to(ROOT / "docs")
        if place.name != "README.md":
            assert place.parts[0] in KINDS or place.name in ("submit.md", "performance.md", "scale.md"), place
            assert f"({place.as_posix()})" in index, place


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "reports").glob("*.md")), ids=name_of)
def test_reports_say_when_and_with_what(page):
    top = page.read_text()[:1500]
    assert page.read_text().startswith("# Report: ")
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", top), "a date"
    assert re.search(r"\bcommits? [0-9a-f]{8}\b", top), "a commit"
    assert re.search(r"\b\d+\.\d+\.\d+\b", top), "a version"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_exist(page):
    """Paths of code in code spans, from the root or below ``benchmark/``; those of a report are of its commit.

    What ``make`` builds lies below ``dist/``.
    """
    if page.parent.name == "reports":
        return
    places = "|".join(path.name for root in (ROOT, ROOT / "benchmark") for path in root.iterdir() if path.is_dir())
    for path in re.findall(rf"`((?:{places})/[\w./-]+\.\w+)`", page.read_text()):
        assert (
            path.startswith(("results/", "dist/")) or (ROOT / path).exists() or (ROOT / "benchmark" / path).exists()
        ), path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_task_snippets_name_real_things(page):
    if page.name == "write-a-plugin.md":
        pytest.skip("tests/plugins runs its task with its plug-ins")
    for text in blocks(page, "yaml"):
        snippet = yaml.safe_load(text)
        assert {"generators", "scorers"} & set(snippet)
        for group in ("generators", "scorers"):
            for entry in snippet.get(group, ()):
                if isinstance(entry, dict) and "use" in entry:
                    kind = registry.load(group, entry["use"])
                    make_params(kind.Params, entry.get("params", {}), "docs")


def test_trials_name_tests_that_exist():
    """The last column of the report on public files: a file of tests, or its short name, and parts of names."""
    short = {
        "layouts": "tests/rebeca/data/test_public_layouts.py",
        "pixels": "tests/rebeca/test_pixels.py",
        "`test_discover.py`": "tests/rebeca/data/test_discover.py",
        "`test_yaml_source.py`": "tests/benchmark/task/test_yaml_source.py",
    }
    _, _, table = (ROOT / "docs/reports/public-files.md").read_text().partition("| tried")
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")][1:]
    assert len(rows) >= 20
    for row in rows:
        file, *parts = [part.strip() for part in row[-1].split(", ")]
        names = re.findall(r"def (test_\w+)", (ROOT / short[file]).read_text())
        for part in parts:
            assert any(part.strip("`") in name for name in names), (file, part)
