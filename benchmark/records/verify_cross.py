"""Checks parts of records against each other: users, scorers, judges, and one image in several places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmark.analysis.inputs import HeldOutScores, Rows
from benchmark.analysis.measures import (
    AUDITOR,
    CONFIRMING,
    CONTROLS,
    JUDGES,
    OTHERS,
    PRIOR,
    VERIFIER,
    range_of,
    worst_of_sets,
)
from benchmark.records.files import TASK_FOLDER, refuse_if
from benchmark.records.rows import HELD_OUT
from benchmark.records.schema import Fit, GeneratorRecord, Machine, TaskRecord
from benchmark.task.registry import names, plugin_class
from rebeca.arrays import Bools, Ints
from rebeca.errors import RecordError
from rebeca.interfaces import Scorer, ScorerCard

SAME_SCORE = 1e-5
"""Tolerance between generators for one user's score of one image, times one plus the score: other batches round
differently."""
OTHER_MACHINE = 1e-4
"""The same where two machines scored."""
OTHER_JUDGE = 0.01
"""The same where two machines fitted the judge, or another version of the project did: training amplifies rounding.
Scores of ``tinyworld-quick`` between 0 and 1 moved by up to .007 between AVX-512 and AVX2."""
HAS_PUBLISHED_SCHEME = (VERIFIER, AUDITOR)
"""Roles of scorers that can always be asked for every user, so that the published scheme is in the record, unless users
are compared in groups."""


def check_users(folder: Path, task: TaskRecord) -> None:
    """Checks users, blocks and strata against the spec.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    users, ids, spec, data = task.users, task.user_ids, task.spec, task.data
    refuse_if(
        len(set(users.id)) != len(users.id) or not set(users.id) <= set(ids) or len(set(ids)) != len(ids),
        f"{folder}: users: a user is given twice, or is not in the data",
    )
    refuse_if(
        not len(users.id) == len(users.block) == len(users.stratum),
        f"{folder}: users: ids, blocks and strata are not of one length",
    )
    refuse_if(data.users != len(ids), f"{folder}: data.users: recorded {data.users}, computed {len(ids)}")
    wanted = spec.users
    all_users = wanted.segment == "all" and wanted.limit is None
    refuse_if(
        (all_users and users.id != ids) or (wanted.limit is not None and len(users.id) > wanted.limit),
        f"{folder}: users: {len(users.id)} users, not those that the spec asks for",
    )
    blocks = set(users.block)
    refuse_if(
        blocks and (max(blocks) >= data.blocks or (all_users and len(blocks) != data.blocks)),
        f"{folder}: data.blocks: recorded {data.blocks}, computed {len(blocks)}",
    )
    strata = spec.analysis.strata
    same = set(zip(users.block, users.stratum, strict=True))
    refuse_if(
        (not strata and any(users.stratum)) or (strata == ["block"] and len(same) != len(blocks)),
        f"{folder}: users.stratum does not follow from the spec's strata",
    )


def check_together(
    folder: Path, task: TaskRecord, records: Mapping[str, GeneratorRecord], rows: Sequence[Rows]
) -> None:
    """Checks scorers against the spec, and generators against each other where they share a scorer or an image.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    _check_scorers(folder, task, records, rows)
    _check_images(folder, task, records, rows)
    _check_scores(folder, task, records, rows)
    _check_fits(folder, records)
    for row in rows:
        _check_opinions(folder / row.id, task, records[row.id], row)


def _check_scorers(
    folder: Path, task: TaskRecord, records: Mapping[str, GeneratorRecord], rows: Sequence[Rows]
) -> None:
    declared = {entry.id: entry.use for entry in task.spec.scorers}
    installed = {name: use for name, use in declared.items() if use in names("scorers")}
    of_images = {name for name, use in installed.items() if issubclass(plugin_class("scorer", use), Scorer)}
    first = records[rows[0].id].measures
    for row in rows:
        measures = records[row.id].measures
        refuse_if(
            not of_images <= set(row.scores) <= set(declared),
            f"{folder / row.id}: scorers {sorted(row.scores)}, the spec asks for {sorted(of_images)}",
        )
        refuse_if(set(measures) != set(first), f"{folder / row.id}: other measures than {folder / rows[0].id}")
        for measure, info in measures.items():
            refuse_if(
                info.card != first[measure].card or info.range != first[measure].range,
                f"{folder / row.id}: the card of '{measure}' is not that of the other generators",
            )
            limits = range_of(info.card, info.range or (0.0, 0.0))
            refuse_if(
                info.range != limits,
                f"{folder / row.id}: '{measure}' has the range {info.range}, its unit has {limits}",
            )
            of_sets = worst_of_sets(info.card, info.range)
            refuse_if(
                not info.of_images and not np.array_equal(row.lowest[measure], np.full(len(row.failed), of_sets), True),
                f"{folder / row.id}: 'lowest' of '{measure}' is not its worst possible value, {of_sets:g}",
            )


def _check_scores(folder: Path, task: TaskRecord, records: Mapping[str, GeneratorRecord], rows: Sequence[Rows]) -> None:
    """Checks that a user's score of an image and lowest score are the same in every generator."""
    by_machine: list[list[Rows]] = []
    for row in rows:
        group = next((own for own in by_machine if _alike(records[own[0].id], records[row.id])), None)
        if group is None:
            by_machine.append([row])
        else:
            group.append(row)
    for own in by_machine:
        _check_equal_scores(folder, task, records, own, lambda _: SAME_SCORE)
    if len(by_machine) > 1:
        _check_equal_scores(folder, task, records, rows, _between_machines)


