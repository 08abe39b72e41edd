"""What scorers are given, and what their scores depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmark.runner.plugins import build_encoder
from benchmark.task.declared import address_of
from benchmark.task.encoders import named_encoder
from benchmark.task.resolve import ResolvedScorer
from rebeca.errors import SpecError
from rebeca.interfaces import ScorerContext

if TYPE_CHECKING:
    from benchmark.runner.run import Run


def scorer_context(run: Run, spec: ResolvedScorer) -> ScorerContext:
    """What a scorer is given.

    Raises:
        SpecError: If it needs a ground truth, and the data have none.
    """
    world, flags = run.world, spec.flags()
    offers: dict[str, Callable[[], Any]] = {
        "verifier": lambda: run.judges["verifier"],
        "auditor": lambda: run.judges["auditor"],
        "prior": lambda: run.judge("prior"),
        "training": lambda: world.division.generators.train,
        "held-out": lambda: world.division.test,
        "ground-truth": lambda: world.dataset.ground_truth,
        "embeddings": lambda: run.embeddings("task"),
    }
    if "ground-truth" in flags.needs and world.dataset.ground_truth is None:
        raise SpecError(f"the scorer '{spec.id}' needs a synthetic world", hint="use 'observed' with real ratings")
    encoders = {name: named_encoder(name, run.task.source.parent) for name in flags.encoders}
    return ScorerContext(
        given={need: offers[need] for need in flags.needs},
        users=world.dataset.ratings.user_ids,
        catalogue=world.dataset.catalogue,
        training_items=world.division.training_items,
        block_of_user=world.dataset.block_of_user,
        scale=world.dataset.scale,
        encoder=lambda name: build_encoder(encoders[name], run.device),
        device=run.device,
    )


def scorer_inputs(run: Run, spec: ResolvedScorer) -> dict[str, Any]:
    """What scores depend on besides the images."""
    flags = spec.flags()
    judges = sorted(flags.needs & {"verifier", "auditor", "prior"})
    return {
        "scorer": address_of("scorer", spec.use, spec.params),
        "encoders": [named_encoder(name, run.task.source.parent).address() for name in flags.encoders],
        "judges": {role: run.judge_key(role) for role in judges},
        "embeddings": run.embeddings_key("task") if "embeddings" in flags.needs else None,
        "data": run.world.fingerprint,
    }
