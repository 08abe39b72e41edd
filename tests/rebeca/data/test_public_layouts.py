"""The smallest cases of public files and reports, rebuilt; the table in docs/explanation/testing.md names them."""

import decimal
import json
import shutil
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rebeca.data.discover import discover
from rebeca.data.folder import read_folder
from rebeca.data.options import TableLayout
from rebeca.errors import DataError
from tests.conftest import make_folder

USERS, ITEMS = 6, 12


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "data", users=USERS, items=ITEMS)


def triples(folder):
    """User, item and rating of every row of the usual table."""
    return [line.split(",") for line in (folder / "ratings.csv").read_text().splitlines()[1:]]


def rewrite(folder, text, stem="ratings", suffix=".csv", encoding="utf-8"):
    (folder / f"{stem}.csv").unlink()
    (folder / f"{stem}{suffix}").write_bytes(text.encode(encoding))


def read(folder):
    """The data as ``new task`` would have them read, and what it says of them."""
    discovery = discover(folder)
    data = read_folder(folder, discovery.scale, ratings=discovery.ratings, items=discovery.items, rules=discovery.rules)
    return data, discovery


def assert_all_read(folder, rows):
    data, discovery = read(folder)
    ratings = data.ratings
    named = zip(ratings.user, ratings.item, ratings.rating, strict=True)
    assert {(ratings.user_ids[u], ratings.item_ids[i], r) for u, i, r in named} == {
        (user, item, float(rating)) for user, item, rating in rows
    }
    return discovery


@pytest.mark.parametrize(
    ("head", "row", "item", "guessed"),
    [
        ("rater_id,face_id,rating", "{u},{i},{r}", "face_id", {"item": "face_id"}),  # debruine/demopsydata
        ("User-ID,ISBN,Book-Rating", "{u},{i},{r}", "ISBN", {"item": "ISBN", "rating": "Book-Rating"}),
        ("user_id,book_id,rating", "{u},{i},{r}", "book_id", {"item": "book_id"}),  # goodbooks-10k
        ("user_id,parent_asin,rating,timestamp", "{u},{i},{r},9", "parent_asin", {"item": "parent_asin"}),
        ("participant_id,image_filename,response", "{u},{i},{r}", "image_filename", {"item": "image_filename"}),
        (",exp_stage,image,response,rt,participant_id", "1,main,{i},{r},900,{u}", "image", {}),  # egaillar/fire-task
        ("image,trials.thisN,slider.response,slider.rt,participant", "{i},3,{r},0.9,{u}", "image",
         {"rating": "slider.response"}),  # PsychoPy
        ("rt,stimulus,response,trial_type,subject", "9,{i},{r},image-slider-response,{u}", "stimulus", {}),  # jsPsych
        ("Rater,Filename,Rating,original Rating", "{u},{i},{r},", "Filename", {}),  # SCUT-FBP5500
        ("ratersID,Race,imgID,rating", "{u},C,{i},{r}", "imgID", {"user": "ratersID", "item": "imgID"}),
        ("annotation_id,annotator,id,image,rating", "7,{u},1,{i},{r}", "image", {}),  # Label Studio
    ],
)  # fmt: skip
def test_columns_are_known_by_name_by_both_tables_or_by_a_word(folder, head, row, item, guessed):
    rows = triples(folder)
    rewrite(folder, "\n".join([head, *(row.format(u=u, i=i, r=r) for u, i, r in rows)]))
    rewrite(folder, "\n".join([f"{item},file", *(f"i{k},{k}.png" for k in range(ITEMS))]), "items")
    said = " ".join(assert_all_read(folder, rows).odd)
    for name, column in guessed.items():
        assert f"ratings: the column '{column}' is taken for '{name}'" in said
    assert said.count("ratings: the column") == len(guessed)


@pytest.mark.parametrize(
    ("suffix", "head", "row", "end"),
    [
        (".csv", "image_id=user_id=score=difficulty", "{i}={u}={r}=2", "\n"),  # kang-gnak/eva-dataset
        (".csv", "user\x01item\x01rating", "{u}\x01{i}\x01{r}", "\n"),  # Hive
        (".dat", None, "{u}\t\t{i}\t\t{r}", "\n"),  # Jester 2
        (".txt", None, "  {u:>3}   {i:>4}   {r}", "\n"),  # MATLAB, save -ascii
        (".csv", "sep=;\nuser;item;rating", "{u};{i};{r}", "\r\n"),  # Excel
        (".csv", "User-ID,item,Rating", "{u},{i},{r}", "\r"),  # cyadusha/BX-CSV-Dump
    ],
)
def test_delimiters_and_line_ends_are_found(folder, suffix, head, row, end):
    rows = triples(folder)
    lines = ([head.replace("\n", end)] if head else []) + [row.format(u=u, i=i, r=r) for u, i, r in rows]
    rewrite(folder, end.join(lines), suffix=suffix)
    assert_all_read(folder, rows)


