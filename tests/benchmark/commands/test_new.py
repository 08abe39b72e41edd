"""A first task file for a user's own data."""

import json

import numpy as np
import pytest

from benchmark.commands.new import write_task
from benchmark.task.resolve import load_task
from rebeca.errors import DataError, SpecError
from tests.conftest import invoke, make_folder


def test_dense_ratings_hold_out_items(tmp_path):
    folder = make_folder(tmp_path / "My Holiday", users=10, items=30)
    task = load_task(write_task(folder, folder / "task.yaml").path)
    assert task.file.id == "my-holiday" and task.file.title == "My Holiday"
    assert task.file.data.split.kind == "held-out-items"
    ratings = np.loadtxt(folder / "ratings.csv", delimiter=",", skiprows=1, usecols=2)
    shares = {value: abs((ratings >= value).mean() - 0.4) for value in np.unique(ratings)[1:]}
    assert task.file.data.like_at == min(shares, key=shares.get)
    assert f"{100 * (ratings >= task.file.data.like_at).mean():.0f} %" in (folder / "task.yaml").read_text()


def test_sparse_ratings_hold_out_some_of_each_user(tmp_path):
    folder = make_folder(tmp_path / "sparse", users=10, items=40, density=0.5)
    task = load_task(write_task(folder, tmp_path / "elsewhere" / "task.yaml").path)
    assert task.file.data.split.kind == "per-user"


def test_a_file_is_replaced_only_by_force(tmp_path):
    folder = make_folder(tmp_path / "data", users=6, items=20)
    path = write_task(folder, folder / "task.yaml").path
    path.write_text("mine")
    with pytest.raises(SpecError, match="exists"):
        write_task(folder, path)
    assert "exists" in invoke("new", "task", folder, code=2)
    assert write_task(folder, path, force=True).path.read_text() != "mine"


def test_too_few_ratings_are_refused(tmp_path):
    folder = make_folder(tmp_path / "data", users=6, items=8)
    with pytest.raises(DataError, match="half of the users rated 8 items or fewer"):
        write_task(folder, folder / "task.yaml")


def test_an_odd_folder_becomes_a_task_that_reads_it(tmp_path):
    """MovieLens' layout, a code, repetitions, an unlisted item, a user with one rating, an image under two ids."""
    folder = make_folder(tmp_path / "odd", users=14, items=40)
    lines = (folder / "ratings.csv").read_text().splitlines()[1:]
    (folder / "ratings.csv").unlink()
    added = ["u1::i3::99::1", "u1::gone::3::1", "u99::i1::4::1", "u0::i0::2::1"]
    (folder / "ratings.dat").write_text("\n".join([f"{line.replace(',', '::')}::978" for line in lines] + added))
    items = (folder / "items.csv").read_text().replace("item,file,caption", "movieId,filename,title")
    (folder / "items.csv").write_text(items.replace("i7,7.png", "i7,6.png"))
    output = invoke("new", "task", folder)
    for sentence in (
        "14 users, 40 items, 560 ratings from 1 to ",
        "note: values that seem to stand for no rating: 99 (1 time)",
        "note: left out: 1 rating of 1 item ('gone') not in the list",
        "note: left out: 1 rating of an item that the user rated before; the last one counts",
        "note: left out: 1 user with fewer than 6 ratings, 1 rating in all",
        "note: 1 image under more than one id: 'i6' = 'i7'",
        "note: 1 item has the same pixels as another one; equal items are on one side of the split",
    ):
        assert sentence in output
    plan = invoke("plan", folder / "task.yaml", "--workdir", tmp_path / "w")
    assert (
        "14 users, 3 images per user" in plan and "note: left out: 1 rating of 1 item ('gone') not in the list" in plan
    )
    assert "note: 1 item has the same pixels as another one" in plan


def test_missing_texts_and_odd_delimiters_are_written_so_that_they_are_read(tmp_path):
    folder = make_folder(tmp_path / "na", users=14, items=30)
    lines = (folder / "ratings.csv").read_text().splitlines()
    rows = [*lines, "u1,,NA", "u2,i2,NA", "u3,i3,"]
    (folder / "ratings.csv").write_text("\n".join(row.replace(",", "\x01") for row in rows))
    assert "note: cells without a rating: '' (1 time), 'NA' (2 times)" in invoke("new", "task", folder)
    params = load_task(folder / "task.yaml").file.data.params
    assert params["missing"] == ["", "NA"] and params["ratings"]["delimiter"] == "\x01"
    plan = invoke("plan", folder / "task.yaml", "--workdir", tmp_path / "w")
    assert "note: left out: 3 ratings with a value that stands for none" in plan


