"""Fits of generators: shared by arms that only sample differently, given nothing that they did not ask for."""

import json

import pytest

from benchmark.runner.fits import REPORT, Decoders, fit_generator, generator_context, read_report
from rebeca.errors import PluginError


def fit(prepared, spec):
    fits = prepared.addresses.generators[spec.id].fits[:1]
    (folder,) = fit_generator(prepared.task, spec, prepared.addresses, fits, prepared.materials, prepared.stages)
    return folder


def test_arms_share_a_fit(prepared):
    folders = [fit(prepared, spec) for spec in prepared.task.generators]
    assert folders[0] == folders[1] == folders[2]
    assert len(set(folders)) == 3
    fit_address = prepared.addresses.generators[prepared.task.generators[0].id].fits[0].address
    assert not prepared.stages.store.checkpoint(fit_address).exists()


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
    return generator_context(prepared.task, spec, address, address.fits[0], prepared.materials, decoders, tmp_path)


def test_a_generator_is_given_what_it_asked_for(prepared, tmp_path):
    plain, privileged = context(prepared, 3, tmp_path), context(prepared, 4, tmp_path)
    assert privileged.privileges.judge is prepared.materials.judges["verifier"]
    with pytest.raises(PluginError, match="'judge', which its needs"):
        _ = plain.privileges.judge
    with pytest.raises(PluginError, match="'held-out'"):
        _ = privileged.privileges.held_out


def test_the_seed_of_a_fit_comes_from_its_address(prepared, tmp_path):
    spec = prepared.task.generators[0]
    assert context(prepared, 0, tmp_path).fit_seed == prepared.addresses.generators[spec.id].fits[0].seed


def test_decoders_of_items_need_no_batch(prepared, tmp_path):
    from rebeca.space import LinearSpace

    fit = context(prepared, 0, tmp_path)
    assert fit.decoder(LinearSpace()).repeats is False
    assert fit.decoder.batch is None
