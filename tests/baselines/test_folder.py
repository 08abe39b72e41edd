"""Images from outside: what is read, what is refused, and what a person is told who named files otherwise."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from baselines.folder import Folder, FolderParams
from rebeca.data.catalogue import ArraySource, Candidates, Catalogue
from rebeca.errors import DataError, PluginError
from rebeca.interfaces import Request

USERS = ("u0", "u1", "u2")
ODD = ("..", "a/b", "x" * 300, "nul\0byte")
IMAGES = 2


def picture(number):
    return np.full((4, 5, 3), (number, 100, 255 - number), np.uint8)


def save(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(number)).save(path, "PNG")


def fill(folder, users=USERS, start=0, name="{user}/{k}.png"):
    """Every image is told by its number: 10 per user, and its place among the user's."""
    for number, user in enumerate(users):
        for k in range(IMAGES):
            save(folder / name.format(user=user, k=k + start), 10 * number + k)
    return folder


def table(folder, rows, header="user,replicate,file"):
    folder.mkdir(exist_ok=True)
    (folder / "images.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def read(folder, users=USERS, replicates=range(IMAGES), fits=1, **params):
    """Red of each image's first pixel in the order of users and replicates; None where it is missing."""
    generator = Folder(FolderParams(str(folder), **params), SimpleNamespace(users=users, fits=fits))
    generator.fit(None)
    answers = generator.generate([Request(user, k, 0) for user in users for k in replicates])
    return [None if answer is None else int(answer.pixels[0, 0, 0]) for answer in answers]


def refused(folder, users=USERS, kind=PluginError):
    with pytest.raises(kind) as caught:
        read(folder, users)
    return str(caught.value).replace(str(folder), "DIR")


def test_folders_and_a_table_give_the_same_images(tmp_path):
    folders = fill(tmp_path / "folders")
    listed = fill(tmp_path / "listed", name="all/{user}-{k}.png")
    table(listed, [f"{user},{k},all/{user}-{k}.png" for user in USERS for k in range(IMAGES)])
    assert read(folders) == read(listed) == [0, 1, 10, 11, 20, 21]


def test_images_that_aim_at_a_judge_may_say_so():
    assert Folder.needs(FolderParams(judge_guided=True)) == {"judge"}
    assert not Folder.needs(FolderParams())


def test_the_table_may_name_fits(tmp_path):
    assert not Folder.fit_varies(FolderParams()) and Folder.fit_varies(FolderParams(names_fits=True))
    fill(tmp_path)
    rows = [f"{user},{k},{user}/{k}.png,checkpoint-{'ab'[k]}" for user in USERS for k in range(2)]
    table(tmp_path, rows, "user,replicate,file,fit")
    assert read(tmp_path, replicates=[1], fits=2, names_fits=True) == [1, 11, 21]
    assert read(tmp_path) == read(tmp_path, fits=2, replicates=range(2)) == [0, 1, 10, 11, 20, 21]  # one fitted model


@pytest.mark.parametrize(
    ("fits", "names", "row", "text"),
    [
        (2, "aa", 3, "image 1 is of fit 'a', which also made image 0"),
        (1, "ab", 3, "image 1 is of fit 'b', and others with this number are of 'a'"),
        (2, "abac", 5, "image 1 is of fit 'c', and others with this number are of 'b'"),
    ],
)
def test_rows_of_another_fit_are_refused(tmp_path, fits, names, row, text):
    fill(tmp_path)
    named = zip([f"{user},{k},{user}/{k}.png" for user in USERS for k in range(2)], names, strict=False)
    table(tmp_path, [f"{image},{name}" for image, name in named], "user,replicate,file,fit")
    with pytest.raises(DataError, match=f"images.csv: row {row}: {text}") as refusal:
        read(tmp_path, fits=fits, names_fits=True)
    assert "leave names_fits out" in refusal.value.hint


def test_names_of_fits_need_a_table_with_such_a_column(tmp_path):
    fill(tmp_path)
    with pytest.raises(PluginError, match=r"names_fits is true, and there is no table images\.csv"):
        read(tmp_path, names_fits=True)
    table(tmp_path, ["u0,0,u0/0.png"])
    with pytest.raises(DataError, match=r"images\.csv: .*'fit'") as refusal:
        read(tmp_path, names_fits=True)
    assert refusal.value.hint == "the first row names the columns, parted by commas: user,replicate,file,fit"


def test_images_counted_from_one_are_told_from_those_of_other_fits(tmp_path):
    """Image 0 is missing; fit 0 makes images 0 and 2, and asks for no more than 2."""
    for k in (1, 2, 3):
        save(tmp_path / "u0" / f"{k}.png", k)
    assert read(tmp_path, ("u0",), replicates=[0, 2], fits=2) == [None, 2]
    with pytest.raises(PluginError, match="'u0' are u0/1 to u0/3, asked for as 0 to 2"):
        read(tmp_path, ("u0",), replicates=[0, 1, 2])


def test_missing_images_are_missing(tmp_path):
    fill(tmp_path)
    (tmp_path / "u1" / "1.png").unlink()
    shutil.rmtree(tmp_path / "u2")
    assert read(tmp_path) == [0, 1, 10, None, None, None]


def test_an_empty_folder_has_no_images(tmp_path):
    assert read(tmp_path) == [None] * 6
    assert read(table(tmp_path, [])) == [None] * 6


def test_a_table_names_images_of_users_that_no_folder_can_hold(tmp_path):
    rows = []
    for number, user in enumerate(ODD):
        for k in range(IMAGES):
            save(tmp_path / f"{number}-{k}.png", 10 * number + k)
            rows.append(f"{user},{k},{number}-{k}.png")
    assert read(table(tmp_path, rows), ODD) == [0, 1, 10, 11, 20, 21, 30, 31]


@pytest.mark.parametrize("user", ODD)
def test_users_that_no_folder_can_hold_are_sent_to_the_table(tmp_path, user):
    message = refused(fill(tmp_path, ("u0",)), ("u0", user))
    assert "DIR: no folder can be called '" in message and "images.csv (user,replicate,file)" in message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["u0,0,/etc/x.png"], "row 2: file '/etc/x.png' is an absolute path"),
        (["u0,0,../x.png"], "row 2: file '../x.png' points outside"),
        (["u0,0,no.png"], "row 2: file 'no.png' is not in DIR"),
        (["u0,0,u0"], "row 2: file 'u0' is not in DIR"),
        (["u0,0,u0\\0.png"], "row 2: file 'u0\\0.png' has a backslash"),
        (["u0,0,u0/0.png", "", "u0,0,u0/1.png"], "row 4: image 0 of user 'u0' is named twice"),
        (["U1,0,u0/0.png"], "row 2: no user 'U1' in the data set; did you mean 'u1'?"),
        (["zoe,0,u0/0.png"], "row 2: no user 'zoe' in the data set"),
        (["u0,-1,u0/0.png"], "row 2: column 'replicate' holds '-1', expected a whole number, counted from 0"),
        (["u0,0.5,u0/0.png"], "row 2: column 'replicate' holds '0.5'"),
        ([",0,u0/0.png"], "row 2: column 'user' is empty"),
        (["u0,0"], "row 2: has 2 cells, the header 3"),
        (["zoe,0,u0/0.png", "ann,0,u0/0.png"], "row 3: no user 'ann'"),
    ],
)
def test_faults_of_a_table_name_their_row(tmp_path, rows, message):
    assert message in refused(table(fill(tmp_path), rows), kind=DataError)


