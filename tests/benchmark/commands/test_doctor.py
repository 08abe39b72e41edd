"""``doctor``."""

import json
from importlib.metadata import PackageNotFoundError

import pytest

from benchmark.commands import doctor
from tests.conftest import invoke


def test_nothing_is_missing_on_this_machine():
    report = json.loads(invoke("doctor", "--json"))
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["torch"]["fine"] and checks["python"]["fine"]
    assert all(bool(check["remedy"]) != check["fine"] for check in report["checks"])
    assert {"rebeca", "catalogue"} <= set(report["registered"]["generators"])
    tasks = {task["id"]: task["status"] for task in report["tasks"]}
    assert tasks["sprites"] == "ready: rebeca-bench run sprites"
    assert tasks["oasis"].startswith("needs ")
    output = invoke("doctor")
    assert all(f"task {name}" in output for name in tasks)


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
    assert doctor.INSTALL_OFFLINE in next(task.status for task in report.tasks if task.id == "oasis")


@pytest.mark.parametrize(("version", "fine"), [("3.10", False), ("3.11", True), ("3.14", True)])
def test_old_pythons_are_refused(monkeypatch, version, fine):
    monkeypatch.setattr(doctor.platform, "python_version_tuple", lambda: (*version.split("."), "0"))
    check = next(check for check in doctor.examine().checks if check.name == "python")
    assert check.fine == fine
