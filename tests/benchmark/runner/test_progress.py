"""What is printed on a terminal and into a file."""

import io

import pytest
from rich.console import Console

from benchmark.runner.estimate import FILE, Cost, Costs, Step
from benchmark.runner.progress import Reporter, duration, summary


class Screen(Reporter):
    """A reporter whose console writes into ``text``."""

    def __init__(self, terminal=True, quiet=False, width=100, encoding="utf-8"):
        self.stream, self.clock = _written(encoding), Clock()
        self.options = {"force_terminal": terminal, "width": width, "color_system": None, "highlight": False}
        super().__init__(Console(file=self.stream, soft_wrap=True, **self.options), quiet, self.clock)

    @property
    def text(self):
        self.stream.flush()
        return self.stream.buffer.getvalue().decode(self.stream.encoding)

    def drawn(self):
        """The lines of the display at this moment."""
        stream = _written(self.stream.encoding)
        Console(file=stream, soft_wrap=True, **self.options).print(self._drawn())
        stream.flush()
        return stream.buffer.getvalue().decode(stream.encoding).splitlines()


def _written(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


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


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


STEPS = [Step("fit verifier", "judge", ""), Step("images rebeca", "images", "", 40), Step("page", "page", "")]
EARLIER = {"judge": {"": Cost(100.0, 1.0)}, "images": {"": Cost(10.0, 1.0)}, "page": {"": Cost(20.0, 1.0)}}


def run(screen, costs=None):
    """100 s of a fit, 400 s of images, 20 s of a page, with a report every tenth."""
    with screen.run(STEPS[-1]):
        screen.begin(STEPS[:-1], Costs(earlier=EARLIER) if costs is None else costs)
        for title, seconds in (("fit verifier", 100), ("images rebeca", 400), ("page", 20)):
            with screen.stage(title, announce=title != "page") as report:
                for done in range(4, 44, 4):
                    screen.clock.now += seconds / 10
                    report(done, 40, "images")


def test_a_bar_shows_steps_and_a_note():
    screen = Screen()
    with screen.stage("fit verifier") as report:
        report(1, 40, "epochs")
        report(30, 40, "epochs")
    assert "fit verifier" in screen.text
    assert "30/40 epochs" in screen.text
    assert "0/?" not in screen.text


@pytest.mark.parametrize(("encoding", "full"), [("utf-8", "━"), ("ascii", "#")])
def test_a_display_is_two_lines_that_fit(encoding, full):
    screen = Screen(width=80, encoding=encoding)
    title = "score " + "x" * 90 + " by ncf"
    screen.begin([Step(title, "score", "")], Costs(earlier={"score": {"": Cost(100.0, 1.0)}}))
    with screen.stage(title) as report:
        screen.clock.now += 50
        report(1500, 3000, "images")
        bar, whole = screen.drawn()
    assert len(bar) <= 80 and bar.count(full) >= 12 and "1,500/3,000 images" in bar
    assert whole == "  50 s elapsed, about 50 s left"
    assert encoding == "utf-8" or bar.isascii()


def test_the_time_left_is_of_the_whole_run_from_the_first_stage_on():
    screen = Screen()
    with screen.run(STEPS[-1]):
        screen.begin(STEPS[:-1], Costs(earlier=EARLIER))
        assert "step" not in screen.drawn()[0]  # none has begun
        with screen.stage("fit verifier"):
            screen.clock.now += 40
            bar, whole = screen.drawn()
    assert "40 s" in bar and bar.count("━") == 24  # the stage reports nothing: its own time, and a bar by the expected
    assert whole == "  40 s elapsed, about 8 min left, step 1 of 3"


def test_a_file_gets_plain_lines_now_and_then():
    screen = Screen(terminal=False)
    run(screen)
    lines = screen.text.splitlines()
    assert lines[:5] == [
        "  fit verifier ...",
        "  fit verifier: 12/40 images, 30 s elapsed, about 8 min left",
        "  fit verifier: 24/40 images, 1 min elapsed, about 8 min left",
        "  fit verifier: 36/40 images, 1 min 30 s elapsed, about 7 min left",
        "  fit verifier: 1 min 40 s, about 7 min left",
    ]
    assert lines[-2:] == [
        "  page: 20 s",
        "done in 8 min 40 s: fit 1 min 40 s, images 6 min 40 s, page 20 s",
    ]
    assert len(lines) == 19


def test_a_first_run_promises_nothing():
    screen = Screen(terminal=False)
    run(screen, Costs())
    lines = screen.text.splitlines()
    assert lines[1] == "  fit verifier: 12/40 images, 30 s elapsed, at least 1 min 10 s left"
    assert "  fit verifier: 1 min 40 s" in lines
    assert not any("about" in line for line in lines[: lines.index("  images rebeca: 6 min 40 s")])


def test_a_long_run_writes_fewer_lines():
    screen = Screen(terminal=False)
    screen.begin([], Costs())
    with screen.stage("fit") as report:
        for _ in range(10 * 3600):
            screen.clock.now += 1
            report(int(screen.clock.now), 36000, "steps")
    assert 60 < len(screen.text.splitlines()) < 120


def test_a_run_with_nothing_to_do_says_so():
    screen = Screen(terminal=False)
    with screen.run(STEPS[-1]), screen.stage("page", announce=False):
        screen.clock.now += 0.4
    assert screen.text == "done in under 1 s; everything was cached\n"


def test_the_summary_names_what_took_long_and_fits():
    kinds = ("data", "encode", "fit", "images", "score", "analyse", "page")
    spent = {f"{kind} x": 3720.0 for kind in kinds} | {"score y": 60.0, "tiny": 1.0}
    lines = summary(spent, sum(spent.values()) + 900)
    assert all(len(line) <= 80 for line in lines)
    text = " ".join(line.strip() for line in lines)
    assert text.startswith("done in 7 h 30 min: data 1 h 2 min, ") and text.endswith("page 1 h 2 min, other 15 min 1 s")
    assert "score 1 h 3 min" in text and "tiny" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.3, "under 1 s"), (1, "1 s"), (59.4, "59 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3599.6, "1 h"),
     (12_000, "3 h 20 min"), (100_000, "27 h 47 min")],
)  # fmt: skip
def test_durations_read_as_one_says_them(seconds, text):
    assert duration(seconds) == text


def test_silence_is_kept_and_times_are_noted(tmp_path):
    screen, costs = Screen(quiet=True), Costs(tmp_path / FILE)
    run(screen, costs)
    assert screen.text == ""
    assert Costs.read(tmp_path).of(STEPS[1]) == (Cost(10.0, 1.0), False)


def test_no_bar_without_a_terminal():
    screen = Screen(terminal=False)
    with screen.stage("fit verifier") as report:
        report(1, 2, "note")
    assert screen.text == "  fit verifier ...\n"


def test_a_failing_stage_takes_its_bar_down():
    screen = Screen()
    with pytest.raises(ValueError, match="no"), screen.run(), screen.stage("fit") as report:
        report(1, 2, "")
        raise ValueError("no")
    screen.info("afterwards")
    assert screen.text.endswith("afterwards\n") and "done in" not in screen.text
