"""Calculates the leaderboard's statistics a second time, by hand, and compares them with a record.

    python scripts/by_hand.py results/sprites/v1

Nothing of ``benchmark`` is imported: plain loops over the rows, formulas as in a textbook, random tests with random
numbers of their own. What has a formula must agree to rounding; what rests on random draws, within four standard errors
of both draws together.
"""

from __future__ import annotations

import functools
import json
import math
import random
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq
from scipy.stats import pearsonr, spearmanr
from scipy.stats import t as student

DRAWS = 400
"""Permutations and flips of this script's own; enough to see a wrong p, few enough for plain loops."""
ERRORS = 4.0
PAIRS_PER_FAMILY = 3
BCA_SLACK = 0.25
"""Ends by bootstrap and by Student's t may differ by this share of the half-width where values are not skewed."""


class Check:
    """Counts agreements and collects disagreements."""

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.agree = 0
        self.wrong: list[str] = []

    def same(self, what: str, hand: float | None, recorded: float | None, slack: float = 1e-7) -> None:
        """Both are missing, or differ by at most ``slack`` (absolute and relative)."""
        missing = [value is None or math.isnan(value) for value in (hand, recorded)]
        good = all(missing) if any(missing) else abs(hand - recorded) <= slack * (1 + abs(recorded))
        if self.verbose:
            click.echo(f"{'ok   ' if good else 'WRONG'} {what}: by hand {hand}, recorded {recorded}")
        if good:
            self.agree += 1
        else:
            self.wrong.append(f"{what}: by hand {hand}, recorded {recorded}")

    def p(self, what: str, hits: int, recorded: float) -> None:
        """A p of our own draws against the recorded one."""
        hand = (hits + 1) / (DRAWS + 1)
        error = math.sqrt(max(recorded * (1 - recorded), 1 / DRAWS) / DRAWS)
        self.same(what, hand, recorded, ERRORS * error)


def mean(values: list[float]) -> float:
    """Arithmetic mean; NaN without values."""
    return sum(values) / len(values) if values else math.nan


@functools.lru_cache(maxsize=4)
def columns(path: Path) -> list[dict[str, Any]]:
    """Rows of a parquet file; the last few are kept, for reading takes longest."""
    return pq.read_table(path).to_pylist()


def interval(check: Check, what: str, values: list[float], recorded: dict[str, Any]) -> None:
    """Mean and its interval: Student's t up to 60 users; above, the bootstrap must lie near it."""
    n, m = len(values), mean(values)
    check.same(f"{what}: mean", m, recorded["estimate"])
    check.same(f"{what}: users", n, recorded["n"])
    if n < 2 or max(values) - min(values) < 1e-12:
        return
    deviation = statistics.stdev(values)
    half = student.ppf(0.975, n - 1) * deviation / math.sqrt(n)
    lopsided = mean([(v - m) ** 3 for v in values]) / mean([(v - m) ** 2 for v in values]) ** 1.5
    check.same(f"{what}: skewness", lopsided, recorded["skewness"], 1e-5)
    if n <= 60:
        check.same(f"{what}: low", m - half, recorded["low"])
        check.same(f"{what}: high", m + half, recorded["high"])
    elif abs(lopsided) <= 1:
        check.same(f"{what}: low", m - half, recorded["low"], BCA_SLACK * half)
        check.same(f"{what}: high", m + half, recorded["high"], BCA_SLACK * half)


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's interval, solved from (p - share)^2 = z^2 p (1 - p) / n."""
    z = 1.959963984540054
    a, b, c = 1 + z * z / n, -(2 * share + z * z / n), share * share
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    return max(0.0, (-b - root) / (2 * a)), min(1.0, (-b + root) / (2 * a))


def sizes(d: list[float]) -> float:
    """|t| of a paired difference."""
    n, m = len(d), mean(d)
    variance = (sum(v * v for v in d) - n * m * m) / (n - 1)
    if variance <= 1e-12 * m * m:
        return 0.0 if m == 0 else math.inf
    return abs(m) * math.sqrt(n / variance)


