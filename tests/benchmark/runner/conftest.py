import pytest

from benchmark.task.resolve import load_task
from tests.conftest import TINY, make_folder
from tests.running import Running


@pytest.fixture(scope="package")
def prepared(tmp_path_factory):
    """The tiny task with embeddings and judges; nothing is fitted to it yet."""
    folder = tmp_path_factory.mktemp("prepared")
    make_folder(folder / "data")
    (folder / "tiny.yaml").write_text(TINY)
    return Running.of(load_task(folder / "tiny.yaml"), folder / "w")
