"""What nine commands print at four widths, and that no title, encoding or lack of room spoils it.

After a change of a layout, look at the files that this writes anew: ``python -m
tests.benchmark.commands.test_terminal``.
"""

import ast
import csv
import io
import json
import os
import re
import subprocess
import sys
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from benchmark.analysis.numbers import Interval
from benchmark.commands import doctor, plan, show
from benchmark.commands.layout import BREAK, STANZAS_BELOW, Column, print_rows, terminal
from benchmark.commands.settings import SETTINGS
from benchmark.planning.reach import MeasureReach, Reach
from benchmark.runner import cache, start, status
from tests.conftest import ROOT, invoke, without_page

GOLDEN = Path(__file__).with_name("terminal")
RECORDS = ROOT / "results" / "sprites" / "v2"
RESULTS = ROOT / "results"
WIDTHS = (80, 100, 120, 200)
COMMANDS = {
    "run": ("run", "sprites", "--workdir", "work", "--quiet"),
    "show": ("show", "sprites", "--results", RESULTS),
    "compare": ("compare", "tinyworld-quick", "rebeca", "catalogue-random", "--results", RESULTS),
    "plan": ("plan", "sprites"),
    "weights": ("weights", "list", "flickr-aes"),
    "doctor": ("doctor",),
    "cache": ("cache", "ls", "--workdir", "work"),
    "status": ("status", "--workdir", "work"),
    "settings": ("settings",),
}
PLAN = plan.RunPlan(
    title="Sprites, four known tastes",
    hash="0" * 64,
    users=40,
    images_per_user=25,
    fits_per_generator=5,
    comparisons=11,
    generators=[
        plan.GeneratorPlan("rebeca", ["a1810d7979c3", *"bcde"], 5, 5, 5, 1000, 1000, 250_000),
        plan.GeneratorPlan("rebeca-with-users-shuffled", ["a1810d7979c3", *"bcde"], 5, 5, 2, 1000, 400, 100_000),
        plan.GeneratorPlan("catalogue-random", ["61c7a37e2fdc"], 0, 5, 0, 1000, 0, 0),
    ],
    fits=6,
    images=3000,
    images_cached=1400,
    bytes=750_000,
    seconds_left=150.0,
    smallest_p=0.0001,
    margin=0.02,
    detectable_in_sd=0.45,
    adjusted_in_sd=0.61,
    pilot=plan.PilotPlan(
        "results/sprites/v2",
        40,
        25,
        1,
        0.14,
        [
            MeasureReach(
                measure="ncf",
                pairs=3,
                spread=0.1,
                largest_spread=0.2,
                between_fits=0.008,
                fits_measured=False,
                table=tuple(
                    Reach(users, images, fits, 0.044 * 40 / users, 0.06 * 40 / users + 0.1 / fits)
                    for users in (40, 80)
                    for images in (25, 50)
                    for fits in (1, 3, 5)
                ),
                users_for_margin=1194,
                users_for_equivalence=None,
            )
        ],
    ),
    notes=["2 users with fewer than 12 ratings are left out"],
)
PLUGINS = [doctor._plugin("generator", name) for name in ("folder", "rebeca")]
REPORT = doctor.Report(
    checks=[
        doctor.Fact("python", True, "3.12.1", ""),
        doctor.Fact("pandas", False, "missing", doctor.INSTALL_CORE),
        doctor.Fact("device", True, f"CPU (no CUDA device; {doctor.INSTALL_CUDA})", ""),
    ],
    plugins=PLUGINS,
    tasks=[
        doctor.TaskStatus(
            "flickr-aes",
            False,
            "needs data, weights",
            [
                doctor.Fact(
                    "data", False, "data.path is not set", "rebeca-bench run flickr-aes --set data.path=FOLDER"
                ),
                doctor.Fact(
                    "weights",
                    False,
                    "hpsv2.0, ip-adapter-sd15, laion-v2, sd15, vit-g, vit-h, vit-l",
                    "rebeca-bench weights fetch flickr-aes",
                ),
            ],
        ),
        doctor.TaskStatus("sprites", True, "ready: rebeca-bench run sprites", ()),
    ],
)
BOTH, MODIFIED = ("sprites/v2", "sprites/v2-modified-0f3a99c2"), ("sprites/v2-modified-0f3a99c2",)
KEPT = [
    ("embeddings", BOTH, "", 3, 41_000_000),
    ("fit", BOTH, "", 9, 212_345_678),
    ("images", ("sprites/v2",), "", 11, 1_480_000_000),
    ("images", MODIFIED, "", 2, 98_000_000),
    ("records", ("sprites/v2",), "", 1, 900_000),
    ("judge", (), "", 2, 380_000),
    ("fit", (), "of an older version", 1, 7_000_000),
    ("set-aside", (), "damaged", 1, 512),
    (cache.OTHER, (), "", 2, 20_700),
]
CACHE = cache.Cache(
    Path("work"),
    tuple(
        cache.Entry(
            kind, Path("work", kind, str(k)), "", size // number + size % number * (k == 0), 1.7e9, tasks, wrong
        )
        for kind, tasks, wrong, number, size in KEPT
        for k in range(number)
    ),
    ("oasis/v1",),
)
STEPS = ("encode (task)", "fit verifier", "fit rebeca", "images rebeca", "score rebeca by ncf", "analyse", "page")
RUNNING = status.RunStatus(
    title="Sprites, four known tastes",
    pid=4711,
    began=1.7e9,
    seen=1.7e9 + 252,
    finished=False,
    steps=tuple(
        status.StepStatus(title, "done" if k < 3 else "now" if k == 3 else "left", (4.0, 31.0, 95.5, 120.0, 0, 0, 0)[k])
        for k, title in enumerate(STEPS)
    ),
    share=0.75,
    count="750/1,000 images",
    seconds_left=407.0,
    complete=True,
)
STATUSES = [
    status.TaskStatus(task="sprites/v2", state="running", run=RUNNING, seconds_left=395.0),
    status.TaskStatus(task="oasis/v1", state="stopped", run=RUNNING, seconds_left=None),
]


