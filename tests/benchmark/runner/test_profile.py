"""What a profile says of spans whose clock is known, and what is left of a run that was interrupted."""

import json
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.runner.profile import BETWEEN, TABLE, TRACE, Profile, profiled
from rebeca.errors import StoreError
from rebeca.spans import Part, recorded, span

KEYS = {"ph", "name", "cat", "ts", "dur", "pid", "tid", "args"}


class Clock:
    """Wall seconds; half as many CPU seconds; a megabyte per second."""

    def __init__(self):
        self.now = 0.0

    def profile(self):
        return Profile(lambda: self.now, lambda: self.now / 2, lambda: int(self.now))


def small_run(clock):
    """Two fits, 10 s each, of which 3 s are imports within the model's 8; 4 s of images; 6 s between stages."""
    profile = clock.profile()
    with profile.span(Part.RUN, "run"):
        clock.now += 5
        for title in ("fit verifier", "fit rebeca"):
            with profile.span(Part.STAGE, title):
                clock.now += 1
                with profile.span(Part.MODELS, "judge 'ncf': fit"):
                    clock.now += 5
                    with profile.span(Part.IMPORTS, "torch"):
                        clock.now += 3
                with profile.span(Part.STORE, "keep judge"):
                    clock.now += 1
        with profile.span(Part.STAGE, "images rebeca"):
            clock.now += 4
        clock.now += 1
    return profile


def test_the_table_adds_up():
    assert [(*row, row.outside) for row in small_run(Clock()).rows()] == [
        ("fit", 20, 10, 10, 25, 10),
        ("images", 4, 2, 0, 29, 4),
        (BETWEEN, 6, 3, 0, 30, 6),
        ("all", 30, 15, 10, 30, 20),
    ]


def test_the_table_as_it_is_printed():
    assert small_run(Clock()).table().splitlines() == [
        "stage               wall s     CPU s  models s  outside s  peak MB",
        "fit                   20.0      10.0      10.0       10.0       25",
        "images                 4.0       2.0       0.0        4.0       29",
        "between stages         6.0       3.0       0.0        6.0       30",
        "all                   30.0      15.0      10.0       20.0       30",
        "",
        "outside models and solvers: 20.0 s of 30.0 s, 66.7 %",
        "",
        "models and solvers              10.0 s   33.3 %",
        "imports                          6.0 s   20.0 %",
        "rest of a stage                  6.0 s   20.0 %",
        "rest of the run                  6.0 s   20.0 %",
        "store                            2.0 s    6.7 %",
    ]


def test_the_table_fits_80_columns_whatever_is_in_it():
    clock = Clock()
    profile = clock.profile()
    with profile.span(Part.RUN, "run"):
        for part in Part:
            with profile.span(Part.STAGE, f"{part.name}-with-a-long-name of it"), profile.span(part, "x"):
                clock.now += 1e5
    assert max(map(len, profile.table().splitlines())) <= 80


def spans_of(profile):
    """The spans of a trace; every one has the keys that viewers need."""
    trace = json.loads(profile.trace() if isinstance(profile, Profile) else profile.read_bytes())
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert all(event.keys() == KEYS for event in spans)
    return spans


def test_the_trace_names_process_and_threads_and_every_span():
    profile = small_run(Clock())
    named = [event for event in json.loads(profile.trace())["traceEvents"] if event["ph"] == "M"]
    assert [event["name"] for event in named] == ["process_name", "thread_name"]
    spans = spans_of(profile)
    assert [event["name"] for event in spans[:4]] == ["run", "fit verifier", "judge 'ncf': fit", "torch"]
    assert spans[3] | {"pid": 1, "tid": 2} == {
        "ph": "X", "name": "torch", "cat": "imports", "ts": 11e6, "dur": 3e6, "pid": 1, "tid": 2,
        "args": {"cpu_seconds": 1.5, "stage": "fit"},
    }  # fmt: skip
    assert {event["tid"] for event in spans} == {named[1]["tid"]} == {threading.get_ident()}


TREES = st.recursive(
    st.just([]), lambda below: st.lists(st.tuples(st.sampled_from(Part), st.integers(0, 9), below), max_size=4)
)


@given(TREES)
def test_no_moment_counts_twice_and_spans_lie_within_each_other(tree):
    clock = Clock()
    profile = clock.profile()

    def play(spans):
        for part, seconds, below in spans:
            with profile.span(part, f"{part.name} {seconds}"):
                clock.now += seconds
                play(below)

    with profile.span(Part.RUN, "run"):
        play(tree)
    *rows, total = profile.rows()
    assert total.wall == sum(profile.seconds.values()) == clock.now
    assert total.cpu == clock.now / 2 and all(0 <= row.models <= row.wall for row in rows)
    ends = []
    for event in spans_of(profile):
        while ends and ends[-1] <= event["ts"]:
            ends.pop()
        end = event["ts"] + event["dur"]
        assert not ends or end <= ends[-1]
        ends.append(end)


def test_short_spans_count_and_are_not_drawn():
    clock = Clock()
    profile = clock.profile()
    with profile.span(Part.RUN, "run"):
        for _ in range(4):
            with profile.span(Part.STORE, "find"):
                clock.now += 2**-12
    assert [event["name"] for event in spans_of(profile)] == []
    assert profile.seconds[BETWEEN, Part.STORE] == 2**-10


def test_other_threads_are_drawn_and_do_not_count():
    clock = Clock()
    profile = clock.profile()

    def work():
        with profile.span(Part.IMAGES, "write"):
            clock.now += 1

    with profile.span(Part.RUN, "run"):
        clock.now += 1
        thread = threading.Thread(target=work, name="writer")
        thread.start()
        thread.join()
    run, write = spans_of(profile)
    assert write["name"] == "write" and write["tid"] != run["tid"]
    assert profile.seconds.keys() == {(BETWEEN, Part.RUN)}
    assert "writer" in profile.trace().decode()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interrupted_run_leaves_both_files(error, tmp_path):
    said = []
    with pytest.raises(error), profiled(tmp_path / "new" / "p", said.append), span(Part.STAGE, "fit rebeca"):
        sys.modules.pop("this_module_is_slow", None)
        (tmp_path / "this_module_is_slow.py").write_text("import time; time.sleep(0.01)")
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(tmp_path)
            import this_module_is_slow  # noqa: F401
        raise error
    spans = spans_of(tmp_path / "new" / "p" / TRACE)
    assert [event["name"] for event in spans] == ["run", "fit rebeca", "this_module_is_slow"]
    table = (tmp_path / "new" / "p" / TABLE).read_text()
    assert table in said[0] and table.splitlines()[1].startswith("fit ")


def test_nothing_is_left_of_it_afterwards(tmp_path):
    before = __import__
    with profiled(tmp_path, lambda _: None):
        assert __import__ is not before
    assert __import__ is before
    with span(Part.DATA, "after"):
        pass
    assert "after" not in (tmp_path / TRACE).read_text()


def test_a_folder_that_cannot_be_written_is_refused_beforehand(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"--profile .*file: .* \(it is a file\)"), profiled(tmp_path / "file", print):
        pytest.fail("the block began")


def test_a_folder_that_cannot_be_written_afterwards_is_one_message(tmp_path):
    with pytest.raises(StoreError, match="--profile"), profiled(tmp_path / "p", print):
        (tmp_path / "p").write_text("")


def test_recording_one_profile_within_another_goes_to_the_inner_one():
    outer, inner = Clock().profile(), Clock().profile()
    with recorded(outer), recorded(inner), span(Part.DATA, "x"):
        pass
    assert not outer.seconds and inner.seconds
