"""Fits are shared by arms that only sample differently, and are given nothing that they did not ask for.

Images are decoded in work units: only what is missing, with seeds that do not know the unit.
"""

import json
import shutil

import pytest

from benchmark.runner import addresses as addresses_module
from benchmark.runner.decode import (
    REPORT,
    Decoders,
    fit_and_decode,
    fit_generator,
    generator_context,
    read_report,
    requests_of,
)
from benchmark.runner.freeze import Freezer
from rebeca.errors import PluginError
from rebeca.seeds import SeedScheme
from tests.running import Running


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


def fit(prepared, spec):
    return fit_generator(
        prepared.task, spec, prepared.addresses.generators[spec.id], prepared.materials, prepared.stages
    )


def test_arms_share_a_fit(prepared):
    folders = [fit(prepared, spec) for spec in prepared.task.generators]
    assert folders[0] == folders[1] == folders[2]
    assert len(set(folders)) == 3
    assert not (prepared.stages.store.root / "checkpoints" / folders[0].name).exists()


def test_what_a_fit_reports_lies_beside_it(prepared):
    folder = fit(prepared, prepared.task.generators[0])
    report = read_report(folder)
    assert "history" in report
    assert json.loads((folder / REPORT).read_text()) == report
    assert read_report(fit(prepared, prepared.task.generators[3])) == {}


def context(prepared, number, tmp_path):
    spec = prepared.task.generators[number]
    decoders = Decoders(prepared.task, spec, prepared.materials, tmp_path)
    address = prepared.addresses.generators[spec.id]
    return generator_context(prepared.task, spec, address, prepared.materials, decoders, tmp_path)


def test_a_generator_is_given_what_it_asked_for(prepared, tmp_path):
    plain, privileged = context(prepared, 3, tmp_path), context(prepared, 4, tmp_path)
    assert privileged.privileges.judge is prepared.materials.judges["verifier"]
    with pytest.raises(PluginError, match="'judge', which its needs"):
        _ = plain.privileges.judge
    with pytest.raises(PluginError, match="'held-out'"):
        _ = privileged.privileges.held_out


def test_the_seed_of_a_fit_comes_from_its_address(prepared, tmp_path):
    spec = prepared.task.generators[0]
    assert context(prepared, 0, tmp_path).fit_seed == prepared.addresses.generators[spec.id].seed


def test_decoders_of_items_need_no_batch(prepared, tmp_path):
    from rebeca.space import LinearSpace

    made = context(prepared, 0, tmp_path)
    assert made.decoder(LinearSpace()).repeats is False
    assert made.decoder.batch is None