@contextmanager
def fixed(columns):
    """Commands that depend on this machine print what is given here."""
    result = SimpleNamespace(records=RECORDS, addresses=None)
    with pytest.MonkeyPatch.context() as patch, without_page():
        for setting in SETTINGS:
            patch.delenv(setting.name, raising=False)
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("REBECA_WEIGHTS", "/weights")
        patch.setenv("XDG_CACHE_HOME", "/caches")
        patch.setattr(start, "run_task", lambda *_: result)
        patch.setattr(plan, "plan_task", lambda *_: PLAN)
        patch.setattr(doctor, "examine", lambda: REPORT)
        patch.setattr(cache, "read_cache", lambda _: CACHE)
        patch.setattr(cache, "links_of", lambda _: [Path("work", "private-images")])
        patch.setattr(status, "read_statuses", lambda *_: STATUSES)
        yield


def printed(command, columns):
    with fixed(columns), TemporaryDirectory() as folder, chdir(folder):
        return invoke(*COMMANDS[command]).replace(str(RECORDS), "RECORDS")


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_printed_is_what_was_looked_at(command, columns):
    output = printed(command, columns)
    assert output == (GOLDEN / f"{command}-{columns}.txt").read_text(encoding="utf-8")
    assert "…" not in output and all(cell_len(line) <= columns for line in output.splitlines())
    assert not re.search(r" $", output, re.MULTILINE)


@pytest.mark.parametrize("columns", (40, 79, *WIDTHS, 150))
def test_every_generator_has_its_rank_and_verdict(columns):
    from benchmark.board.board import read_board

    output = printed("show", columns)
    for row in read_board(RECORDS).rows:
        rank = "–" if row.rank is None else row.rank.with_letters
        assert re.search(rf"^{re.escape(rank)} +{re.escape(row.title.split()[0])}", output, re.MULTILINE), row.id
    assert output.count("(reference)") == 1
    assert len(re.findall(r"(?:better|worse|inconclusive|not tested)\b", output)) >= 10
    pairs = printed("compare", columns)  # nine measures
    assert len(re.findall(r"\b(?:better|inconclusive)\b", pairs)) >= 9


