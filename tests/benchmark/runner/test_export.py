"""An exported folder holds what a generator inside is given, and nothing that it may not see."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from benchmark.runner.decode import requests_of
from benchmark.runner.export import export_task
from benchmark.runner.world import build_world
from benchmark.task.resolve import load_task
from rebeca.errors import StoreError
from tests.conftest import invoke

PER_USER = ("data.split.kind=per-user", "data.split.test=8", "data.split.validation=4", "judges.ratings=disjoint")
GROUPED = ("data.split.test=0.5",)
SPLITS = pytest.mark.parametrize("overrides", [(), PER_USER, GROUPED], ids=["held-out-items", "per-user", "grouped"])


def read(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def group(folder):
    """Users with an odd number rate items with an odd number only, the others the other ones."""
    header, *rows = (folder / "ratings.csv").read_text().split()
    rows = [row for row in rows if len({int(cell[1:]) % 2 for cell in row.split(",")[:2]}) == 1]
    (folder / "ratings.csv").write_text("\n".join([header, *rows]) + "\n")


@SPLITS
def test_it_holds_what_a_generator_inside_is_given(tiny, tmp_path, overrides):
    if overrides == GROUPED:
        group(tiny.parent / "data")
    task = load_task(tiny, overrides)
    export_task(task, tmp_path / "out")
    world = build_world(task)
    catalogue, users = world.dataset.catalogue, world.dataset.ratings.user_ids
    requests = [
        (row["user"], int(row["replicate"]), int(row["seed"])) for row in read(tmp_path / "out", "requests.csv")
    ]
    inside = requests_of(task, task.generators[0], world.user_ids)
    assert requests == [(request.user, request.replicate, request.seed) for request in inside]
    for name, rows in (
        ("training", world.division.generators.train),
        ("validation", world.division.generators.validation),
    ):
        columns = zip(rows.user, rows.item, rows.rating, rows.liked, strict=True)
        assert [
            (row["user"], row["item"], float(row["rating"]), row["like"] == "1")
            for row in read(tmp_path / "out", f"{name}_ratings.csv")
        ] == [(users[u], catalogue.item_ids[i], rating, liked) for u, i, rating, liked in columns]
    items = read(tmp_path / "out", "items.csv")
    assert [row["item"] for row in items] == list(catalogue.item_ids)
    assert [row["training"] == "1" for row in items] == world.division.training_items.tolist()
    for index, row in enumerate(items):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / row["file"])), catalogue.pixels(index))
    block_of = {row["user"]: row["block"] for row in read(tmp_path / "out", "users.csv")}
    excluded = {(row["user"], row["item"]) for row in read(tmp_path / "out", "excluded.csv")}
    assert len(set(block_of.values())) == (2 if overrides == GROUPED else 1)
    for user, index in zip(world.user_ids, world.users.tolist(), strict=True):
        own = [r["item"] for r in read(tmp_path / "out", "candidates.csv") if r["block"] == block_of[user]]
        candidates = [item for item in own if (user, item) not in excluded]
        assert candidates == [catalogue.item_ids[i] for i in world.candidates.of(index)]


@SPLITS
def test_no_file_holds_a_rating_that_generators_may_not_see(tiny, tmp_path, overrides):
    """Every held-out rating and every rating of the judges alone gets a value of its own, which is in no file."""
    task = load_task(tiny, (*overrides, "data.params.scale=[1, 1000000]"))
    export_task(task, tmp_path / "first")
    names = ("training_ratings.csv", "validation_ratings.csv")
    own = {(row["user"], row["item"]) for name in names for row in read(tmp_path / "first", name)}
    path = tiny.parent / "data" / "ratings.csv"
    header, *rows = [line.split(",") for line in path.read_text().split()]
    secrets = []
    for number, row in enumerate(rows):
        if (row[0], row[1]) not in own:
            row[2] = str(700_000 + number)
            secrets.append(row[2])
    path.write_text("\n".join(map(",".join, [header, *rows])) + "\n")
    export_task(task, tmp_path / "second")
    assert len(secrets) > 90
    text = b"".join(data for name, data in contents(tmp_path / "second").items() if name.suffix in (".csv", ".json"))
    assert not [secret for secret in secrets if f",{secret}".encode() in text]
    before, after = (contents(tmp_path / name) for name in ("first", "second"))
    assert before == after


def test_two_exports_are_equal_byte_for_byte(tiny, tmp_path):
    for name in ("a", "b"):
        output = invoke("export", tiny, "--out", tmp_path / name, "--embeddings", "--workdir", tmp_path / f"w{name}")
        assert "36 images are asked for (12 users), 144 training ratings, 24 items" in output
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert np.load(tmp_path / "a" / "embeddings.npy").shape == (24, 4)


def test_options_of_a_run_count(tiny, tmp_path):
    arguments = ("--set", "images=2", "--set", "decoder.params.metric=cosine", "--limit-users", 5, "--json")
    exported = json.loads(invoke("export", tiny, "--out", tmp_path / "out", *arguments))
    assert exported == {
        "folder": str(tmp_path / "out"), "users": 5, "requests": 10, "training_ratings": 144, "items": 24,
    }  # fmt: skip
    about = json.loads((tmp_path / "out" / "task.json").read_text())
    task = load_task(tiny, ("images=2", "decoder.params.metric=cosine"), 5)
    assert (about["hash"], about["modified"], about["images_per_user"]) == (task.hash(), True, 2)
    assert about["decoder"] == {"use": "nearest-picture", "params": {"metric": "cosine"}}
    assert not (tmp_path / "out" / "embeddings.npy").exists()
    assert "embeddings.npy" not in (tmp_path / "out" / "README.md").read_text()


def test_prompts_of_the_task_are_in_the_requests(tiny, tmp_path):
    decoder = (
        "encoder=tinyworld:prior-encoder",
        "decoder.use=stable-diffusion-ip-adapter",
        "decoder.params.model=tinyworld",
        "decoder.params.prompt='a photo, sharp'",
        "decoder.params.size=64",
    )
    export_task(load_task(tiny, decoder), tmp_path / "out")
    assert {(r["prompt"], r["negative_prompt"]) for r in read(tmp_path / "out", "requests.csv")} == {
        ("a photo, sharp", "")
    }
    assert json.loads((tmp_path / "out" / "task.json").read_text())["image_size"] == 64


def test_nothing_is_overwritten(tiny, tmp_path):
    task = load_task(tiny)
    (tmp_path / "empty").mkdir()
    export_task(task, tmp_path / "empty")
    before = contents(tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    for name in ("empty", "file"):
        output = invoke("export", tiny, "--out", tmp_path / name, code=6)
        assert f"{tmp_path / name}: there is something already" in output
    assert contents(tmp_path / "empty") == before
    assert (tmp_path / "file").read_text() == "mine"


def test_the_current_folder_can_be_filled(tiny, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    invoke("export", tiny, "--out", ".")
    assert (tmp_path / "here" / "requests.csv").is_file()
    assert len(read(tmp_path / "here", "items.csv")) == len(list((tmp_path / "here" / "items").iterdir()))
    assert not list(tmp_path.glob(".here*"))


def test_a_link_to_an_export_is_not_replaced(tiny, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="there is something already"):
        export_task(load_task(tiny), tmp_path / "link")
