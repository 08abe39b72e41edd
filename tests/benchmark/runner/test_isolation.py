"""Plug-in generators in child processes.

The parent is tested with children that are small shell scripts: real processes and pipes, in milliseconds. The child is
tested in this process, behind the same pipes. What only both together show stands at the end.
"""

import contextlib
import dataclasses
import io
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.disk import file_digest
from benchmark.runner import isolation
from benchmark.runner.decode import fit_and_decode
from benchmark.runner.freeze import Freezer
from benchmark.runner.isolation import decode_in_child
from benchmark.runner.progress import Reporter
from benchmark.runner.stages import Stages
from benchmark.runner.store import Store
from benchmark.task.file import IsolateSpec
from benchmark.task.resolve import load_task
from rebeca.errors import PluginError, StoreError
from rebeca.spans import Part, recorded
from tests.conftest import invoke, wild_installed, with_wild
from tests.running import descendants, find, wait_until_gone


class Listener(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        super().__init__(quiet=True)
        self.said, self.progress = [], []

    def info(self, text):
        self.said.append(text)

    @contextmanager
    def stage(self, title, announce=True):
        self.said.append(f"  {title} ...")
        yield lambda *report: self.progress.append(report)
        self.said.append(f"  {title} ended")


class Isolated:
    """A generator ``wild`` of a task, and its part of a run."""

    def __init__(self, task, addresses, spec, work):
        self.task, self.addresses, self.spec = task, addresses, spec
        self.stages = Stages(Store(work, print), Listener())

    def run(self, spec=None):
        return decode_in_child(self.task, spec or self.spec, self.addresses, "cpu", self.stages)

    @property
    def heard(self):
        return self.stages.reporter

    @property
    def parts(self):
        return list(self.addresses.generators[self.spec.id].artefacts())


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The generator ``wild``; no test here changes it."""
    with wild_installed(tmp_path_factory.mktemp("wild") / "packages"):
        yield


@pytest.fixture(scope="module")
def known(installed, prepared, tmp_path_factory):
    """The tiny task with two wild generators, and its addresses."""
    path = prepared.task.source.with_name("wild.yaml")
    path.write_text(with_wild("well", "raises"))
    task = load_task(path)
    return task, find(task, tmp_path_factory.mktemp("addresses"))


@pytest.fixture
def isolated(known, tmp_path):
    """Makes a run of that task, with limits, in an empty work folder."""

    def make(how="well", **limits):
        task, addresses = known
        file = task.file.model_copy(update={"isolate": IsolateSpec(**{"seconds": 60} | limits)})
        spec = next(spec for spec in task.generators if spec.id == how)
        return Isolated(dataclasses.replace(task, file=file), addresses, spec, tmp_path / "w")

    return make


@pytest.fixture
def child(tmp_path, monkeypatch):
    """The child runs a shell script instead; 3 is the pipe into which it reports."""

    def script(text):
        path = tmp_path / "child"
        path.write_text(f'#!/bin/bash\nexec 3>&"$4"\nwriter=$4; exec {{writer}}>&-\n{text}\n')
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return script


def says(*messages):
    return "\n".join(f"echo {shlex.quote(json.dumps(message))} >&3" for message in messages)


def test_what_a_child_says_is_passed_on(isolated, child):
    stages = {"stage": "fit well"}, {"progress": [18, 36, "steps"]}, {"line": "half way"}, {"stage": ""}
    child(says(*stages, {"done": True, "decoded": 36, "seconds": {"fit well": 0.001}}))
    run = isolated()
    assert run.run() == 36
    assert run.heard.said == ["  child process of well ...", "  fit well ...", "half way", "  fit well ended"]
    assert run.heard.progress == [(18, 36, "steps")]
    assert run.stages.seconds.keys() == {"fit well", "child process of well"}
    assert run.stages.seconds["fit well"] == 0.001


def test_each_of_its_stages_is_one_span_of_models(isolated, child):
    child(says({"stage": "fit well"}, {"progress": [1, 2, ""]}, {"stage": "images well"}, {"error": "no"}))
    run, spans = isolated(), []

    class Recorder:
        @contextmanager
        def span(self, part, name):
            if part is Part.MODELS:
                spans.append(f"{name} begins")
            yield
            if part is Part.MODELS:
                spans.append(f"{name} ends")

    with recorded(Recorder()), pytest.raises(PluginError, match="no"):
        run.run()
    assert spans == ["child process begins", "child process ends", "child process begins"]


def test_a_stage_that_is_cut_short_does_not_end(isolated, child):
    child(says({"stage": "fit well"}, {"error": "no", "hint": ""}))
    run = isolated()
    with pytest.raises(PluginError, match="no"):
        run.run()
    assert run.heard.said == ["  child process of well ...", "  fit well ..."]
    assert run.stages.seconds.keys() == {"child process of well"}


def test_its_last_word_ends_it_and_what_it_started(isolated, child, tmp_path):
    child(f"sleep 60 & echo $! > {tmp_path / 'pid'}\n{says({'done': True})}\nsleep 60")
    started = time.monotonic()
    isolated().run()
    assert time.monotonic() - started < 20
    wait_until_gone({int((tmp_path / "pid").read_text())})


@pytest.mark.parametrize(
    "noise",
    [
        "{{{{",
        "3",
        '"done"',
        "[1, 2]",
        '{"unknown": 1}',
        '{"error": 3}',
        '{"line": ["x"]}',
        '{"progress": [1]}',
        '{"stage": 1}',
        '{"done": true, "decoded": "many"}',
        '{"done": true, "seconds": [1]}',
        '{"done": true, "seconds": {"fit well": "long"}}',
        "\\xff",
    ],
)
def test_what_a_generator_writes_into_the_pipe_is_ignored(isolated, child, noise):
    child(f"printf '%b\\n' '{noise}' >&3\n{says({'done': True})}")
    run = isolated()
    run.run()
    assert len(run.heard.said) == 1 and run.heard.progress == []


def test_endless_noise_is_no_reason_to_run_out_of_memory(isolated, child):
    child(f"head -c 1000000 /dev/zero >&3\necho >&3\n{says({'done': True})}")
    isolated().run()


@pytest.mark.parametrize(("machine", "kind"), [(False, PluginError), (True, StoreError)])
def test_an_error_keeps_its_message_and_its_remedy(isolated, child, machine, kind):
    child(says({"error": "generator 'well' failed", "hint": "mend it", "machine": machine}))
    with pytest.raises(kind) as raised:
        isolated().run()
    assert type(raised.value) is kind
    assert (raised.value.message, raised.value.hint) == ("generator 'well' failed", "mend it")


@pytest.mark.parametrize(
    ("end", "limits", "message"),
    [
        ("exit 3", {}, "left with exit code 3 before it was done"),
        ("exit 0", {}, "left with exit code 0 before it was done"),
        ("kill -SEGV $$", {"memory_mb": 2048}, "was killed by SIGSEGV"),
        ("kill -KILL $$", {}, "was killed by SIGKILL"),
        ("kill -KILL $$", {"memory_mb": 2048}, "was killed by SIGKILL (isolate.memory_mb is 2,048)"),
        ("kill -ABRT $$", {"memory_mb": 2048}, "was killed by SIGABRT (isolate.memory_mb is 2,048)"),
    ],
)
def test_an_end_without_a_last_word_is_named(isolated, child, end, limits, message):
    child(end)
    with pytest.raises(PluginError) as raised:
        isolated(**limits).run()
    assert raised.value.message == f"generator 'well' {message}"


def test_a_generator_that_hangs_is_stopped(isolated, child):
    child("sleep 60")
    run = isolated(seconds=0.5)
    started = time.monotonic()
    with pytest.raises(PluginError, match=r"generator 'well' was stopped after 0.5 s") as raised:
        run.run()
    assert time.monotonic() - started < 20
    assert raised.value.hint == "isolate.seconds sets the time limit"
    assert run.stages.seconds["child process of well"] >= 0.5


def test_a_process_that_holds_the_pipe_open_delays_nothing(isolated, child, tmp_path):
    child(f"sleep 60 & echo $! > {tmp_path / 'pid'}\nexit 3")
    started = time.monotonic()
    with pytest.raises(PluginError, match="left with exit code 3"):
        isolated().run()
    assert time.monotonic() - started < 20
    wait_until_gone({int((tmp_path / "pid").read_text())})


def test_who_closes_the_pipe_and_stays_is_killed(isolated, child, monkeypatch):
    monkeypatch.setattr(isolation, "SECONDS_TO_LEAVE", 0.3)
    child("exec 3>&-; sleep 60")
    with pytest.raises(PluginError, match="generator 'well' was killed by SIGKILL"):
        isolated().run()


def test_what_a_child_left_half_written_is_removed(isolated, child):
    run = isolated()
    half = run.stages.store.root / "fit" / "ab" / ".half-written"
    child(f"mkdir -p {half}; exit 1")
    with pytest.raises(PluginError):
        run.run()
    assert not half.exists()


def test_no_child_where_none_is_needed(isolated, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    run = isolated()
    run.run(next(spec for spec in run.task.generators if spec.id == "rebeca"))  # the project's own
    file = run.task.file.model_copy(update={"isolate": False})
    decode_in_child(dataclasses.replace(run.task, file=file), run.spec, run.addresses, "cpu", run.stages)
    for address in run.parts:
        run.stages.store.make(address, lambda folder: None)
    run.run()  # all is cached
    assert run.heard.said == []
    shutil.rmtree(run.stages.store.folder(run.parts[-1]))
    with pytest.raises(BaseException, match="a child was started"):
        run.run()


class InThisProcess:
    """Runs the child's ``main`` here as soon as its job is written; only its end is not ours."""

    def __init__(self, command, pass_fds, patch, **_):
        assert command[1:4] == ["-P", "-m", "benchmark.runner.isolation"]
        self.arguments = [str(os.dup(descriptor)) for descriptor in pass_fds]
        self.patch, self.stdin, self.pid, self.code = patch, self, 1 << 30, 1
        self.job = b""

    def write(self, data):
        self.job += data

    def flush(self):
        with self.patch.context() as patch, contextlib.suppress(ValueError):  # of a bug: a traceback and code 1
            patch.setattr(sys, "argv", ["isolation", *self.arguments])
            patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(self.job)))
            patch.setattr(os, "fork", lambda: 1)
            patch.setattr(os, "_exit", self.leave)
            isolation.main()

    def leave(self, code):
        self.code = code

    def close(self):
        pass

    def poll(self):
        return self.code

    def wait(self, timeout=None):
        return self.code