def test_without_a_terminal_lines_are_of_a_fixed_width(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    command = [sys.executable, "-c", "from benchmark.commands.main import main; main()", *map(str, COMMANDS["show"])]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, stdin=subprocess.DEVNULL)
    assert output.stdout == (GOLDEN / "show-100.txt").read_text(encoding="utf-8")


cells = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=14)


@given(
    rows=st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=4),
    columns=st.integers(STANZAS_BELOW // 2, 220),
)
def test_no_cell_is_cut_at_any_width(rows, columns):
    first, second, third, fourth = map(list, zip(*rows, strict=True))
    layout = [Column("rank", first), Column("name", second, least=8), Column("value", third), Column("more", fourth)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        console = terminal()
        console.file = io.StringIO()
        print_rows(console, layout, lead=2)
    output = console.file.getvalue()
    for cell in (*first, *third, *fourth):
        assert cell in output
    assert all(cell_len(line) <= columns for line in output.splitlines())


def test_n_stands_beside_a_number_that_not_all_users_have(monkeypatch):
    cell = show._of_users(Interval(0.7, 0.5, 0.9, "student-t", 4), 12)
    assert cell == f"0.70 (0.50 to 0.90){BREAK}4 of 12 users"
    assert show._of_users(Interval(0.7, 0.5, 0.9, "student-t", 12), 12) == "0.70 (0.50 to 0.90)"
    monkeypatch.setenv("COLUMNS", "80")
    console = terminal()
    console.file = io.StringIO()
    print_rows(console, [Column("judge", ["verifier"]), Column("AUC", [cell])])
    assert "verifier  0.70 (0.50 to 0.90), 4 of 12 users" in console.file.getvalue()


# ------------------------------------------------------------------------------------------------------ user text

TITLE = '[/bold] "Reds", [red]greens[/] :smile: \x1b[31m'
SHOWN = TITLE.replace("\x1b", "\ufffd")


@pytest.fixture(scope="module")
def brackets(done, tmp_path_factory):
    """A finished run with such titles, in a folder with brackets."""
    folder = tmp_path_factory.mktemp("brackets") / "[bold]w"
    task = done / "tiny.yaml"
    titled = task.with_name("titled.yaml")
    quoted = json.dumps(TITLE)
    text = task.read_text().replace("title: A tiny task", f"title: {quoted}").replace("id: tiny", "id: titled")
    titled.write_text(text.replace("id: catalogue-random,", f"id: catalogue-random, title: {quoted},"))
    only = ("--only", "catalogue-random")
    output = invoke("run", titled, "--workdir", folder, "--quiet", *only)
    return titled, folder, output, only


def test_brackets_and_control_characters_are_shown_as_they_are(brackets, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    titled, folder, output, _ = brackets
    records = next((folder / "records" / "titled").iterdir())
    outputs = [
        output,
        invoke("show", records),
        invoke("compare", records, "rebeca", "catalogue-random"),
        invoke("plan", titled, "--workdir", folder),
    ]
    for text in outputs:
        assert SHOWN in text.replace("\n", " ") or SHOWN in text, text
        assert "\x1b" not in text
    monkeypatch.setenv("REBECA_WEIGHTS", "/[/red]w")
    assert "/[/red]w" in invoke("weights", "list")
    fact = doctor.Fact("[/bold]", False, "[/red]", "[x]")
    monkeypatch.setattr(doctor, "examine", lambda: doctor.Report([fact], PLUGINS, []))
    assert "[/bold]  [/red]" in invoke("doctor")


def without_cautions(output):
    """What goes to standard output."""
    return "".join(line for line in output.splitlines(True) if not line.startswith("caution: "))


def test_csv_keeps_titles_and_digits(brackets):
    _, folder, _, _ = brackets
    records = next((folder / "records" / "titled").iterdir())
    shown = without_cautions(invoke("show", records, "--csv"))
    rows = {row["generator"]: row for row in csv.DictReader(io.StringIO(shown))}
    assert rows["catalogue-random"]["title"] == SHOWN
    board = {row["id"]: row for row in json.loads(without_cautions(invoke("show", records, "--json")))["generators"]}
    assert list(rows) == list(board)
    for name, row in rows.items():
        assert float(row["ncf"]) == board[name]["preference"]["estimate"]
        assert int(row["ncf_n"]) == board[name]["preference"]["n"]
        assert float(row["lift:ncf_low"]) == board[name]["personal_lift"]["low"]
    compared = list(csv.DictReader(io.StringIO(invoke("compare", records, "rebeca", "catalogue-random", "--csv"))))
    pairs = json.loads(invoke("compare", records, "rebeca", "catalogue-random", "--json"))["comparisons"]
    for row, pair in zip(compared, pairs, strict=True):
        assert float(row["difference"]) == pair["comparison"]["difference"]["estimate"]
        assert row["verdict"] == pair["comparison"]["verdict"]


def test_plans_and_weights_have_a_row_per_generator_and_per_file():
    with fixed(80):
        planned = list(csv.DictReader(io.StringIO(invoke("plan", "sprites", "--csv"))))
        weights = list(csv.DictReader(io.StringIO(invoke("weights", "list", "flickr-aes", "--csv"))))
    assert [row["generator"] for row in planned] == [generator.generator for generator in PLAN.generators]
    assert sum(row["name"] == "sd15" for row in weights) == 12
    assert "--json and --csv exclude each other" in invoke("weights", "list", "--csv", "--json", code=2)
    assert "--json and --csv exclude each other" in invoke("weights", "list", "--json", "--csv", code=2)


def test_one_module_makes_consoles():
    """Other consoles would read markup in titles."""
    makers = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "benchmark").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Console"
    }
    assert makers <= {"benchmark/runner/progress.py"}  # layout.py makes its own subclass


