"""Lists of users and their scripts are cut, so that no file grows with the number of users."""

import itertools
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.site.build import environment
from benchmark.site.images import Gallery
from benchmark.site.parts import LOADED, MOST_ROWS, ROW_WITHOUT_NAME, cut, pages_of_users, parts_of_values


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 100), st.integers(1, 10))
def test_every_user_is_in_one_part_and_no_part_is_larger_than_it_must_be(sizes, most, most_users):
    parts = cut(sizes, most, most_users)
    assert [user for part in parts for user in part.users] == list(range(len(sizes)))
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    for part in parts:
        assert len(part.users) == 1 or sum(sizes[u] for u in part.users) <= most
        assert 1 <= len(part.users) <= most_users
    for part, following in itertools.pairwise(parts):
        joined = [*part.users, following.users[0]]
        assert len(joined) > most_users or sum(sizes[u] for u in joined) > most


@pytest.mark.parametrize(("users", "pages"), [(0, 0), (3, 1), (MOST_ROWS, 1), (MOST_ROWS + 1, 2), (2000, 8)])
def test_few_users_have_one_page_under_its_old_name(users, pages):
    parts = pages_of_users([f"user-{u}" for u in range(users)])
    assert [part.page for part in parts] == ["users.html", *(f"users-{k}.html" for k in range(2, pages + 1))][:pages]
    assert not parts or parts[-1].users[-1] == users - 1


def test_a_small_limit_makes_small_pages():
    names = ["a", "b" * 200, "c"]
    parts = pages_of_users(names, 2 * ROW_WITHOUT_NAME + 10)
    assert [list(part.users) for part in parts] == [[0], [1], [2]]
    assert [part.numbers for part in pages_of_users(names)] == ["1–3"]


def test_values_are_cut_by_users_and_columns():
    assert len(parts_of_values(210, 14)) == 1
    assert len(parts_of_values(20_000, 14)) == 10
    assert [len(part.users) for part in parts_of_values(5, 1, 30)] == [2, 2, 1]


class Rows(HTMLParser):
    """Ids of table rows, and where links lead."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "tr" and "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])


@pytest.mark.parametrize("name", ["u", "&" * 200, "\U0001f600" * 200, '"<' * 100])
def test_no_page_is_larger_than_its_limit_whatever_the_names(name):
    users = [f"{name}{u}" for u in range(600)]
    pages = pages_of_users(users)
    values = {"personas": (np.full(600, 5), 0.5), "sampled": np.arange(500), "ratings": np.full(600, 1_000_000)}
    board = SimpleNamespace(
        title="Many",
        primary="ncf",
        reference="ours",
        titles={"ours": "Ours"},
        validity=(),
        confirms=False,
        scope=SimpleNamespace(sentence=""),
        record=SimpleNamespace(taste=SimpleNamespace(levels=("1", "11"))),
    )
    tables = SimpleNamespace(**values, value=lambda generator, measure: np.full(600, -0.123456789))
    levels = [(f"{level}.5 to {level}.9", 999_999) for level in range(11)]
    histogram = dict.fromkeys(range(600), levels)
    texts = {}
    for part in pages:
        texts[part.page] = environment().get_template("users.html").render(
            root="../..", here=".", page="users", board=board, tables=tables, users=users, user_pages=pages, part=part,
            gallery=Gallery(), figures={}, histogram=histogram, names=3, has_images=False,
        )  # fmt: skip
    assert len(texts) > 2 and max(len(text.encode()) for text in texts.values()) < LOADED
    rows = {page: Rows(text) for page, text in texts.items()}
    assert [row for page in rows.values() for row in page.ids] == [f"u{u}" for u in range(600)]
    for page, each in rows.items():
        assert set(texts) <= set(each.links), page  # each page is reached from each other
    assert "Previous" not in texts["users.html"] and re.search('<a href="users-2.html" rel="next"', texts["users.html"])
    assert "found among 500 users" in texts["users.html"]
