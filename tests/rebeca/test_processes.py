"""Child processes end with their parent, at their limits, and with all that they started."""

import os
import subprocess
import sys
import time

import pytest

from rebeca.processes import KEPT_OUTPUT, Ended, how_it_ended, may_lack_memory, run_limited
from tests.running import descendants, wait_until_gone


def run(code, tmp_path, **options):
    return run_limited([sys.executable, "-c", code], **{"seconds": 60, "folder": tmp_path} | options)


def test_a_program_runs_in_its_folder_with_its_variables(tmp_path):
    code = "import os, sys\nprint(os.getcwd(), os.environ['TINT'], sys.stdin.read(), flush=True)\nsys.exit('no')"
    ended = run(code, tmp_path, variables={"TINT": "red"})
    assert ended == Ended(1, f"{tmp_path} red \nno\n")


@pytest.mark.parametrize(
    ("code", "said", "memory"),
    [
        ("import sys; sys.exit(3)", "left with exit code 3", False),
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV", False),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL", True),
        ("import os; os.abort()", "was killed by SIGABRT", True),
        ("import os; os.kill(os.getpid(), 40)", "was killed by signal 40", False),
    ],
)
def test_an_end_is_named(code, said, memory, tmp_path):
    ended = run(code, tmp_path)
    assert how_it_ended(ended.code) == said and may_lack_memory(ended.code) == memory


def test_a_program_that_cannot_be_run_is_named(tmp_path):
    (tmp_path / "program").write_bytes(b"\0\0")
    (tmp_path / "program").chmod(0o755)
    ended = run_limited([str(tmp_path / "program")], seconds=60, folder=tmp_path)
    assert ended == Ended(1, f"{tmp_path / 'program'} cannot be run: Exec format error\n")


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); os.close(2); time.sleep(60)",
        "while True: print(1)",
    ],
)
def test_time_is_limited(code, tmp_path):
    started = time.monotonic()
    assert run(code, tmp_path, seconds=0.5).code is None
    assert time.monotonic() - started < 20


def test_memory_is_limited_for_all_that_it_starts(tmp_path):
    much = "x = bytearray(300 << 20)"
    code = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {much!r}]).returncode)"
    assert run(code, tmp_path).code == 0
    for program in (much, code):
        ended = run(program, tmp_path, memory_mb=200)
        assert ended.code == 1 and ended.output.endswith("MemoryError\n")


def test_the_end_of_a_long_output_is_kept(tmp_path):
    ended = run("for _ in range(10**5): print('x' * 99)\nprint('last')", tmp_path)
    assert len(ended.output) == KEPT_OUTPUT and ended.output.endswith("xx\nlast\n")


@pytest.mark.parametrize("noise", ["sleep 60", "while true; do echo spam; done"])
def test_what_it_started_delays_nothing_and_ends_too(noise, tmp_path):
    file = tmp_path / "pid"  # the kept end of the output is the other one's
    code = f"import subprocess; open({str(file)!r}, 'w').write(str(subprocess.Popen(['sh', '-c', {noise!r}]).pid))"
    started = time.monotonic()
    ended = run(code, tmp_path)
    assert ended.code == 0 and time.monotonic() - started < 20
    wait_until_gone({int(file.read_text())})


def test_a_child_dies_with_its_parent(tmp_path):
    child = "import time; time.sleep(600)"
    code = f"""
import sys
from pathlib import Path
from rebeca.processes import run_limited
run_limited([sys.executable, "-c", {child!r}], seconds=600, folder=Path({str(tmp_path)!r}))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    deadline = time.monotonic() + 60
    while len(started := descendants(parent.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(started) == 2  # the program, and who watches over it
    parent.kill()
    parent.wait()
    wait_until_gone(started, seconds=20)
