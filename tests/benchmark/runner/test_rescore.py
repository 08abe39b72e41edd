"""Images of a record scored again: which ones, by which scorers, and what counts as another score."""

import shutil

import numpy as np
import pytest
from PIL import Image

from benchmark.records.files import read_comparison
from benchmark.records.gallery import IMAGES, decode_packed, pack_images, unpack
from benchmark.records.rows import read_all
from benchmark.records.schema import ShownImage
from benchmark.records.verify_cross import OTHER_MACHINE
from benchmark.runner.progress import Reporter
from benchmark.runner.publish import weights_folder
from benchmark.runner.rescore import drawn, rescore
from rebeca.errors import RecordError, SpecError
from tests.benchmark.records.test_verify import edit_json, edit_rows
from tests.conftest import invoke

GENERATED = "rebeca"
LEFT_OUT = {"ncf-prior", "diversity"}


@pytest.fixture(scope="module")
def judged(miniature):
    """A work folder with the judges of the miniature task, which the run left there."""
    return miniature[0] / "work"


@pytest.fixture
def records(miniature, tmp_path):
    return shutil.copytree(miniature[0] / "work" / "records" / "miniature" / "v1", tmp_path / "v1")


def scored(records, judged, count=3, images=None, **more):
    given = {"device": "cpu", "overrides": (), "reporter": Reporter(quiet=True)}
    return rescore(records, count, images, judged, **(given | more))


def row(result, name=GENERATED):
    return next(row for row in result.rows if row.generator == name)


def test_scores_of_an_honest_record_are_equal(records, judged):
    result = scored(records, judged)
    assert result.equal and not result.differs
    assert [row.generator for row in result.rows] == list(read_comparison(records).order)
    done = row(result).done
    assert (done.images, done.among, done.valid, done.origin) == (3, 14, 14, "record")
    assert done.judges == "fitted again" and done.largest < OTHER_MACHINE


def test_scorers_that_need_more_than_an_image_are_left_out_and_named(records, judged):
    done = row(scored(records, judged)).done
    assert set(done.left_out) == LEFT_OUT
    assert set(done.scorers) == {scorer.id for scorer in read_comparison(records).spec.scorers} - LEFT_OUT


def test_a_confirming_judge_is_left_out():
    from types import SimpleNamespace

    from benchmark.runner.rescore import why_not
    from benchmark.task.declared import scorer_flags
    from rebeca.interfaces import NoParams

    assert why_not(scorer_flags("confirming", NoParams())) == "all images of the row draw it"
    assert why_not(SimpleNamespace(of_sets=True)) == "it scores whole sets of images"


def test_fewer_images_than_asked_for_are_all_of_them(records, judged):
    assert row(scored(records, judged, 1000)).done.images == 14


def forge(records, scorer, by):
    """Raises one score as an author would who makes the means agree, so that only scoring again can tell."""

    def image(table):
        own = (table["user"] == "person-003") & (table["replicate"] == 1) & (table["scorer"] == scorer)
        table.loc[own, "score"] += by

    def user(table):
        own = (table["user"] == "person-003") & (table["measure"] == scorer)
        table.loc[own, ["value", "worst"]] += by / 2  # of two images

    def pair(table):
        own = (table["judge"] == 3) & (table["target"] == 3) & (table["scorer"] == scorer)
        table.loc[own, "mean"] += by / 2

    for file, change in (("scores", image), ("users", user), ("pairs", pair)):
        edit_rows(records, f"{GENERATED}/{file}.parquet", change)


@pytest.mark.parametrize("scorer", ["ncf", "laion", "ground-truth"])
def test_a_changed_score_is_named_with_both_values(records, judged, scorer):
    before = read_all(records)[1][0].scores[scorer][3, 1]
    forge(records, scorer, 0.05)
    result = scored(records, judged, 1000)
    ((name, user, k, recorded, here),) = row(result).apart
    assert (name, user, k) == (scorer, "person-003", 1)
    assert here == pytest.approx(before, abs=1e-6) and recorded == pytest.approx(before + 0.05, abs=1e-6)
    assert not result.equal and not row(result, "shelf").apart


def test_another_image_in_the_record_is_refused(records, judged):
    folder = records / GENERATED
    files = unpack(folder, IMAGES)
    pixels = {digest: decode_packed(folder, digest, data) for digest, data in files.items()}
    shown = [ShownImage(**each) for each in _shown(records)]
    other = pixels | {shown[0].digest: 255 - pixels[shown[0].digest]}
    pack_images(folder, shown, other.__getitem__)
    with pytest.raises(RecordError, match="is another image"):
        scored(records, judged, 1000)


def _shown(records):
    import json

    return json.loads((records / GENERATED / "record.json").read_text())["images"]["shown"]


