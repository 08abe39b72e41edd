"""A task whose users fill several pages and whose values fill several scripts, in a browser."""

import json
from functools import partial

import pytest

from benchmark.site import data
from tests.browser.conftest import until
from tests.conftest import invoke

pytestmark = pytest.mark.slow
FIRST = "rebeca"


@pytest.fixture(scope="module")
def task(done, tmp_path_factory):
    """Pages of five users, and scripts of two or three."""
    site = tmp_path_factory.mktemp("many") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.site.parts.MOST_ROWS", 5)
        patch.setattr(data, "names_scripts", partial(data.names_scripts, most=40))
        patch.setattr(data, "generator_scripts", partial(data.generator_scripts, most=500))
        invoke("site", "build", done / "w" / "records", "--out", site)
    return site / "tasks" / "tiny"


def names_of(task):
    parts = sorted((task / "data" / "users").glob("*.js"), key=lambda path: int(path.stem))
    assert len(parts) > 1
    return [name for part in parts for name in json.loads(part.read_text()[len("rebecaData=") : -2])["names"]]


def test_a_user_of_another_page_is_found(open_page, task):
    page, names = open_page(task / "users.html"), names_of(task)
    assert len(names) == 12 and page.locator("tbody tr").count() == 5
    page.locator("#user").fill("nobody at all")
    page.get_by_role("button", name="Find", exact=True).click()
    until(page, "document.querySelector('#find p').textContent.startsWith('No user')")
    page.locator("#user").fill(names[7].upper())
    page.keyboard.press("Enter")
    page.wait_for_url("**/users-2.html#u7")
    assert page.locator("tr:target th").inner_text() == names[7]


@pytest.mark.parametrize("width", [1280, 360])
def test_the_list_fits_and_its_pages_are_turned_without_a_script(open_page, task, width):
    page = open_page(task / "users.html", width=width, java_script_enabled=False)
    seen = []
    while True:
        seen += page.locator("tbody th").all_inner_texts()
        following = page.locator("a[rel=next]").first
        if not following.count():
            break
        following.click()
    assert seen == names_of(task)
    page = open_page(task / "users-2.html", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_comparison_is_of_all_users(open_page, task, site):
    texts = []
    for folder in (task, site / "tasks" / "tiny"):
        page = open_page(folder / "compare.html", f"?a={FIRST}&b=catalogue-random")
        until(page, "document.querySelectorAll('#gains tbody tr').length === 12")
        texts.append([page.locator(part).inner_text() for part in ("#differences", "#gains", "#verdict")])
        assert page.locator("#scatter circle").count() == 12
    assert texts[0] == texts[1]


def test_pages_of_users_are_accessible(open_page, task, violations):
    assert violations(open_page(task / "users-2.html")) == []
