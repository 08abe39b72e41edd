"""Decoding in work units: only what is missing, with seeds that do not know the unit."""

import shutil

import pytest

from benchmark.dev.running import Running
from benchmark.runner import addresses as addresses_module
from benchmark.runner.decode import fit_and_decode, requests_of
from benchmark.runner.freeze import Freezer
from rebeca.seeds import SeedScheme


@pytest.fixture(scope="module")
def running(prepared, tmp_path_factory):
    """Units of five users, on a store of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(addresses_module, "USERS_PER_UNIT", 5)
        root = tmp_path_factory.mktemp("decode")
        shutil.copytree(prepared.stages.store.root, root / "w")
        return Running.of(prepared.task, root / "w")


def decode(running, number):
    spec = running.task.generators[number]
    freezer = Freezer(running.stages.store.root, running.task)
    freezer.declare(False)
    return fit_and_decode(running.task, spec, running.addresses, running.materials, running.stages, freezer)


def test_only_missing_units_are_decoded(running):
    whole = decode(running, 0)
    assert whole.decoded == 36 and len(whole.folders) == 3 and len(whole.rows) == 36
    assert not any(row.failure for row in whole.rows)
    shutil.rmtree(whole.folders[1])
    again = decode(running, 0)
    assert again.decoded == 15
    assert again.rows == whole.rows and again.folders == whole.folders
    assert decode(running, 0).decoded == 0
    assert running.stages.seconds["images rebeca"] > 0


def test_units_do_not_change_an_image(running, prepared):
    spec = prepared.task.generators[0]
    whole = fit_and_decode(
        prepared.task, spec, prepared.addresses, prepared.materials, prepared.stages,
        Freezer(prepared.stages.store.root, prepared.task),
    )  # fmt: skip
    assert [row.digest for row in whole.rows] == [row.digest for row in decode(running, 0).rows]


def test_the_first_image_seals_the_declaration(running):
    decode(running, 3)
    freezer = Freezer(running.stages.store.root, running.task)
    assert freezer.declare(False).frozen
    (file,) = (running.stages.store.root / "frozen").iterdir()
    assert '"images": true' in file.read_text()


def test_seeds_are_those_of_the_scheme(prepared):
    spec = prepared.task.generators[0]
    requests = requests_of(prepared.task, spec, ("b", "a"))
    assert [(request.user, request.replicate) for request in requests] == [(u, k) for u in "ba" for k in range(3)]
    assert requests[4].seed == SeedScheme("tiny", 1, 7).image("a", 1)


def test_items_have_no_image_files(running):
    assert decode(running, 4).image_files() == {}