# ------------------------------------------------------------------------------------------------------- encodings

IN_A_PROCESS = """
import sys
from tests.benchmark.commands.test_terminal import COMMANDS, fixed
from benchmark.commands.main import main
with fixed(100):
    main([str(argument) for argument in COMMANDS[sys.argv[1]]])
"""
ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_terminals_that_are_not_utf8_get_ascii(command, encoding, tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "LC_", "LANG"))}
    environment |= ENCODINGS[encoding] | {"PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, command], capture_output=True, env=environment, cwd=tmp_path, check=False
    )
    assert process.returncode == 0, process.stderr.decode(errors="replace")
    plain = (GOLDEN / f"{command}-100.txt").read_text(encoding="utf-8").replace("−", "-").replace("–", "-")
    assert process.stdout.decode("ascii").replace(str(RECORDS), "RECORDS") == plain
    assert b"Traceback" not in process.stderr


def test_letters_without_a_counterpart_become_question_marks():
    from benchmark.commands.encoding import HANDLER, print_plainly

    print_plainly()
    assert "−0.5 ≥ Müller 你 \udc80".encode("ascii", HANDLER) == b"-0.5 >= Muller ? ?"


def test_json_and_csv_are_utf8_everywhere():
    script = "from benchmark.commands.options import print_csv, print_json\nprint_json(['é'])\nprint_csv([{'a': 'é'}])"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, cwd=ROOT, check=True)
    assert output.stdout.decode("utf-8") == '[\n "é"\n]\na\né\n'


@pytest.mark.parametrize("command", [("--help",), ("schema",), ("tasks",), ("doctor",), COMMANDS["show"]])
def test_a_full_disk_is_one_message(command):
    script = "from benchmark.commands.main import main; main()"
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [sys.executable, "-c", script, *map(str, command)],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            check=False,
        )
    assert process.returncode == 6 and process.stderr.startswith(b"error: No space left"), process.stderr
    assert process.stderr.count(b"\n") == 2


def test_a_generator_is_not_compared_with_itself():
    output = invoke("compare", "sprites", "rebeca", "rebeca", "--results", RESULTS, code=2)
    assert "'rebeca' is compared with itself" in output and "catalogue-random" in output


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for _command in COMMANDS:
        for _columns in WIDTHS:
            (GOLDEN / f"{_command}-{_columns}.txt").write_text(printed(_command, _columns), encoding="utf-8")
