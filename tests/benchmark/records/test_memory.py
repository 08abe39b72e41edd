"""Memory that strangers may make us use."""

import resource
import subprocess
import sys

from benchmark.records.memory import limited_memory

CODE = """
from benchmark.records import memory
memory.MOST_MEMORY = 100 << 20
with memory.limited_memory():
    small = bytearray(50 << 20)
    try:
        bytearray(200 << 20)
        print("no limit")
    except MemoryError:
        print("limited")
print(len(bytearray(200 << 20)))
"""


def test_what_needs_too_much_fails_and_the_limit_ends_with_the_block():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["limited", str(200 << 20)]


def test_a_narrower_limit_stays():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    narrow = (1 << 40, before[1])
    resource.setrlimit(resource.RLIMIT_DATA, narrow)
    try:
        with limited_memory():
            assert resource.getrlimit(resource.RLIMIT_DATA)[0] < 1 << 40
        assert resource.getrlimit(resource.RLIMIT_DATA) == narrow
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
