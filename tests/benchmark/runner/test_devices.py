"""Devices: their names, batches that fit onto them, and what is refused before any work."""

import json

import pytest
import torch

from benchmark.runner.devices import check_device, device_name, rehearsed
from rebeca.decoders.nearest import NearestParams
from rebeca.errors import SpecError


@pytest.fixture
def cards(monkeypatch):
    """Two CUDA devices, as torch would name them."""
    names = ["Card A", "Card B"]
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: names[device.index or 0])
    return names


class Decoder:
    """Finds that four images fit, and remembers what it was told."""

    def __init__(self, fits=4):
        self.fits, self.told = fits, []

    def rehearse(self, batch=None):
        self.told.append(batch)
        return self.fits if batch is None else batch


def rehearse(decoder, device, folder, metric="euclidean"):
    return rehearsed(decoder, "nearest-picture", NearestParams(metric), device, folder)


def test_cards_have_their_makers_name(cards):
    assert [device_name(device) for device in ("cpu", "mps", "cuda", "cuda:1")] == ["cpu", "mps", "Card A", "Card B"]


def test_on_a_processor_nothing_is_kept(tmp_path):
    decoder = Decoder(fits=None)
    assert rehearse(decoder, "cpu", tmp_path) is None
    assert decoder.told == [None] and not list(tmp_path.iterdir())


def test_a_resumed_run_takes_the_batch_of_the_first(cards, tmp_path):
    folder = tmp_path / "batches"
    assert rehearse(Decoder(fits=4), "cuda", folder) == 4
    resumed = Decoder(fits=9)
    assert rehearse(resumed, "cuda", folder) == 4
    assert resumed.told == [4]
    (kept,) = folder.iterdir()
    assert json.loads(kept.read_text()) == {"batch": 4}


def test_another_kind_of_card_and_other_parameters_are_measured_anew(cards, tmp_path):
    assert rehearse(Decoder(fits=4), "cuda", tmp_path) == 4
    assert rehearse(Decoder(fits=9), "cuda:1", tmp_path) == 9
    assert rehearse(Decoder(fits=2), "cuda", tmp_path, metric="cosine") == 2
    cards[1] = "Card A"  # the number of a card does not matter
    assert rehearse(Decoder(fits=1), "cuda:1", tmp_path) == 4


def test_a_batch_that_does_not_matter_is_not_kept(cards, tmp_path):
    decoder = Decoder(fits=None)
    for _ in range(2):
        assert rehearse(decoder, "cuda", tmp_path / "batches") is None
    assert decoder.told == [None, None] and not (tmp_path / "batches").exists()


def test_unknown_kinds_of_device_are_refused():
    for device in ("gpu", "cuda:first", "none at all"):
        with pytest.raises(SpecError, match=f"--device {device}: no such kind of device") as raised:
            check_device(device)
        assert raised.value.hint == "use cpu, cuda or cuda:N"


def test_cards_that_are_not_there_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    check_device("cpu")
    for device, kind in (("cuda:1", "CUDA"), ("mps", "MPS"), ("meta", "META")):
        with pytest.raises(SpecError, match=f"--device {device}: this machine has no {kind} device") as raised:
            check_device(device)
        assert "doctor" in raised.value.hint
    with pytest.raises(SpecError, match="--device cpu:3: this machine has no CPU device number 3"):
        check_device("cpu:3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for device in ("cuda", "cuda:1", "mps"):
        check_device(device)
    with pytest.raises(SpecError, match="--device cuda:2: this machine has no CUDA device number 2"):
        check_device("cuda:2")