def test_a_link_inside_the_folder_is_read(tmp_path):
    fill(tmp_path)
    (tmp_path / "u0" / "1.png").unlink()
    (tmp_path / "u0" / "1.png").symlink_to("../u2/0.png")
    assert read(tmp_path) == [0, 20, 10, 11, 20, 21]
    assert read(table(tmp_path, ["u0,0,u0/1.png"]))[0] == 20


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("../outside/0.png", "'u0/2.png' is a link that points outside the folder"),
        ("../outside", "'u0/2.png' is a link that points outside the folder"),
        ("u1", "'u0/2.png' is a link to a folder"),
        ("nothing", "'u0/2.png' is a link to nothing"),
        ("u0/2.png", "'u0/2.png' is a link to nothing"),
    ],
)
def test_links_out_of_the_folder_and_to_folders_are_refused(tmp_path, target, message, listed):
    save(tmp_path / "outside" / "0.png", 9)
    folder = fill(tmp_path / "mine")
    (folder / "u0" / "2.png").symlink_to(folder / target)
    if listed:
        table(folder, ["u0,0,u0/0.png"])
    assert message in refused(folder)


def test_a_linked_folder_of_a_user_is_refused_as_one(tmp_path):
    fill(tmp_path, USERS[:2])
    (tmp_path / "u2").symlink_to("u0")
    assert "'u2' is a link to a folder\n  hint: put the files themselves" in refused(tmp_path)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"users": ("U0", "u1", "u2")}, "'U0/0.png' is asked for as 'u0/0.png', 'U0/1.png' is asked for as 'u0/1.png'"),
        ({"users": ("u0 ", "u1", "u2")}, "'u0 /0.png' is asked for as 'u0/0.png'"),
        ({"name": "{user}/{k}.PNG"}, "'u0/0.PNG' is asked for as 'u0/0.png'"),
        ({"name": "{user}/{k}.tiff"}, "'u0/0.tiff' is asked for as 'u0/0.png'"),
        ({"name": "{user}/0{k}.png"}, "'u0/00.png' is asked for as 'u0/0.png'"),
        ({"name": "{user}_{k}.png"}, "'u0_0.png' is asked for as 'u0/0.png'"),
        ({"name": "out/{user}/{k}.png"}, "none of its images is asked for: it holds 'out/u0/0.png'"),
        (
            {"users": ("ann", "bob")},
            "holds 'ann/0.png', 'ann/1.png', 'bob/0.png', 'bob/1.png'; asked for are 'u0/0.png'",
        ),
        ({"start": 1}, "the images of 'u0' are u0/1 to u0/2, asked for as 0 to 1"),
    ],
)
def test_names_that_nearly_match_are_told_with_those_that_are_asked_for(tmp_path, layout, message):
    text = refused(fill(tmp_path, **layout))
    assert message in text
    assert "hint: use the names of requests.csv" in text


