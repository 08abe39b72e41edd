"""``doctor``."""

import json
from importlib.metadata import PackageNotFoundError

import pytest
import torch

from benchmark.commands import doctor
from tests.conftest import TINY, invoke, make_folder


def test_nothing_is_missing_on_this_machine():
    report = json.loads(invoke("doctor", "--json"))
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["torch"]["fine"] and checks["python"]["fine"]
    assert all(bool(check["remedy"]) != check["fine"] for check in report["checks"])
    assert not any(plugin["problem"] for plugin in report["plugins"])
    tasks = {task["id"]: task["status"] for task in report["tasks"]}
    assert tasks["sprites"] == "ready: rebeca-bench run sprites"
    assert tasks["oasis"].startswith("needs ")
    output = invoke("doctor")
    assert all(f"{name} " in output for name in tasks)


@pytest.fixture
def bundled():
    """Status of a bundled task."""
    return lambda name: next(task for task in doctor.examine().tasks if task.id == name)


def test_a_task_is_ready_only_with_its_data_weights_and_device(tmp_path, monkeypatch, bundled):
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path))
    task = bundled("flickr-aes")
    missing = {fact.name: fact for fact in task.missing}
    assert not task.ready and set(missing) >= {"data", "weights"}
    assert missing["data"].remedy.endswith("rebeca-bench run flickr-aes --set data.path=FOLDER")
    assert "sd15" in missing["weights"].detail and missing["weights"].remedy == "rebeca-bench weights fetch flickr-aes"
    assert ("GPU" in missing) != torch.cuda.is_available()
    assert f"needs {', '.join(missing)}" == task.status


def test_weights_and_data_that_are_there_are_not_missing(published, tmp_path, monkeypatch, bundled):
    assert {fact.name for fact in bundled("flickr-aes").missing} <= {"data", "GPU"}
    make_folder(tmp_path / "data")
    with_data = tmp_path / "mine.yaml"
    with_data.write_text(TINY)
    (tmp_path / "data" / "ratings.csv").rename(tmp_path / "elsewhere.csv")
    monkeypatch.setattr(doctor, "bundled_tasks", lambda: {"mine": with_data})
    task = bundled("mine")
    assert task.status == "needs data" and "ratings" in task.missing[0].detail
    (tmp_path / "elsewhere.csv").rename(tmp_path / "data" / "ratings.csv")
    assert bundled("mine").ready


def test_without_a_home_folder_there_is_one_message(monkeypatch):
    def unknown(_):
        raise KeyError

    for name in ("HOME", "XDG_CACHE_HOME", "REBECA_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    check = next(check for check in json.loads(invoke("doctor", "--json"))["checks"] if check["name"] == "work folder")
    assert not check["fine"] and check["remedy"] == "set HOME or XDG_CACHE_HOME"
    assert "no home folder" in invoke("show", "sprites", code=6)


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5"])
def test_wrong_numbers_of_threads_are_noticed(monkeypatch, threads, tiny):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    check = next(check for check in doctor.examine().checks if check.name == "threads")
    assert not check.fine and f"OMP_NUM_THREADS={threads}" in check.detail
    output = invoke("run", tiny, "--workdir", tiny.parent / "w", code=2)
    assert output.count("\n") == 2 and f"OMP_NUM_THREADS={threads}: not a number of threads" in output
    assert not (tiny.parent / "w").exists()


@pytest.fixture
def without_packages(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", missing)
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)


def test_what_is_missing_has_a_remedy(without_packages):
    report = doctor.examine()
    checks = {check.name: check for check in report.checks}
    assert not checks["torch"].fine and checks["torch"].remedy == doctor.INSTALL_CORE
    assert checks["device"].detail == "unknown without torch"
    assert checks["offline encoders"].remedy == doctor.INSTALL_OFFLINE
    for name, extra in (("ray", "ray"), ("object stores", "objects")):  # only an option needs them
        assert checks[name].fine and f'pip install "rebeca-bench[{extra}]"' in checks[name].detail
    oasis = next(task for task in report.tasks if task.id == "oasis")
    assert oasis.missing[0].name == "encoders" and oasis.missing[0].remedy == doctor.INSTALL_OFFLINE


@pytest.mark.parametrize(("version", "fine"), [("3.10", False), ("3.11", True), ("3.14", True)])
def test_old_pythons_are_refused(monkeypatch, version, fine):
    monkeypatch.setattr(doctor.platform, "python_version_tuple", lambda: (*version.split("."), "0"))
    check = next(check for check in doctor.examine().checks if check.name == "python")
    assert check.fine == fine
