"""Scripts that score images in another Python: what they are given, and what they may answer."""

import csv
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from rebeca import environments
from rebeca.arrays import LARGEST
from rebeca.errors import DataError, MissingDependency, PluginError, SpecError
from rebeca.scorers import ScorerScript
from rebeca.scorers.script import parse_scores, read_scores
from tests.builders import noise_images

IMAGES = noise_images(5, width=60, taller=9)
MEANS = """
import csv, sys
from pathlib import Path
import numpy as np
from PIL import Image
job = Path(sys.argv[1])
with open(job / "images.csv", newline="", encoding="utf-8") as images:
    rows = list(csv.DictReader(images))
with open(job / "scores.csv", "w", newline="") as scores:
    out = csv.writer(scores)
    out.writerow(["number", "score"])
    for row in reversed(rows):
        mean = np.asarray(Image.open(job / row["file"]), np.int64).sum()
        out.writerow([row["number"], mean + 10**9 * len(row.get("prompt", ""))])
"""
WRITES = "import os, sys\nos.chdir(sys.argv[1])\n"


@pytest.fixture
def script(tmp_path):
    """A script of this text, run by this Python."""

    def write(text=MEANS, **options):
        (tmp_path / "mine.py").write_text(text)
        return ScorerScript(tmp_path / "mine.py", **{"python": sys.executable} | options)

    return write


def answer(scorer, count=2):
    with pytest.raises(PluginError) as raised:
        scorer.score(IMAGES[:count])
    return raised.value


def test_a_script_sees_every_pixel_and_its_scores_come_in_order(script, tmp_path):
    expected = [image.astype(np.int64).sum() for image in IMAGES]
    scores = script().score(IMAGES)
    assert scores.dtype == np.float64 and scores.tolist() == expected and len(set(expected)) == 5
    for number, pixels in enumerate(IMAGES):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.glob("*.png"))
    assert script().score([paths[0], IMAGES[1], Image.fromarray(IMAGES[2])]).tolist() == expected[:3]


def test_prompts_reach_the_script(script):
    plain = script().score(IMAGES[:2])
    assert (script().score(IMAGES[:2], 'a, "b"\nc') - plain).tolist() == [8e9, 8e9]
    assert (script().score(IMAGES[:2], ["", "é"]) - plain).tolist() == [0, 1e9]
    with pytest.raises(DataError, match="1 prompts for 2 images"):
        script().score(IMAGES[:2], ["a"])


def test_no_images_start_no_process(script):
    assert script("import sys; sys.exit(1)").score([]).shape == (0,)


