"""Time left: simulated runs on a simulated clock, and the costs that earlier runs leave behind."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmark.runner import estimate as module
from benchmark.runner.addresses import find_addresses
from benchmark.runner.estimate import FILE, MOST_VARIANTS, Cost, Costs, Estimate, Step
from benchmark.runner.steps import plan_steps
from benchmark.runner.store import Store
from benchmark.runner.world import data_addresses
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task

FACTOR = 1.5
OTHERS = {"data": 6.0, "analyse": 5.0, "page": 4.0}
"""Seconds of stages that records do not time."""


class Clock:
    """Stands still unless it is set forward."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def simulated(steps, seconds, costs, reports=10, share=1.0):
    """A run whose steps take ``seconds`` by title; returns (elapsed, time left) of many moments, and its length.

    Args:
        steps: Of the run.
        seconds: By title.
        costs: Of earlier runs.
        reports: Of each step; 0 for steps that report nothing.
        share: Where the reports end.
    """
    clock, samples = Clock(), []
    estimate = Estimate(steps, costs, clock)
    for step in steps:
        estimate.start(step.title)
        for moment in range(1, 101):
            clock.now += seconds[step.title] / 100
            if reports and moment % (100 // reports) == 0:
                estimate.report(round(moment * share), 100)
            samples.append((clock.now - 100, estimate.left()))
        estimate.finish()
    return samples, clock.now - 100


def worst(samples, length, until=0.9):
    """The largest factor between estimated and true time left, from the tenth percent on.

    In the last percents one stage is left, and how it ends no earlier stage can tell.
    """
    within = [(at, left) for at, left in samples if 0.1 * length <= at <= until * length]
    assert within and all(left.complete for _, left in within)
    ratios = [left.seconds / (length - at) for at, left in within]
    return max(max(ratios), 1 / min(ratios))


@pytest.fixture(scope="module")
def task():
    """``tinyworld-quick``, its addresses, and the seconds of one run; published records may be of a busier machine."""
    task = load_task(find_task("tinyworld-quick"))
    addresses = find_addresses(task, "cpu", tuple(f"u{i}" for i in range(32)), data_addresses(task))
    return task, addresses, json.loads((Path(__file__).parent / "seconds.json").read_text()) | OTHERS


def planned(task, store):
    return [*plan_steps(task[0], task[1], store, world_read=False, analysed=False), Step("page", "page", "quick")]


@pytest.fixture
def earlier(task, tmp_path):
    """Gives the costs of a first run of the task; what later runs add is not kept."""
    costs = Costs(tmp_path / FILE)
    samples, _ = simulated(planned(task, Store(tmp_path, print)), task[2], costs)
    assert not samples[0][1] or not samples[0][1].complete
    content = (tmp_path / FILE).read_bytes()

    def again():
        (tmp_path / FILE).write_bytes(content)
        return Costs.read(tmp_path)

    return again


def noisy(seconds, seed, by=1.25):
    rng = np.random.default_rng(seed)
    return {title: value * float(np.exp(rng.uniform(-np.log(by), np.log(by)))) for title, value in seconds.items()}


@pytest.mark.parametrize(("reports", "by"), [(10, 1.25), (0, 1.15)])
def test_a_second_run_of_the_same_work_knows_the_time_left(task, earlier, tmp_path, reports, by):
    steps = planned(task, Store(tmp_path / "empty", print))
    assert worst(*simulated(steps, task[2], earlier(), reports), until=0.99) == pytest.approx(1, abs=0.01)
    for seed in range(10):
        assert worst(*simulated(steps, noisy(task[2], seed, by), earlier(), reports)) < FACTOR


@pytest.mark.parametrize("pace", [0.5, 2.0, 3.0])
def test_a_machine_with_more_or_less_other_work_is_noticed(task, earlier, tmp_path, pace):
    steps = planned(task, Store(tmp_path / "empty", print))
    seconds = {title: pace * value for title, value in noisy(task[2], 0, by=1.1).items()}
    assert worst(*simulated(steps, seconds, earlier())) < FACTOR


@pytest.mark.parametrize("cached", ["learned", "images", "half of the images"])
def test_a_second_run_counts_what_is_cached_as_nothing(task, earlier, tmp_path, cached):
    store, (_, addresses, seconds) = Store(tmp_path / "part", print), task
    some = [unit.address for own in list(addresses.generators.values())[::2] for unit in own.units]
    wanted = {"learned": addresses.learned(), "images": addresses.images(), "half of the images": some}
    for address in wanted[cached]:
        store.folder(address).mkdir(parents=True)
    steps = planned(task, store)
    titles = {step.title for step in steps}
    assert ("fit rebeca, 1 of 3" in titles) == (cached != "learned")
    assert sum(title.startswith("images") for title in titles) == {"learned": 6, "images": 0}.get(cached, 3)
    assert not steps[0].title.startswith("encode")
    for seed in range(5):
        assert worst(*simulated(steps, noisy(seconds, seed), earlier())) < FACTOR


def test_fewer_users_cost_less(task, earlier, tmp_path):
    """Images of other users cost what images cost; half of the users take half of the time."""
    whole, _, seconds = task
    few = find_addresses(whole, "cpu", tuple(f"u{i}" for i in range(16)), data_addresses(whole))
    steps = planned((whole, few), Store(tmp_path / "empty", print))
    known = earlier()
    images = next(step for step in steps if step.title == "images prompts-persona")
    cost, _ = known.of(images)
    assert cost.seconds * images.units == pytest.approx(seconds["images prompts-persona"] / 2)
    score = next(step for step in steps if step.title == "score prompts-persona by ncf")
    assert known.of(score)[0].seconds * 192 == pytest.approx(seconds["score prompts-persona by ncf"])


def test_a_training_that_stops_early_will_do_so_again():
    steps = [Step(name, name, "") for name in ("fit", "images")]
    seconds, costs = {"fit": 100.0, "images": 20.0}, Costs()
    simulated(steps, seconds, costs, share=0.4)
    again = Costs(earlier={kind: dict(own) for kind, own in costs._own.items()})
    assert again.of(steps[0])[0].share == pytest.approx(0.4)
    assert worst(*simulated(steps, seconds, again, share=0.4)) == pytest.approx(1, abs=0.01)


def test_a_first_run_says_at_least_what_it_knows():
    clock = Clock()
    images = Step("images a", "images", "a", 10), Step("images b", "images", "b", 30)
    estimate = Estimate([Step("fit", "fit", ""), *images], Costs(), clock)
    estimate.start("fit")
    clock.now += 5
    assert estimate.left() is None and estimate.share() is None
    estimate.report(1, 4)
    assert (estimate.left().seconds, estimate.left().complete) == (15, False)
    clock.now += 15
    estimate.finish()
    estimate.start("images a")
    clock.now += 10
    estimate.finish()
    assert (estimate.left().seconds, estimate.left().complete) == (30, True)  # 30 images like those 10


def test_time_left_is_counted_down_between_reports():
    clock, costs = Clock(), Costs(earlier={"fit": {"": Cost(100.0, 1.0)}})
    estimate = Estimate([Step("fit", "fit", "")], costs, clock)
    estimate.start("fit")
    seen = []
    for _ in range(3):
        seen.append(estimate.left().seconds)
        clock.now += 40
    assert seen == [100, 60, 20] and estimate.left().seconds == 0
    assert estimate.share() == 1


def test_a_slow_start_is_no_pace():
    """A disk that is read for the first time, and a package that is loaded, say nothing about the stages after them."""
    clock, steps = Clock(), [Step("data", "data", "", paced=False), Step("fit", "fit", ""), Step("page", "page", "")]
    costs = Costs(earlier={"data": {"": Cost(1.0, 1.0)}, "fit": {"": Cost(1.0, 1.0)}, "page": {"": Cost(60.0, 1.0)}})
    estimate = Estimate(steps, costs, clock)
    estimate.start("data")
    clock.now += 30
    estimate.finish()
    assert estimate.left().seconds == pytest.approx(61)
    estimate.start("fit")
    clock.now += 3
    estimate.finish()
    assert estimate.left().seconds == pytest.approx(60 * (3 + 5) / (1 + 5))


def test_what_did_not_run_is_not_waited_for():
    clock, costs = Clock(), Costs(earlier={name: {"": Cost(10.0, 1.0)} for name in "abc"})
    estimate = Estimate([Step(name, name, "") for name in "abc"], costs, clock)
    estimate.start("b")
    clock.now += 10
    estimate.finish()
    assert estimate.left().seconds == pytest.approx(10) and estimate.number == 2


def test_what_fails_or_goes_on_says_nothing_about_the_cost(tmp_path):
    clock, costs = Clock(), Costs(tmp_path / FILE)
    estimate = Estimate([Step("fails", "x", ""), Step("goes on", "x", "", whole=False)], costs, clock)
    for title in ("fails", "goes on"):
        estimate.start(title)
        clock.now += 1
        estimate.abandon() if title == "fails" else estimate.finish()
    assert not (tmp_path / FILE).exists()


DAMAGE = [
    b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b'{"x": 1}', b'{"x": {"y": [1]}}', b'{"x": {"y": [-1, 1]}}',
    b'{"x": {"y": [NaN, 1]}}', b'{"x": {"y": [1e999, 1]}}', b'{"x": {"y": [1, 0]}}', b'{"x": {"y": [1, 2]}}',
    b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_file_is_ignored_and_replaced(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    step = Step("fit", "x", "y")
    costs = Costs.read(tmp_path)
    assert costs.of(step) is None
    costs.keep(step, Cost(2.0, 1.0))
    costs.write()
    assert Costs.read(tmp_path).of(step) == (Cost(2.0, 1.0), False)


def test_a_folder_without_the_file_knows_nothing(tmp_path):
    assert Costs.read(tmp_path / "nowhere").of(Step("fit", "x", "y")) is None
    (tmp_path / FILE).mkdir()
    assert Costs.read(tmp_path).of(Step("fit", "x", "y")) is None


def test_a_full_disk_costs_the_memory_and_not_the_run(tmp_path, monkeypatch):
    def full(path: Path, data: bytes, sync: bool = True) -> None:
        raise OSError(28, "No space left on device")

    costs = Costs(tmp_path / FILE)
    costs.keep(Step("fit", "x", "y"), Cost(2.0, 1.0))
    monkeypatch.setattr(module, "write_atomically", full)
    costs.write()
    assert not (tmp_path / FILE).exists()


def test_the_newest_costs_of_a_kind_are_kept(tmp_path):
    for number in range(MOST_VARIANTS + 5):
        costs = Costs.read(tmp_path)
        costs.keep(Step("fit", "x", str(number)), Cost(float(number), 1.0))
        costs.write()
    kept = json.loads((tmp_path / FILE).read_text())["x"]
    assert list(kept) == [str(number) for number in range(5, MOST_VARIANTS + 5)]
