"""How far a run is, as another process sees it: going on, killed, failed, done."""

import json
import subprocess
import sys
import time

import pytest

from benchmark.runner.estimate import Cost, Costs, Step
from benchmark.runner.progress import Reporter
from benchmark.runner.status import StatusFile, read_statuses
from benchmark.runner.store import Store
from tests.conftest import ROOT, WITHOUT_PAGE, invoke


def runs(work, *task):
    return json.loads(invoke("status", *task, "--workdir", work, "--json"))["runs"]


def states(run):
    return {step["title"]: step["state"] for step in run["run"]["steps"]}


def test_after_a_run_every_step_is_done(done):
    (run,) = runs(done / "w", "tiny")
    assert run["state"] == "done" and run["task"] == "tiny/v1" and run["seconds_left"] is None
    assert set(states(run).values()) <= {"done"}
    assert "done" in invoke("status", "--workdir", done / "w").splitlines()[0]


def test_no_run_is_no_error_but_a_wrong_name_is(done, tmp_path):
    assert invoke("status", "--workdir", tmp_path) == f"no run in {tmp_path}\n"
    assert list(tmp_path.iterdir()) == []
    assert "did you mean 'tiny'?" in invoke("status", "tinny", "--workdir", done / "w", code=2)
    assert runs(done / "w", done / "tiny.yaml") == runs(done / "w", "tiny/v1")


PAUSED = f"""
import sys, time
{WITHOUT_PAGE}
from benchmark.runner import scoring
score_all = scoring.score_all
def paused(task, images, addresses, materials, stages):
    with stages.reporter.stage("score rebeca by ncf") as report:
        report(1, 4, "users")
        time.sleep(1.1)
        report(3, 4, "users")
        print("paused", flush=True)
        time.sleep(120)
scoring.score_all = paused
from benchmark.commands.main import main
main(["run", sys.argv[1], "--workdir", sys.argv[2], "--quiet"])
"""


