"""Merging: one leaderboard, the same bytes in any order, and nothing of anybody else changes."""

import itertools
import json
import os
import resource
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmark.board.flags import twins
from benchmark.disk import file_digest
from benchmark.records import verify_cross
from benchmark.records.files import file_digests, read_comparison, read_record
from benchmark.records.merge import merge, merged, read_sources
from benchmark.records.rows import read_rows
from benchmark.records.verify import verify
from rebeca.errors import RecordError
from tests.benchmark.submissions.conftest import GENERATORS, bundle_of, records_of, submission_text, submit
from tests.conftest import ROOT, invoke

NAMES = sorted(GENERATORS)


def everything(folder):
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in folder.rglob("*") if path.is_file()}


def test_all_six_orders_give_equal_bytes_at_once_and_one_by_one(place, tmp_path):
    found = []
    for number, order in enumerate(itertools.permutations(NAMES)):
        at_once, step_by_step = tmp_path / f"a{number}", tmp_path / f"b{number}"
        merge([*(bundle_of(place, name) for name in order), records_of(place)], at_once)
        merge([records_of(place), bundle_of(place, order[0])], step_by_step)
        for name in order[1:]:
            merge([bundle_of(place, name)], step_by_step)
        found += [everything(at_once), everything(step_by_step)]
    assert len(found) == 12 and all(each == found[0] for each in found)
    verify(tmp_path / "a0" / "tiny" / "v1")


def test_two_merged_leaderboards_merge(place, tmp_path):
    merge([records_of(place), bundle_of(place, "noise")], tmp_path / "a")
    merge([records_of(place), bundle_of(place, "copies")], tmp_path / "b")
    _, task = merge([tmp_path / "b" / "tiny" / "v1", tmp_path / "a" / "tiny" / "v1"], tmp_path / "both")
    assert task.order[-2:] == ("copies", "noise") and [entry.id for entry in task.submitted] == ["copies", "noise"]
    again = everything(tmp_path / "both")
    merge([bundle_of(place, "noise")], tmp_path / "both")
    assert everything(tmp_path / "both") == again


def test_nothing_of_the_others_changes(place, tmp_path):
    records = records_of(place)
    folder, after = merge([records, *(bundle_of(place, name) for name in NAMES)], tmp_path)
    before = read_comparison(records)
    for name in before.order:
        assert file_digests(folder / name) == file_digests(records / name)
    for name in NAMES:
        files = file_digests(bundle_of(place, name))
        assert file_digests(folder / name) == {
            k: v for k, v in files.items() if k not in ("bundle.json", "all-images.parquet")
        }
    assert after.task == before.task and after.spec == before.spec and after.analysis == before.analysis
    assert after.provenance == before.provenance and after.judges == before.judges


def test_a_row_gives_the_same_numbers_whoever_is_beside_it(place, tmp_path):
    alone, _ = merge([records_of(place), bundle_of(place, "short")], tmp_path / "alone")
    together, _ = merge([records_of(place), *(bundle_of(place, name) for name in NAMES)], tmp_path / "together")
    assert (alone / "short" / "record.json").read_bytes() == (together / "short" / "record.json").read_bytes()


def test_the_projects_own_generator_is_scored_as_in_a_run(place):
    """The prior that was handed in has its images scored by the judges of the run: equal images, equal scores."""
    task = read_comparison(records_of(place))
    own = read_rows(records_of(place) / "rebeca", read_record(records_of(place) / "rebeca"), task)
    folder = bundle_of(place, "short")
    rows = read_rows(folder, read_record(folder), task)
    score = {(d, u): s for u, line in enumerate(own.digest) for d, s in zip(line, own.scores["ncf"][u], strict=True)}
    shared = [
        (value, score[digest, user])
        for user, line in enumerate(rows.digest)
        for digest, value in zip(line, rows.scores["ncf"][user], strict=True)
        if (digest, user) in score
    ]
    assert shared and all(a == b for a, b in shared)
    assert rows.procedure != own.procedure and not set(rows.fit_keys) & set(own.fit_keys)
    assert np.array_equal(rows.lowest["ncf"], own.lowest["ncf"])


