"""What templates are given."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.analysis.results import Interval
from benchmark.site import view
from benchmark.site.images import Shown, best_first, make_gallery


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
    html = view.cell_html(cell, column, view.Scale(-1.0, 1.0))
    assert html.startswith("<td data-v=0.25>+0.2") and "<small>" in html and "class=z" in html
    assert "M20.0 6H68.0" in html and "M44.0 3v6" in html
    alone = Interval(0.25, None, None, "none", 1, None, None)
    bare = view.cell_html(alone, SimpleNamespace(signed=False), view.Scale(0, 1))
    assert "<small>" not in bare and "class=z" not in bare
    assert view.cell_html(None, column, view.Scale(0, 1)) == "<td>–</td>"


def test_columns_hidden_at_first_and_shown_make_all(tables):
    columns = tables.board.measures.everything()
    hidden = view.hidden_at_first(tables.board, columns)
    shown, more = view.measured(tables.board)
    assert tables.primary not in hidden and "failures" in hidden and "status" in hidden
    assert len(shown) + more == len(columns)


def test_flags_of_most_rows_are_said_once():
    rows = [SimpleNamespace(flags=flags) for flags in (["a", "b"], ["a"], ["c"])]
    assert view.common_flags(SimpleNamespace(rows=rows)) == ["a"]


def test_verdicts_are_against_the_reference(tables):
    verdicts = view.verdicts(tables.board)
    assert verdicts[tables.board.reference] == view.Verdicts()
    for row in tables.board.rows:
        if row.ranked and row.id != tables.board.reference:
            assert verdicts[row.id].preference is not None and verdicts[row.id].lift is not None


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
