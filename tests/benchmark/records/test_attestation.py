"""Steps of trust: a statement per row, which ends with any change of the row's files."""

import json
import os
import shutil

import pytest

import rebeca
from benchmark.records.attestation import (
    ATTESTATIONS,
    MOST_BYTES,
    PREDICATE,
    STATEMENT,
    STEPS,
    Reproduced,
    Rescored,
    Verified,
    attest,
    in_words,
    path_of,
    status_of,
)
from benchmark.records.files import read_comparison, read_record, write_comparison
from benchmark.records.verify import verify
from rebeca.errors import RecordError
from tests.benchmark.records.test_verify import edit_json, mend

VERIFIED = Verified(numbers=10)
RESCORED = Rescored(
    images=4, among=8, valid=9, origin="record", judges="fitted again", scorers=("ncf",), left_out={}, largest=1e-9
)
REPRODUCED = Reproduced(offset=3)
DIVIDED = Reproduced(split_seed=3)


def status(records, name="rebeca"):
    return status_of(records, read_comparison(records), read_record(records / name).generator)


def test_rows_are_self_reported_until_somebody_looks(records):
    assert status(records) == "self-reported"
    assert attest(records, {"rebeca": VERIFIED}) == ["rebeca"]
    assert (status(records), status(records, "catalogue-random")) == ("verified", "self-reported")


def test_the_file_is_an_in_toto_statement_about_the_files_of_the_row(records):
    attest(records, {"rebeca": VERIFIED})
    written = json.loads((records / "attestations" / "rebeca.json").read_text())
    assert written.keys() == {"_type", "subject", "predicateType", "predicate"}
    assert (written["_type"], written["predicateType"]) == (STATEMENT, PREDICATE)
    listed = {f"rebeca/{name}": digest for name, digest in read_comparison(records).records["rebeca"].items()}
    assert {each["name"]: each["digest"]["sha256"] for each in written["subject"]} == listed
    assert written["predicate"].keys() == {"status", "numbers", "project", "at"}
    assert written["predicate"]["project"] == rebeca.__version__


@pytest.mark.parametrize(("first", "second"), [(RESCORED, VERIFIED), (REPRODUCED, RESCORED), (DIVIDED, REPRODUCED)])
def test_a_weaker_step_never_replaces_a_stronger_one(records, first, second):
    attest(records, {"rebeca": first})
    before = path_of(records, "rebeca").read_bytes()
    assert attest(records, {"rebeca": second}) == []
    assert path_of(records, "rebeca").read_bytes() == before


@pytest.mark.parametrize(
    ("first", "second"),
    [(VERIFIED, RESCORED), (RESCORED, REPRODUCED), (VERIFIED, VERIFIED), (REPRODUCED, DIVIDED)],
)
def test_a_step_as_strong_or_stronger_replaces_it(records, first, second):
    attest(records, {"rebeca": first})
    assert attest(records, {"rebeca": second}) == ["rebeca"]
    assert status(records) == second.status


def test_a_row_whose_files_changed_has_lost_it(records):
    attest(records, {"rebeca": REPRODUCED, "catalogue-random": REPRODUCED})
    edit_json(records, "rebeca/record.json", "provenance/created", lambda _: "2001-01-01T00:00:00Z")
    mend(records)
    assert (status(records), status(records, "catalogue-random")) == ("self-reported", "reproduced")
    assert attest(records, {"rebeca": VERIFIED}) == ["rebeca"]  # of the new one; what was reproduced is gone
    assert status(records) == "verified"


def test_it_outlives_other_rows_beside_its_own(records):
    """As when rows of several people are merged: only the task's record is written anew."""
    attest(records, {"rebeca": REPRODUCED})
    record = read_comparison(records)
    write_comparison(records, record.model_copy(update={"order": tuple(reversed(record.order))}))
    assert status(records) == "reproduced"


def handed_in(records):
    edit_json(records, "rebeca/record.json", "generator/fitted_elsewhere", lambda _: True)
    mend(records)


def test_images_that_were_handed_in_are_rescored_at_most(records):
    attest(records, {"rebeca": REPRODUCED})
    statement = json.loads(path_of(records, "rebeca").read_text())
    handed_in(records)
    assert attest(records, {"rebeca": RESCORED}) == ["rebeca"]
    with pytest.raises(RecordError, match="'rebeca' cannot be reproduced: its images were handed in"):
        attest(records, {"rebeca": REPRODUCED})
    assert status(records) == "rescored"
    files = read_comparison(records).records["rebeca"]
    statement["subject"] = [{"name": f"rebeca/{name}", "digest": {"sha256": files[name]}} for name in sorted(files)]
    path_of(records, "rebeca").write_text(json.dumps(statement, sort_keys=True, indent=1) + "\n")
    with pytest.raises(RecordError, match="cannot be reproduced"):
        status(records)


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (VERIFIED, "10 numbers of all rows computed again"),
        (RESCORED, "4 of 9 images scored again by 1 scorer"),
        (Reproduced(largest=0.0), "images made again with the same seeds"),
        (REPRODUCED, "images made again with other seeds of images"),
        (DIVIDED, "images made again with another division of the ratings"),
        (
            Reproduced(split_seed=1, world_seed=2),
            "images made again with another division of the ratings and another synthetic world",
        ),
    ],
)
def test_what_was_done_in_words(done, words):
    assert in_words(done) == words


