"""What the parts of a record say about each other: people, scorers, judges, and the same picture in many places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.analysis.analyse import Rows
from benchmark.analysis.judges import CONTROLS, JUDGES
from benchmark.scorers.judges import PRIOR_SCORER
from benchmark.task import registry
from rebeca.errors import RecordError

SAME_SCORE = 1e-5
"""One picture's score by one person may differ this much between generators: other batches, other rounding."""
JUDGE_SCORERS = ("ncf", "auditor")
"""Scorers that can always be asked for everybody, so that the published scheme is in the record."""


def check_people(folder: Path, comparison: dict[str, Any]) -> None:
    """People, blocks and strata against the spec.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    spec, users, ids = comparison["spec"], comparison["users"], comparison["user_ids"]
    if len(set(users["id"])) != len(users["id"]) or not set(users["id"]) <= set(ids) or len(set(ids)) != len(ids):
        raise RecordError(f"{folder}: users: a person is given twice, or is not in the data")
    if {len(users[key]) for key in users} != {len(users["id"])}:
        raise RecordError(f"{folder}: users: ids, blocks and strata are not of one length")
    if comparison["data"]["people"] != len(ids):
        raise RecordError(f"{folder}: data.people: recorded {comparison['data']['people']}, found {len(ids)}")
    wanted = spec["users"]
    everybody = wanted["segment"] == "all" and wanted["limit"] is None
    if (everybody and users["id"] != ids) or (wanted["limit"] is not None and len(users["id"]) > wanted["limit"]):
        raise RecordError(f"{folder}: users: {len(users['id'])} people, not those that the spec asks for")
    blocks = set(users["block"])
    if blocks and (
        max(blocks) >= comparison["data"]["blocks"] or (everybody and len(blocks) != comparison["data"]["blocks"])
    ):
        raise RecordError(f"{folder}: data.blocks: recorded {comparison['data']['blocks']}, found {len(blocks)}")
    strata = spec["analysis"]["strata"]
    found, block = np.array(users["stratum"]), np.array(users["block"])
    same = {(int(b), int(s)) for b, s in zip(block, found, strict=True)}
    if (not strata and found.any()) or (strata == ["block"] and len(same) != len(blocks)):
        raise RecordError(f"{folder}: users.stratum does not follow from the spec's strata")


def check_together(
    folder: Path, comparison: dict[str, Any], records: Mapping[str, dict[str, Any]], rows: Sequence[Rows]
) -> None:
    """Scorers against the spec, and everything that several generators say about one scorer or one picture.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    _check_scorers(folder, comparison, records, rows)
    _check_pictures(folder, comparison, rows)
    block = np.array(comparison["users"]["block"])
    for row in rows:
        _check_opinions(folder / row.id, records[row.id], row, block)


def _check_scorers(
    folder: Path, comparison: dict[str, Any], records: Mapping[str, dict[str, Any]], rows: Sequence[Rows]
) -> None:
    entries = {entry["id"]: entry["use"] for entry in comparison["spec"]["scorers"]}
    declared = list(entries)
    names = set(registry.names("scorers"))
    known = {name for name, use in entries.items() if use in names}
    of_pictures = {
        name for name, use in entries.items() if name not in known or hasattr(registry.load("scorers", use), "score")
    }
    first = records[rows[0].id]["summary"]
    for row in rows:
        summary = records[row.id]["summary"]
        if not (set(row.scores) <= set(declared) and of_pictures & known <= set(row.scores)):
            raise RecordError(
                f"{folder / row.id}: scorers {sorted(row.scores)}, the spec asks for {sorted(of_pictures)}"
            )
        if set(summary) != set(first):
            raise RecordError(f"{folder / row.id}: other measures than {folder / rows[0].id}")
        for measure, entry in summary.items():
            if {**entry["card"], "everyone": 0} != {**first[measure]["card"], "everyone": 0}:
                raise RecordError(f"{folder / row.id}: the card of '{measure}' is not that of the other generators")
        for scorer, lowest in row.lowest.items():
            if not np.allclose(lowest, rows[0].lowest[scorer], rtol=SAME_SCORE, atol=SAME_SCORE, equal_nan=True):
                raise RecordError(f"{folder / row.id}: 'lowest' of '{scorer}' is not that of the other generators")