@pytest.fixture
def in_process(monkeypatch, prepared, tmp_path):
    """Children run in this process, on what the prepared run embedded and fitted; gives the limits that they set."""
    shutil.copytree(prepared.stages.store.root, tmp_path / "w")
    limits = []
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: InThisProcess(*args, patch=monkeypatch, **options)
    )
    monkeypatch.setattr(os, "killpg", lambda *_: None)
    monkeypatch.setattr(resource, "setrlimit", lambda *limit: limits.append(limit))
    return limits


def test_a_child_makes_the_same_images_as_a_run(isolated, in_process, prepared, tmp_path):
    run = isolated()
    images = run.run()
    assert "  fit well ended" in run.heard.said and "  images well ended" in run.heard.said
    assert run.heard.progress[-1] == (images, images, "images") and images > 0
    assert run.stages.seconds.keys() == {"fit well", "images well", "child process of well"}
    assert in_process == []
    inside, outside = run.stages.store, Store(tmp_path / "other", print)
    stages = Stages(outside, Reporter(quiet=True))
    freezer = Freezer(outside.root, run.task)
    fit_and_decode(run.task, run.spec, run.addresses, prepared.materials, stages, freezer)
    for address in run.parts:
        assert files(inside.find(address)) == files(outside.find(address))


def files(folder):
    return {path.name: file_digest(path) for path in folder.iterdir() if path.is_file()}