def test_nothing_stays_of_a_job(script, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    script().score(IMAGES[:1])
    answer(script("import sys; sys.exit(1)"))
    assert list((tmp_path / "temporary").iterdir()) == []


def test_packages_that_conflict_with_this_python_can_be_used(tmp_path, monkeypatch):
    """pydantic 1 beside the pydantic 2 of this process, which PYTHONPATH would give to the script."""
    import pydantic

    assert pydantic.VERSION.startswith("2.")
    monkeypatch.setenv("PYTHONPATH", str(Path(pydantic.__file__).parents[1]))
    python = with_old_pydantic(tmp_path / "old-env")
    (tmp_path / "mine.py").write_text(WRITES + OLD)
    scorer = ScorerScript(tmp_path / "mine.py", python=python)
    assert scorer.score(IMAGES[:2]).tolist() == [1.1, 1.1]
    versions = scorer.environment()
    assert versions.pop("mine.py").startswith("sha256:")
    assert versions == {"pydantic": "1.10.99", "python": sys.version.split()[0]}
    first = scorer.fingerprint()
    (site,) = (tmp_path / "old-env" / "lib").glob("python*/site-packages")
    (site / "pydantic-1.10.99.dist-info").rename(site / "pydantic-1.11.0.dist-info")
    (site / "pydantic-1.11.0.dist-info" / "METADATA").write_text("Name: pydantic\nVersion: 1.11.0\n")
    assert scorer.environment()["pydantic"] == "1.11.0"
    assert scorer.fingerprint() != first and len(first) == 64


OLD = """
import pydantic
assert pydantic.VERSION < "2", pydantic.VERSION
with open("scores.csv", "w") as scores:
    scores.write("number,score\\n0,1.1\\n1,1.1\\n")
"""


def with_old_pydantic(folder):
    """The Python of a new virtual environment that has a pydantic 1, and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "pydantic.py").write_text('VERSION = "1.10.99"\n')
    (site / "pydantic-1.10.99.dist-info").mkdir()
    (site / "pydantic-1.10.99.dist-info" / "METADATA").write_text("Name: pydantic\nVersion: 1.10.99\n")
    return folder / "bin" / "python"


def test_a_script_without_an_interpreter_runs_in_the_environment_that_uv_makes(tmp_path, monkeypatch):
    """In the place of uv stands a program that answers like it, and makes nothing."""
    python = with_old_pydantic(tmp_path / "made-by-uv")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text(f"#!/bin/sh\necho {python}\n")
    (tmp_path / "bin" / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "mine.py").write_text("# /// script\n# dependencies = ['pydantic<2']\n# ///\n" + WRITES + OLD)
    scorer = ScorerScript(tmp_path / "mine.py")
    assert scorer.score(IMAGES[:2]).tolist() == [1.1, 1.1] and scorer.environment()["pydantic"] == "1.10.99"
    monkeypatch.setenv("PATH", str(tmp_path))
    environments._made_by_uv.cache_clear()
    with pytest.raises(MissingDependency, match="uv, which makes the environment"):
        scorer.score(IMAGES[:2])


def test_a_crash_shows_the_last_lines(script, tmp_path):
    error = answer(script("import sys\nprint('loading', flush=True)\nraise ValueError('bad \\x1b[31m weights')"))
    assert error.message.startswith(f"{tmp_path / 'mine.py'} left with exit code 1\n  loading\n  Traceback")
    assert error.message.endswith("\n  ValueError: bad \ufffd[31m weights") and error.hint == ""
    assert "was killed by SIGSEGV" in answer(script("import os; os.kill(os.getpid(), 11)")).message


def test_a_failure_counts_even_if_scores_were_written(script):
    text = WRITES + "open('scores.csv', 'w').write('number,score\\n0,1\\n1,1\\n')\nsys.exit(4)"
    assert "left with exit code 4" in answer(script(text)).message


def test_time_and_memory_are_limited(script):
    started = time.monotonic()
    error = answer(script("print('loading', flush=True)\nimport time; time.sleep(60)", seconds=0.5))
    assert time.monotonic() - started < 20
    assert error.message.endswith("mine.py was stopped after 0.5 s\n  loading") and "seconds" in error.hint
    error = answer(script("x = bytearray(10**9)", memory_mb=300))
    assert error.message.endswith("MemoryError") and error.hint == "memory_mb, which is 300, limits its memory"
    error = answer(script("import os; os.kill(os.getpid(), 9)", memory_mb=300))
    assert error.message.endswith("was killed by SIGKILL") and "300" in error.hint


def test_arguments_that_cannot_be_are_refused(script, tmp_path):
    with pytest.raises(SpecError, match="seconds: expected more than 0, found 0"):
        script(seconds=0)
    with pytest.raises(SpecError, match="memory_mb: expected at least 1"):
        script(memory_mb=0)
    with pytest.raises(SpecError, match="does not exist"):
        script(python=tmp_path / "nothing")
    with pytest.raises(MissingDependency, match="does not exist"):
        ScorerScript(tmp_path / "nothing.py", python=sys.executable)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('done')", "should write a file scores.csv; there is none\n  done"),
        ("os.mkdir('scores.csv')", "something else is in its place"),
        ("os.mkfifo('scores.csv')", "something else is in its place"),
        ("os.symlink('/dev/zero', 'scores.csv')", "something else is in its place"),
        ("os.symlink('nowhere', 'scores.csv')", "something else is in its place"),
        ("open('scores.csv', 'w').write('x' * 10**6)", "scores.csv has more than 300 bytes, too many for 2 images"),
        ("open('scores.csv', 'w').truncate(10**12)", "scores.csv has more than 300 bytes, too many for 2 images"),
    ],
)
def test_what_is_no_table_is_refused(text, said, script, tmp_path):
    error = answer(script(WRITES + text))
    assert error.message.startswith(f"{tmp_path / 'mine.py'}") and said in error.message


@pytest.mark.parametrize(
    "text",
    [
        "number,score\n1,2.5\n0,-1e3\n",
        "number,score\r\n0,-1000\r\n\r\n1,+2.5",
        '\ufeff"number","score"\n"01","2.50"\n00,-1000.',
    ],
)
def test_tables_of_any_writer_are_read(text):
    assert parse_scores(text.encode(), 2, "scores.csv").tolist() == [-1000, 2.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.py: the columns are [], expected ['number', 'score']"),
        ("0,1\n1,2\n", "x.py: the columns are ['0', '1'], expected ['number', 'score']"),
        (",number,score\n0,0,1\n", "x.py: the columns are ['', 'number', 'score'], expected ['number', 'score']"),
        ("number,score\n0,1\n", "x.py: no score for image 1 of 2"),
        ("number,score\n", "x.py: no score for image 0, 1 of 2"),
        ("number,score\n0,1\n1,2\n0,1\n", "x.py:4: image 0 has a score already"),
        ("number,score\n0,1\n2,2\n", "x.py:3: number is '2', expected one of 0 to 1"),
        ("number,score\n-1,1\n", "x.py:2: number is '-1', expected one of 0 to 1"),
        ("number,score\n0.0,1\n", "x.py:2: number is '0.0', expected one of 0 to 1"),
        ("number,score\n٠,1\n", "x.py:2: number is '٠', expected one of 0 to 1"),
        ("number,score\n0,nan\n", "x.py:2: score is 'nan', expected a number up to 1e+50"),
        ("number,score\n0,inf\n", "x.py:2: score is 'inf', expected a number up to 1e+50"),
        ("number,score\n0,-1e999\n", "x.py:2: score is '-1e999', expected a number up to 1e+50"),
        ("number,score\n0,1_000\n", "x.py:2: score is '1_000', expected a number up to 1e+50"),
        ("number,score\n0,\n", "x.py:2: score is '', expected a number up to 1e+50"),
        ("number,score\n0,good\x1b[31m\n", r"x.py:2: score is 'good\x1b[31m', expected a number up to 1e+50"),
        ("number,score\n0,1,2\n", "x.py:2: 3 values, expected 2: ['0', '1', '2']"),
        ("number,score\n0;1\n", "x.py:2: 1 values, expected 2: ['0;1']"),
        ('number,score\n0,"1\n', "x.py:2: no line of a CSV table (unexpected end of data)"),
        (b"number,score\n0,\xff\n", "x.py: no text in UTF-8"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(text, said):
    with pytest.raises(PluginError) as raised:
        parse_scores(text if isinstance(text, bytes) else text.encode(), 2, "x.py")
    assert raised.value.message == said


CELLS = st.one_of(
    st.integers(-1, 3).map(str), st.floats().map(repr), st.sampled_from(["nan", "", "1e400", '"', "\0", "\r"])
)
TABLES = st.lists(st.lists(CELLS, max_size=3).map(",".join), max_size=5).map(
    lambda lines: "\n".join(["number,score", *lines]).encode()
)


@given(st.one_of(st.binary(max_size=200), TABLES), st.integers(1, 3))
@example(b'number,score\n"' + b"x" * 200_000, 1)
@example(b"number,score\n0,1\0\n", 1)
def test_any_bytes_are_scores_or_one_message(data, count):
    try:
        scores = parse_scores(data, count, "x.py")
    except PluginError as error:
        assert re.match(r"x\.py(:\d+)?: ", error.message) and len(error.message) < 300
        assert error.message.isprintable()
    else:
        assert scores.shape == (count,) and (np.abs(scores) <= LARGEST).all()


@given(st.lists(st.floats(-LARGEST, LARGEST), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_what_is_written_in_any_order_is_read(tmp_path_factory, values, random):
    lines = list(enumerate(values))
    random.shuffle(lines)
    path = tmp_path_factory.mktemp("job") / "scores.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("number", "score"), *lines])
    assert read_scores(path, len(values), "x.py").tolist() == values