def scores_of(folder: Path, name: str) -> dict[str, dict[str, list[float | None]]]:
    """Scores in order of replicates by scorer and user, None for failures."""
    out: dict[str, dict[str, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    for row in columns(folder / name / "scores.parquet"):
        out[row["scorer"]][row["user"]].append(row["score"])
    return out


def known(values: list[float | None]) -> list[float]:
    """Without failures."""
    return [v for v in values if v is not None and not math.isnan(v)]


def lifts(
    folder: Path, name: str, users: dict[str, Any], scorer: str
) -> tuple[dict[int, float], list[list[int]], dict]:
    """Every user's lift, the groups in which sets may be exchanged, and S."""
    table = {
        (r["judge"], r["target"]): r["mean"] for r in columns(folder / name / "pairs.parquet") if r["scorer"] == scorer
    }
    images = {r["target"]: r["n"] for r in columns(folder / name / "pairs.parquet") if r["judge"] == r["target"]}
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for u, block in enumerate(users["block"]):
        if images.get(u, 0):
            groups[block, images[u]].append(u)
    out: dict[int, float] = {}
    good = [m for m in groups.values() if len(m) > 1 and all((u, v) in table for u in m for v in m)]
    for members in good:
        n = len(members)
        rows = {u: mean([table[u, v] for v in members]) for u in members}
        down = {v: mean([table[u, v] for u in members]) for v in members}
        every = mean(list(rows.values()))
        for u in members:
            out[u] = n / (n - 1) * (table[u, u] - rows[u] - down[u] + every)
    return out, good, table


def check_generator(check: Check, folder: Path, name: str, comparison: dict[str, Any], rng: random.Random) -> None:
    """Means, lifts and whole-set tests of one generator."""
    record = json.loads((folder / name / "record.json").read_text())
    users = comparison["users"]
    for scorer, by_user in scores_of(folder, name).items():
        values = [mean(known(scores)) for scores in by_user.values() if known(scores)]
        interval(check, f"{name}, {scorer}", values, record["summary"][scorer]["interval"])
    for scorer, personal in record["personal"].items():
        lift_of_user, groups, table = lifts(folder, name, users, scorer)
        what = f"{name}, lift by {scorer}"
        check.same(f"{what}: users", len(lift_of_user), personal["estimable"])
        if not lift_of_user:
            continue
        interval(check, what, list(lift_of_user.values()), personal["lift"])
        others = [table[u, u] - mean([table[u, v] for v in m if v != u]) for m in groups for u in m]
        check.same(f"{what}: own minus others", mean(others), personal["lift"]["estimate"])
        check_test(check, what, groups, table, personal, rng)


def check_test(
    check: Check, what: str, groups: list, table: dict, personal: dict[str, Any], rng: random.Random
) -> None:
    """T1 and T2 with sets handed round at random."""
    centred = {}
    for members in groups:
        rows = {u: mean([table[u, v] for v in members]) for u in members}
        down = {v: mean([table[u, v] for u in members]) for v in members}
        every = mean(list(rows.values()))
        for u in members:
            for v in members:
                centred[u, v] = round(table[u, v] - rows[u] - down[v] + every, 12)
    own = [(u, u) for members in groups for u in members]
    t1, t2 = mean([table[pair] for pair in own]), statistics.median(centred[pair] for pair in own)
    check.same(f"{what}: T1", t1, personal["mean"]["statistic"])
    check.same(f"{what}: T2", t2, personal["median_double_centred"]["statistic"])
    hits = [0, 0]
    for _ in range(DRAWS):
        moved = []
        for members in groups:
            targets = members[:]
            rng.shuffle(targets)
            moved += list(zip(members, targets, strict=True))
        hits[0] += mean([table[pair] for pair in moved]) >= t1 - 1e-9 * abs(t1)
        hits[1] += statistics.median(centred[pair] for pair in moved) >= t2 - 1e-9 * abs(t2)
    check.p(f"{what}: p of T1", hits[0], personal["mean"]["p"])
    check.p(f"{what}: p of T2", hits[1], personal["median_double_centred"]["p"])


def check_family(check: Check, folder: Path, measure: str, comparison: dict[str, Any], rng: random.Random) -> None:
    """Pairs, step-down max-T, Holm, ranks and tie groups of one declared family."""
    family = comparison["results"]["families"][measure]
    ids = family["generators"]
    values: dict[str, dict[Any, float]] = {}
    image_scores: dict[str, dict[str, list[float]]] = {}
    for name in ids:
        if measure.startswith("lift:"):
            lift_of_user = lifts(folder, name, comparison["users"], measure[5:])[0]
            values[name] = {comparison["users"]["id"][u]: lift for u, lift in lift_of_user.items()}
        else:
            image_scores[name] = {user: known(s) for user, s in scores_of(folder, name)[measure].items()}
            values[name] = {user: mean(s) for user, s in image_scores[name].items() if s}
    tested = [pair for pair in family["comparisons"] if pair["test"]]
    everyone = comparison["users"]["id"]
    d = [
        {u: values[o["a"]][u] - values[o["b"]][u] for u in everyone if u in values[o["a"]] and u in values[o["b"]]}
        for o in tested
    ]
    for number, (pair, difference) in enumerate(zip(tested, d, strict=True)):
        if number % max(1, len(tested) // PAIRS_PER_FAMILY) == 0:
            check_pair(check, f"{measure}, {pair['a']} and {pair['b']}", pair, difference, image_scores)
    observed = [sizes(list(difference.values())) for difference in d]
    order = sorted(range(len(d)), key=lambda k: -observed[k])
    raw, stepped = [0] * len(d), [0] * len(d)
    for _ in range(DRAWS):
        sign = {u: rng.choice((-1, 1)) for u in everyone}
        t = [sizes([sign[u] * v for u, v in difference.items()]) for difference in d]
        largest = 0.0
        for k in reversed(order):
            raw[k] += t[k] >= observed[k] * (1 - 1e-9)
            largest = max(largest, t[k])
            stepped[k] += largest >= observed[k] * (1 - 1e-9)
    before = 0.0
    for k in order:
        check.p(f"{measure}, {tested[k]['a']} and {tested[k]['b']}: p", raw[k], tested[k]["test"]["p"])
        before = max(before, (stepped[k] + 1) / (DRAWS + 1))
        check.p(f"{measure}: adjusted p", round(before * (DRAWS + 1)) - 1, tested[k]["test"]["p_max_t"])
    holm = 0.0
    for place, pair in enumerate(sorted(tested, key=lambda o: o["test"]["p"])):
        holm = max(holm, min(1.0, pair["test"]["p"] * (len(tested) - place)))
        check.same(f"{measure}: Holm", holm, pair["test"]["p_holm"])
    for name, rank in family["ranks"].items():
        better = sum(
            (o["a"], o["verdict"]) == (name, "worse") or (o["b"], o["verdict"]) == (name, "better") for o in tested
        )
        worse = sum(
            (o["a"], o["verdict"]) == (name, "better") or (o["b"], o["verdict"]) == (name, "worse") for o in tested
        )
        check.same(f"{measure}, rank of {name}: low", 1 + better, rank["low"])
        check.same(f"{measure}, rank of {name}: high", len(ids) - worse, rank["high"])


def check_pair(check: Check, what: str, pair: dict[str, Any], difference: dict, image_scores: dict) -> None:
    """Difference, effect, preference, images against images, smallest detectable difference."""
    d = list(difference.values())
    n, deviation = len(d), statistics.stdev(d)
    interval(check, what, d, pair["difference"])
    check.same(f"{what}: d_z", mean(d) / deviation if deviation > 1e-12 else None, pair["effect"])
    check.same(f"{what}: detectable", 2.8 * deviation / math.sqrt(n), pair["detectable"])
    share = mean([over(v, 0.0, 1e-9 * max(map(abs, d))) for v in d])
    low, high = wilson(share, n)
    for name, hand in (("share", share), ("low", low), ("high", high)):
        check.same(f"{what}: prefer, {name}", hand, pair["prefer"][name])
    if pair["beats"] is None:
        return
    both = [(image_scores[pair["a"]][user], image_scores[pair["b"]][user]) for user in difference]
    largest = max(abs(score) for sets in both for scores in sets for score in scores)
    wins = [mean([over(x, y, 1e-6 * largest) for x in a for y in b]) for a, b in both]
    check.same(f"{what}: image beats image", mean(wins), pair["beats"]["estimate"])


def over(x: float, y: float, tie: float) -> float:
    """1 where x is above y, one half where they are equal but for rounding."""
    return 0.5 if abs(x - y) <= tie else float(x > y)


def area(rows: list[dict[str, Any]]) -> float | None:
    """AUC by counting pairs."""
    good = [r["score"] for r in rows if r["label"]]
    bad = sorted(r["score"] for r in rows if not r["label"])
    if not good or not bad:
        return None
    return mean([over(x, y, 1e-9) for x in good for y in bad])


def check_judges(check: Check, folder: Path, comparison: dict[str, Any]) -> None:
    """AUC within user, Brier score and calibration error of every judge."""
    rows = columns(folder / "_task" / "verifier.parquet")
    for judge, entry in comparison["judges"].items():
        own = [r for r in rows if r["judge"] == judge and r["split"] == "test" and r["share"] == 1]
        check.same(f"{judge}: rows", len(own), entry["rows"])
        rows_of_user: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in own:
            rows_of_user[row["user"]].append(row)
        areas = [a for a in (area(own_rows) for own_rows in rows_of_user.values()) if a is not None]
        interval(check, f"{judge}, AUC within user", areas, entry["auc_within_user"])
        if entry["calibration"] is None:
            continue
        brier = mean([(r["score"] - r["label"]) ** 2 for r in own])
        check.same(f"{judge}: Brier", brier, entry["calibration"]["brier"])
        bins: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in own:
            bins[min(9, int(row["score"] * 10 + 1e-12))].append(row)
        gap = sum(
            len(b) * abs(mean([r["score"] for r in b]) - mean([float(r["label"]) for r in b])) for b in bins.values()
        )
        check.same(f"{judge}: calibration error", gap / len(own), entry["calibration"]["expected_error"])


def check_agreement(check: Check, folder: Path, comparison: dict[str, Any]) -> None:
    """Correlations of the primary scorer with the others, pooled and within user."""
    seen: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for name in comparison["order"]:
        if not json.loads((folder / name / "record.json").read_text())["generator"]["ranked"]:
            continue
        for row in columns(folder / name / "scores.parquet"):
            if row["score"] is not None and not math.isnan(row["score"]):
                seen[row["user"], row["digest"]].setdefault(row["scorer"], row["score"])
    for pair in comparison["results"]["agreement"]:
        both = [
            (user, s[pair["a"]], s[pair["b"]]) for (user, _), s in seen.items() if pair["a"] in s and pair["b"] in s
        ]
        what = f"{pair['a']} and {pair['b']}"
        check.same(f"{what}: images", len(both), pair["images"])
        for name, correlate in (("pearson", pearsonr), ("spearman", spearmanr)):
            pooled = correlate([x for _, x, _ in both], [y for _, _, y in both]).statistic
            check.same(f"{what}: pooled {name}", pooled, pair["pooled"][name]["estimate"], 1e-6)
            scores_of_user: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for user, x, y in both:
                scores_of_user[user].append((x, y))
            varied = [
                p for p in scores_of_user.values() if len(p) > 2 and all(len({q[i] for q in p}) > 1 for i in (0, 1))
            ]
            within = mean([correlate(*zip(*p, strict=True)).statistic for p in varied])
            check.same(f"{what}: {name} within user", within, pair["within_user"][name]["estimate"], 1e-6)


def run(folder: Path, verbose: bool = False, seed: int = 0) -> Check:
    """Checks a record folder."""
    check, rng = Check(verbose), random.Random(seed)
    comparison = json.loads((folder / "_task" / "comparison.json").read_text())
    for name in comparison["order"]:
        check_generator(check, folder, name, comparison, rng)
    primary = comparison["spec"]["analysis"]["primary"]["scorer"]
    for measure in (primary, f"lift:{primary}"):
        check_family(check, folder, measure, comparison, rng)
    check_judges(check, folder, comparison)
    check_agreement(check, folder, comparison)
    return check


@click.command()
@click.argument("records", type=click.Path(path_type=Path))
@click.option("--verbose", is_flag=True, help="Print every line.")
def main(records: Path, verbose: bool) -> None:
    """Compares a record with a calculation by hand."""
    check = run(records, verbose)
    click.echo(f"{records}: {check.agree:,} numbers calculated by hand agree, {len(check.wrong)} do not")
    if check.wrong:
        sys.exit("\n".join(check.wrong))


if __name__ == "__main__":
    main()
