"""Numbers and hashes of the worlds, checked by a test.

``python -m scripts.tinyworld.facts`` writes ``facts.json`` beside this file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from rebeca.arrays import Floats
from rebeca.tinyworld.colours import raw_colours
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import MODELS_SEED, captions, draw_scenes
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld

FILE = Path(__file__).parent / "facts.json"
SEEDS = (1, 2, 3, 4)
LIKE_AT = 4
TEST_POSTCARDS = 512
STANDARD_POSTCARDS = 6000


def world_facts(seed: int) -> dict[str, Any]:
    world = make_tinyworld(TinyworldParams(seed=seed))
    assert world.ground_truth is not None
    user, item, rating = world.ratings.user, world.ratings.item, world.ratings.rating
    known = world.ground_truth.utility(
        np.arange(world.ratings.num_users)[:, None], np.arange(len(world.catalogue))[None, :]
    )
    count = np.bincount(user)
    return {
        "sha256": world.fingerprint(),
        "correlation of percentiles between users": _round(_correlation(known)),
        "within-user AUC of the percentile": _round(_auc(user, rating >= LIKE_AT, known[user, item])),
        "share liked": _round(float((rating >= LIKE_AT).mean())),
        "ratings per user": {
            "mean": _round(float(count.mean()), 1),
            "least": int(count.min()),
            "most": int(count.max()),
        },
    }


def colour_facts() -> dict[str, list[float]]:
    """The measured values of ``colours.CENTRE`` and ``colours.SPREAD``."""
    values = raw_colours(render(draw_scenes(STANDARD_POSTCARDS, MODELS_SEED, "standard")))
    return {"centre": [_round(v, 4) for v in values.mean(axis=0)], "spread": [_round(v, 4) for v in values.std(axis=0)]}


def held_out_facts() -> dict[str, Any]:
    """Hash of the postcards that no model sees in training."""
    scenes = draw_scenes(TEST_POSTCARDS, MODELS_SEED, "test")
    digest = hashlib.sha256(render(scenes).tobytes() + "\n".join(captions(scenes)).encode())
    return {"postcards": TEST_POSTCARDS, "sha256": digest.hexdigest()}


def _correlation(utility: Floats) -> float:
    table = np.asarray(np.corrcoef(utility))
    return float(table[np.triu_indices(len(table), 1)].mean())


def _auc(user: Any, liked: Any, score: Floats) -> float:
    from sklearn.metrics import roc_auc_score

    return float(np.mean([roc_auc_score(liked[user == u], score[user == u]) for u in np.unique(user)]))


def _round(value: float, digits: int = 3) -> float:
    return round(value, digits)


if __name__ == "__main__":
    facts = {
        "colours": colour_facts(),
        "worlds": {str(seed): world_facts(seed) for seed in SEEDS},
        "test": held_out_facts(),
    }
    FILE.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
