"""Every published record adds up."""

import pytest

from benchmark.verify import verify
from tests.conftest import ROOT


@pytest.mark.parametrize("folder", sorted((ROOT / "results").glob("*/v*")), ids=lambda p: p.parent.name)
def test_published_records_verify(folder):
    assert verify(folder)["numbers"] > 1000
