"""The built pages in a real browser: nothing blocked, nothing fetched, nothing cut off."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests.conftest import invoke

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--enable-logging=stderr",
]  # fmt: skip


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("page", ["index.html", "tasks/tiny/index.html", "tasks/tiny/rebeca.html"])
@pytest.mark.parametrize("width", [390, 1440])
def test_a_page_renders_without_complaint(done, tmp_path, page, width):
    invoke("site", "build", done / "w" / "records", "--out", done / "site")
    shot = tmp_path / "shot.png"
    ran = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'user'}", f"--window-size={width},900",
         f"--screenshot={shot}", f"file://{done / 'site' / page}"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert shot.is_file(), ran.stderr[-2000:]
    complaints = [line for line in ran.stderr.splitlines() if "CONSOLE" in line or "Content Security" in line]
    assert not complaints
    with Image.open(shot) as image:
        assert len(np.unique(np.asarray(image.convert("L").resize((60, 40))))) > 5  # not blank