def test_a_run_is_followed_killed_and_finished(tiny, tmp_path):
    work = tmp_path / "w"
    with subprocess.Popen(
        [sys.executable, "-c", PAUSED, tiny, work], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout.readline() == "paused\n"
        (run,) = runs(work)
        assert (
            run["state"] == "running"
            and run["run"]["pid"] == process.pid
            and Store(work, print).runners() == {process.pid}
        )
        assert (run["run"]["share"], run["run"]["count"]) == (0.75, "3/4 users")
        steps = states(run)
        assert steps["fit verifier"] == steps["images catalogue-random"] == "done"
        assert steps["score rebeca by ncf"] == "now"
        assert steps["score rebeca by auditor"] == steps["analyse"] == steps["page"] == "left"
        assert 0 <= time.time() - run["run"]["seen"] < 60
        output = invoke("status", "--workdir", work)
        assert "A tiny task: running" in output and "score rebeca by ncf: 75%, 3/4 users" in output
        assert f"process            {process.pid}\n" in output
        process.kill()
    (run,) = runs(work)
    assert run["state"] == "stopped" and run["seconds_left"] is None and not Store(work, print).runners()
    output = invoke("status", "tiny", "--workdir", work)
    assert "A tiny task: stopped" in output and f"{process.pid} (ended)" in output
    assert "stopped in         score rebeca by ncf: 75%, 3/4 users" in output
    invoke("run", tiny, "--workdir", work, "--quiet")
    (run,) = runs(work)
    assert run["state"] == "done" and "fit verifier" not in states(run)  # it was cached
    invoke("run", tiny, "--workdir", work, "--quiet")
    (run,) = runs(work)
    assert run["state"] == "done" and set(states(run)) <= {"page"}


def test_a_run_that_fails_is_stopped(tiny, tmp_path, monkeypatch):
    from benchmark.runner import scoring

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(scoring, "score_all", fail)
    invoke("run", tiny, "--workdir", tmp_path / "w", "--quiet", code=8)
    (run,) = runs(tmp_path / "w")
    assert run["state"] == "stopped" and states(run)["images rebeca"] == "done"


# -------------------------------------------------------------------------------------------------------- what is noted


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reporter(clock):
    return Reporter(quiet=True, clock=clock)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs" / "a" / "v1"


def read(tmp_path, runner=None, now=None):
    return read_statuses(tmp_path, () if runner is None else {runner}, now)


def test_within_a_step_it_is_written_once_per_second(clock, reporter, folder, monkeypatch):
    from benchmark.runner import status

    written = []
    monkeypatch.setattr(status, "write_atomically", lambda path, data, sync: written.append((path, sync)))
    with reporter.followed(StatusFile(folder, "A", clock)):
        reporter.begin([Step("fit a", "fit", "x")], Costs())
        with reporter.stage("fit a") as report:
            before = len(written)
            for step in range(10_000):
                clock.now += 0.001
                report(step, 10_000, "steps")
            assert 9 <= len(written) - before <= 10
    assert written[-1] == (folder / "status.json", False)


def test_the_time_left_is_counted_down_while_the_process_runs(clock, reporter, folder, tmp_path):
    costs = Costs(earlier={"fit": {"x": Cost(100.0, 1.0)}, "score": {"y": Cost(20.0, 1.0)}})
    with reporter.followed(StatusFile(folder, "A", clock)):
        reporter.begin([Step("fit a", "fit", "x"), Step("score a", "score", "y")], costs)
        with reporter.stage("fit a") as report:
            clock.now += 50
            report(1, 2, "steps")
            (seen,) = read(tmp_path, seen_by(tmp_path), clock.now)
            (later,) = read(tmp_path, seen_by(tmp_path), clock.now + 30)
            (other,) = read(tmp_path, 1, clock.now)
    assert seen.state == later.state == "running" and seen.run.complete
    assert seen.seconds_left == pytest.approx(70, abs=1) and later.seconds_left == pytest.approx(40, abs=1)
    assert other.state == "stopped" and other.seconds_left is None  # the lock is another run's
    (ended,) = read(tmp_path)
    assert ended.state == "done"


def seen_by(tmp_path):
    return read(tmp_path)[0].run.pid


def test_the_steps_after_a_task_belong_to_the_run(clock, reporter, folder, tmp_path):
    with reporter.run(Step("page", "page", "p")):
        with reporter.followed(StatusFile(folder, "A", clock)):
            reporter.begin([Step("fit a", "fit", "x")], Costs())
            with reporter.stage("fit a"):
                pass
        (run,) = read(tmp_path)
        assert not run.run.finished and [step.state for step in run.run.steps] == ["done", "left"]
        with reporter.stage("page"):
            pass
    assert read(tmp_path)[0].run.finished


def test_a_folder_that_cannot_be_written_stops_nothing(clock, reporter, tmp_path):
    (tmp_path / "runs").write_text("a file")
    with reporter.followed(StatusFile(tmp_path / "runs" / "a" / "v1", "A", clock)), reporter.stage("fit a"):
        pass
    assert read(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"title": "A"}', "\x00"])
def test_a_damaged_file_is_no_run(folder, tmp_path, text):
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(text)
    assert read(tmp_path) == [] and invoke("status", "--workdir", tmp_path) == f"no run in {tmp_path}\n"


@pytest.mark.parametrize(
    "changed",
    [
        {"seen": 1e300},
        {"began": -1e300},
        {"seen": 1e12},
        {"steps": [{"title": " ", "state": "done", "seconds": 1}]},
        {"steps": [{"title": "a", "state": "done", "seconds": 1e308}]},
    ],
)
def test_impossible_numbers_are_damage(folder, tmp_path, changed):
    folder.mkdir(parents=True)
    run = {"title": "A", "pid": 1, "began": 1, "seen": 2, "finished": True, "steps": [], "share": None, "count": ""}
    run |= {"seconds_left": None, "complete": True}
    (folder / "status.json").write_text(json.dumps(run))
    assert len(read(tmp_path)) == 1
    (folder / "status.json").write_text(json.dumps(run | changed))
    assert invoke("status", "--workdir", tmp_path) == f"no run in {tmp_path}\n"
