"""Every end of a command has one message and its exit code."""

import errno
import os
import re
import shutil
import signal
import threading
import time

import pytest

from benchmark.commands import exits
from rebeca.errors import DataError, PluginError, RebecaError, SpecError, StoreError
from rebeca.guards import guarded
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def handlers():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ended(error, capsys, debug=False):
    with pytest.raises(SystemExit) as left, exits.one_message(debug):
        raise error
    return left.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"), [(SpecError("x"), 2), (DataError("x"), 3), (PluginError("x"), 5), (StoreError("x"), 6)]
)
def test_each_kind_of_mistake_has_its_code(error, code, capsys):
    assert ended(error, capsys) == (code, "error: x\n")


def test_a_hint_stands_below_and_nothing_moves_the_cursor(capsys):
    code, message = ended(SpecError("a\x1b[2Jb", hint="do c"), capsys)
    assert code == 2 and "\x1b" not in message and message.endswith("hint: do c\n")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate\nmore")])
def test_exhausted_memory(error, capsys):
    code, message = ended(error, capsys)
    assert code == exits.OUT_OF_MEMORY and message.startswith("error: out of memory") and exits.GO_ON in message
    assert "more" not in message.splitlines()[0]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            OSError(errno.ENOSPC, "No space left", "/x"),
            "/x: No space left\n  hint: free disk space",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x: Permission denied\n  hint: check the folder"),
        (shutil.Error([("a", "b", "is full")]), "b: cannot be written (is full)"),
    ],
)
def test_what_the_system_refuses(error, expected, capsys):
    code, message = ended(error, capsys)
    assert code == StoreError.exit_code and message.startswith(f"error: {expected}")


def test_a_closed_pipe_gives_no_message(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert ended(BrokenPipeError(), capsys) == (1, "")


@pytest.fixture
def own_signals():
    """What signals do, which the shell that started the tests may have changed, is as before afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "stopped;"),
        (signal.SIGTERM, 143, "stopped by SIGTERM;"),
        (signal.SIGHUP, 129, "stopped by SIGHUP;"),
    ],
)
def test_signals(number, code, words, capsys, own_signals):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    with pytest.raises(SystemExit) as left, exits.one_message(False):
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert left.value.code == code in exits.CODES
    assert capsys.readouterr().err == f"{words} {exits.GO_ON}\n"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_hangup_that_is_ignored_stops_nothing(own_signals):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with exits.one_message(False):
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_the_docs_list_every_exit_code():
    text = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", text, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == exits.CODES
    kinds = {kind.exit_code for kind in RebecaError.__subclasses__()}
    assert kinds <= set(exits.CODES)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (NotImplementedError("The operator 'aten::x' is not currently implemented for the MPS device."), 2, "--device"),
        (TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support it"), 2, "MPS"),
        (RuntimeError("No CUDA GPUs are available"), 2, "No CUDA GPUs"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 8, "out of memory"),
        (OSError(errno.ENOLCK, "No locks available", "/x"), 6, "file system has locks"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 6, "free disk space"),
    ],
)
def test_no_plugin_is_blamed_for_the_machine(error, code, words, capsys):
    with pytest.raises(SystemExit) as left, exits.one_message(False), guarded("generator", "mine"):
        raise error
    message = capsys.readouterr().err
    assert left.value.code == code and words in message and "mine" not in message


def test_other_errors_and_debugging_show_the_traceback():
    with pytest.raises(RuntimeError, match="a bug"), exits.one_message(False):
        raise RuntimeError("a bug")
    for error in (SpecError("x"), OSError("x"), MemoryError()):
        with pytest.raises(type(error)), exits.one_message(True):
            raise error


def test_other_threads_leave_signals_alone():
    handlers = []

    def work():
        with exits.one_message(False):
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]
