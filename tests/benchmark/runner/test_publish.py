"""Records in a folder that others read: whole, of one task, and only what may be shown."""

import json
import shutil

import pytest

from benchmark.disk import file_digest
from benchmark.records.attestation import Verified, attest, path_of
from benchmark.runner.publish import publish, weights_folder
from benchmark.runner.store import Store
from benchmark.task.resolve import load_task
from rebeca.errors import SpecError
from tests.conftest import TINY
from tests.running import find


@pytest.fixture
def published(done, tmp_path):
    """Publishes the records of the finished run, or of a copy in a work folder, into ``results``."""

    def publish_(path=done / "tiny.yaml", work=done / "w", records="tiny/v1", with_weights=False, **options):
        task = load_task(path, **options)
        store = Store(work, print)
        return publish(
            task, find(task, work), store, work / "records" / records, tmp_path / "results", with_weights
        )  # fmt: skip

    return publish_


def files(folder):
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in folder.rglob("*") if path.is_file()}


def test_records_are_copied_byte_for_byte(done, published, tmp_path):
    place = published()
    assert place == tmp_path / "results" / "tiny" / "v1"
    assert files(place) == files(done / "w" / "records" / "tiny" / "v1")
    assert [path.name for path in place.parent.iterdir()] == ["v1"]  # nothing half written, and no weights


def test_earlier_records_are_replaced_whole(done, published):
    place = published()
    shutil.copytree(place / "rebeca", place / "of-an-earlier-run")
    assert published() == place
    assert files(place) == files(done / "w" / "records" / "tiny" / "v1")


def test_rows_keep_their_statements(published):
    place = published()
    attest(place, dict.fromkeys(("rebeca", "catalogue-random"), Verified(numbers=1)))
    shutil.copy(path_of(place, "rebeca"), path_of(place, "stranger"))
    kept = files(place)
    published()
    del kept["attestations/stranger.json"]
    assert files(place) == kept


def test_weights_lie_beside_their_records_as_in_a_work_folder(done, published):
    place = published(with_weights=True)
    weights = weights_folder(place)
    assert weights == place.with_name("v1-weights")
    store = Store(weights, print)
    addresses = find(load_task(done / "tiny.yaml"), done / "w").learned()
    assert all(store.find(address) for address in addresses)
    assert {path.name for path in weights.iterdir()} == {"embeddings", "judge", "fit"}


def test_what_was_learned_is_named_once(done):
    addresses = find(load_task(done / "tiny.yaml"), done / "w")
    named = list(addresses.learned())
    assert len(named) == len(set(named))
    stages = [address.stage for address in named]
    # three encoders; verifier, auditor and half a verifier; one fit of three arms of rebeca, one per catalogue arm
    assert {stage: stages.count(stage) for stage in stages} == {"embeddings": 3, "judge": 3, "fit": 3}
    assert {each.fits[0].address for each in addresses.generators.values()} <= set(named)


def test_weights_of_other_records_are_not_left_behind(published):
    weights = weights_folder(published(with_weights=True))
    (weights / "of-an-earlier-run").touch()
    published(with_weights=True)
    assert weights.is_dir() and not (weights / "of-an-earlier-run").exists()
    published()
    assert not weights.exists()


def test_what_a_failed_generator_did_not_learn_is_left_out(work, published):
    store = Store(work / "w", print)
    task = load_task(work / "tiny.yaml")
    missing = find(task, work / "w").generators["catalogue-random"].fits[0].address
    shutil.rmtree(store.folder(missing))
    weights = weights_folder(published(work / "tiny.yaml", work / "w", with_weights=True))
    assert Store(weights, print).find(missing) is None
    assert Store(weights, print).find(find(task, work / "w").generators["rebeca"].fits[0].address)


def test_modified_tasks_are_refused(published, tmp_path):
    for options in ({"limit_users": 6}, {"overrides": ("images=2",)}):
        with pytest.raises(SpecError, match="a modified task is not published") as raised:
            published(**options)
        assert "--limit-users" in raised.value.hint
    assert not (tmp_path / "results").exists()


def test_random_weights_are_refused(work, published, random_weights, monkeypatch, tmp_path):
    monkeypatch.setenv("REBECA_WEIGHTS", str(random_weights))
    text = TINY.replace('encoder: {use: "pca:4", of: "fourier:8"}', 'encoder: "published:vit-l"')
    assert text != TINY
    (work / "tiny.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"the run used random weights \(.*\), which measure nothing"):
        published(work / "tiny.yaml", work / "w")
    assert not (tmp_path / "results").exists()


def test_embeddings_of_guarded_images_stay_here_and_records_do_not(work, published, tmp_path):
    path = work / "w" / "records" / "tiny" / "v1" / "_task" / "comparison.json"
    record = json.loads(path.read_text())
    record["data"]["redistribute"] = False
    path.write_text(json.dumps(record))
    with pytest.raises(SpecError, match="may not be redistributed") as raised:
        published(work / "tiny.yaml", work / "w", with_weights=True)
    assert raised.value.hint == "publish without them"
    assert not (tmp_path / "results").exists()
    assert published(work / "tiny.yaml", work / "w").is_dir()


def test_another_task_of_the_same_id_is_not_replaced_in_silence(work, published):
    place = published()
    path = place / "_task" / "comparison.json"
    record = json.loads(path.read_text())
    record["task"]["hash"] = "0" * 64
    path.write_text(json.dumps(record))
    before = files(place)
    with pytest.raises(SpecError, match="holds another task with the same id and version") as raised:
        published(work / "tiny.yaml", work / "w")
    assert "raise the task's version" in raised.value.hint
    assert files(place) == before


def test_a_copy_that_was_cut_short_is_begun_anew(done, published, tmp_path):
    half = tmp_path / "results" / "tiny" / ".v1.new"
    half.mkdir(parents=True)
    (half / "half").touch()
    place = published()
    assert files(place) == files(done / "w" / "records" / "tiny" / "v1")
    assert not half.exists()
