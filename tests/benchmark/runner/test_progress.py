"""What is printed on a terminal and into a file."""

import io

import pytest
from rich.console import Console

from benchmark.runner.progress import Reporter
from rebeca.interfaces import no_progress


class Screen(Reporter):
    """A reporter whose console writes into ``text``."""

    def __init__(self, terminal=True, quiet=False):
        self.stream = io.StringIO()
        options = {"force_terminal": terminal, "width": 100, "color_system": None, "highlight": False}
        super().__init__(Console(file=self.stream, soft_wrap=True, **options), quiet)

    @property
    def text(self):
        return self.stream.getvalue()


def test_lines_are_said_as_they_are():
    screen = Screen()
    screen.info("[bold]not markup[/bold] \x1b[31mred\x1b[0m")
    assert screen.text == "[bold]not markup[/bold] \ufffd[31mred\ufffd[0m\n"


def test_long_lines_are_not_broken():
    screen = Screen(terminal=False)
    screen.info("x" * 300)
    assert screen.text == "x" * 300 + "\n"


def test_who_asked_for_silence_gets_warnings_only():
    screen = Screen(quiet=True)
    screen.info("a line")
    screen.warn("beware\x07")
    assert screen.text == "beware\ufffd\n"


def test_messages_go_to_standard_error(capsys):
    Reporter().info("a line")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a line\n")


def test_a_bar_shows_steps_and_a_note():
    screen = Screen()
    with screen.stage("fit verifier") as report:
        report(1, 40, "loss 0.7")
        report(30, 40, "loss 0.25")
    assert "fit verifier" in screen.text
    assert "30/40" in screen.text and "loss 0.25" in screen.text


def test_a_bar_shows_steps_a_second(monkeypatch):
    now = iter(range(1000))
    screen = Screen()
    screen.console.get_time = lambda: float(next(now))
    with screen.stage("images") as report:
        for done in range(1, 6):
            report(5 * done, 100, "")
    assert "/s" in screen.text


@pytest.mark.parametrize(("terminal", "quiet"), [(False, False), (True, True), (False, True)])
def test_no_bar_without_a_terminal_or_in_silence(terminal, quiet):
    screen = Screen(terminal, quiet)
    with screen.stage("fit verifier") as report:
        assert report is no_progress
        report(1, 2, "note")
    assert screen.text == ""


def test_a_failing_stage_takes_its_bar_down():
    screen = Screen()
    with pytest.raises(ValueError, match="no"), screen.stage("fit") as report:
        report(1, 2, "")
        raise ValueError("no")
    screen.info("afterwards")
    assert screen.text.endswith("afterwards\n")