def test_a_child_limits_its_memory_before_it_works(isolated, in_process):
    isolated(memory_mb=2048).run()
    assert in_process == [(resource.RLIMIT_DATA, (2048 << 20, 2048 << 20))]


def test_a_child_names_what_a_generator_does(isolated, in_process):
    run = isolated("raises")
    with pytest.raises(PluginError, match="generator 'raises' failed: KeyError: 'out of ideas'") as raised:
        run.run()
    assert "--debug" in raised.value.hint
    assert run.stages.store.find(run.parts[0]) is None


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (MemoryError(), PluginError, "generator 'well' ran out of memory (isolate.memory_mb is 2,048)"),
        (
            RuntimeError("CUDA out of memory"),
            PluginError,
            "generator 'well' ran out of memory (isolate.memory_mb is 2,048)",
        ),
        (OSError(28, "No space left on device"), StoreError, "[Errno 28] No space left on device"),
        (StoreError("w: read-only", hint="mend that"), StoreError, "w: read-only"),
        (PluginError("x" * 100_000), PluginError, "x" * (1 << 13)),
        (ValueError("a bug"), PluginError, "generator 'well' left with exit code 1 before it was done"),
    ],
)
def test_a_child_tells_what_stopped_it(isolated, in_process, monkeypatch, error, kind, message):
    def prepare(*_):
        raise error

    monkeypatch.setattr("benchmark.runner.materials.prepare", prepare)
    with pytest.raises(kind) as raised:
        isolated(memory_mb=2048).run()
    assert type(raised.value) is kind
    assert raised.value.message == message


