"""What templates are given."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.analysis.numbers import Interval
from benchmark.site import view
from benchmark.site.images import Shown, best_first, make_gallery
from rebeca.errors import RecordError


@pytest.fixture(scope="module")
def gallery(tables, tmp_path_factory):
    return make_gallery(tables, tmp_path_factory.mktemp("images"), None)


def test_a_scale_maps_its_ends_to_the_margins():
    scale = view.Scale(2.0, 4.0)
    assert (scale.x(2.0), scale.x(3.0), scale.x(4.0)) == ("4.0", "36.0", "68.0")
    assert view.Scale(1.0, 1.0).x(1.0) == "4.0"


def test_a_cell_holds_value_interval_and_whisker():
    column = SimpleNamespace(signed=True)
    cell = Interval(0.25, -0.5, 1.0, "student-t", 9, None, None)
    html = view.cell_html(cell, column, view.Scale(-1.0, 1.0), 9)
    assert html.startswith("<td data-v=0.25>+0.2") and "<small>" in html and "class=z" in html
    assert "M20.0 6H68.0" in html and "M44.0 3v6" in html
    assert "<small>9 of 12 users</small>" in view.cell_html(cell, column, view.Scale(-1.0, 1.0), 12)
    alone = Interval(0.25, None, None, "none", 1, None, None)
    bare = view.cell_html(alone, SimpleNamespace(signed=False), view.Scale(0, 1), 1)
    assert "<small>" not in bare and "class=z" not in bare
    assert view.cell_html(None, column, view.Scale(0, 1), 9) == "<td>–</td>"


def test_columns_hidden_at_first_and_shown_make_all(tables):
    columns = tables.board.measures.everything()
    hidden = view.hidden_at_first(tables.board, columns)
    shown, more = view.measured(tables.board)
    assert tables.primary not in hidden and "failures" in hidden and "status" in hidden
    assert len(shown) + more == len(columns)


def test_eight_columns_are_shown_at_first(tables):
    board, columns = tables.board, tables.board.measures.everything()
    everything = [column.key for column in columns] + ["verdict", "seconds", "failures", "status"]
    hidden = view.hidden_at_first(board, columns)
    assert set(hidden) < set(everything)
    shown = [key for key in everything if key not in hidden]
    assert sorted(shown) == sorted(["ncf", "lift:ncf", "observed", "lift:observed", "gap", "verdict"])
    assert len(shown) + 2 <= view.MOST_COLUMNS
    few = view.hidden_at_first(board, [column for column in columns if column.key in ("ncf", "lift:ncf")])
    assert few == ["seconds", "failures", "status"]


def test_the_spread_between_fits_takes_the_place_of_the_gap(tables):
    rows = [
        replace(
            row,
            record=row.record.model_copy(
                update={"summary": {"ncf": replace(row.record.summary["ncf"], between_fits=0.01)}}
            ),
        )
        for row in tables.board.rows
    ]
    board = replace(tables.board, rows=rows)
    columns = tables.board.measures.everything()
    assert view.FITS not in view.hidden_at_first(board, columns) and "gap" in view.hidden_at_first(board, columns)


def test_a_lift_has_its_test_below(tables):
    row = tables.board.row("rebeca")
    column = next(column for column in tables.board.measures.everything() if column.key == "lift:ncf")
    p = row.record.personal["ncf"].median_double_centred.p
    cell = view.cell_html(row.cell(column), column, view.Scale(-1.0, 1.0), 12, row.test(column))
    assert f"<small>p = {f'{p:.3f}'.lstrip('0')}</small>" in cell
    tiny = replace(row.test(column), p=0.0004)
    assert "<small>p &lt; .001</small>" in view.cell_html(row.cell(column), column, view.Scale(-1.0, 1.0), 12, tiny)
    preference = next(column for column in tables.board.measures.everything() if column.key == "ncf")
    assert row.test(preference) is None


def test_verdicts_are_against_the_reference(tables):
    verdicts = view.verdicts(tables.board)
    assert verdicts[tables.board.reference] == {"preference": None, "lift": None}
    for row in tables.board.rows:
        if row.ranked and row.id != tables.board.reference:
            assert None not in verdicts[row.id].values()


def test_bars_are_as_high_as_their_counts():
    html = view.bars([("1", 2), ("2", 0), ("3", 4)])
    assert html.count("<rect") == 3
    assert 'y="21" width="18" height="19"' in html and 'y="2" width="18" height="38"' in html
    assert "<rect" not in view.bars([])


def test_means_leave_out_what_is_missing():
    assert view.short_mean(np.array([1.0, np.nan, 2.0])) == 1.5
    assert view.short_mean(np.array([np.nan])) is None


def test_the_best_image_comes_first():
    scores = np.array([[0.1, np.nan, 0.9, 0.9]])
    shown = [Shown(str(k), 0, k) for k in range(4)]
    assert [image.replicate for image in best_first(shown, scores)] == [2, 3, 0, 1]


def test_a_gallery_holds_what_records_carry(tables, gallery):
    assert gallery.users == sorted(gallery.users) and len(gallery.users) > 2
    assert set(gallery.by_generator) == {row.id for row in tables.board.rows}
    for images_of in gallery.by_generator.values():
        for user, shown in images_of.items():
            assert all(image.user == user and gallery.size[image.digest] == (24, 24) for image in shown)


def test_the_opening_shows_users_of_different_taste(tables, gallery):
    opening = view.opening(tables, gallery)
    users = [each.user for each in opening]
    assert len(set(users)) == len(opening) == view.OPENING_USERS
    others = [u for u in gallery.users if u != users[0]]
    assert tables.likeness[users[1], users[0]] == min(tables.likeness[u, users[0]] for u in others)
    assert all(0 < len(each.liked) <= view.OPENING_IMAGES for each in opening)


def test_all_images_for_a_user_come_best_first(tables, gallery):
    returned = view.returned_for(tables, gallery, gallery.users[0])
    values = [tables.value(each.row.id, tables.primary)[gallery.users[0]] for each in returned]
    assert values == sorted(values, reverse=True)
    assert [each.preference for each in returned] == values


def test_galleries_are_per_user(tables, gallery):
    row = tables.board.rows[0]
    galleries = view.galleries(tables, gallery, row.id)
    assert [each.user for each in galleries] == sorted(gallery.by_generator[row.id])
    for each in galleries:
        assert each.value == pytest.approx(tables.value(row.id, tables.primary)[each.user])


def test_a_histogram_counts_training_ratings(tables):
    for user in range(3):
        assert sum(count for _, count in view.histogram(tables, user)) == tables.ratings[user]


# ---------------------------------------------------------------------------------------------- reports of speed

REPORT = {
    "device": "a GPU",
    "size": "tiny",
    "weights": "random",
    "steps": 50,
    "measured": "2026-11-25",
    "figures": {
        "images per second": 3.5,
        "times faster than the original's way": 6.0,
        "scoring / generating": 0.02,
        "outside model calls": 0.04,
    },
    "stages": {"not": "shown"},
}


@pytest.fixture
def write(tmp_path):
    (tmp_path / "perf").mkdir()

    def to(name, **changes):
        path = tmp_path / "perf" / f"{name}.json"
        path.write_text(json.dumps(REPORT | changes))
        return path

    return to


def test_full_sizes_come_first(write, tmp_path):
    write("a")
    write("b", size="full", device="another")
    reports = view.read_reports([tmp_path, tmp_path])
    assert [(report.device, report.size) for report in reports] == [("another", "full"), ("a GPU", "tiny")]
    assert reports[0].figures.rate == 3.5 and reports[0].figures.scoring == 0.02
    assert view.read_reports([tmp_path / "nowhere"]) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"steps": 0}, "steps"),
        ({"measured": "today"}, "measured"),
        ({"weights": "mine"}, "weights"),
        ({"figures": REPORT["figures"] | {"outside model calls": float("inf")}}, "figures.outside model calls"),
        ({"figures": REPORT["figures"] | {"more": 1}}, "figures.more"),
    ],
)
def test_what_is_no_report_is_named(write, tmp_path, changes, where):
    path = write("a", **changes)
    with pytest.raises(RecordError, match=f"{path.name}: {where}"):
        view.read_reports([tmp_path])


def test_a_huge_file_is_not_read(write, tmp_path):
    write("a", stages="x" * view.MOST_BYTES)
    with pytest.raises(RecordError, match="too many for a report"):
        view.read_reports([tmp_path])


def test_a_choice_of_guidance_is_shown_with_its_ratings():
    facts = {
        "chosen": 3.0,
        "table": [{"prior_guidance": 3.0, "personal_rating": 0.1, "standard_error": 0.02}],
        "users": 9,
        "ratings": 1200,
        "ratings_without_other_raters": 40,
    }

    def fit(report):
        return SimpleNamespace(report=report)

    guidance = view.guidance_of(fit({"guidance": facts}))
    assert (guidance.users, guidance.ratings, guidance.ratings_without_other_raters) == (9, 1200, 40)
    assert view.guidance_of(fit({})) is None
