"""What is checked of a pull request, and where the comment is posted."""

import html
import json
import shutil
import subprocess
import sys

import pytest

from benchmark.submissions.comment import MARK
from rebeca.errors import RecordError
from scripts import check_pull_request, post_comment
from scripts.check_pull_request import bundle_of, changed_files
from tests.benchmark.submissions.conftest import place  # noqa: F401  a fixture
from tests.conftest import ROOT

FOLDER = "submissions/tiny/v1/noise"


@pytest.mark.parametrize(
    "changed",
    [
        [],
        ["README.md"],
        [f"{FOLDER}/record.json", "benchmark/records/verify.py"],
        [f"{FOLDER}/record.json", "submissions/tiny/v1/other/record.json"],
        [f"{FOLDER}/deeper/record.json"],
        ["submissions/tiny/v1/record.json"],
        ["submissions/../results/v1/x/record.json"],
        ["submissions/tiny/v1/../../x"],
        [".github/workflows/submission.yml", f"{FOLDER}/record.json"],
    ],
)
def test_a_pull_request_of_something_else_is_refused(changed):
    with pytest.raises(RecordError, match="a submission is one bundle"):
        bundle_of(changed)


def test_the_bundle_is_found():
    assert str(bundle_of([f"{FOLDER}/record.json", f"{FOLDER}/all-images.parquet"])) == FOLDER


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(place, tmp_path):  # noqa: F811
    """The merged state of a pull request that hands in one bundle."""
    folder = tmp_path / "handed-in"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "README.md").write_text("x")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    shutil.copytree(
        place / "submissions", folder / "submissions", ignore=lambda path, names: {"copies", "short"} & {*names}
    )
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "merge")
    return folder


def test_a_bundle_is_checked_and_a_comment_written(checkout, place, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(check_pull_request, "RESULTS", place / "results")
    assert str(bundle_of(changed_files(checkout))) == FOLDER
    assert check_pull_request.main(checkout, tmp_path / "comment.md") == 0
    text = (tmp_path / "comment.md").read_text()
    assert (
        text.startswith(MARK)
        and "### <code>Noise</code>" in text
        and "All 36 images are those that were scored" in text
    )
    (checkout / FOLDER / "run.py").write_text("")
    assert check_pull_request.main(checkout, tmp_path / "comment.md") == 7
    text = (tmp_path / "comment.md").read_text()
    assert "### Refused" in text and str(tmp_path) not in text and "run&#46;py" in text


def test_another_bundle_is_not_replaced_and_folders_say_the_truth(checkout, place, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(check_pull_request, "RESULTS", place / "results")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "accepted")
    path = checkout / FOLDER / "users.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    git(checkout, "commit", "-qam", "replaced")
    assert check_pull_request.main(checkout, tmp_path / "comment.md") == 7
    assert "there is a bundle already" in html.unescape((tmp_path / "comment.md").read_text())
    git(checkout, "reset", "-q", "--hard", "HEAD^")
    git(checkout, "reset", "-q", "--hard", "HEAD^")
    (checkout / "submissions" / "tiny").rename(checkout / "submissions" / "other")
    git(checkout, "reset", "-q", "--soft", "HEAD^")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "merge")
    assert check_pull_request.main(checkout, tmp_path / "comment.md") == 7
    assert f"belongs to {FOLDER}" in html.unescape((tmp_path / "comment.md").read_text())


def test_marks_are_the_same():
    assert post_comment.MARK == MARK


GH = """#!{python}
import json, sys
calls = {calls!r}
answers = json.load(open({answers!r}))
given = json.loads(sys.stdin.read() or "{{}}")
with open(calls, "a") as stream:
    stream.write(json.dumps([*sys.argv[1:], given.get("body", "")]) + "\\n")
path = sys.argv[2]
found = answers[path]
print(json.dumps([found] if "--paginate" in sys.argv else found))
"""


@pytest.fixture
def github(tmp_path, monkeypatch):
    """A ``gh`` that answers from a table and notes what it was asked."""
    answers, calls = tmp_path / "answers.json", tmp_path / "calls"
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "gh").write_text(GH.format(python=sys.executable, calls=str(calls), answers=str(answers)))
    (folder / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("GH_REPO", "o/r")
    monkeypatch.setenv("HEAD_SHA", "abc")
    calls.write_text("")

    def post(files=(f"{FOLDER}/record.json",), comments=(), text=f"{MARK}\nhello", head="abc", more=None):
        answers.write_text(
            json.dumps(
                {
                    "repos/o/r/pulls?state=open": [{"number": 5, "head": {"sha": head}}],
                    "repos/o/r/pulls/5/files": [{"filename": name} | (more or {}) for name in files],
                    "repos/o/r/issues/5/comments": list(comments),
                    "repos/o/r/issues/comments/9": {},
                }
            )
        )
        (tmp_path / "comment.md").write_text(text)
        command = [sys.executable, ROOT / "scripts" / "post_comment.py", tmp_path / "comment.md"]
        done = subprocess.run(command, capture_output=True, text=True)
        written = [call for call in map(json.loads, calls.read_text().splitlines()) if "--method" in call]
        return done, written

    return post


def test_a_comment_is_posted_and_later_replaced(github):
    done, (call,) = github()
    assert done.returncode == 0 and call[1:4] == ["repos/o/r/issues/5/comments", "--method", "POST"]
    assert call[-1] == f"{MARK}\nhello"
    earlier = {"id": 9, "user": {"login": post_comment.BOT}, "body": f"{MARK} old"}
    stranger = {"id": 8, "user": {"login": "stranger"}, "body": f"{MARK} old"}
    _, (_, call) = github(comments=[stranger, earlier])
    assert call[1:4] == ["repos/o/r/issues/comments/9", "--method", "PATCH"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"files": [f"{FOLDER}/record.json", ".github/workflows/submission.yml"]},
        {"files": []},
        {"more": {"previous_filename": "benchmark/records/verify.py"}},
        {"head": "other"},
        {"text": "a text without the mark"},
    ],
)
def test_nothing_is_posted_where_the_job_could_have_been_changed(github, wrong):
    done, written = github(**wrong)
    assert done.returncode == 1 and not written and "Traceback" not in done.stderr


def test_a_long_text_is_cut(github):
    _, (call,) = github(text=MARK + "x" * 100_000)
    assert call[-1].endswith("(cut here)") and len(call[-1]) < post_comment.LONGEST + 20
