"""Scores of one generator: a row a picture, a table of everybody's opinion, and a value a person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.runner.images import Made
from benchmark.runner.run import Run
from benchmark.runner.scorers import scorer_inputs
from benchmark.runner.store import stage_key
from benchmark.task.resolve import ResolvedGenerator, ResolvedScorer
from rebeca.arrays import Floats, Ints
from rebeca.errors import PluginError
from rebeca.interfaces import ScoredImages, Scorer, ScorerCard


@dataclass(frozen=True, slots=True, eq=False)
class PictureScores:
    """One scorer on one generator's pictures.

    Attributes:
        card: What the site says about the scorer.
        is_ground_truth: Whether it knows the truth.
        own: float64 [pictures]; by the person for whom it was made, NaN without an answer.
        everyone: float64 [people, different pictures], or None where not everybody can be asked.
        position: int [pictures]; column of ``everyone``.
        worst: float64 [people]; each person's lowest score over the training catalogue.
    """

    card: ScorerCard
    is_ground_truth: bool
    own: Floats
    everyone: Floats | None
    position: Ints
    worst: Floats


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorScores:
    """Everything that is known about one generator's pictures.

    Attributes:
        spec: The generator.
        made: Every request's answer, failures included.
        owner: int [pictures]; row of ``users`` for whom each valid picture was made.
        pictures: The valid pictures.
        by_picture: Scores of picture scorers, by scorer.
        by_person: Measures of set scorers, float64 [people], by measure.
        cards: Cards of those measures.
        keys: Addresses of the score artefacts, by scorer.
    """

    spec: ResolvedGenerator
    made: list[Made]
    owner: Ints
    pictures: ScoredImages
    by_picture: dict[str, PictureScores]
    by_person: dict[str, Floats]
    cards: dict[str, ScorerCard]
    keys: dict[str, str]


def score_generator(run: Run, spec: ResolvedGenerator) -> GeneratorScores:
    """Makes the generator's pictures where they are missing and scores them by every scorer of the task."""
    made, pictures = run.scored_pictures(run.make_pictures(spec))
    users = run.world.users
    owner = np.searchsorted(users, pictures.user)
    unit_keys = run.picture_keys(spec)
    by_picture: dict[str, PictureScores] = {}
    by_person: dict[str, Floats] = {}
    cards: dict[str, ScorerCard] = {}
    keys: dict[str, str] = {}
    for entry in run.task.scorers:
        scorer, flags = run.scorer(entry), entry.flags()
        inputs = scorer_inputs(run, entry) | {"pictures": unit_keys}
        key = stage_key("scores", inputs)
        keys[entry.id] = key

        def write(folder: Path, scorer: Any = scorer, entry: ResolvedScorer = entry) -> None:
            arrays = _picture_arrays(scorer, entry, pictures, users) if isinstance(scorer, Scorer) else {}
            if not isinstance(scorer, Scorer):
                arrays = {name: np.asarray(v, np.float64) for name, v in scorer.score_sets(pictures, users).items()}
            np.savez(folder / "scores.npz", **dict(arrays.items()))  # type: ignore[arg-type]

        folder = run.make("scores", key, inputs, write, f"score {spec.id} by {entry.id}", announce=False)
        with np.load(folder / "scores.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if isinstance(scorer, Scorer):
            by_picture[entry.id] = PictureScores(
                flags.card,
                flags.card.is_ground_truth,
                arrays["own"],
                arrays.get("everyone"),
                arrays["position"],
                arrays["worst"],
            )
        else:
            by_person |= arrays
            cards |= flags.cards
    return GeneratorScores(spec, made, owner, pictures, by_picture, by_person, cards, keys)


def pair_means(scores: PictureScores, owner: Ints, people: int) -> Floats:
    """S [judges, owners]; mean of the finite scores that each person gives to each person's pictures."""
    assert scores.everyone is not None
    full = scores.everyone[:, scores.position]
    known = np.isfinite(full)
    membership = np.zeros((full.shape[1], people))
    membership[np.arange(len(owner)), owner] = 1.0
    total = np.where(known, full, 0.0) @ membership
    count = known.astype(np.float64) @ membership
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _picture_arrays(
    scorer: Scorer[Any], entry: ResolvedScorer, pictures: ScoredImages, users: Ints
) -> dict[str, Floats]:
    first, position = np.unique(pictures.unique, return_inverse=True)
    arrays: dict[str, Any] = {"position": position.astype(np.int64)}
    if scorer.judges_everyone:  # the person's own opinion out of everybody's: asked apart, it would round otherwise
        arrays["everyone"] = np.asarray(scorer.score_all(pictures, users)[:, first], np.float64)
        arrays["own"] = arrays["everyone"][np.searchsorted(users, pictures.user), position]
    else:
        arrays["own"] = np.asarray(scorer.score(pictures, pictures.user), np.float64)
    arrays["worst"] = np.asarray(scorer.worst(users), np.float64)
    if scorer.judges_everyone and not entry.flags().card.is_ground_truth and np.isnan(arrays["own"]).any():
        row = int(np.flatnonzero(np.isnan(arrays["own"]))[0])
        raise PluginError(f"scorer '{entry.id}' gave no number for picture {pictures.digest[row][:12]}")
    return arrays