def test_the_first_five_of_many_names_are_told_and_their_number(tmp_path):
    users = tuple(f"u{number}" for number in range(20))
    text = refused(fill(tmp_path, [user.upper() for user in users]), users)
    assert text.count(" is asked for as ") == 5
    assert ", and 35 more" in text


def test_other_files_and_more_images_than_are_asked_for_do_no_harm(tmp_path):
    fill(tmp_path)
    save(tmp_path / "u0" / "2.png", 99)
    save(tmp_path / "stranger" / "0.png", 99)
    save(tmp_path / "montage.png", 99)
    (tmp_path / "u0" / "notes.txt").write_text("0.png is the best")
    assert read(tmp_path) == [0, 1, 10, 11, 20, 21]


def test_two_files_of_one_image_are_refused(tmp_path):
    fill(tmp_path)
    save(tmp_path / "u1" / "1.webp", 9)
    assert "'u1/1.png' and 'u1/1.webp' are both there" in refused(tmp_path)


def test_damaged_images_are_all_named(tmp_path):
    users = tuple(f"u{number:02d}" for number in range(8))
    fill(tmp_path, users)
    damaged = sorted(tmp_path.rglob("*.png"))[2:15]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:30])
    text = refused(tmp_path, users, DataError)
    assert [f"DIR/{path.relative_to(tmp_path)}" in text for path in damaged] == [True] * 10 + [False] * 3
    assert "and 3 more" in text


def test_copies_count_as_items_where_the_task_says_so(tmp_path):
    """Items 1 and 2 are equal; user u1 may be shown item 2 only."""
    pixels = np.stack([picture(number) for number in (0, 10, 10, 21)])
    catalogue = Catalogue(("a", "b", "c", "d"), ArraySource(pixels), np.zeros(4, int))
    rated = tuple(np.array(items, int) for items in ([], [0, 1, 3], [3]))
    candidates = Candidates(USERS, np.ones((1, 4), bool), np.zeros(3, int), rated)
    context = SimpleNamespace(users=USERS, fits=1, catalogue=catalogue, candidates=candidates)
    requests = [Request(user, k, 0) for user in USERS for k in range(IMAGES)]
    items = {
        retrieval: [
            answer.item
            for answer in Folder(FolderParams(str(fill(tmp_path)), retrieval=retrieval), context).generate(requests)
        ]
        for retrieval in (True, False)
    }
    assert items == {True: [0, None, 2, None, None, 3], False: [None] * 6}
