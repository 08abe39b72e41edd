"""Errors that users can cause."""

import errno

import pytest

from rebeca.errors import RENAMED, SpecError, did_you_mean, disk_full, printable


def test_a_hint_stands_below_the_message():
    assert str(SpecError("a", hint="b")) == "a\n  hint: b"
    assert str(SpecError("a")) == "a"


@pytest.mark.parametrize(("old", "new"), [(old, name) for old, names in RENAMED.items() for name in names])
def test_old_spellings_lead_to_the_new_ones(old, new):
    assert old != new
    assert did_you_mean(old, [new, "something else"]) == f"'{old}' is now '{new}'"


def test_spellings_that_are_near_are_named_or_all():
    assert did_you_mean("rebecca", ["rebeca", "prompts"]) == "did you mean 'rebeca'?"
    assert did_you_mean("x", ["b", "a"]) == "allowed: a, b"
    assert did_you_mean("x", []) == "nothing is allowed here"


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError("96 requested and 40 written"), True),
        (OSError(errno.EACCES, "x"), False),
        (ValueError("96 requested and 40 written"), False),
    ],
)
def test_a_full_disk_is_known(error, full):
    assert disk_full(error) == full


def test_nothing_moves_the_cursor_or_turns_the_text():
    assert printable("a\x1b[2Jb\u202ec\nd") == "a\ufffd[2Jb\ufffdc\nd"
