"""The leaderboard in a browser: sort, filter, columns, reference, segment, state in the address, keyboard, speed."""

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser.conftest import until

pytestmark = pytest.mark.slow


@pytest.fixture
def board(open_page, site):
    page = open_page(site / "tasks/tiny/index.html")
    page.wait_for_selector("#controls:not([hidden])")
    return page


def ids(page):
    return page.locator("#board tbody tr[data-row]:not([hidden])").evaluate_all("rows => rows.map(r => r.id)")


def column(page, key):
    at = page.locator("#board thead th").evaluate_all(f"heads => heads.findIndex(h => h.dataset.key === '{key}')")
    return page.locator(f"#board tbody tr[data-row] > :nth-child({at + 1})")


@pytest.mark.parametrize("width", [1280, 360])
def test_eight_columns_at_most_are_shown_at_first_and_tell_who_is_liked_and_personal(open_page, site, width):
    page = open_page(site / "tasks/tiny/index.html", width=width)
    page.wait_for_selector("#controls:not([hidden])")
    heads = page.locator("#board thead th:visible")
    shown = heads.evaluate_all("heads => heads.map(h => h.dataset.key)")
    assert shown[:4] == ["rank", "title", "ncf", "lift:ncf"] and "verdict" in shown and len(shown) <= 8
    every = page.locator("#board thead th").count()
    assert page.locator("input[name=column]").count() == every - 2  # the chooser has the rest
    right = page.locator("th[data-key='lift:ncf']").bounding_box()
    assert right["x"] + right["width"] <= width  # without scrolling sideways
    lift = page.locator("#rebeca td:visible").nth(2).inner_text()
    assert " to " in lift.replace("\n", " ") and "p " in lift
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_sorting_by_mouse_and_keyboard(board):
    values = column(board, "ncf").evaluate_all("cells => cells.map(c => Number(c.dataset.v))")
    head = board.locator("th[data-key=ncf]")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert column(board, "ncf").evaluate_all("cells => cells.map(c => Number(c.dataset.v))") == sorted(values)[::-1]
    head.locator("button").focus()
    board.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(board, "ncf").evaluate_all("cells => cells.map(c => Number(c.dataset.v))") == sorted(values)
    board.locator("th[data-key=title] button").click()
    titles = column(board, "title").locator("a").all_inner_texts()
    assert titles == sorted(titles)
    assert board.locator("th[aria-sort]").count() == 1


def test_verdicts_against_another_reference_sort_and_filter_alike_after_a_reload(board):
    board.locator("#ref").select_option("catalogue-random")
    until(board, "document.querySelector('#catalogue-random').textContent.includes('reference')")
    board.locator("th[data-key=verdict] button").click()
    before = ids(board), column(board, "verdict").all_inner_texts()
    board.reload()
    until(board, "document.querySelector('#catalogue-random').textContent.includes('reference')")
    assert (ids(board), column(board, "verdict").all_inner_texts()) == before
    board.get_by_text("Reset").click()
    board.locator("#q").fill("reference")
    board.reload()
    until(board, "document.querySelector('#board').textContent.includes('reference')")
    assert ids(board) == ["rebeca"]


def test_without_a_rank_a_generator_stays_last_whatever_the_order(board):
    for _ in range(2):
        board.locator("th[data-key=rank] button").click()
        assert ids(board)[-1] == "catalogue-verifier"


def test_the_printed_table_fits_a_page(board):
    board.emulate_media(media="print")
    board.set_viewport_size({"width": 1047, "height": 718})  # A4 landscape inside its margins
    box = board.locator("#board").bounding_box()
    assert box["width"] <= 1047
    assert not board.locator("#controls").is_visible() and not board.locator(".plane").is_visible()


def test_filters(board):
    board.locator("#q").fill("shuffled")
    assert ids(board) == ["rebeca-shuffled-users"]
    assert "1 of 5" in board.locator("#state").inner_text()
    board.locator("#q").fill("")
    board.locator("#family").select_option("catalogue")
    assert set(ids(board)) == {"catalogue-random", "catalogue-verifier"}


def test_columns_reference_and_segment_come_back_from_the_address(board, open_page):
    board.locator(".columns summary").click()
    board.locator("input[value=auditor]").check()
    board.locator("input[value=gap]").uncheck()
    board.locator("h1").click()
    assert not board.locator("input[value=gap]").is_visible()  # a click elsewhere closes the menu
    board.locator("#ref").select_option("catalogue-random")
    board.locator("#segment").select_option(index=1)
    board.locator("th[data-key=ncf] button").click()
    board.locator("#q").fill("rebeca")
    until(board, "document.querySelector('#state').textContent.includes('nothing is tested')")

    def state(page):
        until(page, "document.querySelector('#segment').value !== 'all'")
        until(page, "document.querySelector('#state').textContent.includes('nothing is tested')")
        until(page, "document.querySelector('#board').textContent.includes('reference')")
        return page.locator("#board").inner_text(), ids(page), page.locator("#segment").input_value()

    assert board.locator("th[data-key=auditor]").is_visible() and not board.locator("th[data-key=gap]").is_visible()
    assert "vs catalogue-random" in board.locator("th[data-key=verdict]").inner_text()
    before = state(board)
    board.reload()
    assert state(board) == before
    parts = urlsplit(board.url)
    assert state(open_page(Path(unquote(parts.path)), f"?{parts.query}")) == before  # a copied link


