"""The stages of a run one by one."""

from dataclasses import replace

import numpy as np

from benchmark.dev.running import Running
from benchmark.task.resolve import load_task


def test_a_fitted_generator_sees_the_materials_that_it_is_shown(tiny, tmp_path):
    run = Running.of(load_task(tiny), tmp_path / "w")
    spec, users = run.generator("catalogue-random"), run.world.user_ids[:2]
    candidates, items = run.world.candidates, np.arange(len(run.world.dataset.catalogue))
    before = candidates.of_block.any(axis=0)
    others = np.broadcast_to(~before & (items < items[~before][8]), candidates.of_block.shape)
    world = replace(run.world, candidates=replace(candidates, of_block=others))
    shown = replace(run.materials, world=world)
    requests = run.requests(spec, users)
    for materials, offered in ((None, before), (shown, others[0])):
        answers = list(run.fitted(spec, materials=materials).generate(requests))
        assert len(answers) == 2 * 3 and all(offered[answer.item] for answer in answers)
