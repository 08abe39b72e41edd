"""A first task file for a user's own data."""

import numpy as np
import pytest

from benchmark.commands.new import write_task
from benchmark.task.resolve import load_task
from rebeca.errors import DataError, SpecError
from tests.conftest import invoke, make_folder


def test_dense_ratings_hold_out_items(tmp_path):
    folder = make_folder(tmp_path / "My Holiday", users=10, items=30)
    task = load_task(write_task(folder, folder / "task.yaml"))
    assert task.file.id == "my-holiday" and task.file.title == "My Holiday"
    assert task.file.data.split.kind == "held-out-items"
    ratings = np.loadtxt(folder / "ratings.csv", delimiter=",", skiprows=1, usecols=2)
    shares = {value: abs((ratings >= value).mean() - 0.4) for value in np.unique(ratings)[1:]}
    assert task.file.data.like_at == min(shares, key=shares.get)
    assert f"{100 * (ratings >= task.file.data.like_at).mean():.0f} %" in (folder / "task.yaml").read_text()


def test_sparse_ratings_hold_out_some_of_each_user(tmp_path):
    folder = make_folder(tmp_path / "sparse", users=10, items=40, density=0.5)
    task = load_task(write_task(folder, tmp_path / "elsewhere" / "task.yaml"))
    assert task.file.data.split.kind == "per-user"


def test_a_file_is_replaced_only_by_force(tmp_path):
    folder = make_folder(tmp_path / "data", users=6, items=20)
    path = write_task(folder, folder / "task.yaml")
    path.write_text("mine")
    with pytest.raises(SpecError, match="exists"):
        write_task(folder, path)
    assert "exists" in invoke("new", "task", folder, code=2)
    assert write_task(folder, path, force=True).read_text() != "mine"


def test_too_few_ratings_are_refused(tmp_path):
    folder = make_folder(tmp_path / "data", users=6, items=8)
    with pytest.raises(DataError, match="half of the users rated 8 items or fewer"):
        write_task(folder, folder / "task.yaml")