@pytest.mark.parametrize("text", ["", "NA", "null", "None"])
def test_cells_without_a_rating_are_left_out_and_counted(folder, text):
    """PsychoPy and jsPsych write a row per screen, R writes NA; such a row may lack its item too."""
    rows = triples(folder)
    lines = ["user,item,rating", f"u0,,{text}", *(",".join(row) for row in rows), f"u1,i1,{text}", f"u9,,{text}"]
    rewrite(folder, "\n".join(lines))
    discovery = assert_all_read(folder, rows)
    assert discovery.rules.missing == (text,)
    assert f"cells without a rating: '{text}' (3 times)" in discovery.odd
    assert read(folder)[0].notes == ("left out: 3 ratings with a value that stands for none",)
    with pytest.raises(DataError, match="row 2: column 'item' is empty\n  row 2: column 'rating' "):
        read_folder(folder, (1, 7))


def wide(head, *first, end="\n"):
    """A row per user and a column per item."""
    return end.join([*([head] if head else []), *first, *(",".join(["x", *"1352435213"]) for _ in range(USERS))])


@pytest.mark.parametrize(
    "text",
    [
        wide("rater_sex," + ",".join(f"X{k:03}" for k in range(10)), end="\r"),  # debruine/demopsydata
        wide(""),  # Jester 1
        wide("ResponseId," + ",".join(f"Q{k}" for k in range(10)), ",".join(['"a\nb"'] * 11)),  # Qualtrics
        wide("Timestamp," + ",".join(f"How much do you like picture {k}?" for k in range(10))),  # Google Forms
    ],
)
def test_a_table_with_a_column_per_item_is_named(folder, text):
    rewrite(folder, text)
    with pytest.raises(DataError, match="10 columns of numbers; there seems to be one row per user and one") as raised:
        discover(folder)
    assert "melt in pandas, pivot_longer in R" in raised.value.hint


def test_columns_that_may_be_the_rating_are_named(folder):
    """PARA has several scores, and nobody can know which one is meant."""
    rewrite(folder, "imageName,userId,aestheticScore,qualityScore\ni1,u1,3.0,4.0\n")
    with pytest.raises(DataError, match="no column is known as rating") as raised:
        discover(folder)
    assert raised.value.hint.startswith("is it aestheticScore or qualityScore?")


def test_ratings_that_another_column_tells_apart_are_pointed_out(folder):
    """debruine/webmorphR.stim: a row per trait."""
    rows = triples(folder)
    lines = [f"{u},{i},{trait},{r}" for u, i, r in rows for trait in ("att", "dom", "trust")]
    rewrite(folder, "\n".join(["user,item,trait,rating", *lines]))
    assert "most ratings are repeated; does another column tell them apart (trait)?" in discover(folder).odd


def test_quotes_mean_nothing_between_double_colons(folder):
    """MovieLens 10M, h2oai/datatable #2680."""
    titles = [f'{k}::{k}.png::"Great Performances" Cats (1998)' for k in range(ITEMS)]
    rows = [(u, i[1:], r) for u, i, r in triples(folder)]
    rewrite(folder, "\n".join("::".join(row) for row in rows), suffix=".dat")
    rewrite(folder, "\n".join(["item::file::title", *titles]), "items", ".dat")
    assert_all_read(folder, rows)
    assert read(folder)[0].catalogue.captions[0] == '"Great Performances" Cats (1998)'


@pytest.mark.parametrize(
    ("name", "text", "message", "hint"),
    [
        # Book-Crossing escapes quotes by backslashes
        ("items.csv", 'item;file;title\n"i0";"0.png";"Peter \\"x\\" & co"\n', "row 2: a quoted cell", "twice"),
        ("ratings.csv", '"user","item","rating"\n"1","u1","i1",3\n', "has 4 cells, the header 3", "row.names = F"),
        ("ratings.txt", "1:\n7,3,2005-09-06\n8,4,2005-09-06\n", "no column is known as user or item or", "rename"),
        ("ratings.csv", "Image Name,Vote,Duration\ni1,3,0.9\n", "no column is known as user", "add a column 'user'"),
        ("ratings.csv", "PK\x03\x04\x14\x00", "not text, but an archive or a spreadsheet", "save the table as CSV"),
        ("ratings.xlsx", "PK\x03\x04", r"no ratings\.csv \(found: ratings\.xlsx\)", "save it as ratings.csv"),
        ("ratings.json", "[]", r"no ratings\.csv \(found: ratings\.json\)", "save it as ratings.csv"),
        ("items.xlsx", "PK\x03\x04", r"no items\.csv \(found: items\.xlsx\)", "save it as items.csv"),
    ],
)  # fmt: skip
def test_what_is_refused_has_its_cause_and_remedy(folder, name, text, message, hint):
    (folder / f"{name.split('.')[0]}.csv").unlink()
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=message) as raised:
        discover(folder)
    assert hint in raised.value.hint


def test_a_file_per_user_and_a_missing_list_have_their_remedy(folder):
    """mgzzl/vision-transformer-for-image-quality-perception-of-individual-observers has a file per observer."""
    text = (folder / "ratings.csv").read_text()
    (folder / "ratings.csv").unlink()
    for name in ("ratings_Obs1.csv", "ratings_Obs2.csv"):
        (folder / name).write_text(text)
    with pytest.raises(DataError, match=r"no ratings\.csv") as raised:
        discover(folder)
    assert "put the rows of these files into one ratings.csv; where each is of one user" in raised.value.hint
    (folder / "ratings_Obs1.csv").rename(folder / "ratings.csv")
    (folder / "items.csv").unlink()
    with pytest.raises(DataError, match=r"no items\.csv") as raised:
        discover(folder)
    assert "with the columns item (the id in the ratings) and file" in raised.value.hint


