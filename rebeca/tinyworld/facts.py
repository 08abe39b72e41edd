"""What the world is, as numbers and hashes: fixed before any model was trained, and checked by a test.

``python -m rebeca.tinyworld.facts`` writes ``facts.json`` beside this file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from rebeca.arrays import Floats
from rebeca.tinyworld.render import render
from rebeca.tinyworld.scenes import captions, draw_scenes
from rebeca.tinyworld.taste import draw_people, draw_ratings, features, raw_features
from rebeca.tinyworld.world import TinyworldParams, make_tinyworld

FILE = Path(__file__).parent / "facts.json"
SEEDS = (1, 2, 3, 4)
LIKE_AT = 4
MODELS_SEED = 0
"""Seed of the postcards that models are trained on (streams ``train`` and ``validation``) and tested on (``test``)."""
TEST_PICTURES = 512
STANDARD_PICTURES = 6000


def world_facts(seed: int) -> dict[str, Any]:
    """Figures and hash of one world."""
    params = TinyworldParams(seed=seed)
    people = draw_people(params.users, seed)
    utility = people.utility(features(render(draw_scenes(params.items, seed, "catalogue"))))
    user, item, rating = draw_ratings(people, utility, seed)
    count = np.bincount(user)
    return {
        "sha256": make_tinyworld(params).fingerprint(),
        "correlation of utility between users": _round(_correlation(utility)),
        "within-user AUC of the true utility": _round(_auc(user, rating >= LIKE_AT, utility[user, item])),
        "share liked": _round(float((rating >= LIKE_AT).mean())),
        "ratings a user": {"mean": _round(float(count.mean()), 1), "least": int(count.min()), "most": int(count.max())},
    }


def feature_facts() -> dict[str, list[float]]:
    """What ``taste.CENTRE`` and ``taste.SPREAD`` were measured as."""
    values = raw_features(render(draw_scenes(STANDARD_PICTURES, MODELS_SEED, "standard")))
    return {"centre": [_round(v, 4) for v in values.mean(axis=0)], "spread": [_round(v, 4) for v in values.std(axis=0)]}


def held_out_facts() -> dict[str, Any]:
    """Hash of the postcards that no model sees in training."""
    scenes = draw_scenes(TEST_PICTURES, MODELS_SEED, "test")
    digest = hashlib.sha256(render(scenes).tobytes() + "\n".join(captions(scenes)).encode())
    return {"pictures": TEST_PICTURES, "sha256": digest.hexdigest()}


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
