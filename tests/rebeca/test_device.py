import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebeca.device import in_halves, precision
from rebeca.errors import out_of_memory

SHORT = "CUDA out of memory. Tried to allocate 2.00 GiB"


def squares(most, tried):
    def work(batch):
        tried.append(len(batch))
        if len(batch) > most:
            raise RuntimeError(SHORT)
        return np.array([x * x for x in batch])

    return work


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=70), st.integers(1, 80))
def test_rows_stay_in_their_order_however_short_memory_is(batch, most):
    tried = []
    assert in_halves(squares(most, tried), batch).tolist() == [x * x for x in batch]
    assert tried[0] == len(batch) and sum(n for n in tried if n <= most) == len(batch)


def test_no_memory_for_one_and_other_errors_come_through():
    with pytest.raises(RuntimeError, match="out of memory"):
        in_halves(squares(0, tried := []), [1, 2, 3])
    assert tried == [3, 1]

    def broken(batch):
        tried.append("broken")
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="do not fit"):
        in_halves(broken, [1, 2, 3])
    assert tried[2:] == ["broken"]


@pytest.mark.parametrize(
    "said",
    [
        SHORT, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "GET was unable to find an engine to execute this computation",
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory",
    ],
)  # fmt: skip
def test_memory_that_is_short_is_known_by_its_words(said):
    assert out_of_memory(RuntimeError(said)) and not out_of_memory(ValueError(said))


def test_auto_is_half_away_from_the_processor():
    assert [precision("auto", device) for device in ("cpu", "cuda", "cuda:1")] == ["float32", "float16", "float16"]
    assert precision("bfloat16", "cpu") == "bfloat16"
