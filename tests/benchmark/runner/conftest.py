import shutil

import pytest

from benchmark.dev.running import Running
from benchmark.task.resolve import load_task
from tests.conftest import TINY, make_folder
from tests.object_stores import place, s3  # noqa: F401  fixtures


@pytest.fixture(scope="package")
def prepared(tmp_path_factory):
    """The tiny task with embeddings and judges; nothing is fitted to it yet."""
    folder = tmp_path_factory.mktemp("prepared")
    make_folder(folder / "data")
    (folder / "tiny.yaml").write_text(TINY)
    return Running.of(load_task(folder / "tiny.yaml"), folder / "w")


@pytest.fixture
def work(done, tmp_path):
    """A copy of the finished run, which a test may change."""
    shutil.copytree(done / "data", tmp_path / "data")
    shutil.copytree(done / "w", tmp_path / "w")
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path