def test_a_child_reports_a_few_times_a_second(isolated, in_process, monkeypatch):
    """However often a fit reports, so that the pipe is never full of progress."""
    now = iter(np.arange(0, 1000, 0.05).tolist())

    def prepare(world, addresses, device, stages):
        with stages.reporter.stage("fit") as report:
            for step in range(20):
                report(step, 20, "x" * 1000)
        raise PluginError("enough")

    monkeypatch.setattr("benchmark.runner.materials.prepare", prepare)
    run = isolated()
    monkeypatch.setattr(isolation.time, "monotonic", lambda: next(now))
    with pytest.raises(PluginError, match="enough"):
        run.run()
    assert 3 <= len(run.heard.progress) <= 10
    assert run.heard.progress[0] == (0, 20, "x" * 200)


def test_a_process_of_its_own_changes_no_image(installed, done, tmp_path):
    shutil.copytree(done / "data", tmp_path / "data")
    for name, isolate in (("apart", "true"), ("together", None)):
        (tmp_path / "tiny.yaml").write_text(with_wild("well", isolate=isolate))
        invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / name, "--quiet")
    a, b = (tmp_path / name / "records" / "tiny" / "v1" for name in ("apart", "together"))
    assert (a / "well" / "scores.parquet").read_bytes() == (b / "well" / "scores.parquet").read_bytes()
    alone, inside = (json.loads((folder / "_task" / "comparison.json").read_text()) for folder in (a, b))
    assert alone["task"]["hash"] == inside["task"]["hash"]
    assert alone["provenance"]["decoded"]["well"] == inside["provenance"]["decoded"]["well"]
    assert alone["provenance"]["seconds"]["images well"] > 0
    (plugin,) = alone["provenance"]["plugins"]
    digest = plugin.pop("hash")
    assert plugin == {"kind": "generator", "name": "wild", "distribution": "wild", "version": "1.0"}
    assert [digest] == [entry["hash"] for entry in inside["provenance"]["plugins"]] and len(digest) == 64
    assert alone["results"] == inside["results"]


def test_the_child_dies_with_its_parent_and_takes_its_own_along(installed, done, tmp_path):
    shutil.copytree(done / "data", tmp_path / "data")
    shutil.copytree(done / "w", tmp_path / "w")
    (tmp_path / "tiny.yaml").write_text(with_wild("hangs-with-a-child", isolate="{seconds: 600}"))
    code = "from benchmark.commands.main import main; main()"
    arguments = ["run", str(tmp_path / "tiny.yaml"), "--workdir", str(tmp_path / "w"), "--quiet"]
    parent = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 400  # a busy machine takes a minute to import everything
    while len(started := descendants(parent.pid)) < 3 and parent.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(started) == 3  # the generator's process, who watches over it, and what it started
    parent.kill()
    parent.communicate()
    wait_until_gone(started)
