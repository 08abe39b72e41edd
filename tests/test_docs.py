"""What the docs show is run: Python is executed, commands are parsed, task snippets are read, links are followed."""

import re

import click
import pytest
import yaml

from benchmark.commands.main import main
from benchmark.task import registry
from rebeca.params import make_params
from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "tasks").glob("*.md")),
]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


PYTHON = [(p, code) for p in PAGES for code in blocks(p, "python")]
COMMANDS = [
    (p, line.partition("#")[0].split())
    for p in PAGES
    for code in blocks(p, "sh")
    for line in code.splitlines()
    if line.startswith("rebeca-bench")
]


@pytest.mark.parametrize(("page", "code"), PYTHON, ids=[p.name for p, _ in PYTHON])
def test_python_runs(page, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {"__name__": "docs"})  # the docs' own code


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[" ".join(w) for _, w in COMMANDS])
def test_commands_are_valid(page, words):
    command, rest = main, words[1:]
    context = click.Context(main)
    while isinstance(command, click.Group):
        rest = rest[1:] if rest[0] == "--debug" else rest
        name, command, rest = command.resolve_command(context, rest)
    command.make_context(name, list(rest))


def test_there_are_commands_and_code():
    assert len(COMMANDS) > 12
    assert PYTHON


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_task_snippets_name_real_things(page):
    for text in blocks(page, "yaml"):
        for generator in yaml.safe_load(text)["generators"]:
            if "use" in generator:
                kind = registry.load("generators", generator["use"])
                make_params(kind.Params, generator.get("params", {}), "docs")