def test_a_segment_shows_its_own_users_and_all_users_come_back(board, site):
    before = board.locator("#board").inner_text()
    board.locator("#segment").select_option(index=1)
    until(board, "document.querySelector('#state').textContent.includes('nothing is tested')")
    scripts = site / "tasks/tiny/data"

    def value(name):
        return json.loads((scripts / f"{name}.js").read_text().removeprefix("rebecaData=").rstrip(";\n"))

    index = value("segments")
    at, cells_of = index["columns"].index("ncf"), value(f"segment-{index['segments'][0]['id']}")["cells"]
    shown = column(board, "ncf").evaluate_all("cells => cells.map(c => Number(c.dataset.v))")
    assert shown == [cells[at][0] for cells in cells_of]
    board.get_by_text("Reset").click()
    until(board, "!document.querySelector('#state').textContent")
    assert board.locator("#board").inner_text() == before


def test_details_open_in_place_by_mouse_and_keyboard(board):
    board.locator("#rebeca td").nth(2).click()
    detail = board.locator("tr.detail")
    detail.locator("a.pic").first.wait_for()
    assert detail.count() == 1
    assert board.locator("#rebeca .more").get_attribute("aria-expanded") == "true"
    board.locator("#rebeca .more").focus()
    board.keyboard.press("Enter")
    assert detail.count() == 0
    board.locator("#rebeca th a").click()
    assert board.url.endswith("generators/rebeca.html")


def test_middle_click_on_a_row_opens_its_page(board):
    with board.context.expect_page() as opened:
        board.locator("#rebeca td").nth(2).click(button="middle")
    assert opened.value.url.endswith("generators/rebeca.html")
    assert board.locator("tr.detail").count() == 0


def test_headings_say_what_they_mean_when_focused(board):
    button = board.locator("th[data-key=ncf] button")
    button.focus()
    tip = board.locator("#tip")
    assert tip.is_visible() and "Probability" in tip.inner_text()
    board.keyboard.press("Escape")
    assert not tip.is_visible()
    button.hover()
    assert tip.is_visible()


def test_the_plane_names_its_marks(board):
    link = board.locator(".plane a").first
    link.focus()
    tip = board.locator(".tip")
    assert tip.is_visible() and "personal lift" in tip.inner_text()
    with board.expect_navigation():
        board.keyboard.press("Enter")
    assert "/generators/" in board.url


def test_gallery_and_dialog_by_keyboard_alone(open_page, site):
    page = open_page(site / "tasks/tiny/generators/rebeca.html")
    link = page.locator("a.pic[data-g]").first
    link.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    dialog.locator("dt", has_text="seed").wait_for()
    title = dialog.locator("h2").inner_text()
    digest = dialog.locator("dd code").last.inner_text()
    assert len(digest) == 64 and digest in link.get_attribute("href")
    page.keyboard.press("ArrowRight")
    until(page, "title => document.querySelector('dialog h2').textContent !== title", title)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.classList.contains('pic')")


def test_two_generators_side_by_side(open_page, site):
    page = open_page(site / "tasks/tiny/compare.html", "?a=rebeca&b=catalogue-random")
    page.locator("#differences tbody tr").first.wait_for()
    record = json.loads((site / "tasks/tiny/data/leaderboard.json").read_text())
    cells = {row["id"]: row["cells"]["ncf"][0] for row in record["generators"]}
    shown = page.locator("#differences tbody tr").first.locator("td").all_inner_texts()
    assert shown[:2] == [f"{cells['rebeca']:.3f}", f"{cells['catalogue-random']:.3f}"]
    assert "adjusted p" in shown[2]
    assert page.locator("#scatter circle").count() == page.locator("#bland circle").count() == 12
    gains = page.locator("#gains tbody td:nth-child(2)").all_inner_texts()
    values = [float(text.replace("−", "-")) for text in gains]
    assert values == sorted(values)[::-1]
    assert page.locator("#gains tbody tr").count() == 12
    verdict = page.locator("#verdict").inner_text()
    page.locator("#swap").click()
    until(page, "text => document.querySelector('#verdict').textContent !== text", verdict)
    assert "a=catalogue-random" in page.url
    page.reload()
    assert page.locator("#a").input_value() == "catalogue-random"


def test_a_pair_that_was_not_tested_is_called_that(open_page, site):
    page = open_page(site / "tasks/tiny/compare.html", "?a=rebeca&b=catalogue-verifier")
    until(page, "document.querySelector('#verdict').textContent")
    assert "were not tested against each other" in page.locator("#verdict").inner_text()
    rows = page.locator("#differences tbody tr")
    gap = rows.filter(has=page.locator("th", has_text="auditor gap"))
    assert gap.locator("td").last.inner_text() == "–"
    for line in page.locator("#bland line.far").all():
        assert 0 < float(line.get_attribute("y1")) < 380  # both limits are inside the drawing


def test_an_image_says_whose_it_is(open_page, site):
    page = open_page(site / "tasks/tiny/compare.html", "?a=rebeca&b=catalogue-random")
    page.locator("#gains a.pic").first.click()
    page.locator("dialog[open] dt", has_text="for").first.wait_for()
    user = page.locator("dialog[open] dd a").first
    assert user.inner_text() in page.locator("dialog[open] h2").inner_text()
    assert user.get_attribute("href").startswith("./users/")


def test_students_t_agrees_with_scipy(open_page, site):
    from scipy.stats import t

    text = (site / "site.js").read_text()
    source = text[text.index("function studentT") : text.index("function charts")]
    page = open_page(site / "tasks/tiny/compare.html")
    for n in (1, 2, 3, 4, 5, 8, 11, 29, 99, 209, 2000):
        assert page.evaluate(f"() => {{ {source} return studentT({n}); }}") == pytest.approx(t.ppf(0.975, n), rel=1e-4)
