import shutil

import pytest


@pytest.fixture
def records(done, tmp_path):
    """A copy of a finished run's records, which a test may change."""
    folder = tmp_path / "v1"
    shutil.copytree(done / "w" / "records" / "tiny" / "v1", folder)
    return folder
