"""The rows of records: scores, users, sets and pairs of a generator, and ``_task/verifier.parquet``.

They are written once. Whenever they are read, they are checked against each other and against the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.analysis.inputs import HeldOutScores, Rows
from benchmark.analysis.measures import JUDGES
from benchmark.records.columns import Column, read_columns
from benchmark.records.files import RECORD, read_comparison, read_record, refuse_if
from benchmark.records.schema import GeneratorRecord, TaskRecord
from rebeca.arrays import Bools, Floats, Ints, first_true
from rebeca.errors import RecordError, first_few
from rebeca.seeds import SeedScheme, digest_of
from rebeca.ties import TIE_OF_SCORES

AGREES = 1e-9
"""Relative and absolute tolerance of means in users and pairs against the scores."""
HELD_OUT = "verifier.parquet"
GENERATOR_FILES = frozenset({RECORD, "scores.parquet", "users.parquet", "sets.parquet", "pairs.parquet"})
"""Files of every generator's record."""
MOST_MEASURES = 200
"""Of one generator."""
MOST_HELD_OUT = 100_000_000
"""Scores of held-out ratings."""
FAILURES = ("", "missing", "blank")
"""Kinds; empty for a valid image."""

SCORES = pa.schema(
    [
        ("user", pa.string()),
        ("replicate", pa.int32()),
        ("seed", pa.uint64()),
        ("digest", pa.string()),
        ("item", pa.int32()),
        ("failure", pa.string()),
        ("scorer", pa.string()),
        ("score", pa.float64()),
    ]
)
USERS = pa.schema(
    [
        ("user", pa.string()),
        ("measure", pa.string()),
        ("value", pa.float64()),
        ("worst", pa.float64()),
        ("lowest", pa.float64()),
        ("images", pa.int32()),
    ]
)
SETS = pa.schema([("user", pa.string()), ("measure", pa.string()), ("fit", pa.int32()), ("value", pa.float64())])
PAIRS = pa.schema(
    [
        ("scorer", pa.string()),
        ("fit", pa.int32()),
        ("judge", pa.int32()),
        ("target", pa.int32()),
        ("mean", pa.float64()),
        ("n", pa.int32()),
    ]
)
JUDGED = pa.schema(
    [
        ("user", pa.int32()),
        ("item", pa.int32()),
        ("split", pa.string()),
        ("label", pa.bool_()),
        ("judge", pa.string()),
        ("score", pa.float64()),
        ("share", pa.float64()),
    ]
)


def write_rows(folder: Path, rows: Rows, users: Sequence[str], seeds: Ints, failure: Sequence[str]) -> None:
    """Writes the four files of a generator.

    Args:
        folder: The generator's folder.
        rows: Its images with all scores.
        users: Ids of the users.
        seeds: uint64 [users * K]; in the order of users and replicates.
        failure: Names of failures, empty for valid images.
    """
    num_users, k = rows.digest.shape
    images = {
        "user": np.repeat(users, k).tolist(),
        "replicate": np.tile(np.arange(k), num_users),
        "seed": seeds,
        "digest": rows.digest.ravel().tolist(),
        "item": rows.item.ravel(),
        "failure": list(failure),
    }
    tables = [
        pa.table(
            images | {"scorer": [scorer] * seeds.size, "score": pa.array(scores.ravel(), from_pandas=True)},
            schema=SCORES,
        )
        for scorer, scores in rows.scores.items()
    ]
    _write(folder / "scores.parquet", tables)
    worst, no_lowest = rows.values("worst"), np.full(num_users, np.nan)
    tables = [
        pa.table(
            {
                "user": list(users),
                "measure": [measure] * num_users,
                "value": pa.array(value, from_pandas=True),
                "worst": pa.array(worst[measure], from_pandas=True),
                "lowest": pa.array(rows.lowest.get(measure, no_lowest), from_pandas=True),
                "images": _scored(rows, measure),
            },
            schema=USERS,
        )
        for measure, value in rows.values("exclude").items()
    ]
    _write(folder / "users.parquet", tables)
    tables = [SETS.empty_table()]
    for measure, values in rows.sets.items():
        of_fit = {
            "user": list(users) * rows.fits,
            "measure": [measure] * values.size,
            "fit": np.repeat(np.arange(rows.fits), num_users),
            "value": pa.array(values.ravel(), from_pandas=True),
        }
        tables.append(pa.table(of_fit, schema=SETS))
    _write(folder / "sets.parquet", tables)
    tables = [_pairs_table(scorer, pairs, rows) for scorer, pairs in rows.pairs.items()]
    _write(folder / "pairs.parquet", [PAIRS.empty_table(), *tables])