def test_damaged_images_are_all_named(tmp_path):
    folder = make_folder(tmp_path / "data", users=6, items=20)
    for k in (3, 5, 8):
        (folder / "images" / f"{k}.png").write_bytes(b"no image")
    output = invoke("new", "task", folder, code=3)
    assert all(f"{k}.png: not a readable image" in output for k in (3, 5, 8))
    assert "save it again as PNG" in output


def test_missing_texts_commas_and_a_line_of_spreadsheets_become_a_task_that_reads_them(tmp_path):
    """Semicolons by sep=, a decimal comma, and two cells without a number; the task's own rules read all the rest."""
    folder = make_folder(tmp_path / "excel", users=14, items=40)
    lines = (folder / "ratings.csv").read_text().splitlines()[1:]
    rows = [f"{line.replace(',', ';')},5" for line in lines]
    rows[3], rows[7] = ";".join([*rows[3].split(";")[:2], "NA"]), ";".join([*rows[7].split(";")[:2], ""])
    (folder / "ratings.csv").write_text("\r\n".join(["sep=;", "user;item;rating", *rows]) + "\r\n")
    output = invoke("new", "task", folder)
    assert "14 users, 40 items, 558 ratings from 1.5 to " in output
    assert "note: cells without a rating: '' (1 time), 'NA' (1 time)" in output
    assert 'missing: ["", "NA"]' in (folder / "task.yaml").read_text()
    assert "14 users, 3 images per user" in invoke("plan", folder / "task.yaml", "--workdir", tmp_path / "w")


def test_a_decimal_comma_in_json_lines_is_found(tmp_path):
    folder = make_folder(tmp_path / "json", users=14, items=40)
    rows = [line.split(",") for line in (folder / "ratings.csv").read_text().splitlines()[1:]]
    (folder / "ratings.csv").unlink()
    text = "".join(
        json.dumps({"user": user, "item": item, "rating": f"{rating},5"}) + "\n" for user, item, rating in rows
    )
    (folder / "ratings.jsonl").write_text(text)
    assert "560 ratings from 1.5 to " in invoke("new", "task", folder)
    assert load_task(folder / "task.yaml").data.ratings.decimal == ","


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (
            "item,rating",
            "i1,3",
            ("no column is known as user (found: item, rating)", "join the exports of several users"),
        ),
        ("user,item", "u1,i1", ("no column is known as rating (found: user, item)", "likes alone are not enough")),
    ],
)
def test_exports_of_one_user_and_likes_alone_are_told_what_to_do(tmp_path, header, row, words):
    folder = make_folder(tmp_path / "data", users=6, items=20)
    (folder / "ratings.csv").write_text(f"{header}\n{row}\n")
    output = invoke("new", "task", folder, code=3)
    assert all(text in output for text in words)


def test_users_whom_the_split_leaves_without_a_like_are_counted(tmp_path):
    folder = make_folder(tmp_path / "data", users=10, items=30)
    lines = (folder / "ratings.csv").read_text().splitlines()
    (folder / "ratings.csv").write_text(
        "\n".join(f"{line[:-1]}1" if line.startswith("u3,") else line for line in lines)
    )
    assert "note: 1 of 10 users without a like among the training ratings" in invoke("new", "task", folder)
    plan = invoke("plan", folder / "task.yaml", "--workdir", tmp_path / "w")
    assert "note: 1 of 10 users without a like among the training ratings" in plan


@pytest.mark.parametrize(("name", "fault"), [("nowhere", "no such folder"), ("file", "a file, not a folder")])
def test_what_is_no_folder_is_refused_with_what_it_should_hold(tmp_path, name, fault):
    (tmp_path / "file").touch()
    output = invoke("new", "task", tmp_path / name, code=2)
    assert f"{name}: {fault}\n  hint: name the folder that holds ratings.csv, items.csv and images" in output


def test_comments_of_the_task_file_begin_in_one_column(tmp_path):
    folder = make_folder(tmp_path / "data", users=6, items=20)
    ratings = folder / "ratings.csv"
    ratings.write_text(ratings.read_text() + "u0,gone,3\nu0,i0,99\n")
    invoke("new", "task", folder)
    lines = (folder / "task.yaml").read_text().splitlines()
    assert {line.index("  # ") for line in lines if "  # " in line.lstrip()} == {31}