def _alike(a: GeneratorRecord, b: GeneratorRecord) -> bool:
    """Whether two generators were scored by the same judges, on machines that round alike."""
    of_a, of_b = a.provenance, b.provenance
    return of_a.judges == of_b.judges and all(getattr(of_a, n) == getattr(of_b, n) for n in Machine.model_fields)


def _between_machines(card: ScorerCard) -> float:
    return OTHER_JUDGE if card.role in (*JUDGES, CONFIRMING, PRIOR) else OTHER_MACHINE


def _check_equal_scores(
    folder: Path,
    task: TaskRecord,
    records: Mapping[str, GeneratorRecord],
    rows: Sequence[Rows],
    tolerance: Callable[[ScorerCard], float],
) -> None:
    for row in rows:
        for scorer, lowest in row.lowest.items():
            near = tolerance(records[row.id].measures[scorer].card)
            refuse_if(
                not np.allclose(lowest, rows[0].lowest[scorer], rtol=near, atol=near, equal_nan=True),
                f"{folder / row.id}: 'lowest' of '{scorer}' is not that of the other generators",
            )
    digest = np.concatenate([row.digest.ravel() for row in rows])
    owner = np.repeat([row.id for row in rows], [row.digest.size for row in rows])
    different, code = np.unique(digest, return_inverse=True)
    user = np.concatenate([np.repeat(np.arange(len(row.digest)), row.per_user) for row in rows])
    image_and_user = user * len(different) + code
    by_row = (PRIOR, CONFIRMING)  # of what images were decoded from, and of a judge that they draw
    cards = {name: card for row in rows for name, card in row.cards.items() if card.role not in by_row}
    for scorer, card in cards.items():
        score = np.concatenate([row.scores.get(scorer, np.full(row.digest.shape, np.nan)).ravel() for row in rows])
        known: Bools = np.isfinite(score) & (digest != "")
        _, group = np.unique(image_and_user[known], return_inverse=True)
        low, high = np.full(group.max(initial=-1) + 1, np.inf), np.full(group.max(initial=-1) + 1, -np.inf)
        np.minimum.at(low, group, score[known])
        np.maximum.at(high, group, score[known])
        differ = high - low > tolerance(card) * (1 + np.abs(high))
        if differ.any():
            here = differ[group] & (group == group[differ[group]][0])
            name, claims = task.users.id[int(user[known][here][0])], sorted({str(each) for each in owner[known][here]})
            raise RecordError(
                f"{folder}: scores.parquet: '{scorer}' scores one image for '{name}' in two ways, in rows of"
                f" {', '.join(claims)}",
                hint="score the image again to see which is right; results merge --without ID leaves a row out",
            )


def _check_copies(
    folder: Path, records: Mapping[str, GeneratorRecord], rows: Sequence[Rows], of_items: set[str]
) -> None:
    """Checks that a generator counts as copies those images that other rows list as items."""
    for row in rows:
        copies = sum(name in of_items for name in row.digest[(row.item < 0) & (row.digest != "")].tolist())
        refuse_if(
            records[row.id].images.copies < copies,
            f"{folder / row.id}: images.copies: recorded {records[row.id].images.copies}, and {copies} images are items"
            " in other rows",
        )


