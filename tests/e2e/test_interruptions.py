"""Kills, signals, full disks and two runs at once: nothing is lost, and every end has its message."""

import contextlib
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from benchmark.runner.reproduce import compare
from benchmark.runner.store import Store
from benchmark.task.resolve import load_task
from tests.conftest import TINY, WITHOUT_PAGE, invoke
from tests.running import find

KILLS = int(os.environ.get("REBECA_KILLS", "20"))
"""The nightly job asks for 200."""
MAIN = "from benchmark.commands.main import main; main()"
RUN = f"{WITHOUT_PAGE}; {MAIN}"


def command(task, workdir, *more):
    return ["run", str(task), "--workdir", str(workdir), "--quiet", *map(str, more)]


def start(task, workdir, *more, code=RUN, environment=None, **options):
    """The command in a process of its own, without the page unless ``code`` is MAIN."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *command(task, workdir, *more)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | (environment or {}), **options,
    )  # fmt: skip


def same_records(a, b):
    """Byte for byte, but for provenance (times, memory, command) and the hashes that hold it."""
    assert compare(a, b).bytes == []


def whole(task, workdir):
    """A run that nobody disturbs, in a process of its own."""
    process = start(task, workdir)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def test_seconds_per_image_count_the_images_that_they_were_spent_on(tiny, monkeypatch):
    """After a resume they were divided by all images, those of the earlier run included."""
    from benchmark.board.board import read_board
    from benchmark.runner import addresses

    monkeypatch.setattr(addresses, "USERS_PER_UNIT", 5)
    workdir = tiny.parent / "w"
    invoke(*command(tiny, workdir))
    records = workdir / "records" / "tiny" / "v1"
    row = next(row for row in read_board(records).rows if row.id == "rebeca")
    assert row.record.provenance.decoded["rebeca"] == row.record.images.requested == 36
    store = Store(workdir, print)
    shutil.rmtree(store.folder(find(load_task(tiny), workdir).generators[row.id].units[-1].address))
    shutil.rmtree(records)
    invoke(*command(tiny, workdir))
    row = next(row for row in read_board(records).rows if row.id == "rebeca")
    origin = row.record.provenance
    assert origin.decoded == {"rebeca": 6}  # of two users, three each
    assert row.seconds == origin.seconds["images rebeca"] / 6


STAGES = ["data", "embeddings", "judge", "fit", "images", "scores", "held-out", "records", "site"]


def state(workdir, stage):
    """The artefacts of a stage, finished and half written."""
    where = {"records": "records/tiny/*", "site": "*site*"}.get(stage, f"{stage}/*/*")
    files = set()
    for path in workdir.glob(where):
        with contextlib.suppress(FileNotFoundError):
            files.add((path.name, path.stat().st_ctime_ns if stage in ("records", "site") else 0))
    return files


def killed_in(task, workdir, stage, delay):
    """Starts the command, waits until the stage begins something, kills after a delay; whether it got so far."""
    before = state(workdir, stage)
    process = start(task, workdir, code=MAIN)
    while process.poll() is None and state(workdir, stage) <= before:
        time.sleep(0.001)
    time.sleep(delay)
    process.kill()
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode != 0


@pytest.mark.slow
def test_killed_at_random_moments_of_every_stage_and_resumed(tiny):
    """Each kill is followed by a run that is killed in turn; what is left at the end is what was never disturbed."""
    undisturbed = tiny.parent / "undisturbed"
    whole(tiny, undisturbed)
    rng = random.Random(0)
    landed = dict.fromkeys(STAGES, 0)
    workdir, finished = tiny.parent / "w0", 0
    for attempt in range(4 * KILLS):
        if sum(landed.values()) >= KILLS:
            break
        stage = STAGES[attempt % len(STAGES)]
        if killed_in(tiny, workdir, stage, rng.uniform(0, 0.03)):
            landed[stage] += 1
            continue
        compare_with_undisturbed(
            undisturbed, workdir
        )  # nothing of that stage was left to do, so the run went to its end
        finished += 1
        workdir = tiny.parent / f"w{finished}"
    whole(tiny, workdir)
    compare_with_undisturbed(undisturbed, workdir)
    assert sum(landed.values()) >= KILLS
    assert all(landed.values()), landed


def compare_with_undisturbed(undisturbed, workdir):
    same_records(undisturbed / "records" / "tiny" / "v1", workdir / "records" / "tiny" / "v1")
    assert "all agree" in invoke("verify", workdir / "records" / "tiny" / "v1")
    assert not list(workdir.glob("*/*/.*"))  # nothing half written is left


@pytest.fixture
def interruptible():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_ignored_interrupt_stays_ignored(interruptible):
    from benchmark.commands import exits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with exits.one_message(False):
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_an_interrupt_that_a_package_swallows_comes_again(interruptible):
    from benchmark.commands import exits

    with pytest.raises(SystemExit) as left, exits.one_message(False):
        with contextlib.suppress(BaseException):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        time.sleep(30)
    assert left.value.code == 130
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_two_runs_at_once_take_turns(tiny):
    workdir = tiny.parent / "w"
    both = [start(tiny, workdir) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert "all agree" in invoke("verify", workdir / "records" / "tiny" / "v1")


@pytest.mark.parametrize(
    ("number", "code", "moment"),
    [
        (signal.SIGINT, 130, 6),
        pytest.param(signal.SIGINT, 130, 0.3, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, 6, marks=pytest.mark.slow),
        (signal.SIGTERM, 143, 0.3),
    ],
)
def test_signals_end_with_one_message(tiny, number, code, moment):
    """Also where the tests run in the background of a shell, which has SIGINT ignored there."""
    workdir = tiny.parent / "w"
    tiny.write_text(TINY.replace("max_steps: 20", "max_steps: 100000"))
    process = start(tiny, workdir, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    deadline = time.monotonic() + 60
    while not (workdir / "checkpoints").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(moment)  # while packages are imported, or while a network is trained
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command continues where this one stopped" in errors
    assert "Traceback" not in errors


def test_a_full_disk_is_named_and_the_next_run_goes_on(tiny):
    workdir = tiny.parent / "w"

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    # the limit holds for whatever the process writes, a report of its coverage too
    process = start(tiny, workdir, environment={"COVERAGE_PROCESS_CONFIG": ""}, preexec_fn=small_files)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 6
    assert errors.startswith("error: ")
    assert "File too large" in errors
    assert "the same command continues" in errors
    assert "Traceback" not in errors
    invoke(*command(tiny, workdir))
    assert "all agree" in invoke("verify", workdir / "records" / "tiny" / "v1")


def in_a_namespace(mounts, *arguments):
    """The command where a file system is mounted just for it; skips where the kernel does not allow that."""
    if subprocess.run(["unshare", "-rm", "sh", "-c", mounts], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    words = shlex.join([sys.executable, "-c", RUN, *map(str, arguments)])
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mounts} && {words}"], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_full_file_system(tiny):
    disk = tiny.parent / "disk"
    disk.mkdir()
    process = in_a_namespace(f"mount -t tmpfs -o size=150k tmpfs {disk}", *command(tiny, disk / "w"))
    assert process.returncode == 6, process.stderr
    assert "No space left on device" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_read_only_results_folder(tiny):
    results = tiny.parent / "results"
    results.mkdir()
    publish = command(tiny, tiny.parent / "w", "--publish", results)
    process = in_a_namespace(f"mount -t tmpfs -o ro tmpfs {results}", *publish)
    assert process.returncode == 6, process.stderr
    assert "Read-only file system" in process.stderr
    assert "Traceback" not in process.stderr
    invoke(*publish)
    assert "all agree" in invoke("verify", results / "tiny" / "v1")


def test_a_results_folder_that_cannot_be_written(tiny):
    workdir = tiny.parent / "w"
    invoke(*command(tiny, workdir))
    (tiny.parent / "results").write_text("a file, no folder")
    message = invoke(*command(tiny, workdir, "--publish", tiny.parent / "results"), code=6)
    assert "cannot be written (it is a file)" in message
    (tiny.parent / "results").unlink()
    invoke(*command(tiny, workdir, "--publish", tiny.parent / "results"))
    assert "all agree" in invoke("verify", tiny.parent / "results" / "tiny" / "v1")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")])
def test_out_of_memory_is_named(tiny, monkeypatch, error):
    from rebeca.ncf.judge import NCFJudge

    def hungry(*arguments, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(NCFJudge, "fit", hungry)
        message = invoke("run", tiny, "--workdir", tiny.parent / "w", code=8)
    assert "error: out of memory" in message
    invoke(*command(tiny, tiny.parent / "w"))


def test_a_clock_that_jumps_back(tiny, monkeypatch):
    workdir = tiny.parent / "w"
    invoke(*command(tiny, workdir))
    for path in (workdir / "records").rglob("*"):
        os.utime(path, (0, 0))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 10**8)
    invoke(*command(tiny, workdir))
    assert "all agree" in invoke("verify", workdir / "records" / "tiny" / "v1")
    shutil.rmtree(workdir / "records")
    invoke(*command(tiny, workdir))
    assert "all agree" in invoke("verify", workdir / "records" / "tiny" / "v1")


def test_a_damaged_checkpoint_is_named_and_the_fit_begins_anew(tiny, monkeypatch):
    from rebeca.prior import training

    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 1)
    workdir = tiny.parent / "w"
    real = training.save_checkpoint

    def cut_off(path, state):
        real(path, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", cut_off)
        assert "continues where this one stopped" in invoke(*command(tiny, workdir), code=130)
    (checkpoint,) = (workdir / "checkpoints").rglob("*.checkpoint")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-7])
    output = invoke(*[word for word in command(tiny, workdir) if word != "--quiet"])
    assert "was cut short or edited; the fit began anew" in output
    whole(tiny, tiny.parent / "undisturbed")
    same_records(*(w / "records" / "tiny" / "v1" for w in (workdir, tiny.parent / "undisturbed")))


def test_a_damaged_page_is_built_again(done, tmp_path):
    shutil.copytree(done / "site", tmp_path / "site")
    records = done / "w" / "records"
    page = tmp_path / "site" / "tasks" / "tiny" / "index.html"
    whole_page = page.read_bytes()
    page.write_bytes(whole_page[:-100])
    invoke("site", "build", records, "--out", tmp_path / "site")
    assert page.read_bytes() == whole_page


DAMAGES = ("cut", "edited", "emptied", "manifest", "removed")
ARTEFACTS = ("data", "embeddings", "judge", "fit", "images", "scores", "held-out")
EVERY_DAMAGE = [
    pytest.param(stage, damage, marks=() if (i - j) % len(DAMAGES) == 0 else pytest.mark.slow)
    for i, stage in enumerate(ARTEFACTS)
    for j, damage in enumerate(DAMAGES)
]
"""Every stage and every damage once or twice; all pairs of them where slow tests run."""


@pytest.mark.parametrize(("stage", "damage"), EVERY_DAMAGE)
def test_any_damaged_artefact_is_made_again(done, tmp_path, stage, damage):
    workdir = tmp_path / "w"
    shutil.copytree(done / "w", workdir)
    shutil.copytree(done / "data", tmp_path / "data")
    (tmp_path / "tiny.yaml").write_text(TINY)
    folders = sorted(path.parent for path in (workdir / stage).rglob("artefact.json"))
    folder = next((f for f in folders if (f / "prior.json").exists()), folders[0])  # a fit with a report, where one is
    victim = next(path for path in sorted(folder.iterdir()) if path.name != "artefact.json")
    data = victim.read_bytes()
    if damage == "cut":
        victim.write_bytes(data[:-1])
    elif damage == "edited":
        victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "emptied":
        victim.write_bytes(b"")
    elif damage == "manifest":
        (folder / "artefact.json").write_text("{")
    else:
        victim.unlink()
    shutil.rmtree(workdir / "records")
    invoke(*command(tmp_path / "tiny.yaml", workdir))
    same_records(done / "w" / "records" / "tiny" / "v1", workdir / "records" / "tiny" / "v1")
