"""The plan of a run names the stages that the run goes through, in their order."""

import shutil
from contextlib import contextmanager

from benchmark.runner.progress import Reporter
from benchmark.runner.run_task import run_task
from benchmark.runner.steps import early_fits
from benchmark.runner.store import Store
from benchmark.task.resolve import load_task


class Spy(Reporter):
    """Keeps the plan, and the stages that began."""

    def __init__(self):
        super().__init__(quiet=True)
        self.planned, self.began, self.first, self.last = [], [], None, None

    def begin(self, steps, costs):
        super().begin(steps, costs)
        self.planned, self.first = [step.title for step in steps], self.left()

    @contextmanager
    def stage(self, title, announce=True):
        self.began.append(title)
        with super().stage(title, announce) as report:
            yield report
        self.last = self.left()


def test_the_plan_is_what_a_run_does(tiny, tmp_path):
    task, store = load_task(tiny), Store(tmp_path / "w", print)
    spies = []
    for gone in ([], ["scores", "records"], ["images", "records"]):
        for name in gone:
            shutil.rmtree(store.root / name)
        spies.append(Spy())
        run_task(task, store, reporter=spies[-1])
        assert spies[-1].planned == spies[-1].began
        assert spies[-1].last is None  # no step is left
    first, scores, images = spies
    assert first.first is None
    assert [title.split()[0] for title in dict.fromkeys(scores.began)].count("fit") == 0
    assert scores.first.complete and 0 < scores.first.seconds < 60
    assert {"images rebeca", "analyse"} < set(images.began) and "fit rebeca" not in images.began
    run_task(task, store, reporter=(nothing := Spy()))
    assert nothing.planned == nothing.began == []


def test_fits_that_ask_a_judge_wait_for_it(prepared):
    early = {spec.id for spec, _ in early_fits(prepared.task, prepared.addresses)}
    assert early == {spec.id for spec in prepared.task.generators} - {"catalogue-verifier"}
