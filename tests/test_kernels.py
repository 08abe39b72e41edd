"""Numbers are the same on every x86-64 processor.

Libraries choose their kernels by what the processor can do; here they are told to choose as if it could do less. A
kernel that this processor lacks is skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT

SIMD = np.show_config(mode="dicts")["SIMD Extensions"]
HAS = {*SIMD["baseline"], *SIMD["found"]}
"""Features of this processor by numpy's names, which are X86_V3 and X86_V4 since version 2.4."""
AVX2, AVX512 = bool(HAS & {"AVX2", "X86_V3"}), bool(HAS & {"AVX512_SKX", "X86_V4"})
WITHOUT_AVX512 = [name for name in SIMD["found"] if name == "X86_V4" or name.startswith("AVX512")]

KERNELS = {
    "openblas-haswell": (AVX2, {"OPENBLAS_CORETYPE": "Haswell"}),
    "openblas-skylakex": (AVX512, {"OPENBLAS_CORETYPE": "SkylakeX"}),
    "openblas-zen": (AVX2, {"OPENBLAS_CORETYPE": "Zen"}),
    "torch-default": (True, {"ATEN_CPU_CAPABILITY": "default"}),
    "torch-avx2": (AVX2, {"ATEN_CPU_CAPABILITY": "avx2"}),
    "torch-avx512": (AVX512, {"ATEN_CPU_CAPABILITY": "avx512"}),
    "numpy-without-avx512": (bool(WITHOUT_AVX512), {"NPY_DISABLE_CPU_FEATURES": " ".join(WITHOUT_AVX512)}),
    "numpy-without-avx2": (bool(SIMD["found"]), {"NPY_DISABLE_CPU_FEATURES": " ".join(SIMD["found"])}),
    "glibc-without-fma": (True, {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F"}),
}
QUICK = "tinyworld-quick"
BOARDS = [
    pytest.param(folder, id=folder.parent.name, marks=() if folder.parent.name == QUICK else pytest.mark.slow)
    for folder in sorted(path.parent for path in (ROOT / "results").glob("*/*/_task"))
]
NUMBERS = """
import numpy as np
from benchmark.stats import agreement, comparison, intervals, ranks, verifier

rng = np.random.default_rng(0)
shares = rng.integers(0, 65, (100, 300)) / 64  # kernels of OpenBLAS differ on large tables only
weights = intervals.resampling_weights(100, 999, np.random.default_rng(1))
print(intervals.mean_intervals(shares, weights))
table = rng.integers(0, 73, (100, 7)) / 72
table[rng.random(table.shape) < 0.02] = np.nan
whole = np.nan_to_num(table)
print(intervals.mean_intervals(table, weights, method="bootstrap-t"))
print(comparison.sign_flips(table[:, 1:] - table[:, :-1], 999, np.random.default_rng(2)))
print(ranks.share_first(whole, weights).tolist(), ranks.kendall(whole, whole[:, ::-1], weights)[1].tolist())
user, liked = np.repeat(np.arange(100), 7), rng.random(700) < 0.4
print(verifier.auc_over_users(user, liked, whole.ravel(), weights))
print(agreement.correlation_pooled(user, whole.ravel(), np.roll(whole.ravel(), 1), weights))
"""


def under(kernel, command):
    """Standard output of a child process with the kernel; the test is skipped where the processor lacks it."""
    available, variables = KERNELS[kernel]
    if not available:
        pytest.skip(f"this processor lacks {kernel}")
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def here():
    return subprocess.run([sys.executable, "-c", NUMBERS], capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.parametrize("kernel", KERNELS)
def test_statistics_are_the_same_bits(kernel, here):
    assert under(kernel, [sys.executable, "-c", NUMBERS]) == here


@pytest.mark.parametrize("folder", BOARDS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_published_records_verify(kernel, folder):
    script = shutil.which("rebeca-bench", path=Path(sys.executable).parent)
    assert "all agree" in under(kernel, [script, "verify", str(folder)])
