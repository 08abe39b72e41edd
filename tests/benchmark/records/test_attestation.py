"""Who looked at records: a file beside them that ends with any change of theirs."""

import json

import pytest

import rebeca
from benchmark.records.attestation import ATTESTATION, MEANINGS, attest, status_of
from benchmark.records.files import read_comparison, write_comparison
from rebeca.errors import RecordError


def status(folder):
    return status_of(folder, read_comparison(folder))


def test_records_are_self_reported_until_somebody_looks(records):
    assert status(records) == "self-reported"
    path = attest(records, "verified")
    assert path == records / ATTESTATION
    assert status(records) == "verified"
    written = json.loads(path.read_text())
    assert written.keys() == {"status", "digest", "project", "at"}
    assert (written["digest"], written["project"]) == (read_comparison(records).digest, rebeca.__version__)


def test_verified_never_replaces_reproduced(records):
    attest(records, "verified")
    before = attest(records, "reproduced").read_bytes()
    assert attest(records, "verified").read_bytes() == before
    assert status(records) == "reproduced"


def test_a_changed_record_has_lost_it(records):
    attest(records, "reproduced")
    record = read_comparison(records)
    write_comparison(records, record.model_copy(update={"order": tuple(reversed(record.order))}))
    assert status(records) == "self-reported"
    attest(records, "verified")  # of the new one; what was reproduced is gone
    assert status(records) == "verified"


def test_every_status_has_its_meaning(records):
    assert set(MEANINGS) == {"self-reported", "verified", "reproduced"}


VALID = {"status": "verified", "digest": "0" * 64, "project": "0.1.0", "at": "2026-01-01T00:00:00Z"}


def test_an_attestation_of_other_records_says_nothing(records):
    (records / ATTESTATION).write_text(json.dumps(VALID))
    assert status(records) == "self-reported"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "certified"}, {"status": "self-reported"}, {"digest": "0" * 63}, {"digest": "g" * 64},
        {"project": "0" * 41}, {"at": "yesterday"}, {"more": 1}, {"at": 3},
    ],
)  # fmt: skip
def test_what_is_no_attestation_is_refused(records, change):
    (records / ATTESTATION).write_text(json.dumps(VALID | change))
    with pytest.raises(RecordError, match=r"attestation\.json: is no attestation") as raised:
        status(records)
    assert raised.value.hint == "delete it, and verify the records again"


def test_what_cannot_be_read_is_refused(records):
    for data in (b"", b"{", b"\xff\xfe", b"[]"):
        (records / ATTESTATION).write_bytes(data)
        with pytest.raises(RecordError, match="is no attestation"):
            status(records)
    (records / ATTESTATION).unlink()
    (records / ATTESTATION).mkdir()
    with pytest.raises(RecordError, match="is no attestation"):
        status(records)