def test_every_step_has_its_meaning():
    assert list(STEPS) == ["self-reported", "verified", "rescored", "reproduced"]


def test_verify_takes_exactly_the_statements_of_its_rows(records):
    attest(records, dict.fromkeys(read_comparison(records).order, VERIFIED))
    verify(records)
    stranger = records / ATTESTATIONS / "stranger.json"
    shutil.copy(path_of(records, "rebeca"), stranger)
    with pytest.raises(RecordError, match=r"stranger\.json: belongs to no generator of the task"):
        verify(records)
    stranger.unlink()
    (records / ATTESTATIONS / "notes").mkdir()
    with pytest.raises(RecordError, match="notes: belongs to no generator of the task"):
        verify(records)


@pytest.mark.parametrize("place", ["file", "link"])
def test_verify_refuses_what_is_no_folder_of_statements(records, tmp_path, place):
    if place == "file":
        (records / ATTESTATIONS).touch()
    else:
        (tmp_path / "elsewhere").mkdir()
        (records / ATTESTATIONS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordError, match="attestations: is no folder"):
        verify(records)


def test_verify_reads_every_statement(records):
    attest(records, {"rebeca": VERIFIED})
    path_of(records, "rebeca").write_text("{}")
    with pytest.raises(RecordError, match=r"rebeca\.json: is no attestation"):
        verify(records)


def change(records, keys, value):
    attest(records, {"rebeca": RESCORED})
    statement = json.loads(path_of(records, "rebeca").read_text())
    place = statement
    *path, last = keys
    for key in path:
        place = place[key]
    place[last] = value
    path_of(records, "rebeca").write_text(json.dumps(statement, sort_keys=True, indent=1) + "\n")


def test_the_form_in_which_the_tests_below_write_statements_is_the_right_one(records):
    change(records, ["predicate", "at"], "2026-01-01T00:00:00Z")
    assert status(records) == "rescored"


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["_type"], "https://in-toto.io/Statement/v0.1"), (["predicateType"], "https://slsa.dev/provenance/v1"),
        (["more"], 1), (["subject"], []), (["subject"], [{"name": "x"}]), (["subject", 0, "uri"], "x"),
        (["subject", 0, "digest", "sha256"], "0" * 63), (["predicate", "status"], "certified"),
        (["predicate", "status"], "self-reported"), (["predicate", "project"], "0" * 41),
        (["predicate", "at"], "yesterday"), (["predicate", "at"], 3), (["predicate", "images"], 0),
        (["predicate", "images"], 4.0), (["predicate", "largest"], -1.0), (["predicate", "largest"], 0),
        (["predicate", "more"], 1), (["predicate", "left_out"], {"x": "y" * MOST_BYTES}),
    ],
)  # fmt: skip
def test_what_is_no_statement_is_refused(records, keys, value):
    change(records, keys, value)
    with pytest.raises(RecordError, match=r"rebeca\.json: is no attestation") as raised:
        status(records)
    assert raised.value.hint == "delete it, and verify the records again"


def test_a_key_that_is_given_twice_is_refused(records):
    attest(records, {"rebeca": VERIFIED})
    text = path_of(records, "rebeca").read_text()
    path_of(records, "rebeca").write_text(text.replace('"numbers": 10', '"numbers": 9,\n  "numbers": 10'))
    with pytest.raises(RecordError, match="is no attestation"):
        status(records)


def test_what_cannot_be_read_is_refused(records, tmp_path):
    attest(records, {"rebeca": VERIFIED})
    path = path_of(records, "rebeca")
    valid = path.read_bytes()
    for data in (b"", b"{", b"\xff\xfe", b"[]", b"[" * 60_000, b" " * (MOST_BYTES + 1)):
        path.write_bytes(data)
        with pytest.raises(RecordError, match="is no attestation"):
            status(records)
    (tmp_path / "elsewhere.json").write_bytes(valid)
    for place in (path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(tmp_path / "elsewhere.json")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        place()
        with pytest.raises(RecordError, match="is no attestation"):
            status(records)
