"""Users of a task: known to the store, so that the data set is read only when something is to be made."""

import pytest

from benchmark.runner import task_data as module
from benchmark.runner.store import Store
from benchmark.runner.task_data import find_data, keep_users
from benchmark.task.resolve import load_task


def test_the_data_are_read_once(tiny, tmp_path, monkeypatch):
    task, store = load_task(tiny), Store(tmp_path, print)
    first = find_data(task, store)
    assert first.world is not None and first.read() is first.world
    keep_users(first, store)
    monkeypatch.setattr(module, "build_world", lambda task: pytest.fail("the data were read again"))
    again = find_data(task, store)
    assert again.users == first.users == tuple(sorted(f"u{i}" for i in range(12)))
    assert again.world is None


def test_other_ratings_are_read(tiny, tmp_path):
    task, store = load_task(tiny), Store(tmp_path, print)
    keep_users(find_data(task, store), store)
    path = tiny.parent / "data" / "ratings.csv"
    path.write_text("\n".join(row for row in path.read_text().splitlines() if not row.startswith("u11,")) + "\n")
    assert set(find_data(task, store).users) == {f"u{i}" for i in range(11)}


def test_a_limit_is_another_set_of_users(tiny, tmp_path):
    store = Store(tmp_path, print)
    whole = find_data(load_task(tiny), store)
    keep_users(whole, store)
    assert len(whole.users) == 12
    few = find_data(load_task(tiny, limit_users=4), store)
    assert len(few.users) == 4
