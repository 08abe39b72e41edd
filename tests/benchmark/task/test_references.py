"""What a task is to be cited with: real entries, each once, in a fixed order, and those of plug-ins and task files."""

import re

import pytest
import yaml

from benchmark.task.bundled import bundled_tasks
from benchmark.task.references import BENCHMARK, bibtex, data_bibtex
from benchmark.task.registry import GROUPS, names, plugin_class
from benchmark.task.resolve import load_task
from rebeca import references
from rebeca.errors import PluginError, SpecError
from rebeca.published import ALL
from tests.conftest import ROOT, invoke

OWN = {name: text for name, text in vars(references).items() if name.isupper()}
TASKS = bundled_tasks()
NEEDED = {"article": "journal", "inproceedings": "booktitle", "misc": ""}
KEY = re.compile(r"^@(\w+)\{([^,]+),$", re.MULTILINE)


def parsed(entry):
    """Kind, key and fields of an entry in this project's layout, in which nothing else may stand."""
    match = re.fullmatch(r"@(\w+)\{(\w[\w-]*),\n((?:  \w+ *= \{.*?\},\n)+)\}", entry, re.DOTALL)
    assert match, entry
    kind, key, body = match.groups()
    return kind, key, dict(re.findall(r"^  (\w+) *= \{(.*?)\},$", body, re.DOTALL | re.MULTILINE))


def keys(text):
    return [key for _, key in KEY.findall(text)]


@pytest.mark.parametrize("name", OWN)
def test_entries_are_complete(name):
    kind, key, fields = parsed(OWN[name])
    assert {"author", "title", "year", NEEDED[kind]} - {""} <= fields.keys()
    first, *_ = re.sub(r"\\.|[{}]", "", fields["author"]).split(",")
    assert key.startswith(first.lower()) and fields["year"] in key
    assert re.fullmatch(r"(19|20)\d\d", fields["year"])
    assert ("eprint" in fields) == ("archiveprefix" in fields)
    if "eprint" in fields:
        assert re.fullmatch(r"\d{4}\.\d{5}", fields["eprint"]) and fields["eprint"][:2] <= fields["year"][2:]


def test_arxiv_numbers_are_those_of_the_cards():
    """Cards and docstrings give the same number beside the same author and year."""
    text = "\n".join(path.read_text() for top in ("benchmark", "rebeca") for path in (ROOT / top).rglob("*.py"))
    seen = set(re.findall(r"\b(\w+) (?:and \w+ |et al\. )?(20\d\d)[^;\n]*? arXiv (\d{4}\.\d{5})", text))
    numbers = {number for *_, number in seen}
    for entry in OWN.values():
        _, _, fields = parsed(entry)
        author = re.sub(r"[^a-z]", "", fields["author"].partition(",")[0].lower())
        same = {number for name, year, number in seen if name.lower() == author and year == fields["year"]}
        assert same <= {fields.get("eprint")}, author
    assert {parsed(entry)[2].get("eprint") for entry in OWN.values()} & numbers


def test_the_benchmark_is_cited_as_in_its_citation_file():
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    _, key, fields = parsed(BENCHMARK)
    assert key == cff["title"] and fields["title"] == f"{{{cff['title']}}}"
    assert fields["author"] == f"{{{cff['authors'][0]['name']}}}" and fields["note"] == f"Version {cff['version']}"
    (paper,) = cff["references"]
    _, _, method = parsed(references.REBECA)
    assert (paper["title"], paper["year"]) == (method["title"], int(method["year"]))
    assert paper["identifiers"][0]["value"] == f"arXiv:{method['eprint']}"
    people = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in paper["authors"])
    assert people == method["author"]


def test_every_entry_is_used():
    used = {text for weights in ALL.values() for text in weights.references}
    for kind, group in GROUPS.items():
        used |= {text for name in names(group) for text in plugin_class(kind, name).references}
    assert set(OWN.values()) == used


@pytest.mark.parametrize("name", TASKS)
def test_bundled_tasks_name_each_reference_once_and_sorted(name):
    text = bibtex(load_task(TASKS[name]))
    assert keys(text) == sorted(set(keys(text))) and {"rebeca-bench", "patron2025personalized"} <= set(keys(text))
    for entry in text.removesuffix("\n").split("\n\n"):
        parsed(entry)


def test_a_task_names_what_it_uses():
    published = keys(bibtex(load_task(TASKS["flickr-aes"])))
    assert {"ren2017personalized", "he2017neural", "wu2023human", "schuhmann2022laion", "rombach2022high",
            "ye2023ipadapter", "radford2021learning", "cherti2023reproducible"} < set(published)  # fmt: skip
    assert keys(bibtex(load_task(TASKS["sprites"]))) == ["he2017neural", "patron2025personalized", "rebeca-bench"]
    scorers = ("scorers.9={use: realism, params: {encoder: efficientnet-lite1}}",)
    added = keys(bibtex(load_task(TASKS["tinyworld-quick"], scorers)))
    assert {"binkowski2018demystifying", "jayasumana2024rethinking", "tan2019efficientnet"} <= set(added)


def test_the_data_alone_can_be_cited():
    assert keys(data_bibtex(load_task(TASKS["oasis-full"]))) == ["brielmann2019intense", "kurdi2017introducing"]
    assert data_bibtex(load_task(TASKS["tinyworld-quick"])) == ""


def test_a_task_file_brings_its_own(tiny):
    before = load_task(tiny)
    tiny.write_text(tiny.read_text() + "references:\n  - '@misc{me2026, title = {My {Data}}}'\n")
    task = load_task(tiny)
    assert "me2026" in keys(bibtex(task).replace(", title", ",\n title"))
    assert (task.hash(), task.modified) == (before.hash(), False)
    assert invoke("cite", tiny) == bibtex(task)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Me, 2026", "'Me, 2026' is no BibTeX entry"),
        ("@misc{me2026, title = {Mine}", "is no BibTeX entry"),
        ("@misc{me2026, title = {Mine}} @misc{you, title = {Yours}}", "is no BibTeX entry"),
        ("@misc{rebeca-bench, title = {Mine}}", "the key 'rebeca-bench' is that of another entry"),
    ],
)
def test_what_is_no_reference_is_refused(tiny, text, message):
    tiny.write_text(tiny.read_text() + f"references: [{text!r}]\n")
    with pytest.raises(SpecError) as refused:
        bibtex(load_task(tiny))
    assert f"{tiny}: references: " in refused.value.message and message in refused.value.message


def test_a_plugin_brings_its_own(tiny, monkeypatch):
    generator = plugin_class("generator", "catalogue")
    monkeypatch.setattr(generator, "references", ("@misc{me2026,\n title = {Mine}}",))
    assert "me2026" in keys(bibtex(load_task(tiny)))
    monkeypatch.setattr(generator, "references", "@misc{me2026,\n title = {Mine}}")  # one text stands for a list of it
    assert "me2026" in keys(bibtex(load_task(tiny)))
    monkeypatch.setattr(generator, "references", (7,))
    with pytest.raises(PluginError, match="generator 'catalogue': references: '7' is no BibTeX entry"):
        bibtex(load_task(tiny))
