"""Numbers and hashes of the worlds: written before any model was trained, and checked by a test.

``python -m scripts.tinyworld.facts`` writes ``facts.json`` beside this file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from rebeca.arrays import Floats
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import MODELS_SEED, captions, draw_scenes
from rebeca.tinyworld.taste import draw_ratings, draw_tastes, features, raw_features
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld

FILE = Path(__file__).parent / "facts.json"
SEEDS = (1, 2, 3, 4)
LIKE_AT = 4
TEST_POSTCARDS = 512
STANDARD_POSTCARDS = 6000


def world_facts(seed: int) -> dict[str, Any]:
    params = TinyworldParams(seed=seed)
    tastes = draw_tastes(params.users, seed)
    utility = tastes.utility(features(render(draw_scenes(params.items, seed, "catalogue"))))
    user, item, rating = draw_ratings(tastes, utility, seed)
    count = np.bincount(user)
    return {
        "sha256": make_tinyworld(params).fingerprint(),
        "correlation of utility between users": _round(_correlation(utility)),
        "within-user AUC of the utility": _round(_auc(user, rating >= LIKE_AT, utility[user, item])),
        "share liked": _round(float((rating >= LIKE_AT).mean())),
        "ratings per user": {
            "mean": _round(float(count.mean()), 1),
            "least": int(count.min()),
            "most": int(count.max()),
        },
    }


def feature_facts() -> dict[str, list[float]]:
    """The measured values of ``taste.CENTRE`` and ``taste.SPREAD``."""
    values = raw_features(render(draw_scenes(STANDARD_POSTCARDS, MODELS_SEED, "standard")))
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
        "features": feature_facts(),
        "worlds": {str(seed): world_facts(seed) for seed in SEEDS},
        "test": held_out_facts(),
    }
    FILE.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
