"""A real Chromium on the built pages, opened from the disk; whatever it complains about fails the test."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, invoke

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = ROOT / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


def missing(what):
    """On CI nothing is skipped."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing; .ci/run installs it")
    pytest.skip(f"needs {what}; see docs/explanation/testing.md")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        missing("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def violations():
    """What axe finds on a page that is open."""
    if not AXE.is_file():
        missing("axe-core")
    axe = AXE.read_text(encoding="utf-8")
    ask = "async () => (await axe.run(document, {preload: false, resultTypes: ['violations']})).violations"

    def violations_of(page):
        page.wait_for_load_state("networkidle")
        page.evaluate(axe)
        return [(v["id"], v["help"], [n["html"][:200] for n in v["nodes"][:3]]) for v in page.evaluate(ask)]

    return violations_of


@pytest.fixture(scope="session")
def site(done):
    """The site of a finished run."""
    invoke("site", "build", done / "w" / "records", "--out", done / "site")
    return done / "site"


@pytest.fixture
def open_page(browser):
    """Opens a file and collects complaints and requests; the test fails on any that is not about the disk."""
    contexts, complaints = [], []

    def open_(path: Path, query="", width=1440, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url))
        page.on("requestfailed", lambda r: complaints.append(f"failed: {r.url}"))
        page.goto(f"file://{path}{query}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints


def until(page, expression, argument=None):
    """Waits until an expression of the page is true.

    The page's policy forbids ``eval``, which Playwright's own waiting falls back to when it has to ask twice.
    """
    for _ in range(200):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"still not true: {expression}")