def test_a_row_keeps_what_was_done_to_check_it(open_place, tmp_path):
    """The strongest step of several folders, whatever their order; a bundle brings none."""
    invoke("verify", records_of(open_place), "--attest")
    merge([records_of(open_place), bundle_of(open_place, "noise")], tmp_path / "a")
    invoke("verify", tmp_path / "a" / "tiny" / "v1", "--attest")
    shutil.rmtree(records_of(open_place) / "attestations")
    folders = [records_of(open_place), tmp_path / "a" / "tiny" / "v1", bundle_of(open_place, "copies")]
    for number, order in enumerate(itertools.permutations(folders)):
        merge(order, tmp_path / f"b{number}")
        assert everything(tmp_path / f"b{number}") == everything(tmp_path / "b0")
    shown = json.loads(invoke("show", tmp_path / "b0" / "tiny" / "v1", "--json"))["generators"]
    assert {row["id"] for row in shown if row["status"] == "self-reported"} == {"copies"}
    assert {row["status"] for row in shown} == {"self-reported", "verified"}
    invoke("verify", tmp_path / "b0" / "tiny" / "v1")


def test_an_interrupted_merge_loses_nothing(place, tmp_path):
    """Cut short between its two steps, it has moved the old folder aside; the next one takes it back."""
    folder, _ = merge([records_of(place), bundle_of(place, "noise")], tmp_path)
    folder.rename(folder.with_name(".v1.old"))
    _, task = merge([records_of(place), bundle_of(place, "copies")], tmp_path)
    assert task.order[-2:] == ("copies", "noise") and not folder.with_name(".v1.old").exists()