def _check_pictures(folder: Path, comparison: dict[str, Any], rows: Sequence[Rows]) -> None:
    """One picture has one catalogue number, and one person's score of it is the same in every generator."""
    people = len(comparison["users"]["id"])
    for row in rows:
        if (row.item < -1).any() or (row.item >= comparison["data"]["pictures"]).any():
            raise RecordError(
                f"{folder / row.id}: scores.parquet: an item outside -1 to {comparison['data']['pictures'] - 1}"
            )
    digest = np.concatenate([row.digest.ravel() for row in rows])
    item = np.concatenate([row.item.ravel() for row in rows])
    names, code = np.unique(digest, return_inverse=True)
    there = (digest != "") & (item >= 0)
    pairs = np.unique(np.stack([code[there], item[there]]), axis=1)
    for name in pairs:
        if len(np.unique(name)) != len(name):
            raise RecordError(
                f"{folder}: scores.parquet: a picture has two catalogue numbers, or a number two pictures"
            )
    user = np.concatenate([np.repeat(np.arange(people), row.digest.shape[1]) for row in rows])
    key = user * len(names) + code
    of_pixels = {scorer for row in rows for scorer in row.scores} - {PRIOR_SCORER}  # one picture can have two origins
    for scorer in of_pixels:
        score = np.concatenate([row.scores.get(scorer, np.full(row.digest.shape, np.nan)).ravel() for row in rows])
        known = np.isfinite(score) & (digest != "")
        _, group = np.unique(key[known], return_inverse=True)
        low, high = np.full(group.max(initial=-1) + 1, np.inf), np.full(group.max(initial=-1) + 1, -np.inf)
        np.minimum.at(low, group, score[known])
        np.maximum.at(high, group, score[known])
        if (high - low > SAME_SCORE * (1 + np.abs(high))).any():
            where = user[known][(high - low > SAME_SCORE * (1 + np.abs(high)))[group]][0]
            person = comparison["users"]["id"][where]
            raise RecordError(f"{folder}: scores.parquet: '{scorer}' scores one picture for '{person}' in two ways")


def _check_opinions(folder: Path, record: dict[str, Any], row: Rows, block: Any) -> None:
    """A scorer that everybody can be asked by was asked by everybody in the block, for every set that has a score."""
    own = row.values("exclude")
    for scorer in row.scores:
        card = record["summary"][scorer]["card"]
        there = np.isfinite(own[scorer])
        if not card["everyone"]:
            if scorer in row.pairs:
                raise RecordError(f"{folder}: pairs.parquet: not everybody can be asked by '{scorer}'")
            continue
        if scorer not in row.pairs:
            if there.any():
                raise RecordError(f"{folder}: pairs.parquet: '{scorer}' is missing")
            continue
        expected = (block[:, None] == block[None, :]) & there[None, :]
        if (np.isfinite(row.pairs[scorer]) != expected).any():
            raise RecordError(f"{folder}: pairs.parquet: '{scorer}' is not complete within blocks")
        published = record["personal"].get(scorer, {}).get("published_scheme")
        if scorer in JUDGE_SCORERS and published is None and row.pictures.any():
            raise RecordError(f"{folder}: personal.{scorer}: the published scheme is missing")


def check_judges(folder: Path, comparison: dict[str, Any], columns: dict[str, Any]) -> None:
    """Every judge, control and share of the learning curve is there, on the same held-out ratings and labels.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    path = folder / "_task" / "verifier.parquet"
    spec, pictures = comparison["spec"]["judges"], comparison["data"]["pictures"]
    if len(columns["item"]) and columns["item"].max() >= pictures:
        raise RecordError(f"{path}: a picture above {pictures - 1}")
    test = columns["split"] == "test"
    judges = ["verifier", *(["auditor"] if spec["auditor"] is not None else [])]
    shares = [1.0, *spec["learning_curve"]]
    wanted = [("verifier", share) for share in shares] + [(judge, 1.0) for judge in [*judges[1:], *CONTROLS]]
    found = {(str(j), float(s)) for j, s in zip(columns["judge"][test], columns["share"][test], strict=True)}
    if not set(wanted) <= found or not found <= {*wanted, ("others' mean", 1.0)}:
        raise RecordError(f"{path}: judges {sorted(found)}, expected {sorted(wanted)}")
    reference = _keys(columns, test & (columns["judge"] == "verifier") & (columns["share"] == 1))
    if len(reference) != comparison["data"]["test_ratings"]:
        raise RecordError(
            f"{path}: {len(reference)} held-out ratings, the record says {comparison['data']['test_ratings']}"
        )
    for judge, share in sorted(found):
        own = _keys(columns, test & (columns["judge"] == judge) & (columns["share"] == share))
        if not np.array_equal(own, reference):
            raise RecordError(f"{path}: '{judge}' ({share:g}) has other held-out ratings or labels than the verifier")
    for judge in JUDGES:
        train = (columns["split"] == "train") & (columns["judge"] == judge)
        if (judge in judges) != bool(train.any()):
            raise RecordError(f"{path}: training ratings of '{judge}' are missing or too many")


def _keys(columns: dict[str, Any], own: Any) -> Any:
    """Rows (person, picture, label), sorted."""
    table = np.stack([columns["user"][own], columns["item"][own], columns["label"][own].astype(np.int32)], axis=1)
    return table[np.lexsort(table.T[::-1])]