@pytest.mark.parametrize(
    ("change", "shown"), [(lambda item: f"{item}.png", "'i0', 'i1'"), (lambda item: item[1:].zfill(3), "'i0', 'i1'")]
)
def test_ids_that_differ_between_the_tables_are_shown_side_by_side(folder, change, shown):
    rows = triples(folder)
    rewrite(folder, "\n".join(["user,item,rating", *(f"{u},{change(i)},{r}" for u, i, r in rows)]))
    with pytest.raises(DataError, match="no ratings are left") as raised:
        discover(folder)
    assert f"{change('i0')}" in raised.value.hint and f"the list has {shown}" in raised.value.hint


@pytest.mark.parametrize("archive", [False, True])
def test_files_may_be_named_with_their_folder(folder, archive):
    plain = read(folder)[0].fingerprint()
    rows = [f"i{k},images/{k}.png,image {k}" for k in range(ITEMS)]
    (folder / "items.csv").write_text("\n".join(["item,file,caption", *rows]))
    if archive:
        with zipfile.ZipFile(folder / "images.zip", "w") as opened:
            for path in (folder / "images").iterdir():
                opened.write(path, path.name)
        shutil.rmtree(folder / "images")
    assert read(folder)[0].fingerprint() == plain


@pytest.mark.parametrize(
    ("written", "real"), [("0.png", "0.PNG"), ("0", "0.png"), ("0.jpeg", "0.jpg"), ("C/0.png", "0.png")]
)
def test_a_name_that_almost_fits_is_shown(folder, written, real):
    (folder / "images" / "0.png").rename(folder / "images" / real)
    items = (folder / "items.csv").read_text()
    (folder / "items.csv").write_text(items.replace("i0,0.png", f"i0,{written}"))
    with pytest.raises(DataError, match=f"row 2: file '{written}' is not in") as raised:
        read(folder)
    assert raised.value.hint.startswith(f"'{written}' and '{real}' differ")


def test_a_web_address_is_no_file(folder):
    """Book-Crossing and Goodreads list addresses of covers."""
    items = (folder / "items.csv").read_text()
    (folder / "items.csv").write_text(items.replace("i0,0.png", "i0,http://images.example/0.png"))
    with pytest.raises(DataError, match=r"row 2: file .* is a web address; save the image"):
        read(folder)


def test_kinds_of_columns_that_other_programs_write_to_parquet(folder):
    """Strings as Polars writes them (pola-rs/polars #26435), decimals as Spark and DuckDB write them."""
    rows = triples(folder)
    users, items, ratings = map(list, zip(*rows, strict=True))
    halves = [decimal.Decimal(rating) / 2 for rating in ratings]
    columns = {
        "user": pa.array(users, pa.string_view()),
        "item": pa.array(items, pa.string_view()),
        "rating": pa.array(halves, pa.decimal128(3, 1)),
    }
    (folder / "ratings.csv").unlink()
    pq.write_table(pa.table(columns), folder / "ratings.parquet")
    assert_all_read(folder, [(user, item, half) for user, item, half in zip(users, items, halves, strict=True)])


def test_long_decimals_stay_different_ids(folder):
    """Spark writes ids beyond 64 bits as decimals; as floats two neighbours would be one user."""
    base = 12_345_678_901_234_567_890_123
    rows = [(str(base + int(user[1:])), item, rating) for user, item, rating in triples(folder)]
    users, items, ratings = map(list, zip(*rows, strict=True))
    column = pa.array([decimal.Decimal(user) for user in users], pa.decimal128(38, 0))
    (folder / "ratings.csv").unlink()
    pq.write_table(pa.table({"user": column, "item": items, "rating": ratings}), folder / "ratings.parquet")
    assert_all_read(folder, rows)


def test_a_folder_of_parts_is_no_table(folder):
    """Spark writes a folder of that name."""
    (folder / "ratings.csv").unlink()
    (folder / "ratings.parquet").mkdir()
    with pytest.raises(DataError, match=r"ratings\.parquet: not a file") as raised:
        discover(folder)
    assert raised.value.hint == "write the table as one file"


def test_missing_texts_are_kept_in_the_layout_of_a_json_lines_file(folder):
    """A null of JSON lines or Parquet is an empty text."""
    rows = triples(folder)
    objects = [{"user": u, "item": i, "rating": int(r)} for u, i, r in rows]
    objects.append({"user": "u0", "item": None, "rating": None})
    rewrite(folder, "\n".join(map(json.dumps, objects)), suffix=".jsonl")
    discovery = assert_all_read(folder, rows)
    assert discovery.rules.missing == ("",) and discovery.ratings == TableLayout()
    assert np.isfinite(read(folder)[0].ratings.rating).all()
