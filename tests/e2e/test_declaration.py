"""What was decided before the first image, and what happens to a later change of mind."""

import json

import pytest

from benchmark.board.board import read_board
from tests.conftest import TINY, invoke


def run(task, *more):
    return invoke("run", task, "--workdir", task.parent / "w", *more)


def families(task, version=1):
    path = task.parent / "w" / "records" / "tiny" / f"v{version}" / "_task" / "comparison.json"
    record = json.loads(path.read_text())
    return record, {name for name, family in record["results"]["families"].items() if family["declared"]}


def change(task, old, new):
    text = task.read_text()
    assert old in text
    task.write_text(text.replace(old, new))


def test_what_is_changed_after_the_first_image_is_exploratory(tiny):
    run(tiny, "--quiet")
    record, declared = families(tiny)
    assert declared == {"ncf", "lift:ncf"}
    assert record["analysis"]["frozen"]
    assert record["provenance"]["declared"] <= record["provenance"]["created"]

    change(tiny, "  - id: rebeca\n", "  - id: rebeca\n    title: A better title\n")
    run(tiny, "--quiet")
    assert families(tiny)[1] == {"ncf", "lift:ncf"}

    change(tiny, "scorer: ncf", "scorer: auditor")  # the other judge looked better
    output = run(tiny, "--site", tiny.parent / "site")
    assert "changed after the first image" in output
    assert "analysis: every comparison is exploratory" in output
    record, declared = families(tiny)
    assert not record["analysis"]["frozen"]
    assert not declared
    page = (tiny.parent / "site" / "tasks" / "tiny" / "index.html").read_text()
    assert "everything is exploratory" in page
    assert "All comparisons are exploratory." in page
    invoke("verify", tiny.parent / "w" / "records" / "tiny" / "v1")

    change(tiny, "version: 1", "version: 2")  # other seeds, other images
    run(tiny, "--quiet")
    assert families(tiny, 2)[1] == {"auditor", "lift:auditor"}

    change(tiny, "version: 2", "version: 1")  # and back to what was declared
    change(tiny, "scorer: auditor", "scorer: ncf")
    run(tiny, "--quiet")
    assert families(tiny)[1] == {"ncf", "lift:ncf"}


def test_how_failures_count_is_part_of_the_declaration(tiny):
    run(tiny, "--quiet")
    tiny.write_text(tiny.read_text() + "failures: exclude\n")
    assert "changed after the first image" in run(tiny)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("seed: 7", "seed: 8", "seed"),
        ("images: 3", "images: 2", "images"),
        ("dims: 4, epochs: 3", "dims: 4, epochs: 2", "judges"),
        (
            "  - {id: catalogue-random, use: catalogue, params: {rank_by: random}}\n",
            "",
            "generators (catalogue-random)",
        ),
        ("rank_by: random", "rank_by: most-liked", "generators (catalogue-random)"),
    ],
)
def test_seeds_judges_and_families_cannot_be_tried_out(tiny, old, new, named):
    run(tiny, "--quiet")
    change(tiny, old, new)
    assert f"): {named}" in run(tiny).replace("\n", " ")
    assert not families(tiny)[1]


def test_a_generator_may_be_added_and_a_pilot_spoils_nothing(tiny):
    run(tiny, "--quiet", "--limit-users", 6, "--set", "analysis.alpha=0.2")
    run(tiny, "--quiet")
    assert families(tiny)[1] == {"ncf", "lift:ncf"}
    change(tiny, "scorers:", "  - {id: more, use: catalogue, params: {rank_by: centroid}}\nscorers:")
    run(tiny, "--quiet")
    assert families(tiny)[1] == {"ncf", "lift:ncf"}
    board = read_board(tiny.parent / "w" / "records" / "tiny" / "v1")
    assert board.record.provenance.added == ("more",)
    assert [row.id for row in board.rows if "added later" in row.flags] == ["more"]


def test_a_crash_at_the_first_image_declares_nothing(tiny, monkeypatch):
    from rebeca.generator import Rebeca

    def failing(self, requests):
        raise RuntimeError("no paint")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Rebeca, "generate", failing)
        invoke("run", tiny, "--workdir", tiny.parent / "w", "--quiet", code=5)
    change(tiny, "scorer: ncf", "scorer: auditor")
    run(tiny, "--quiet")
    assert families(tiny)[1] == {"auditor", "lift:auditor"}


def test_images_without_a_declaration_are_never_declared(tiny):
    """Nor by making more of them, which would write down what was decided after looking."""
    run(tiny, "--quiet")
    for path in (tiny.parent / "w" / "frozen").iterdir():
        path.unlink()
    assert "images existed before the task was written down" in run(tiny)
    change(tiny, "scorers:", "  - {id: more, use: catalogue, params: {rank_by: centroid}}\nscorers:")
    for _ in range(2):
        run(tiny, "--quiet")
        assert not families(tiny)[1]


def test_a_crash_before_the_mark_loses_no_declaration(tiny):
    """Images are in the store, but the file does not say so yet: it is compared all the same, and stays."""
    run(tiny, "--quiet")
    path = tiny.parent / "w" / "frozen" / "tiny-v1.json"
    declared = json.loads(path.read_text())
    path.write_text(json.dumps(declared | {"images": False}))
    change(tiny, "scorer: ncf", "scorer: auditor")
    change(tiny, "scorers:", "  - {id: more, use: catalogue, params: {rank_by: centroid}}\nscorers:")
    for _ in range(2):
        assert "changed after the first image" in run(tiny)
    assert json.loads(path.read_text()) == declared


def test_a_run_that_made_no_image_declares_nothing(tiny, monkeypatch):
    from rebeca.generator import Rebeca

    def failing(self, train, context):
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(Rebeca, "fit", failing)
        invoke("run", tiny, "--workdir", tiny.parent / "w", "--quiet", code=5)
    change(tiny, "scorer: ncf", "scorer: auditor")
    run(tiny, "--quiet")
    assert families(tiny)[1] == {"auditor", "lift:auditor"}


def test_a_damaged_declaration_is_named(tiny):
    run(tiny, "--quiet")
    path = tiny.parent / "w" / "frozen" / "tiny-v1.json"
    path.write_text("{")
    assert f"{path}: cannot be read" in invoke("run", tiny, "--workdir", tiny.parent / "w", code=6)


def test_a_level_that_no_test_can_reach_is_refused(tiny):
    few = ("--limit-users", 6, "--set", "analysis.alpha=0.03")
    message = invoke("run", tiny, "--workdir", tiny.parent / "w", *few, code=2)
    assert "with 6 users and 199 sign flips, p cannot fall below 0.031" in message
    assert not (tiny.parent / "w" / "images").exists()


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_the_verifier_is_fitted_on_fewer_ratings(tiny, share):
    tiny.write_text(TINY.replace("learning_curve: [0.5]", f"learning_curve: [{share}]"))
    run(tiny, "--quiet", "--site", tiny.parent / "site")
    record, _ = families(tiny)
    assert [point["share"] for point in record["judges"]["verifier"]["learning_curve"]] == [share, 1.0]
    assert [point["share"] for point in record["judges"]["auditor"]["learning_curve"]] == [1.0]
    page = (tiny.parent / "site" / "tasks" / "tiny" / "verifier.html").read_text()
    for figure in ("roc", "calibration", "learning-curve"):
        assert f'id="{figure}"' in page
    assert "Do the scorers agree?" in page