def test_what_does_not_belong_together_leaves_nothing_behind(place, tmp_path):
    with pytest.raises(RecordError):
        merge([bundle_of(place)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_that_contradict_each_other_are_both_named(open_place, tmp_path):
    """One of two images that are equal has another score; a maintainer must learn whose."""
    shutil.copytree(bundle_of(open_place), tmp_path / "liar")
    task, record = read_comparison(records_of(open_place)), read_record(tmp_path / "liar")
    own = read_rows(tmp_path / "liar", record, task)
    higher = own.scores | {"ncf": np.minimum(own.scores["ncf"] + 0.01, 1)}
    rows = [own, replace(own, id="liar", scores=higher)]
    records = {row.id: record for row in rows}
    with pytest.raises(RecordError, match="in two ways, in rows of liar, noise"):
        verify_cross._check_scores(tmp_path, task, records, rows)


@pytest.mark.parametrize(
    ("update", "scorer", "step"),
    [
        ({"processor": "another"}, "ncf", 0.008),
        ({"judges": {"ncf": "0" * 64}}, "ncf", 0.008),
        ({"processor": "another"}, "observed", 5e-5),
    ],
    ids=["judge-fitted-elsewhere", "judge-of-another-version", "known-elsewhere"],
)
def test_another_machine_rounds_differently(open_place, tmp_path, update, scorer, step):
    """What is a contradiction on one machine is rounding on two, up to a limit."""
    task, record = read_comparison(records_of(open_place)), read_record(bundle_of(open_place))
    own = read_rows(bundle_of(open_place), record, task)
    elsewhere = record.model_copy(update={"provenance": record.provenance.model_copy(update=update)})

    def check(other, moved):
        scores, lowest = (table | {scorer: table[scorer] - moved} for table in (own.scores, own.lowest))
        rows, records = [own, replace(own, id="other", scores=scores, lowest=lowest)], {own.id: record, "other": other}
        verify_cross._check_scores(tmp_path, task, records, rows)

    check(elsewhere, step)
    for other, moved in ((record, step), (elsewhere, 10 * step)):
        with pytest.raises(RecordError):
            check(other, moved)


def test_a_row_from_elsewhere_loosens_nothing_between_the_others(open_place, tmp_path):
    task, record = read_comparison(records_of(open_place)), read_record(bundle_of(open_place))
    own = read_rows(bundle_of(open_place), record, task)
    elsewhere = record.model_copy(update={"provenance": record.provenance.model_copy(update={"system": "other"})})
    lower = own.scores | {"ncf": own.scores["ncf"] - 0.005}
    rows = [own, replace(own, id="liar", scores=lower), replace(own, id="guest")]
    with pytest.raises(RecordError, match="in rows of liar, noise"):
        verify_cross._check_scores(tmp_path, task, {own.id: record, "liar": record, "guest": elsewhere}, rows)


def test_a_fit_that_another_machine_made_again_reports_other_losses(place):
    record = read_record(records_of(place) / "rebeca")
    again = tuple(fit.model_copy(update={"report": {"loss": 0.5}}) for fit in record.fits)
    elsewhere = record.provenance.model_copy(update={"processor": "another"})
    assert again
    guest = record.model_copy(update={"fits": again, "provenance": elsewhere})
    verify_cross._check_fits(place, {"rebeca": record, "guest": guest})
    with pytest.raises(RecordError, match="differ in more than the generator"):
        verify_cross._check_fits(place, {"rebeca": record, "guest": record.model_copy(update={"fits": again})})


def test_images_of_the_tasks_own_rows_are_no_flaw_of_theirs(place):
    record = read_record(records_of(place) / "rebeca")
    thief = record.model_copy(update={"submission": read_record(bundle_of(place)).submission})
    assert set(twins({"rebeca": record, "thief": thief})) == {"thief"}


def test_tables_of_strangers_are_read_with_limited_memory(place, tmp_path, monkeypatch):
    limits, before = [], resource.getrlimit(resource.RLIMIT_DATA)
    module = sys.modules[merge.__module__]
    read = module.read_checked

    def noted(folder):
        limits.append(resource.getrlimit(resource.RLIMIT_DATA)[0])
        return read(folder)

    monkeypatch.setattr(module, "read_checked", noted)
    merge([records_of(place), bundle_of(place)], tmp_path)
    assert len(limits) == 1 and limits[0] not in (before[0], resource.RLIM_INFINITY)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_a_site_opens_no_pipe(copied_place, tmp_path):
    (bundle_of(copied_place) / "bundle.json").unlink()
    os.mkfifo(bundle_of(copied_place) / "bundle.json")
    said = invoke("site", "build", copied_place / "results", copied_place / "submissions", "--out", tmp_path, code=7)
    assert "is no plain file" in said


def test_all_images_of_what_was_handed_in_can_be_scored_again(open_place):
    merge([bundle_of(open_place)], open_place / "results")
    images, data = open_place / "submissions" / "tiny" / "v1", f"data.path={open_place / 'data'}"
    command = ("verify", records_of(open_place), "--rescore", 30, "--images", images, "--set", data)
    said = " ".join(invoke(*command, "--workdir", open_place / "w", "--attest").split())
    assert "noise: 30 of 36 images scored again" in said
    shown = json.loads(invoke("show", records_of(open_place), "--json"))["generators"]
    assert {row["id"]: row["status"] for row in shown}["noise"] == "rescored"


def test_publishing_a_run_again_loses_no_row(open_place):
    merge([bundle_of(open_place)], open_place / "results")
    before = everything(open_place / "results")
    command = ("run", open_place / "tiny.yaml", "--workdir", open_place / "w", "--publish", open_place / "results")
    said = " ".join(invoke(*command, "--quiet", code=2).split())
    assert "holds rows that were handed in (noise), which would be lost" in said
    assert everything(open_place / "results") == before


def test_a_row_that_was_handed_in_can_be_taken_back(place, tmp_path):
    merge([records_of(place), bundle_of(place, "noise")], tmp_path / "a")
    merge([records_of(place), bundle_of(place, "noise"), bundle_of(place, "copies")], tmp_path / "b")
    invoke("results", "merge", tmp_path / "b" / "tiny" / "v1", "--without", "copies", "--out", tmp_path / "b")
    assert everything(tmp_path / "b") == everything(tmp_path / "a")
    merge([tmp_path / "b" / "tiny" / "v1"], tmp_path / "b", without=["noise"])
    assert read_comparison(tmp_path / "b" / "tiny" / "v1").order == read_comparison(records_of(place)).order
    for name in ("rebeca", "noise"):
        with pytest.raises(RecordError, match=f"no generator '{name}' was handed in"):
            merge([tmp_path / "b" / "tiny" / "v1"], tmp_path / "b", without=[name])


def test_records_of_another_run_are_refused(place, tmp_path):
    other = tmp_path / "other" / "tiny" / "v1"
    shutil.copytree(records_of(place), other)
    path = other / "_task" / "comparison.json"
    from benchmark.records.files import own_digest

    raw = json.loads(path.read_text())
    raw["provenance"]["created"] = "2020-01-01T00:00:00Z"
    raw["digest"] = own_digest(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(RecordError, match="two runs of one task"):
        read_sources([records_of(place), other])


def test_a_damaged_file_is_refused_and_nothing_is_lost(place, tmp_path):
    merge([records_of(place), bundle_of(place, "noise")], tmp_path)
    path = tmp_path / "tiny" / "v1" / "noise" / "users.parquet"
    data = path.read_bytes()
    path.write_bytes(data + b"x")
    with pytest.raises(RecordError, match="is not the one that is listed"):
        merge([bundle_of(place, "copies")], tmp_path)
    path.write_bytes(data)
    merge([bundle_of(place, "copies")], tmp_path)


def test_two_generators_with_one_id_are_refused(open_place, tmp_path):
    merge([records_of(open_place), bundle_of(open_place, "noise")], tmp_path)
    (open_place / "noise.yaml").write_text(submission_text(GENERATORS["noise"].replace("title: Noise", "title: Other")))
    submit(open_place, "noise.yaml")
    with pytest.raises(RecordError, match="are two generators with the id 'noise'"):
        merge([bundle_of(open_place, "noise")], tmp_path)


def test_a_task_is_run_again_as_if_nothing_had_been_handed_in(open_place, tmp_path):
    merge([bundle_of(open_place)], open_place / "results")
    said = invoke("check", "run", open_place / "tiny.yaml", "--against", open_place / "results", "--attest", "--quiet")
    assert "noise" not in said
    shown = json.loads(invoke("show", records_of(open_place), "--json"))["generators"]
    assert {row["id"]: row["status"] for row in shown}["noise"] == "self-reported"
    assert {row["status"] for row in shown if row["id"] != "noise"} == {"reproduced"}


def test_a_bundle_without_its_records_is_not_dropped_in_silence(place, tmp_path):
    said = invoke("site", "build", bundle_of(place), ROOT / "results" / "sprites", "--out", tmp_path / "s", code=7)
    assert "there are no records of its task and version" in " ".join(said.split())


def test_records_are_needed_and_bundles_alone_are_not_enough(place, tmp_path):
    with pytest.raises(RecordError, match="no records of the task"):
        merge([bundle_of(place, "noise")], tmp_path)
    assert not (tmp_path / "tiny" / "v1").exists()


def test_one_folder_is_taken_as_it_is(place):
    with merged([records_of(place)]) as folder:
        assert folder == records_of(place)
    with merged([records_of(place), bundle_of(place)]) as folder:
        assert "noise" in read_comparison(folder).order
    assert not folder.exists()


def test_a_file_outside_is_never_copied(place, tmp_path):
    from benchmark.records.files import own_digest

    shutil.copytree(records_of(place), tmp_path / "tiny" / "v1")
    path = tmp_path / "tiny" / "v1" / "_task" / "comparison.json"
    raw = json.loads(path.read_text())
    raw["records"]["rebeca"]["../../../stolen"] = "0" * 64
    raw["digest"] = own_digest(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(RecordError, match="files are missing or added"):
        read_sources([tmp_path / "tiny" / "v1"])


def test_a_site_of_records_and_bundles_shows_all_rows(place, tmp_path):
    invoke("site", "build", place / "results", place / "submissions", "--out", tmp_path / "site")
    page = (tmp_path / "site" / "tasks" / "tiny" / "index.html").read_text()
    assert all(f'href="generators/{name}.html"' in page for name in NAMES)
    assert "made and scored by Ada Lovelace, Charles Babbage</small>" in page and "class open, self-reported" in page
    card = (tmp_path / "site" / "tasks" / "tiny" / "generators" / "noise.html").read_text()
    assert "The training ratings that export writes. They contain items of the task." in card


def test_a_site_of_two_leaderboards_of_one_task_merges_them_or_refuses(place, tmp_path):
    for name in ("noise", "copies"):
        merge([records_of(place), bundle_of(place, name)], tmp_path / name)
    invoke("site", "build", tmp_path / "noise", tmp_path / "copies", "--out", tmp_path / "site")
    page = (tmp_path / "site" / "tasks" / "tiny" / "index.html").read_text()
    assert "generators/noise.html" in page and "generators/copies.html" in page
    shown = invoke("show", "tiny", "--results", tmp_path / "noise", "--results", tmp_path / "copies", code=2)
    assert "different records of one task and version" in shown and "rebeca-bench results merge" in shown


def test_the_command_merges_and_the_terminal_names_the_authors(place, tmp_path):
    said = invoke("results", "merge", records_of(place), bundle_of(place), "--out", tmp_path)
    assert "6 generators, 1 of them handed in" in said
    shown = invoke("show", tmp_path / "tiny" / "v1")
    assert "handed in: Noise, made and scored by Ada Lovelace, Charles Babbage; class open; self-reported" in " ".join(
        shown.split()
    )
    invoke("verify", tmp_path / "tiny" / "v1")