def _pairs_table(scorer: str, pairs: Floats, rows: Rows) -> pa.Table:
    """Means of sets, and those that could be judged by nobody."""
    valid, targets = _of_targets(rows), rows.groups.targets
    shared = valid if rows.shared is None else rows.shared
    fit, judge, place = np.nonzero(np.isfinite(pairs) | ((shared == 0) & (valid > 0)))
    columns = {
        "scorer": [scorer] * len(judge),
        "fit": fit,
        "judge": judge,
        "target": targets[judge, place],
        "mean": pa.array(pairs[fit, judge, place], from_pandas=True),
        "n": shared[fit, judge, place],
    }
    return pa.table(columns, schema=PAIRS)


def _of_targets(rows: Rows) -> Ints:
    """Int [F, users, m]; valid images of each member of a user's group, 0 where the group has fewer."""
    targets = rows.groups.targets
    return np.asarray(np.where(targets >= 0, rows.images_by_fit[:, targets], 0))


def _write(path: Path, tables: Sequence[pa.Table]) -> None:
    pq.write_table(pa.concat_tables(tables), path, compression="zstd")


def _scored(rows: Rows, measure: str) -> Ints:
    """Int [users]; images with a score, or valid ones for measures of sets."""
    return np.asarray(np.isfinite(rows.scores[measure]).sum(axis=1)) if measure in rows.scores else rows.images


def read_all(folder: Path) -> tuple[TaskRecord, list[Rows]]:
    """The task's record and the rows of all its generators, below a version folder.

    Raises:
        RecordError: If something cannot be read or does not add up.
    """
    task = read_comparison(folder)
    return task, [read_rows(folder / name, read_record(folder / name), task) for name in task.order]


