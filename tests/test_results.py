"""Every published record adds up."""

import pytest

from benchmark.records.verify import verify
from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder", sorted(p.parent for p in (ROOT / "results").glob("*/*/_task")), ids=lambda p: p.parent.name
)
def test_published_records_verify(folder):
    assert verify(folder).numbers > 1000
