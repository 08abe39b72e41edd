"""Images of all generators: what becomes of a generator, or an image, that fails."""

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from benchmark.records.schema import FailedGenerator
from benchmark.runner import generate
from benchmark.runner.decode import GeneratorImages
from benchmark.runner.freeze import Freezer
from benchmark.runner.images import ImageRow
from benchmark.runner.progress import Reporter
from benchmark.runner.stages import Stages
from benchmark.task.resolve import load_task
from rebeca.errors import PluginError


@pytest.fixture
def run(prepared, monkeypatch):
    """Runs the stage on the tiny task; returns images, failed generators, and what was printed.

    Generator ``crashing`` fails in its child process. Of generator ``losing`` the last two of three images fail.
    """

    def run_(crashing="", losing="", failures="exclude", kinds=("", "blank", "missing")):
        def child(task, spec, *_):
            if spec.id == crashing:
                raise PluginError(f"generator '{spec.id}': it broke in /a/folder")

        def decode(task, spec, *_):
            failed = kinds if spec.id == losing else [""] * len(kinds)
            rows = tuple(ImageRow(f"u{1 + k // 3}", k % 3, 7, "", -1, failure) for k, failure in enumerate(failed))
            return GeneratorImages(spec, (), np.arange(len(rows)), rows, 3)

        monkeypatch.setattr(generate, "decode_in_child", child)
        monkeypatch.setattr(generate, "fit_and_decode", decode)
        printed = StringIO()
        task = load_task(prepared.task.source, (f"failures={failures}",))
        stages = Stages(prepared.stages.store, Reporter(Console(file=printed, width=200)))
        freezer = Freezer(stages.store.root, task)
        images, failed = generate.generate_images(task, prepared.addresses, prepared.materials, stages, freezer)
        return images, failed, printed.getvalue()

    return run_


def test_every_generator_has_its_images(run, prepared):
    images, failed, printed = run()
    assert [each.spec.id for each in images] == [spec.id for spec in prepared.task.generators]
    assert failed == [] and printed == ""


def test_a_generator_that_fails_has_no_row_and_costs_the_others_nothing(run, prepared):
    images, failed, printed = run(crashing="catalogue-random")
    assert [each.spec.id for each in images] == [
        spec.id for spec in prepared.task.generators if spec.id != "catalogue-random"
    ]
    (spec,) = (spec for spec in prepared.task.generators if spec.id == "catalogue-random")
    assert failed == [FailedGenerator(id=spec.id, title=spec.title, reason=failed[0].reason)]
    assert "it broke" in failed[0].reason and "/a/" not in failed[0].reason
    assert "catalogue-random" in printed and "the leaderboard is without it" in printed


def test_a_reference_that_fails_ends_the_run(run):
    with pytest.raises(PluginError, match="generator 'rebeca': it broke"):
        run(crashing="rebeca")


@pytest.mark.parametrize("failures", ["exclude", "worst"])
def test_failed_images_are_counted_by_kind(run, failures):
    images, _, printed = run(losing="catalogue-random", failures=failures)
    assert len(images) == 5
    assert printed.splitlines() == [
        "  catalogue-random: 2 of 3 images failed (1 blank, 1 missing), first user 'u1', image 1 is blank"
    ]


def test_users_without_any_image_are_named(run):
    _, _, printed = run(losing="catalogue-random", kinds=("", "blank", "missing", *["missing"] * 21))
    assert printed.splitlines()[1] == "  catalogue-random: users without any image: u2, u3, u4, u5, u6, and 2 more"


def test_a_failed_image_ends_a_run_that_says_abort(run):
    with pytest.raises(
        PluginError, match=r"'catalogue-random': 2 of 3 images failed, the first for user 'u1', image 1"
    ):
        run(losing="catalogue-random", failures="abort")