def _check_images(folder: Path, task: TaskRecord, records: Mapping[str, GeneratorRecord], rows: Sequence[Rows]) -> None:
    """Checks that an image is one item or equal ones."""
    for row in rows:
        refuse_if(
            (row.item < -1).any() or (row.item >= task.data.items).any(),
            f"{folder / row.id}: scores.parquet: an item outside -1 to {task.data.items - 1}",
        )
    digest = np.concatenate([row.digest.ravel() for row in rows])
    item = np.concatenate([row.item.ravel() for row in rows])
    owner = np.repeat([row.id for row in rows], [row.digest.size for row in rows])
    different, code = np.unique(digest, return_inverse=True)
    of_items = (digest != "") & (item >= 0)
    pairs = np.unique(np.stack([code[of_items], item[of_items]]), axis=1)
    images, items = (len(np.unique(side)) for side in pairs)
    if items != pairs.shape[1] or images + task.data.equal_items < items:
        twice = [values[counts > 1] for values, counts in (np.unique(side, return_counts=True) for side in pairs)]
        odd = np.isin(code[of_items], twice[0]) | np.isin(item[of_items], twice[1])
        claims = sorted({str(name) for name in owner[of_items][odd]})
        raise RecordError(
            f"{folder}: scores.parquet: an image is two items, or an item two images, in rows of {', '.join(claims)}",
            hint="compare what was handed in with the task's own rows; results merge --without ID leaves a row out",
        )
    _check_copies(folder, records, rows, set(different[pairs[0]].tolist()))


def _check_fits(folder: Path, records: Mapping[str, GeneratorRecord]) -> None:
    """Checks that what several generators call the same fit is one."""
    known: dict[str, tuple[str, GeneratorRecord, Fit]] = {}
    for name, record in records.items():
        for fit in record.fits:
            other, first, same = known.setdefault(fit.key, (name, record, fit))
            elsewhere = not _alike(record, first)  # where what a fit reports is rounded otherwise
            refuse_if(
                (fit.model_copy(update={"report": same.report}) if elsewhere else fit) != same
                or record.generator.use != first.generator.use,
                f"{folder}: fit {fit.key[:12]} of '{name}' and of '{other}' differ in more than the generator",
            )


def _check_opinions(folder: Path, task: TaskRecord, record: GeneratorRecord, row: Rows) -> None:
    """Checks that a scorer of all users was asked for every user of a group, for every set of images with a score."""
    targets = row.groups.targets
    for scorer in row.scores:
        scored = np.isfinite(row.by_fit(scorer, "exclude"))
        if not record.measures[scorer].everyone:
            refuse_if(scorer in row.pairs, f"{folder}: pairs.parquet: not every user can be asked by '{scorer}'")
            continue
        if scorer not in row.pairs:
            refuse_if(scored.any(), f"{folder}: pairs.parquet: '{scorer}' is missing")
            continue
        expected = (targets >= 0) & scored[:, targets]
        if row.shared is not None:
            expected &= row.shared > 0
        refuse_if(
            (np.isfinite(row.pairs[scorer]) != expected).any(),
            f"{folder}: pairs.parquet: '{scorer}' is not complete within groups",
        )
        refuse_if(
            row.cards[scorer].role in HAS_PUBLISHED_SCHEME
            and task.plan.most_compared is None
            and scorer not in record.published_schemes
            and row.images.any(),
            f"{folder}: published_schemes: that of '{scorer}' is missing",
        )


def check_judges(folder: Path, task: TaskRecord, scores: HeldOutScores) -> None:
    """Checks that every judge, control and share of the learning curve has the same held-out ratings and labels.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    path = folder / TASK_FOLDER / HELD_OUT
    spec, items = task.spec.judges, task.data.items
    refuse_if(len(scores) and scores.item.max() >= items, f"{path}: an item above {items - 1}")
    judges = [VERIFIER] if spec.auditor is None else [VERIFIER, AUDITOR]
    wanted = [(VERIFIER, share) for share in spec.learning_curve]
    wanted += [(judge, 1.0) for judge in (*judges, *CONTROLS)]
    test = scores.where(np.asarray(scores.split == "test"))
    present = {(str(j), float(s)) for j, s in zip(test.judge, test.share, strict=True)}
    refuse_if(
        not set(wanted) <= present or not present <= {*wanted, (OTHERS, 1.0)},
        f"{path}: judges {sorted(present)}, expected {sorted(wanted)}",
    )
    reference = _keys(scores.of(VERIFIER, "test"))
    refuse_if(
        len(reference) != task.data.test_ratings,
        f"{path}: {len(reference)} held-out ratings, the record says {task.data.test_ratings}",
    )
    for judge, share in sorted(present):
        refuse_if(
            not np.array_equal(_keys(scores.of(judge, "test", share)), reference),
            f"{path}: '{judge}' ({share:g}) has other held-out ratings or labels than the verifier",
        )
    for judge in JUDGES:
        refuse_if(
            (judge in judges) != bool(((scores.split == "train") & (scores.judge == judge)).any()),
            f"{path}: training ratings of '{judge}' are missing or too many",
        )


def _keys(scores: HeldOutScores) -> Ints:
    """Int [n, 3]: user, item, label; sorted."""
    table = np.stack([scores.user, scores.item, scores.label.astype(np.int32)], axis=1)
    return np.asarray(table[np.lexsort(table.T[::-1])])
