import json
import multiprocessing
import os
import time

import pytest

from benchmark.store import Store, stage_key
from rebeca.errors import StoreError


@pytest.fixture
def said():
    return []


@pytest.fixture
def store(tmp_path, said):
    return Store(tmp_path, said.append)


def write(folder):
    (folder / "a.txt").write_text("content")


def make(store, value=1):
    inputs = {"value": value}
    return store.make("fit", stage_key("fit", inputs), inputs, write)


def test_made_once_and_found_again(store):
    made = make(store)
    assert make(store) == made
    assert make(store, 2) != made
    assert json.loads((made / "artefact.json").read_text())["inputs"] == {"value": 1}


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "a.txt").write_text("conten"),
        lambda f: (f / "a.txt").unlink(),
        lambda f: (f / "b.txt").write_text("more"),
        lambda f: (f / "artefact.json").write_text("{"),
        lambda f: (f / "artefact.json").unlink(),
    ],
)
def test_damage_is_noticed_set_aside_and_mended(store, said, damage):
    damage(make(store))
    assert (make(store) / "a.txt").read_text() == "content"
    assert len(said) == 1
    assert len(list((store.root / "set-aside").iterdir())) == 1


def test_a_failure_leaves_nothing(store):
    def failing(folder):
        write(folder)
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        store.make("fit", "ab" * 32, {}, failing)
    assert not [p for p in store.root.rglob("*") if p.is_file()]
    assert store.find("fit", "ab" * 32) is None


def test_a_folder_that_cannot_be_written(tmp_path, said):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be"), Store(tmp_path / "file" / "w", said.append).locked():
        pass


def hold(root, started, order):
    with Store(root, lambda text: None).locked():
        started.set()
        time.sleep(0.5)
        order.append(os.getpid())


def test_a_second_run_waits(tmp_path, said):
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        started, order = manager.Event(), manager.list()
        other = context.Process(target=hold, args=(tmp_path, started, order))
        other.start()
        assert started.wait(20)
        with Store(tmp_path, said.append).locked():
            order.append(os.getpid())
        other.join()
        assert list(order) == [other.pid, os.getpid()]
        assert "waiting" in said[0]


def test_keys_depend_on_stage_and_inputs():
    assert len({stage_key("fit", {}), stage_key("judge", {}), stage_key("fit", {"a": 1})}) == 3