def as_files(records, folder, suffix="png"):
    """Every image of one row as a file, as if somebody kept them."""
    task, rows = read_all(records)
    files = unpack(records / GENERATED, IMAGES)
    own = next(row for row in rows if row.id == GENERATED)
    for u, user in enumerate(task.users.id):
        (folder / GENERATED / user).mkdir(parents=True)
        for k in range(own.per_user):
            pixels = decode_packed(records / GENERATED, own.digest[u, k], files[own.digest[u, k]])
            Image.fromarray(pixels).save(folder / GENERATED / user / f"{k}.{suffix}")
    return folder


def test_images_may_be_given_as_files(records, judged, tmp_path):
    result = scored(records, judged, images=as_files(records, tmp_path / "images"))
    assert row(result).done.origin == "given" and not row(result).apart
    assert row(result, "shelf").done is None, "no images of it were given"


def test_images_may_be_given_packed(records, judged, tmp_path):
    (tmp_path / "images" / GENERATED).mkdir(parents=True)
    shutil.copy(records / GENERATED / "images.parquet", tmp_path / "images" / GENERATED)
    assert row(scored(records, judged, images=tmp_path / "images")).done.origin == "given"


def test_a_given_image_that_is_missing_or_another_is_refused(records, judged, tmp_path):
    folder = as_files(records, tmp_path / "images")
    file = folder / GENERATED / "person-002" / "1.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(file)
    with pytest.raises(RecordError, match=r"1\.png: is another image than the recorded one"):
        scored(records, judged, 1000, folder)
    file.unlink()
    with pytest.raises(RecordError, match="0 files for image 1"):
        scored(records, judged, 1000, folder)


def test_nothing_to_score_is_no_success(records, judged, tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(RecordError, match="holds no image of any row"):
        scored(records, judged, images=tmp_path / "images")
    with pytest.raises(SpecError, match="no such folder"):
        scored(records, judged, images=tmp_path / "nowhere")


def test_the_task_is_that_of_the_record(records, judged):
    with pytest.raises(SpecError, match=r"only data\.path can be set"):
        scored(records, judged, overrides=("seed=3",))


def test_other_data_than_those_of_the_record_are_refused(done, tmp_path):
    from tests.conftest import make_folder

    records = shutil.copytree(done / "w" / "records" / "tiny" / "v1", tmp_path / "v1")
    make_folder(tmp_path / "other", seed=1)
    with pytest.raises(SpecError, match="the data here are not those of the record"):
        scored(records, tmp_path / "w", overrides=(f"data.path={tmp_path / 'other'}",))
    result = scored(records, tmp_path / "w", overrides=(f"data.path={done / 'data'}",))
    assert result.equal and row(result).done.origin == "record"


def test_the_draw_follows_from_the_files_alone():
    files, keys = {"a": "0" * 64, "b": "1" * 64}, [(u, k) for u in range(9) for k in range(4)]
    chosen = drawn(files, keys, 6)
    assert chosen == drawn(dict(reversed(files.items())), keys, 6) and len(set(chosen)) == 6
    assert chosen != drawn(files | {"b": "2" * 64}, keys, 6)
    assert drawn(files, keys, 3) == chosen[:3]


def test_published_weights_are_read_on_another_machine_and_never_into_a_given_work_folder(records, judged, tmp_path):
    weights = weights_folder(records)
    weights.mkdir()
    (weights / "marker").touch()
    edit_json(records, "_task/comparison.json", "provenance/processor", lambda _: "another")
    result = scored(records, tmp_path / "mine")
    assert result.differs == ["processor"] and row(result).done.judges == "fitted again"
    assert not (tmp_path / "mine" / "marker").exists()
    assert row(scored(records, None)).done.judges == "published"


def test_the_command_attests_what_it_scored_again(records, judged):
    output = invoke("verify", records, "--rescore", 2, "--workdir", judged, "--attest", "--quiet")
    assert f"{GENERATED}: 2 of 14 images scored again by 6 scorers; largest difference" in output
    assert "left out: diversity, since it scores whole sets of images" in output
    import json

    predicate = json.loads((records / "attestations" / f"{GENERATED}.json").read_text())["predicate"]
    assert (predicate["status"], predicate["images"]) == ("rescored", 2)
    assert "all agree" in invoke("verify", records)


def test_the_command_ends_with_1_and_attests_no_row_whose_scores_differ(records, judged, monkeypatch):
    from benchmark.runner import rescore as module

    monkeypatch.setattr(module, "OTHER_MACHINE", -1.0)  # nothing is near enough
    monkeypatch.setattr(module, "_apart", lambda recorded, here: recorded < 0.6)
    output = invoke("verify", records, "--rescore", 14, "--workdir", judged, "--attest", "--quiet", code=1)
    assert "scores differ:" in output and "recorded" in output
    assert not (records / "attestations" / f"{GENERATED}.json").exists()


def test_options_of_scoring_need_rescore(records):
    output = invoke("verify", records, "--workdir", "w", code=2)
    assert "--images, --set and --workdir are for --rescore N" in output
