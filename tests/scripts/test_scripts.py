"""The scripts behind the docs' numbers."""

import importlib

import numpy as np
import pytest


def load(name):
    return importlib.import_module(f"scripts.{name}")


def test_published_figures_are_reduced_as_published(shared):
    published = load("sprites_seeds").published(shared / "golden" / "dsprites" / "precision_recall_results.json")
    np.testing.assert_allclose(published["rebeca"][0], [0.800, 0.840, 0.792, 0.767, 0.781], atol=6e-4)
    np.testing.assert_allclose(published["mean"][0], 0.75)
    np.testing.assert_allclose(published["random"][0], [0.200, 0.315, 0.273, 0.288, 0.266], atol=6e-4)
    assert [round(published[m][1], 4) for m in ("rebeca", "mean", "random")] == [0.0166, 0.0006, 0.0057]


def test_lift_of_choices_by_hand():
    from tests.builders import interactions

    ratings = interactions([0, 0, 1, 1], [0, 1, 0, 1], [7, 1, 2, 4])
    lift, _ = load("oasis_prior").lift(np.array([[0], [1]]), ratings, np.zeros(2, int))
    assert lift == pytest.approx(((7 - 1) + (4 - 2)) / 2)


def test_every_field_of_a_record_is_documented():
    script = load("record_fields")
    assert script.describe() in script.PAGE.read_text(), "run: python scripts/record_fields.py"


def test_near_copies_are_counted_by_alteration():
    script, rng = load("near_copies"), np.random.default_rng(0)
    coarse = rng.integers(0, 256, (40, 4, 4, 3)).astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    figures = script.column(script.Items("Coarse", coarse[:30], coarse[30:]))
    assert all(figures[name] == "100.0 %" for name in ("mirrored", "noise up to 8 of 255", "JPEG, quality 50"))
    assert figures["**held-out items**"] == "0.00 % of 10" and figures["altered"] == "30"
    assert (
        script.table({"A": {"row": "1 %"}, "B": {"row": "2 %"}})
        == "|  | A | B |\n| --- | --- | --- |\n| row | 1 % | 2 % |\n"
    )
    for name, alter in {**script.ALTERATIONS, **script.HARDER}.items():
        altered = alter(coarse[0], rng)
        assert altered.shape == coarse[0].shape and altered.dtype == np.uint8, name
        assert not np.array_equal(altered, coarse[0]) or name == "half the size and back"


@pytest.mark.slow
def test_the_gpu_check_runs_anywhere_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    import json

    from click.testing import CliRunner

    from benchmark.site.view import read_reports

    script = load("gpu_check")
    monkeypatch.setenv("REBECA_WEIGHTS", "")  # the script's own folder is forgotten afterwards
    ran = []
    for name, stage in list(script.STAGES.items()):
        if name == "smoke":  # a test of its own
            monkeypatch.setitem(script.STAGES, name, lambda check: ran.append("smoke") or {"seconds": 0})
        else:
            monkeypatch.setitem(script.STAGES, name, lambda check, s=stage, n=name: ran.append(n) or s(check))
    arguments = ["--size", "tiny", "--device", "cpu", "--folder", tmp_path / "w", "--out", tmp_path / "results/perf"]
    stopped = CliRunner().invoke(script.main, [str(a) for a in [*arguments, "--seconds", "-1"]])
    assert "0 of 7 stages are done" in stopped.output
    done = CliRunner().invoke(script.main, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output + str(done.exception)
    assert ran == list(script.STAGES)
    again = CliRunner().invoke(script.main, [str(a) for a in arguments])
    assert again.exit_code == 0 and ran == list(script.STAGES)  # nothing is measured twice
    (report,) = read_reports([tmp_path / "results"])
    assert (
        report.size == "tiny"
        and report.device.startswith("cpu")
        and set(report.figures.model_dump(by_alias=True)) == set(script.LIMITS)
    )
    raw = json.loads((tmp_path / "results/perf/cpu-tiny.json").read_text())
    assert set(raw["stages"]["decoding"]["batches"]) == {"1", "8"} and raw["weights"] == "random"


def test_weights_of_one_folder_are_written_by_one_process():
    script = load("gpu_check")
    groups = script.by_folder(list(script.LAYOUTS))
    assert sorted(layout for group in groups for layout in group) == sorted(script.LAYOUTS)
    assert ["ip-adapter", "vit-h", "vit-g"] in groups and ["hpsv2", "hpsv2.1"] in groups
    folders = [{script.ALL[script.LAYOUTS[layout]].folder for layout in group} for group in groups]
    assert all(len(folder) == 1 for folder in folders) and len(set.union(*folders)) == len(groups)


def test_without_a_gpu_the_gpu_check_says_so(tmp_path):
    import torch
    from click.testing import CliRunner

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    stopped = CliRunner().invoke(load("gpu_check").main, ["--folder", str(tmp_path)])
    assert stopped.exit_code == 2 and "this machine has no CUDA device" in stopped.output


def test_the_mean_of_others_leaves_the_own_rating_out():
    """Each of two users likes what the other dislikes: by the other's ratings, every pair is the wrong way round."""
    from tests.builders import interactions

    ratings = interactions([0, 0, 1, 1], [0, 1, 0, 1], [5, 1, 1, 5])
    assert load("oasis_splits").auc_of_others(ratings).tolist() == [0.0, 0.0]
