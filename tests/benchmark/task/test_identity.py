"""What a plug-in is: its files, its version, its direct requirements, its parameters, and nothing else."""

import json
from dataclasses import replace

import pytest

from benchmark.task.declared import address_of
from benchmark.task.registry import identity, plugin_class
from benchmark.task.resolve import load_task
from rebeca.params import make_params
from tests.plugins.conftest import PACKAGE

ALL = [
    ("generator", "lucky"), ("scorer", "brightness"), ("scorer", "colours"), ("judge", "nearness"),
    ("encoder", "thumbnail"), ("decoder", "stripes"), ("data set", "shades"),
]  # fmt: skip
PARAMETERS = {"lucky": {"number": 8}, "thumbnail": {"side": 4}, "stripes": {"side": 8}, "shades": {"items": 30}}
FILES = (f"{PACKAGE}/__init__.py", f"{PACKAGE}/helper.py", f"{PACKAGE}-1.0.dist-info/METADATA")


def address(kind, name, **params):
    return address_of(kind, name, make_params(plugin_class(kind, name).Params, params, name))


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_what_is_part_of_an_address(plugins, kind, name):
    first = address(kind, name)
    assert first == address(kind, name)
    plugins.write("helper.py", "WORD = 'two'\n")
    helper = address(kind, name)
    assert helper["code"] != first["code"]
    plugins.write("table.csv", "1,2\n")  # data files count like code
    data = address(kind, name)
    assert data["code"] != helper["code"]
    plugins.about("1.1")
    version = address(kind, name)
    assert version["code"] != data["code"]
    plugins.about("1.1", requires=("numpy>=2", "nothing-of-the-kind; extra == 'more'"))
    assert address(kind, name)["code"] != version["code"]
    if name in PARAMETERS:
        assert address(kind, name, **PARAMETERS[name])["params"] != address(kind, name)["params"]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_record_can_name_the_package(plugins, kind, name):
    known = identity(kind, name)
    assert (known.kind, known.name, known.distribution, known.version) == (kind, name, PACKAGE, "1.0")
    assert len(known.hash) == 64 and not known.is_own


def test_a_requirement_of_another_version_counts(plugins, monkeypatch):
    from benchmark.task import registry

    plugins.about(requires=("numpy>=2",))
    first = identity("generator", "lucky").hash
    monkeypatch.setattr(registry, "version", lambda name: {"numpy": "99.0"}[name])
    assert identity("generator", "lucky").hash != first


def test_what_python_compiles_and_installers_write_does_not_count(plugins):
    first = identity("generator", "lucky").hash
    (plugins.package / "__pycache__").mkdir()
    (plugins.package / "__pycache__" / "helper.cpython-311.pyc").write_bytes(b"compiled")
    (plugins.root / f"{PACKAGE}-1.0.dist-info" / "INSTALLER").write_text("pip")
    assert identity("generator", "lucky").hash == first


def test_an_installed_wheel_counts_by_the_files_that_it_lists(plugins):
    plugins.about(files=FILES)
    first = identity("generator", "lucky").hash
    plugins.write("written_later.py", "")
    assert identity("generator", "lucky").hash == first
    plugins.write("helper.py", "WORD = 'two'\n")
    assert identity("generator", "lucky").hash != first


def test_an_editable_install_counts_by_its_import_packages(plugins):
    url = json.dumps({"url": f"file://{plugins.root}", "dir_info": {"editable": True}})
    plugins.about(files=(f"_{PACKAGE}.pth",), direct_url=url)
    (plugins.root / f"_{PACKAGE}.pth").write_text(str(plugins.root))
    first = identity("generator", "lucky").hash
    plugins.write("helper.py", "WORD = 'two'\n")
    assert identity("generator", "lucky").hash != first


def test_the_projects_own_code_is_covered_by_stage_versions(plugins):
    known = identity("generator", "rebeca")
    assert known.is_own and known.distribution == "rebeca-bench"
    assert address("encoder", "fourier", size=8)["code"] == ""


def test_a_package_leaves_the_others_as_they_are(plugins, task):
    resolved = load_task(task)
    own = [address("scorer", "ncf"), address("generator", "rebeca")]
    encoder = resolved.encoder.address()
    plugins.write("helper.py", "WORD = 'two'\n")
    assert [address("scorer", "ncf"), address("generator", "rebeca")] == own
    assert load_task(task).encoder.address() != encoder


def test_the_encoder_below_counts(plugins, task):
    below = load_task(task).encoder
    for other in (replace(below, params=replace(below.params, side=3)), None):
        outer = replace(below, of=below)
        assert outer.address() != replace(below, of=other).address()
