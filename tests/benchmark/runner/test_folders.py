"""Folders that cannot be used are named before anything is computed, and no run replaces the pages of another."""

import errno
import fcntl
import os
import tempfile

import pytest

from benchmark import disk
from benchmark.runner.folders import check_folders
from benchmark.runner.store import Store
from rebeca.errors import StoreError
from tests.conftest import TINY, invoke, make_folder


def test_folders_that_can_be_written_pass_and_stay_as_they_are(tmp_path):
    check_folders(tmp_path / "w", tmp_path / "site", tmp_path / "results")
    check_folders(tmp_path / "w", tmp_path / "w" / "site", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--workdir", "--site", "--publish"])
def test_a_file_in_place_of_a_folder_ends_a_run_before_it_computes(option, tiny, tmp_path):
    (tmp_path / "file").touch()
    options = {"--workdir": tmp_path / "w", "--site": tmp_path / "s", "--publish": tmp_path / "p"}
    options[option] = tmp_path / "file" / "below"
    output = invoke("run", tiny, *(part for pair in options.items() for part in pair), code=6)
    assert f"{option} {tmp_path / 'file' / 'below'}" in output and "(it is a file)" in output
    assert not (tmp_path / "w").exists()


def test_a_file_in_the_work_folder(tmp_path):
    (tmp_path / "records").touch()
    with pytest.raises(StoreError, match=r"work folder .*records: .* cannot be written \(it is a file\)"):
        check_folders(tmp_path, None, None)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_what_the_system_refuses_is_said(number, tmp_path, monkeypatch):
    def refuse(dir):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(StoreError) as raised:
        check_folders(tmp_path / "w", None, None)
    assert f"--workdir {tmp_path / 'w'}: {tmp_path} cannot be written ({os.strerror(number)})" in raised.value.message


@pytest.mark.parametrize("site", ["w", ".", "w/records", "w/records/mine", "w/fit", "results", "results/site"])
def test_a_site_never_takes_the_place_of_results(site, tmp_path):
    (tmp_path / "w" / "records").mkdir(parents=True)
    with pytest.raises(StoreError, match="would replace"):
        check_folders(tmp_path / "w", tmp_path / site, tmp_path / "results")


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(StoreError, match="its file system has no locks") as raised,
        Store(tmp_path, print).locked("records"),
    ):
        pass
    assert "local disk" in raised.value.hint


def test_a_lock_is_waited_for(tmp_path):
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    waited = []

    def wait():
        waited.append(True)
        os.close(other)  # which lets go

    with disk.locked(tmp_path, wait):
        assert waited == [True]


@pytest.fixture
def two(tmp_path):
    """Two tasks on one data set, whose only figure is a small one."""
    from benchmark.figures import build

    make_folder(tmp_path / "data")
    for name in ("tiny", "other"):
        (tmp_path / f"{name}.yaml").write_text(TINY.replace("id: tiny", f"id: {name}", 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "FAMILIES", {})
        yield tmp_path


def test_the_page_of_one_task_survives_the_run_of_another(two):
    from click.testing import CliRunner

    from benchmark.commands.main import main

    for name in ("tiny", "other"):
        command = ["run", str(two / f"{name}.yaml"), "--workdir", str(two / "w"), "--quiet"]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0 and f"page       {two / 'w' / 'site' / name / 'v1'}" in result.output
    for name in ("tiny", "other"):
        assert (two / "w" / "site" / name / "v1" / "tasks" / name / "index.html").is_file()


def test_two_tasks_with_one_site(two):
    site = ("--site", two / "site", "--workdir", two / "w", "--quiet")
    invoke("run", two / "tiny.yaml", *site)
    before = (two / "site" / "tasks" / "tiny" / "index.html").read_bytes()
    output = invoke("run", two / "other.yaml", *site, code=6)
    assert "holds the pages of tiny, which a run of other would replace" in output and "site build" in output
    assert (two / "site" / "tasks" / "tiny" / "index.html").read_bytes() == before
    assert not (two / "w" / "records" / "other").exists()


def test_a_folder_that_only_looks_like_a_site_is_kept(two):
    (two / "site").mkdir()
    (two / "site" / "style.css").write_text("mine")
    assert "is not a site" in invoke("run", two / "tiny.yaml", "--site", two / "site", "--workdir", two / "w", code=6)
    assert [path.name for path in (two / "site").iterdir()] == ["style.css"]
