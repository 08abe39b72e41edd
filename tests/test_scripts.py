"""The scripts behind the docs' numbers."""

import importlib.util

import numpy as np
import pytest

from tests.conftest import ROOT


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_published_figures_are_reduced_as_published(shared):
    published = load("sprites_seeds").published(shared / "golden" / "dsprites" / "precision_recall_results.json")
    np.testing.assert_allclose(published["rebeca"][0], [0.800, 0.840, 0.792, 0.767, 0.781], atol=6e-4)
    np.testing.assert_allclose(published["mean"][0], 0.75)
    np.testing.assert_allclose(published["random"][0], [0.200, 0.315, 0.273, 0.288, 0.266], atol=6e-4)
    assert [round(published[m][1], 4) for m in ("rebeca", "mean", "random")] == [0.0166, 0.0006, 0.0057]


def test_lift_of_choices_by_hand():
    from tests.rebeca.test_data import interactions

    ratings = interactions([0, 0, 1, 1], [0, 1, 0, 1], [7, 1, 2, 4])
    lift, _ = load("oasis_prior").lift(np.array([[0], [1]]), ratings, np.zeros(2, int))
    assert lift == pytest.approx(((7 - 1) + (4 - 2)) / 2)


def test_every_field_of_a_record_is_documented():
    script = load("record_fields")
    assert script.describe() in script.PAGE.read_text(), "run: python scripts/record_fields.py"