def read_rows(folder: Path, record: GeneratorRecord, task: TaskRecord) -> Rows:
    """Reads the four files and checks that they agree with each other, with the seeds and with the records.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    spec, users = task.spec, task.users.id
    k = spec.images_of(record.generator)
    fits = [fit.number for fit in record.fits]
    refuse_if(
        k % spec.fits or len(fits) not in (1, spec.fits) or fits != list(range(len(fits))),
        f"{folder}: fits {fits} and {k} images per user, where the task has {spec.fits} fits",
    )
    images, scores = _read_scores(folder / "scores.parquet", users, k)
    _check_seeds(folder, record, spec.seeds, users, images)
    _check_images(folder, record, users, images)
    stored = _read_users(folder / "users.parquet", users)
    sets = _read_sets(folder / "sets.parquet", users, spec.fits)
    of_images = {measure for measure, info in record.measures.items() if info.of_images}
    refuse_if(
        set(stored) != set(record.measures) or set(scores) != of_images or set(sets) != set(stored) - of_images,
        f"{folder}: users.parquet, sets.parquet and record.json name different measures",
    )
    rows = Rows(
        id=record.generator.id,
        ranked=record.generator.ranked,
        digest=images.digest,
        item=images.item,
        failed=images.failed,
        scores=scores,
        lowest={measure: columns["lowest"] for measure, columns in stored.items()},
        cards={measure: record.measures[measure].card for measure in scores},
        ranges={measure: info.range for measure, info in record.measures.items() if info.range is not None},
        sets=sets,
        pairs={},
        procedure=record.generator.procedure,
        fits=spec.fits,
        fit_keys=tuple(fit.key for fit in record.fits),
        group=task.groups,
    )
    rows = rows if record.submission is None else handed_in(rows)
    pairs, shared = _read_pairs(folder / "pairs.parquet", rows)
    rows = replace(rows, pairs=pairs, shared=shared)
    for measure, (low, high) in rows.ranges.items():
        tables = [table[measure] for table in (rows.scores, rows.lowest, rows.sets, rows.pairs) if measure in table]
        rounding = TIE_OF_SCORES * (high - low)
        refuse_if(
            any(((table < low - rounding) | (table > high + rounding)).any() for table in tables),
            f"{folder}: '{measure}' has a {record.measures[measure].card.unit} outside [{low:g}, {high:g}]",
        )
    _check_means(folder, rows, stored)
    return rows


def handed_in(rows: Rows) -> Rows:
    """Rows of a generator that was handed in: it shares no fit and no variance between fits with any other.

    So its row changes no interval of another row, whatever fits it claims.
    """
    own = f"handed in as {rows.id}"
    return replace(rows, procedure=own, fit_keys=tuple(f"{own}: {key}" for key in rows.fit_keys))


@dataclass(frozen=True, slots=True, eq=False)
class _Images:
    """Columns of ``scores.parquet`` that are the same for every scorer, [users, K] each."""

    seed: Ints
    digest: npt.NDArray[np.str_]
    item: Ints
    failure: npt.NDArray[np.str_]

    @property
    def failed(self) -> Bools:
        return np.asarray(self.failure != "")


def _read_scores(path: Path, users: Sequence[str], k: int) -> tuple[_Images, dict[str, Floats]]:
    """Images, and scores [users, K] by scorer; every scorer must be about the same images."""
    columns = read_columns(path, SCORES, MOST_MEASURES * len(users) * k)
    num_users, names = len(users), list(dict.fromkeys(columns["scorer"].tolist()))
    refuse_if(not names, f"{path}: no rows")
    scores: dict[str, Floats] = {}
    first: dict[str, Column] = {}
    expected = np.repeat(np.array(users, object), k)
    for scorer in names:
        own = {name: column[columns["scorer"] == scorer] for name, column in columns.items()}
        refuse_if(
            len(own["user"]) != num_users * k,
            f"{path}: scorer '{scorer}' has {len(own['user'])} rows, expected {num_users * k}",
        )
        refuse_if(
            (own["user"] != expected).any() or (own["replicate"] != np.tile(np.arange(k), num_users)).any(),
            f"{path}: scorer '{scorer}': not every image of every user once, in order",
        )
        first = first or own
        for name in ("seed", "digest", "item", "failure"):
            refuse_if(
                (own[name] != first[name]).any(), f"{path}: scorer '{scorer}': '{name}' is not that of '{names[0]}'"
            )
        refuse_if(
            np.isfinite(own["score"][own["failure"] != ""]).any(),
            f"{path}: scorer '{scorer}' scores an image that failed",
        )
        scores[scorer] = own["score"].reshape(num_users, k)
    return _Images(
        seed=first["seed"].reshape(num_users, k),
        digest=first["digest"].astype(np.str_).reshape(num_users, k),
        item=first["item"].astype(np.int64).reshape(num_users, k),
        failure=first["failure"].astype(np.str_).reshape(num_users, k),
    ), scores


def _check_seeds(
    folder: Path, record: GeneratorRecord, scheme: SeedScheme, users: Sequence[str], images: _Images
) -> None:
    generator = record.generator
    seeds = replace(scheme, offset=generator.offset)
    for u, user in enumerate(users):
        for replicate, seed in enumerate(images.seed[u].tolist()):
            refuse_if(
                seeds.image(user, replicate, generator.noise_group) != seed,
                f"{folder}: scores.parquet: user '{user}', image {replicate}: the seed {seed} is not this image's",
            )


def image_digests(users: Sequence[str], digest: npt.NDArray[np.str_]) -> tuple[str, str]:
    """Digest of all images in order, and of the same images in any order; ``digest`` is str [users, K]."""
    named = [[user, k, name] for user, row in zip(users, digest.tolist(), strict=True) for k, name in enumerate(row)]
    return digest_of(named), digest_of(sorted(digest.ravel().tolist()))


def _check_images(folder: Path, record: GeneratorRecord, users: Sequence[str], images: _Images) -> None:
    recorded, index = record.images, {user: u for u, user in enumerate(users)}
    odd = [repr(name[:40]) for name in sorted({*images.failure.ravel().tolist()} - {*FAILURES})]
    refuse_if(odd, f"{folder}: scores.parquet: no kind of failure is called {first_few(odd)}")
    refuse_if(
        ((images.digest == "") != (images.failure == "missing")).any(),
        f"{folder}: scores.parquet: an image lacks a digest although it is not missing, or the reverse",
    )
    refuse_if(
        image_digests(users, images.digest) != (recorded.digest, recorded.set_digest),
        f"{folder}: the images' digests are not those of the record",
    )
    names, counts = np.unique(images.failure[images.failed], return_counts=True)
    computed = {
        "requested": images.digest.size,
        "valid": int((~images.failed).sum()),
        "failures": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "different": len(set(images.digest.ravel().tolist()) - {""}),
        "from_catalogue": int((images.item >= 0).sum()),
    }
    for name, value in computed.items():
        refuse_if(
            getattr(recorded, name) != value,
            f"{folder}: images.{name}: recorded {getattr(recorded, name)}, computed {value}",
        )
    for shown in recorded.shown:
        u = index.get(shown.user)
        refuse_if(
            u is None or shown.replicate >= images.digest.shape[1] or images.digest[u, shown.replicate] != shown.digest,
            f"{folder}: images.shown: {shown.user}, {shown.replicate} is another image",
        )


def _read_users(path: Path, users: Sequence[str]) -> dict[str, dict[str, Column]]:
    """Columns of every measure, [users] each."""
    columns = read_columns(path, USERS, MOST_MEASURES * len(users))
    measures = {}
    for measure in dict.fromkeys(columns["measure"].tolist()):
        own = columns["measure"] == measure
        refuse_if(
            columns["user"][own].tolist() != list(users),
            f"{path}: measure '{measure}' does not name every user once, in order",
        )
        measures[str(measure)] = {name: column[own] for name, column in columns.items()}
    return measures


def _check_means(folder: Path, rows: Rows, stored: Mapping[str, Mapping[str, Column]]) -> None:
    for reading, column in (("exclude", "value"), ("worst", "worst")):
        for measure, value in rows.values(reading).items():
            refuse_if(
                not np.allclose(value, stored[measure][column], rtol=AGREES, atol=AGREES, equal_nan=True),
                f"{folder}: users.parquet: '{column}' of '{measure}' does not follow from the scores or sets",
            )
    for measure, columns in stored.items():
        refuse_if(
            (columns["images"] != _scored(rows, measure)).any(),
            f"{folder}: users.parquet: 'images' of '{measure}' is not the number of scored images",
        )
    for scorer, pairs in rows.pairs.items():
        refuse_if(scorer not in rows.scores, f"{folder}: pairs.parquet: '{scorer}' scores no images")
        own_sets = pairs[:, np.arange(pairs.shape[1]), rows.groups.place]
        values = rows.by_fit(scorer, "exclude")
        low = high = values
        if rows.shared is not None:  # then the own images have unequal weights
            low, high = (rows.of_fits(rows.scores[scorer], reduce) for reduce in (np.fmin.reduce, np.fmax.reduce))
        refuse_if(
            not np.allclose(own_sets, np.clip(own_sets, low, high), rtol=AGREES, atol=AGREES, equal_nan=True)
            or (np.isnan(own_sets) != np.isnan(low)).any(),
            f"{folder}: pairs.parquet: own sets of '{scorer}' do not agree with the scores",
        )


def _read_sets(path: Path, users: Sequence[str], fits: int) -> dict[str, Floats]:
    """float64 [fits, users] by measure."""
    columns = read_columns(path, SETS, MOST_MEASURES * len(users) * fits)
    sets = {}
    for measure in dict.fromkeys(columns["measure"].tolist()):
        own = columns["measure"] == measure
        refuse_if(
            columns["user"][own].tolist() != list(users) * fits
            or columns["fit"][own].tolist() != np.repeat(np.arange(fits), len(users)).tolist(),
            f"{path}: measure '{measure}' does not name every user of every fit once, in order",
        )
        sets[str(measure)] = columns["value"][own].reshape(fits, len(users))
    return sets


def _read_pairs(path: Path, rows: Rows) -> tuple[dict[str, Floats], Ints | None]:
    """``pairs`` and ``shared`` of the rows, which are complete but for these."""
    valid, generated, groups = rows.images_by_fit, rows.generated_by_fit, rows.groups
    fits, users = valid.shape
    shape = (fits, *groups.targets.shape)
    columns = read_columns(path, PAIRS, MOST_MEASURES * int(np.prod(shape)))
    fit, judge, target = columns["fit"], columns["judge"], columns["target"]
    refuse_if(
        len(judge) and not (min(judge.min(), target.min()) >= 0 and max(judge.max(), target.max()) < users),
        f"{path}: a user outside 0 to {users - 1}",
    )
    refuse_if(len(fit) and not (fit.min() >= 0 and fit.max() < fits), f"{path}: a fit outside 0 to {fits - 1}")
    apart = first_true(groups.label[judge] != groups.label[target])
    if apart is not None:
        raise RecordError(f"{path}: users {judge[apart]} and {target[apart]} are not of one group")
    n, most = columns["n"], valid[fit, target]
    refuse_if(
        ((n > most) | (n < generated[fit, target]) | ((judge == target) & (n != most))).any(),
        f"{path}: 'n' is not the number of the target's valid images that the judge could have been shown",
    )
    refuse_if((np.isnan(columns["mean"]) != (n == 0)).any(), f"{path}: a mean over no image, or none over images")
    everything = _of_targets(rows)
    place = np.ravel_multi_index((fit, judge, groups.place[target]), shape)
    shared = everything.copy()
    shared.flat[place] = n
    refuse_if((shared.flat[place] != n).any(), f"{path}: 'n' of one pair differs between scorers")
    pairs: dict[str, Floats] = {}
    for scorer in dict.fromkeys(columns["scorer"].tolist()):
        own = columns["scorer"] == scorer
        given = np.zeros(shape, bool)  # counting them is faster than sorting the places
        given.flat[place[own]] = True
        refuse_if(given.sum() != own.sum(), f"{path}: a pair of '{scorer}' is given twice")
        pairs[str(scorer)] = np.full(shape, np.nan)
        pairs[str(scorer)].flat[place[own]] = columns["mean"][own]
    return pairs, None if (shared == everything).all() else shared


def read_held_out(path: Path, users: int) -> HeldOutScores:
    """Reads ``verifier.parquet``, checked.

    Args:
        path: The file.
        users: Users of the data set.

    Raises:
        RecordError: If it cannot be read, a column is missing or of another type, or a value is impossible.
    """
    scores = HeldOutScores(**read_columns(path, JUDGED, MOST_HELD_OUT))
    refuse_if(
        len(scores) and not (scores.user.min() >= 0 and scores.user.max() < users),
        f"{path}: a user outside 0 to {users - 1}",
    )
    refuse_if(len(scores) and scores.item.min() < 0, f"{path}: an item below 0")
    refuse_if(
        not np.isfinite(scores.score).all() or not np.isfinite(scores.share).all(),
        f"{path}: a score or share that is not finite",
    )
    judged = scores.score[np.isin(scores.judge, JUDGES)]
    refuse_if(((judged < 0) | (judged > 1)).any(), f"{path}: a judge's probability outside [0, 1]")
    names = [np.unique(c.astype(np.str_), return_inverse=True)[1] for c in (scores.judge, scores.split, scores.share)]
    refuse_if(
        np.unique(np.stack([*names, scores.user, scores.item]), axis=1).shape[1] != len(scores),
        f"{path}: a rating is given twice",
    )
    return scores
