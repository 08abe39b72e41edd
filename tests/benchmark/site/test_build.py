"""The built site against the records: every number, the same bytes twice, hostile records, downloads."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmark.board.format_numbers import decimals_for, number
from benchmark.records.gallery import encode_lossless
from benchmark.site.build import method_page
from tests.benchmark.records.test_verify import edit_json, edit_rows, mend
from tests.conftest import invoke
from tests.e2e.test_malformed import png

VERSION = "tiny/v1"


class Table(HTMLParser):
    """Rows of the table ``board``: for each cell its text without what is small, what is small, and ``data-v``."""

    def __init__(self, text):
        super().__init__()
        self.heads, self.rows, self.inside, self.small = [], [], False, False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "table":
            self.inside = attributes.get("id") == "board"
        if not self.inside:
            return
        if tag == "tr":
            self.rows.append((attributes.get("id"), []))
        elif tag in ("td", "th"):
            if "data-key" in attributes:
                self.heads.append(attributes["data-key"])
            self.rows[-1][1].append({"v": attributes.get("data-v"), "text": "", "small": ""})
        self.small = self.small or tag == "small"

    def handle_endtag(self, tag):
        if tag == "table":
            self.inside = False
        if tag == "small":
            self.small = False

    def handle_data(self, data):
        if self.inside and self.rows and self.rows[-1][1]:
            self.rows[-1][1][-1]["small" if self.small else "text"] += data.strip()


def interval(record, key):
    if key == "gap":
        return record["gap"]
    if key.startswith("lift:"):
        return record["personal"].get(key.removeprefix("lift:"), {}).get("lift")
    return record["summary"].get(key, {}).get("interval")


def test_every_number_of_the_leaderboard_is_the_records(done):
    records = done / "w" / "records" / VERSION
    comparison = json.loads((records / "_task" / "comparison.json").read_text())
    table = Table((done / "site" / "tasks" / "tiny" / "index.html").read_text())
    assert {name for name, _ in table.rows[1:]} == set(comparison["order"])
    ranks = comparison["results"]["families"]["ncf"]["ranks"]
    checked = 0
    for name, cells in table.rows[1:]:
        record = json.loads((records / name / "record.json").read_text())
        by_key = dict(zip(table.heads, cells, strict=True))
        for key, cell in by_key.items():
            if key in ("rank", "title", "seconds", "failures", "verdict", "status", "flags", "fits"):
                continue
            recorded = interval(record, key)
            if recorded is None or recorded["estimate"] is None:
                assert cell["text"] == "–" and cell["v"] is None
                continue
            decimals = decimals_for(recorded["low"], recorded["high"])
            signed = key.startswith("lift:") or key == "gap"
            assert float(cell["v"]) == pytest.approx(recorded["estimate"], rel=1e-4, abs=1e-12)
            assert cell["text"] == number(recorded["estimate"], decimals, signed)
            if recorded["low"] is not None:
                ends = f"{number(recorded['low'], decimals)} to {number(recorded['high'], decimals)}"
                test = record["personal"][key.removeprefix("lift:")] if key.startswith("lift:") else None
                p = "" if test is None else f"p = {test['median_double_centred']['p']:.3f}".replace("0.", ".")
                assert cell["small"] == ends + p.replace("1.000", "1")
            checked += 1
        rank = ranks.get(name)
        low_high = (
            "–" if rank is None else str(rank["low"]) + (f"–{rank['high']}" if rank["low"] != rank["high"] else "")
        )
        assert by_key["rank"]["text"] == low_high + ("" if rank is None else rank["letters"])
        requested = record["images"]["requested"]
        spent = record["provenance"]["seconds"][f"images {name}"] / requested
        assert float(by_key["seconds"]["v"]) == pytest.approx(spent, rel=1e-4)
        assert float(by_key["failures"]["v"]) == 1 - record["images"]["valid"] / requested
        against = [
            c for c in comparison["results"]["families"]["ncf"]["comparisons"] if {c["a"], c["b"]} == {name, "rebeca"}
        ]
        if against:
            turned = {"better": "worse", "worse": "better"} if against[0]["a"] == "rebeca" else {}
            assert by_key["verdict"]["text"] == turned.get(against[0]["verdict"], against[0]["verdict"])
    assert checked > 5 * 10


def test_downloads_carry_all_digits(done):
    records, data = done / "w" / "records" / VERSION, done / "site" / "tasks" / "tiny" / "data"
    board = json.loads((data / "leaderboard.json").read_text())
    with (data / "leaderboard.csv").open() as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    for row in board["generators"]:
        record = json.loads((records / row["id"] / "record.json").read_text())
        for key, cell in row["cells"].items():
            recorded = interval(record, key)
            assert cell is None or cell == [recorded["estimate"], recorded["low"], recorded["high"]]
            assert rows[row["id"]][key] == ("" if cell is None else str(cell[0]))


def test_two_builds_are_equal_in_every_byte(done, tmp_path):
    sites = [tmp_path / "a", tmp_path / "b"]
    for site in sites:
        invoke("site", "build", done / "w" / "records", "--out", site)
    files = [sorted(p.relative_to(site) for p in site.rglob("*") if p.is_file()) for site in sites]
    assert files[0] == files[1] and len(files[0]) > 100
    assert [f for f in files[0] if (sites[0] / f).read_bytes() != (sites[1] / f).read_bytes()] == []


def test_a_site_is_built_anew_only_where_something_changed(done, tmp_path, few_figures):
    site = tmp_path / "site"
    invoke("site", "build", done / "w" / "records", "--out", site)
    page = site / "tasks" / "tiny" / "index.html"
    before = page.stat().st_mtime_ns
    invoke("site", "build", done / "w" / "records", "--out", site)
    assert page.stat().st_mtime_ns == before
    (site / "site.js").write_text("")
    invoke("site", "build", done / "w" / "records", "--out", site)
    assert page.stat().st_mtime_ns > before and (site / "site.js").stat().st_size > 1000
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert "is not a site" in invoke("site", "build", done / "w" / "records", "--out", tmp_path / "mine", code=6)


@pytest.fixture
def records(done, tmp_path):
    shutil.copytree(done / "w" / "records", tmp_path / "records")
    return tmp_path / "records" / VERSION


HOSTILE = [
    '<script>alert(1)</script><img src=x onerror="alert(2)">',
    "a\u202egnp.exe\u202c \u200b\u0007\u001b[31m",
    "' onmouseover='alert(3)",
    "</script></title><base href=//evil>",
    "{{ 7 * 7 }}{% raw %}",
    '=HYPERLINK("http://evil")',
]


def retitled(records, title):
    """The records with a hostile title everywhere where a title, a meaning or a licence stands."""
    edit = records / "rebeca" / "record.json"
    record = json.loads(edit.read_text())
    record["generator"]["title"] = title
    record["measures"]["ncf"]["card"]["meaning"] = title
    edit.write_text(json.dumps(record))
    path = records / "_task" / "comparison.json"
    comparison = json.loads(path.read_text())
    comparison["data"]["licence"] = comparison["data"]["title"] = comparison["task"]["title"] = title
    comparison["spec"]["title"] = title
    path.write_text(json.dumps(comparison))
    mend(records)


@pytest.fixture
def few_figures(monkeypatch):
    """Only the first figure is drawn, where a test is not about figures: they take most of the time."""
    from benchmark.figures import build

    every = build.figures_of
    monkeypatch.setattr(build, "figures_of", lambda tables: islice(every(tables), 1))


@pytest.mark.slow
@pytest.mark.parametrize("title", HOSTILE)
def test_every_hostile_text_stays_text_everywhere(records, tmp_path, title):
    retitled(records, title)
    assert_text_stays_text(records, tmp_path / "site")


def test_hostile_texts_stay_text(records, tmp_path):
    """A different one at every place, in one site."""
    retitled(records, HOSTILE[0])
    names = json.loads((records / "_task" / "comparison.json").read_text())["order"]
    for name, title in zip(names, HOSTILE[1:], strict=True):
        edit_json(records, f"{name}/record.json", "generator/title", lambda _, title=title: title)
        edit_json(records, f"{name}/record.json", "measures/ncf/card/meaning", lambda _, title=title: title)
    mend(records)
    assert_text_stays_text(records, tmp_path / "site")


def assert_text_stays_text(records, site):
    invoke("site", "build", records, "--out", site)
    for path in site.rglob("*.html"):
        text = path.read_text()
        tags = Tags(text)
        assert tags.scripts <= {"site.js", "application/json"} and not tags.handlers and not tags.bases
        assert "49" not in re.findall(r"<h1>([^<]*)</h1>", text)
    for path in site.rglob("*.js"):
        assert "<" not in path.read_text() or path.name == "site.js"
    for path in site.rglob("*.svg"):
        assert "<script" not in path.read_text() and "<img" not in path.read_text()
    with (site / "tasks" / "tiny" / "data" / "leaderboard.csv").open() as stream:
        for row in csv.DictReader(stream):
            assert not row["title"].startswith(("=", "+", "-", "@"))


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.scripts, self.handlers, self.bases = set(), [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.handlers += [name for name in attributes if name.startswith("on")]
        self.bases += tag == "base"
        if tag == "script":
            self.scripts.add(Path(attributes["src"]).name if "src" in attributes else attributes.get("type"))
        for name in ("href", "src"):
            assert not str(attributes.get(name, "")).lower().strip().startswith(("javascript:", "http:", "//", "data:"))


def test_nothing_that_hides_or_turns_text_reaches_a_page(records, tmp_path, few_figures):
    hidden = "\u202egnp.exe\u202c\u200b\u0007"
    edit_json(records, "_task/comparison.json", "data/title", lambda v: v + hidden)
    edit_json(records, "_task/comparison.json", "data/licence", lambda v: v + hidden)
    edit_json(
        records, "_task/comparison.json", "data", lambda v: v | {"notes": [f"2 of 12 users without a like{hidden}"]}
    )
    edit_json(records, "rebeca/record.json", "measures/ncf/card/meaning", lambda v: v + hidden)
    edit_json(records, "rebeca/record.json", "measures/ncf/card/unit", lambda v: v + hidden)
    mend(records)
    invoke("site", "build", records, "--out", tmp_path / "site")
    for path in (tmp_path / "site").rglob("*.html"):
        assert not set(hidden) - set("gnp.exe") & set(path.read_text()), path
    assert any("2 of 12 users without a like" in path.read_text() for path in (tmp_path / "site").rglob("*.html"))


def test_generators_of_one_title_are_told_apart(records, tmp_path, few_figures):
    for name in ("rebeca", "rebeca-no-user"):
        edit_json(records, f"{name}/record.json", "generator/title", lambda _: "Ours")
    mend(records)
    invoke("site", "build", records, "--out", tmp_path / "site")
    text = (tmp_path / "site" / "tasks" / "tiny" / "index.html").read_text()
    assert "Ours (rebeca)" in text and "Ours (rebeca-no-user)" in text


def test_a_title_of_ten_million_letters_builds(records, tmp_path, few_figures):
    retitled(records, "A" * 10_000_000)
    assert "10,000,000" in invoke("site", "build", records, "--out", tmp_path / "site", code=7)


COMPARISON, RECORD = "_task/comparison.json", "rebeca/record.json"


def not_a_number(records):
    path = records / RECORD
    path.write_text(path.read_text().replace('"n": 12', '"n": NaN', 1))


def certify(records):
    (records / "attestations").mkdir()
    (records / "attestations" / "rebeca.json").write_text('{"status": "certified"}')


DAMAGES = {
    "a NaN": (not_a_number, "NaN is no JSON number"),
    "a newer schema": (lambda r: edit_json(r, COMPARISON, "schema", lambda v: v + 1), "install that one"),
    "an older schema": (lambda r: edit_json(r, RECORD, "schema", lambda v: v - 1), "it was written by another version"),
    "no image": (lambda r: edit_images(r, b"<svg onload=alert(1)>"), "not a readable image"),
    "another image": (lambda r: edit_images(r, encode_lossless(np.ones((9, 9, 3), np.uint8))), "is another image"),
    "a bomb": (lambda r: edit_images(r, png(60_000, 60_000)), "too many pixels"),
    "no parquet": (lambda r: (r / "rebeca" / "scores.parquet").write_bytes(b"PAR1"), "cannot be read"),
    "a path": (lambda r: edit_json(r, COMPARISON, "order/0", lambda _: "../../etc"), "String should match pattern"),
    "no status": (certify, "is no attestation"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_refused_by_name(records, tmp_path, damage, message):
    damage(records)
    assert message in invoke("site", "build", records, "--out", tmp_path / "site", code=7)
    assert not (tmp_path / "site").exists()


def edit_images(records, image):
    def change(table):
        for row in table.index[table["image"].map(len) > 0]:
            table.at[row, "image"] = image
        return table

    for path in records.glob("*/images.parquet"):  # generators share items, and each is decoded once
        if path.parent.name != "_task":
            edit_rows(records, path.relative_to(records), change)


def test_verified_records_say_so_until_they_change(records, tmp_path, few_figures):
    site = tmp_path / "site" / "tasks" / "tiny" / "index.html"
    invoke("site", "build", records, "--out", tmp_path / "site")
    assert " · self-reported" in site.read_text()
    invoke("verify", records, "--attest")
    invoke("site", "build", records, "--out", tmp_path / "site")
    assert " · verified" in site.read_text()
    assert "all agree" in invoke("verify", records)  # statements are no part of the record
    edit_json(records, "rebeca/record.json", "provenance/created", lambda _: "2001-01-01T00:00:00Z")
    mend(records)
    invoke("site", "build", records, "--out", tmp_path / "site")
    assert " · 4 verified, 1 self-reported" in site.read_text()
    status = {name: cells[-1]["text"] for name, cells in Table(site.read_text()).rows if name}
    assert (status["rebeca"], status["catalogue-random"]) == ("self-reported", "verified")


def test_images_that_may_not_be_republished_are_shown_only_in_a_private_build(tmp_path, few_figures):
    from tests.conftest import TINY, make_folder

    make_folder(tmp_path / "data")
    (tmp_path / "tiny.yaml").write_text(TINY.replace(", redistribute: true", ""))
    invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--site", tmp_path / "site", "--quiet")
    assert "all agree" in invoke("verify", tmp_path / "w" / "records" / VERSION)
    assert not list((tmp_path / "site").rglob("*.webp")) and not list(
        (tmp_path / "w" / "records").rglob("images.parquet")
    )
    assert "may not be republished" in (tmp_path / "site" / "tasks" / "tiny" / "users.html").read_text()
    private = tmp_path / "w" / "private-images"
    invoke("site", "build", tmp_path / "w" / "records", "--out", tmp_path / "mine", "--images", private)
    assert len(list((tmp_path / "mine").rglob("*.webp"))) > 10
    assert 'class="pic"' in (tmp_path / "mine" / "tasks" / "tiny" / "users" / "0.html").read_text()


def test_docs_stand_beside_the_pages_and_are_linked_only_where_they_are_given(records, tmp_path, few_figures):
    site, docs = tmp_path / "site", tmp_path / "docs"
    page = site / "tasks" / "tiny" / "users.html"
    docs.mkdir()
    build = ("site", "build", records, "--out", site)
    assert "make docs" in invoke(*build, "--docs", docs, code=6)
    (docs / "index.html").write_text("first")
    invoke(*build, "--docs", docs)
    assert (site / "docs" / "index.html").read_text() == "first"
    assert '<a href="./../../docs/index.html">Docs</a>' in page.read_text()
    (docs / "index.html").write_text("second")
    invoke(*build, "--docs", docs)
    assert (site / "docs" / "index.html").read_text() == "second"
    invoke(*build)
    assert not (site / "docs").exists() and ">Docs<" not in page.read_text()


REPORT = {
    "device": "NVIDIA H100 <b>80GB</b>", "size": "full", "weights": "random", "steps": 50, "measured": "2026-11-25",
    "figures": {"images per second": 3.5, "times faster than the original's way": 6.0, "scoring / generating": 0.02,
                "outside model calls": 0.04},
}  # fmt: skip


def test_speed_is_shown_with_device_and_date(records, tmp_path, few_figures):
    root = records.parent.parent
    path = root / "perf" / "h100.json"
    path.parent.mkdir()
    path.write_text(json.dumps(REPORT | {"stages": {"anything": 1}}))
    invoke("site", "build", root, "--out", tmp_path / "site")
    text = (tmp_path / "site" / "index.html").read_text()
    assert "NVIDIA H100 &lt;b&gt;80GB" in text and "2026-11-25" in text and "3.50" in text
    for key, value in (("measured", "yesterday"), ("size", "huge"), ("figures", {"images per second": -1})):
        path.write_text(json.dumps(REPORT | {key: value}))
        assert f"h100.json: {key}" in invoke("site", "build", root, "--out", tmp_path / "other", code=7)
    path.write_text("{")
    assert "h100.json" in invoke("site", "build", root, "--out", tmp_path / "other", code=7)


class Links(HTMLParser):
    """What a page leads to and loads, and its ids."""

    def __init__(self, page):
        super().__init__()
        self.links, self.ids = [], []
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]


@pytest.mark.parametrize(
    ("most", "pages"), [(12, ["users"]), (11, ["users", "users-2"]), (5, ["users", "users-2", "users-3"])]
)
def test_many_users_have_several_pages_and_none_is_lost(records, tmp_path, few_figures, monkeypatch, most, pages):
    monkeypatch.setattr("benchmark.site.parts.MOST_ROWS", most)
    invoke("site", "build", records, "--out", tmp_path / "site")
    task = tmp_path / "site" / "tasks" / "tiny"
    assert sorted(path.stem for path in task.glob("users*.html")) == pages
    ids = [name for page in pages for name in Links(task / f"{page}.html").ids if re.fullmatch(r"u\d+", name)]
    assert ids == [f"u{u}" for u in range(12)]
    for path in (tmp_path / "site").rglob("*.html"):
        for link in Links(path).links:
            if not link.startswith(("https:", "#")):
                target, _, name = link.partition("#")
                target = path.parent / target.partition("?")[0]
                assert target.is_file(), f"{path}: {link}"
                assert not name or name in Links(target).ids, f"{path}: {link}"
    first = (task / "users.html").read_text()
    assert ("Pages of users" in first) == ("Find" in first or 'id="find"' in first) == (len(pages) > 1)


def test_figures_for_print(done, tmp_path):
    out = tmp_path / "figures"
    assert "wrote" in invoke("figures", "tiny", "--out", out, "--workdir", done / "w")
    index = json.loads((out / "figures.json").read_text())
    names = {figure["name"] for figure in index}
    assert {"plane", "roc", "bootstrap-auc", "permutations", "ecdf", "violins", "thresholds", "pairs-preference",
            "likeness", "wins", "rank-stability", "bland-altman", "training", "cost",
            "validity-preference-observed", "validity-lift-observed"} <= names  # fmt: skip
    assert len(names) == len(index)  # no figure takes another one's place
    for figure in index:
        assert figure["title"] and len(figure["alt"]) > 20
        assert (out / f"{figure['name']}-one-column.pdf").read_bytes()[:5] == b"%PDF-"
        assert (out / f"{figure['name']}-two-column.png").read_bytes()[1:4] == b"PNG"
        with (out / f"{figure['name']}.csv").open() as stream:
            assert len(list(csv.reader(stream))) > 1
    widths = [
        float(re.search(r'width="(\d+)', (out / f"plane-{size}.svg").read_text())[1])
        for size in ("one-column", "two-column")
    ]
    assert widths[0] <= 252 and widths[1] <= 516
    assert np.isfinite(widths).all()


def test_markdown_becomes_a_page(tmp_path):
    (tmp_path / "statistics.md").write_text(
        "# Title\n\n[docs](run.md) and [paper](https://example.org)\n\n"
        "![a curve](../images/statistics/curve.png)\n\n<script>alert(1)</script>\n\n    code\n\n"
        "| a |\n|---|\n| 1 |\n\ntext\n\n| b |\n|---|\n| 2 |\n"
    )
    html, images = method_page(tmp_path / "statistics.md")
    assert images == ["curve.png"]
    assert "<h1>Title</h1>" in html
    assert "run.md" not in html and '<a href="https://example.org">paper</a>' in html
    assert 'src="method/curve.png" loading="lazy"' in html
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert '<pre tabindex="0">' in html and "<table>" in html
    assert re.findall(r'role="region" aria-label="(.*?)"', html) == ["Table 1", "Table 2"]
