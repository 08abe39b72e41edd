"""Every page type: nothing blocked, fetched or cut off, nothing that axe finds; light, dark, narrow, bare."""

import pytest

from tests.conftest import ROOT, invoke

pytestmark = pytest.mark.slow

PAGES = [
    "index.html", "method.html", "tasks/tiny/index.html", "tasks/tiny/personal.html", "tasks/tiny/compare.html",
    "tasks/tiny/users.html", "tasks/tiny/figures.html", "tasks/tiny/verifier.html", "tasks/tiny/validity.html",
    "tasks/tiny/generators/rebeca.html", "tasks/tiny/users/0.html",
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(open_page, violations, site, name, scheme):
    assert violations(open_page(site / name, color_scheme=scheme, bypass_csp=True)) == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 390, 1440])
def test_a_page_fits_its_width(open_page, site, name, width):
    page = open_page(site / name, width=width)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.body.innerText.length") > 100


@pytest.mark.parametrize("width", [360, 1280])
def test_what_a_generator_comes_from_stands_below_each_other(open_page, tmp_path, width):
    """With several fits, one term has several descriptions."""
    invoke("site", "build", ROOT / "results" / "tinyworld-quick", "--out", tmp_path / "site")
    for name in ("rebeca", "catalogue-random"):
        page = open_page(tmp_path / "site" / "tasks" / "tinyworld-quick" / "generators" / f"{name}.html", width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        left = page.evaluate(
            "[...document.querySelectorAll('dl:not(.key) dd')].map(e => e.getBoundingClientRect().left)"
        )
        assert len(left) > 5 and len(set(left)) == 1


def test_dark_pages_are_dark(open_page, site):
    page = open_page(site / "tasks/tiny/index.html", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 21)"
    assert page.locator(".plane text").first.evaluate("e => getComputedStyle(e).fill") == "rgb(236, 236, 234)"


def test_without_javascript_everything_is_visible(open_page, site):
    page = open_page(site / "tasks/tiny/index.html", java_script_enabled=False)
    assert page.locator("#board tbody tr").count() == 5
    assert not page.locator("#controls").is_visible()
    heads = page.locator("#board thead th")
    assert heads.count() == page.locator("#board tbody tr").first.locator("td, th").count() > 12
    assert all(heads.nth(i).is_visible() for i in range(heads.count()))
    page.locator("a.pic").first.click()  # images are plain links
    assert page.url.endswith(".webp")
    page = open_page(site / "tasks/tiny/compare.html", java_script_enabled=False)
    assert "rebeca-bench compare tiny A B" in page.locator("noscript").inner_text()


def test_the_content_security_policy_is_strict(site):
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "default-src 'none'" in text and "unsafe" not in text.split("<body")[0]
        assert " style=" not in text and " onclick" not in text and "javascript:" not in text


def test_links_lead_somewhere(site):
    import re

    for path in site.rglob("*.html"):
        for target in re.findall(r'(?:href|src|srcset)="([^"#?]+)[^"]*"', path.read_text(encoding="utf-8")):
            if not target.startswith(("https:", "data:")):
                assert (path.parent / target).exists(), (path.name, target)
