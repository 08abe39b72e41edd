"""Calculates the leaderboard's statistics a second time, by hand, and compares them with a record.

    python scripts/by_hand.py results/sprites/v2

Nothing of ``benchmark`` is imported: plain loops over the rows, formulas as in a textbook, random tests with random
numbers of their own. What has a formula must agree to rounding; what rests on random draws, within four standard errors
of both draws together.
"""

from __future__ import annotations

import functools
import json
import math
import random
import re
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
FIT_DRAWS = 8_000
DRAWN = 12.0
"""Half-widths over fits come from draws of both sides: they may differ by this, over the root of the recorded draws.
Four standard errors where three fits alone give the variance, whose draws have the tails of t with two degrees."""
Limits = tuple[float, float]
Table = dict[tuple[int, int], float]
WIDE: Limits = (-math.inf, math.inf)
BCA_SLACK = 0.25
"""Ends by bootstrap and by Student's t may differ by this share of the half-width where values are not skewed."""


class Check:
    """Counts agreements and collects disagreements; ``draws`` are those of the record."""

    def __init__(self, verbose: bool, draws: int) -> None:
        self.verbose, self.draws = verbose, draws
        self.agree = 0
        self.wrong: list[str] = []

    def same(self, what: str, hand: float | None, recorded: float | None, slack: float = 1e-7) -> None:
        """Both are missing, or differ by at most ``slack`` (absolute and relative)."""
        a, b = (math.nan if value is None else value for value in (hand, recorded))
        good = (math.isnan(a) and math.isnan(b)) or abs(a - b) <= slack * (1 + abs(b))
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


def interval(
    check: Check,
    what: str,
    values: list[float],
    recorded: dict[str, Any],
    fits: float = 0.0,
    limits: Limits = WIDE,
) -> None:
    """Mean and its interval: Student's t up to 60 users; above, the bootstrap must lie near it.

    ``fits`` is half the width of an interval over fits alone, by draws of our own, which allow for theirs; ``limits``
    are the lowest and highest possible mean. Where items are drawn, the ends over users alone are compared.
    """
    ends, fits = (recorded["over_users"], 0.0) if recorded.get("over_users") else (recorded, fits)
    n, m = len(values), mean(values)
    check.same(f"{what}: mean", m, recorded["estimate"])
    check.same(f"{what}: users", n, recorded["n"])
    if n < 2 or max(values) - min(values) < 1e-12:
        return
    deviation = statistics.stdev(values)
    half = math.hypot(student.ppf(0.975, n - 1) * deviation / math.sqrt(n), fits)
    slack = max(1e-7, DRAWN / math.sqrt(check.draws) * fits)
    lopsided = mean([(v - m) ** 3 for v in values]) / mean([(v - m) ** 2 for v in values]) ** 1.5
    check.same(f"{what}: skewness", lopsided, recorded["skewness"], 1e-5)
    if n <= 60:
        check.same(f"{what}: low", max(m - half, limits[0]), ends["low"], slack)
        check.same(f"{what}: high", min(m + half, limits[1]), ends["high"], slack)
    elif abs(lopsided) <= 1:
        check.same(f"{what}: low", max(m - half, limits[0]), ends["low"], BCA_SLACK * half)
        check.same(f"{what}: high", min(m + half, limits[1]), ends["high"], BCA_SLACK * half)


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


def opinions(folder: Path, name: str, users: dict[str, Any], scorer: str) -> tuple[list[Table], list[list[int]]]:
    """S of every fit, and the groups in which sets may be exchanged: same block, as many images in every fit."""
    rows = [r for r in columns(folder / name / "pairs.parquet") if r["scorer"] == scorer]
    count = 1 + max(r["fit"] for r in rows)
    tables: list[Table] = [{} for _ in range(count)]
    images: dict[int, dict[int, int]] = defaultdict(dict)
    for r in rows:
        if r["n"]:
            tables[r["fit"]][r["judge"], r["target"]] = r["mean"]
        if r["judge"] == r["target"]:
            images[r["target"]][r["fit"]] = r["n"]
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for u, block in enumerate(users["block"]):
        numbers = [images[u].get(fit, 0) for fit in range(count)]
        if min(numbers):
            groups[block, *numbers].append(u)
    kept = [well_known(tables, members) for members in groups.values()]
    kept = [members for members in kept if len(members) > 1]
    return [filled(table, kept) for table in tables], kept


def well_known(tables: list[Table], members: list[int]) -> list[int]:
    """Members left when those with the fewest scores were taken out, until all have and got more than half of them."""
    left = list(members)
    while left:
        known = {(u, v): all((u, v) in table for table in tables) for u in left for v in left}
        shares = [min(sum(known[u, v] for v in left), sum(known[v, u] for v in left)) / len(left) for u in left]
        if min(shares) > 0.5:
            break
        del left[shares.index(min(shares))]
    return left


def filled(table: Table, groups: list[list[int]]) -> Table:
    """S with the missing pairs of each group at leniency plus quality: row and column effects, turn by turn."""
    out = dict(table)
    for members in groups:
        cells = [(u, v) for u in members for v in members if (u, v) in table]
        if len(cells) == len(members) ** 2:
            continue
        row, column, change = dict.fromkeys(members, 0.0), dict.fromkeys(members, 0.0), math.inf
        by_row, by_column = defaultdict(list), defaultdict(list)
        for u, v in cells:
            by_row[u].append(v)
            by_column[v].append(u)
        while change > 1e-13:
            before = dict(column)
            row = {u: mean([table[u, v] - column[v] for v in by_row[u]]) for u in members}
            column = {v: mean([table[u, v] - row[u] for u in by_column[v]]) for v in members}
            change = max(abs(column[v] - before[v]) for v in members)
        out |= {(u, v): row[u] + column[v] for u in members for v in members if (u, v) not in table}
    return out


def lifts_by_fit(folder: Path, name: str, users: dict[str, Any], scorer: str) -> list[dict[int, float]]:
    """Every user's lift within each fit."""
    tables, groups = opinions(folder, name, users, scorer)
    out: list[dict[int, float]] = []
    for table in tables:
        out.append({})
        for members in groups:
            n = len(members)
            rows = {u: mean([table[u, v] for v in members]) for u in members}
            down = {v: mean([table[u, v] for u in members]) for v in members}
            every = mean(list(rows.values()))
            for u in members:
                out[-1][u] = n / (n - 1) * (table[u, u] - rows[u] - down[u] + every)
    return out


def over_fits(by_fit: list[dict[Any, float]]) -> dict[Any, float]:
    """Each user's mean over fits."""
    return {u: mean([fit[u] for fit in by_fit]) for u in by_fit[0]}


class Fits:
    """What another fit of each generator would add to its mean, by draws of this script's own.

    Generators of one fitting procedure pool the variance between fits. Those with the same fits share a part of it.
    """

    def __init__(self, folder: Path, measure: str, names: list[str], comparison: dict[str, Any], seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.names = names
        self.spec: dict[str, tuple[str, tuple[str, ...]]] = {}
        values: dict[str, list[dict[Any, float]]] = {}
        for name in names:
            record = json.loads((folder / name / "record.json").read_text())
            keys = tuple(fit["key"] for fit in record["fits"])
            if len(keys) > 1:
                info = record["generator"]
                self.spec[name] = f"{info['use']} {name}" if info["fitted_elsewhere"] else info["use"], keys
                values[name] = values_by_fit(folder, name, measure, comparison)
        groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
        for name, key in self.spec.items():
            groups[key].append(name)
        self.members = groups
        self.total: dict[str, tuple[float, float, int]] = {}
        self.shared: dict[str, tuple[float, float, int]] = {}
        for use in {use for use, _ in groups}:
            own = [members for (each, _), members in groups.items() if each == use and self.common(values, members)]
            if not own:
                continue
            parts = [self.square([values[name] for name in members], share=False) for members in own]
            self.total[use] = pooled(parts)
            inner = [self.square([values[name] for name in members], share=True) for members in own if len(members) > 1]
            if inner:
                self.shared[use] = pooled(inner)

    @staticmethod
    def common(values: dict[str, list[dict[Any, float]]], members: list[str]) -> bool:
        """Whether two users have a value in every fit of these generators."""
        return len(set.intersection(*(set(fit) for name in members for fit in values[name]))) > 1

    @staticmethod
    def square(generators: list[list[dict[Any, float]]], share: bool) -> tuple[float, float, int]:
        """Variance of the means of fits, the noise in it, and degrees of freedom; ``share``: of what is not shared."""
        count, size = len(generators[0]), len(generators)
        users = sorted(set.intersection(*(set(fit) for own in generators for fit in own)))
        square = noise = 0.0
        for own in generators:
            table = [
                [own[f][u] - (mean([each[f][u] for each in generators]) if share else 0.0) for u in users]
                for f in range(count)
            ]
            rows = [mean(row) for row in table]
            down = [mean([row[k] for row in table]) for k in range(len(users))]
            every = mean(rows)
            square += sum((row - every) ** 2 for row in rows) / (count - 1)
            rest = sum((table[f][k] - rows[f] - down[k] + every) ** 2 for f in range(count) for k in range(len(users)))
            noise += rest / ((count - 1) * (len(users) - 1)) / len(users)
        factor = 1 / (size - 1) if share else 1 / size
        return square * factor, noise * factor, (count - 1) * (size - 1 if share else 1)

    def draw(self) -> dict[str, float]:
        """One draw for every generator; 0 for those whose fit does not vary."""
        rng, out = self.rng, dict.fromkeys(self.names, 0.0)
        total = {use: self.variance(part) for use, part in sorted(self.total.items())}
        inner = {use: self.variance(part) for use, part in sorted(self.shared.items())}
        for (use, keys), members in sorted(self.members.items()):
            if use not in total:
                continue
            alone = len(members) == 1
            common = 0.0 if alone else rng.gauss(0, 1) * math.sqrt(max(0.0, total[use] - inner[use]))
            for name in members:
                own = rng.gauss(0, 1) * math.sqrt(total[use] if alone else inner[use])
                out[name] = (own + common) / math.sqrt(len(keys))
        return out

    def variance(self, part: tuple[float, float, int]) -> float:
        """A variance that a mean square is compatible with."""
        value, noise, degrees = part
        return max(0.0, value * degrees / (2 * self.rng.gammavariate(degrees / 2, 1)) - noise)

    def between(self, a: str, b: str) -> float:
        """Estimated variance of the difference of two means, as far as fits go."""
        if a in self.spec and self.spec[a] == self.spec.get(b):
            value, noise, _ = self.shared[self.spec[a][0]]
            return 2 * max(0.0, value - noise) / len(self.spec[a][1])
        varying = [self.spec[name] for name in (a, b) if name in self.spec and self.spec[name][0] in self.total]
        parts = [(self.total[use], len(keys)) for use, keys in varying]
        return sum(max(0.0, value - noise) / count for (value, noise, _), count in parts)

    def half(self, draws: list[dict[str, float]], a: str, b: str | None = None, share: float = 0.95) -> float:
        """What this share of the draws does not exceed, for a generator or a difference."""
        sizes_ = sorted(abs(draw[a] - (0.0 if b is None else draw[b])) for draw in draws)
        return sizes_[int(share * len(sizes_))]


def pooled(parts: list[tuple[float, float, int]]) -> tuple[float, float, int]:
    """Mean squares weighted by their degrees of freedom."""
    degrees = sum(part[2] for part in parts)
    return sum(p[0] * p[2] for p in parts) / degrees, sum(p[1] * p[2] for p in parts) / degrees, degrees


def values_by_fit(folder: Path, name: str, measure: str, comparison: dict[str, Any]) -> list[dict[Any, float]]:
    """A preference or lift of every user in every fit."""
    if measure.startswith("lift:"):
        return lifts_by_fit(folder, name, comparison["users"], measure[5:])
    fits, by_user = comparison["spec"]["fits"], scores_of(folder, name)[measure]
    split = {user: [known(scores[f::fits]) for f in range(fits)] for user, scores in by_user.items()}
    return [{user: mean(own[f]) for user, own in split.items() if own[f]} for f in range(fits)]


def half_widths(folder: Path, measure: str, comparison: dict[str, Any]) -> dict[str, float]:
    """Of intervals over fits alone; an unranked generator pools its variance with the ranked ones."""
    infos = {name: json.loads((folder / name / "record.json").read_text()) for name in comparison["order"]}
    kind, scorer = ("personal", measure[5:]) if measure.startswith("lift:") else ("summary", measure)
    having = [name for name, info in infos.items() if scorer in info[kind]]
    results = comparison["results"]
    reasons = ("incomplete", "failing", "unconfirmed", "copying", "outside")
    left_out = {name for reason in reasons for name in results.get(reason, ())}
    ranked = [name for name in having if infos[name]["generator"]["ranked"] and name not in left_out]
    out: dict[str, float] = {}
    for extra in [None, *(name for name in having if name not in ranked)]:
        fits = Fits(folder, measure, ranked if extra is None else [*ranked, extra], comparison)
        draws = [fits.draw() for _ in range(FIT_DRAWS)] if fits.spec else []
        out |= {name: fits.half(draws, name) if draws else 0.0 for name in (ranked if extra is None else [extra])}
    return out


def check_generator(
    check: Check,
    folder: Path,
    name: str,
    comparison: dict[str, Any],
    halves: dict[str, dict[str, float]],
    rng: random.Random,
) -> None:
    """Means, lifts and whole-set tests of one generator; ``halves`` are those of :func:`half_widths` by measure."""
    record = json.loads((folder / name / "record.json").read_text())
    users = comparison["users"]
    for scorer, by_user in scores_of(folder, name).items():
        values = [mean(known(scores)) for scores in by_user.values() if known(scores)]
        limits = tuple(record["measures"][scorer]["range"] or WIDE)
        summary = record["summary"][scorer]
        interval(check, f"{name}, {scorer}", values, summary["interval"], halves[scorer][name], limits)
        check_spread(check, f"{name}, {scorer}", values_by_fit(folder, name, scorer, comparison), summary)
    for scorer, personal in record["personal"].items():
        by_fit = lifts_by_fit(folder, name, users, scorer)
        tables, groups = opinions(folder, name, users, scorer)
        what = f"{name}, lift by {scorer}"
        check.same(f"{what}: users", len(by_fit[0]), personal["estimable"])
        if not by_fit[0]:
            continue
        low, high = record["measures"][scorer]["range"] or WIDE
        half = halves[f"lift:{scorer}"][name]
        interval(check, what, list(over_fits(by_fit).values()), personal["lift"], half, (low - high, high - low))
        check_spread(check, what, by_fit, personal)
        table = {
            pair: mean([each[pair] for each in tables]) for pair in tables[0] if all(pair in each for each in tables)
        }
        others = [table[u, u] - mean([table[u, v] for v in m if v != u]) for m in groups for u in m]
        check.same(f"{what}: own minus others", mean(others), personal["lift"]["estimate"])
        check_test(check, what, groups, table, personal, rng)


def check_spread(check: Check, what: str, by_fit: list[dict[Any, float]], recorded: dict[str, Any]) -> None:
    """Means of fits, and their standard deviation."""
    if not recorded["by_fit"]:
        return
    means = [mean(list(fit.values())) for fit in by_fit]
    for number, (hand, other) in enumerate(zip(means, recorded["by_fit"], strict=True)):
        check.same(f"{what}: fit {number}", hand, other)
    answered = [value for value in means if not math.isnan(value)]
    spread = statistics.stdev(answered) if len(answered) > 1 else None
    check.same(f"{what}: between fits", spread, recorded["between_fits"])


def check_test(
    check: Check, what: str, groups: list[list[int]], table: Table, personal: dict[str, Any], rng: random.Random
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
    """Pairs, step-down max-T, Holm, ranks and letters of one declared family."""
    family = comparison["results"]["families"][measure]
    ids = family["generators"]
    values: dict[str, dict[Any, float]] = {}
    image_scores: dict[str, dict[str, list[float]]] = {}
    for name in ids:
        if measure.startswith("lift:"):
            lift_of_user = over_fits(lifts_by_fit(folder, name, comparison["users"], measure[5:]))
            values[name] = {comparison["users"]["id"][u]: lift for u, lift in lift_of_user.items()}
        else:
            image_scores[name] = {user: known(s) for user, s in scores_of(folder, name)[measure].items()}
            values[name] = {user: mean(s) for user, s in image_scores[name].items() if s}
    fits = Fits(folder, measure, ids, comparison)
    drawn = [fits.draw() for _ in range(FIT_DRAWS)] if fits.spec else []
    for use, (value, noise, degrees) in fits.total.items():
        recorded = family["fits"][use]["total"]
        for field, hand in (("value", value), ("noise", noise), ("degrees", degrees)):
            check.same(f"{measure}, variance between fits of {use}: {field}", hand, recorded[field])
    tested = [pair for pair in family["comparisons"] if pair["test"]]
    everyone = comparison["users"]["id"]
    d = [
        {u: values[o["a"]][u] - values[o["b"]][u] for u in everyone if u in values[o["a"]] and u in values[o["b"]]}
        for o in tested
    ]
    for number, (pair, difference) in enumerate(zip(tested, d, strict=True)):
        if number % max(1, len(tested) // PAIRS_PER_FAMILY) == 0:
            what, a, b = f"{measure}, {pair['a']} and {pair['b']}", pair["a"], pair["b"]
            half = fits.half(drawn, a, b) if drawn else 0.0
            check_pair(check, what, pair, difference, image_scores, half, fits.between(a, b))
    added = [fits.between(o["a"], o["b"]) for o in tested]

    units: list[float] = []
    observed = [sizes(list(own.values())) for own in d]
    if fits.spec:
        halves = [fits.half(drawn, o["a"], o["b"], 0.99) for o in tested]
        units = [unit(list(own.values()), half) for own, half in zip(d, halves, strict=True)]
        observed = [abs(mean(list(own.values()))) / one_unit for own, one_unit in zip(d, units, strict=True)]
    order = sorted(range(len(d)), key=lambda k: -observed[k])
    raw, stepped = [0] * len(d), [0] * len(d)
    for number in range(DRAWS):
        sign = {u: rng.choice((-1, 1)) for u in everyone}
        if fits.spec:
            other = drawn[number]
            t = [
                flipped(own, sign, extra, other[pair["a"]] - other[pair["b"]]) / one_unit
                for pair, own, extra, one_unit in zip(tested, d, added, units, strict=True)
            ]
        else:
            t = [sizes([sign[u] * v for u, v in own.items()]) for own in d]
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
    check_letters(check, measure, family)


def check_letters(check: Check, measure: str, family: dict[str, Any]) -> None:
    """Where all pairs were tested, two generators share a letter exactly if they are not significantly different."""
    letters = {name: set(re.findall(r"[a-z]\d*", rank["letters"])) for name, rank in family["ranks"].items()}
    if not any(letters.values()):
        return
    for pair in family["comparisons"]:
        differ, share = pair["verdict"] in ("better", "worse"), bool(letters[pair["a"]] & letters[pair["b"]])
        check.same(f"{measure}, {pair['a']} and {pair['b']}: share a letter", int(not differ), int(share))


def unit(d: list[float], half: float) -> float:
    """Half the width of a 99 % interval over users and fits, of which ``half`` is the fits' part."""
    return math.hypot(student.ppf(0.995, len(d) - 1) * statistics.stdev(d) / math.sqrt(len(d)), half)


def flipped(difference: dict[Any, float], sign: dict[Any, int], extra: float, effect: float) -> float:
    """|mean| under the null hypothesis: what fits are expected to have added is left out, then signs are flipped."""
    d = list(difference.values())
    over_users = statistics.variance(d) / len(d)
    rest = mean(d) * extra / (over_users + extra)
    moved = [sign[u] * (v - rest) for u, v in difference.items()]
    t = math.copysign(sizes(moved), mean(moved))
    return abs(t * math.sqrt(over_users) + effect)


def check_pair(
    check: Check,
    what: str,
    pair: dict[str, Any],
    difference: dict[str, float],
    image_scores: dict[str, dict[str, list[float]]],
    half: float,
    between: float,
) -> None:
    """Difference, effect, preference, images against images, smallest detectable difference.

    ``half`` and ``between`` are what fits add: half the width of an interval, and a variance.
    """
    d = list(difference.values())
    n, deviation = len(d), statistics.stdev(d)
    interval(check, what, d, pair["difference"], half)
    check.same(f"{what}: d_z", mean(d) / deviation if deviation > 1e-12 else None, pair["effect"])
    check.same(f"{what}: detectable", 2.8 * math.sqrt(deviation**2 / n + between), pair["detectable"])
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


def check_items(check: Check, folder: Path, comparison: dict[str, Any], halves: dict[str, dict[str, float]]) -> None:
    """Intervals over users and items, of observed ratings, lifts by them, and AUC: one item left out at a time."""
    users, fits = comparison["users"], comparison["spec"]["fits"]
    place = {name: u for u, name in enumerate(users["id"])}
    path = folder / "_task" / "ratings.parquet"
    ratings = {(r["user"], r["item"]): r["rating"] for r in columns(path)} if path.exists() else {}
    drawn: dict[int, set[int]] = defaultdict(set)
    for u, item in ratings:
        drawn[users["block"][u]].add(item)
    everyone: dict[int, list[int]] = defaultdict(list)
    for u, block in enumerate(users["block"]):
        everyone[block].append(u)
    for name in comparison["order"] if ratings else ():
        record = json.loads((folder / name / "record.json").read_text())
        images: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row in columns(folder / name / "scores.parquet"):
            if row["scorer"] == "observed" and row["score"] is not None:
                images[place[row["user"]], row["replicate"] % fits].append(row["item"])
        own: Table = defaultdict(float)
        personal: Table = defaultdict(float)
        for (u, _), shown in images.items():
            others = everyone[users["block"][u]]
            for item in shown[:-1]:
                change = ratings[u, item] - ratings[u, shown[-1]]
                own[u, item] += change / (len(shown) - 1) / fits
                if "observed" in record["personal"]:
                    common = mean([ratings[v, item] - ratings[v, shown[-1]] for v in others])
                    factor = len(others) / (len(others) - 1) / fits
                    personal[u, item] += (change - common) / (len(shown) - 1) * factor
        what, count = f"{name}, observed, over items", len({u for u, _ in images})
        mean_rating, half = record["summary"]["observed"]["interval"], halves["observed"][name]
        wide(check, what, own, count, users["block"], drawn, mean_rating, half)
        if personal:
            lift, half = record["personal"]["observed"]["lift"], halves["lift:observed"][name]
            wide(check, f"{what}, lift", personal, count, users["block"], drawn, lift, half)
    for judge, entry in comparison["judges"].items():
        cells, areas = auc_cells(folder, judge)
        items = {0: {item for _, item in cells}}
        wide(check, f"{judge}, over items", cells, areas, defaultdict(int), items, entry["auc_within_user"])


def auc_cells(folder: Path, judge: str) -> tuple[Table, int]:
    """How each rating changes its user's AUC, and how many users have one."""
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in columns(folder / "_task" / "verifier.parquet"):
        if row["judge"] == judge and row["split"] == "test" and row["share"] == 1:
            rows[row["user"]].append(row)
    cells, areas = {}, 0
    for user, own in rows.items():
        good = [r for r in own if r["label"]]
        bad = [r for r in own if not r["label"]]
        if not good or not bad:
            continue
        areas += 1
        # how often each rating is ordered rightly against those of the other label
        wins = {id(r): sum(over(r["score"], o["score"], 1e-9) for o in bad) for r in good}
        wins |= {id(r): sum(over(o["score"], r["score"], 1e-9) for o in good) for r in bad}
        total = sum(wins[id(r)] for r in good)
        for same, others in ((good, bad), (bad, good)):
            for row in same:
                left = (len(same) - 1) * len(others)
                without = (total - wins[id(row)]) / left if left else None
                whole = total / (len(good) * len(bad))
                cells[user, row["item"]] = 0.0 if without is None else whole - without
    return cells, areas


def wide(
    check: Check,
    what: str,
    cells: Table,
    n: int,
    block: Any,
    drawn: dict[int, set[int]],
    recorded: dict[str, Any],
    fits: float = 0.0,
) -> None:
    """Both ends, from those over users: the variance between items less that of single cells, and half over fits."""
    if not recorded.get("over_users"):
        return
    variance = fourth = 0.0
    totals: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for (u, item), effect in cells.items():
        totals[block[u]][item] += effect / n
    for label, sums in totals.items():
        all_sums = [sums.get(item, 0.0) for item in drawn[label]]
        squares = [(value - mean(all_sums)) ** 2 for value in all_sums]
        variance += sum(squares) * (len(squares) - 1) / len(squares)
        fourth += sum((square - mean(squares)) ** 2 for square in squares)
    changing = len({item for (_, item), effect in cells.items() if abs(effect) > 1e-12})
    degrees = max(1.0, min(2 * variance**2 / fourth if fourth > 0 else changing, changing))
    own = student.ppf(0.975, degrees) ** 2 * max(0.0, variance - sum((effect / n) ** 2 for effect in cells.values()))
    for end, sign in (("low", -1), ("high", 1)):
        inner = recorded["over_users"][end] - recorded["estimate"]
        hand = recorded["estimate"] + sign * math.hypot(inner, math.sqrt(own), fits)
        check.same(f"{what}: {end}", hand, recorded[end], max(1e-6, DRAWN / math.sqrt(check.draws) * fits))


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
    comparison = json.loads((folder / "_task" / "comparison.json").read_text())
    analysis = comparison["spec"]["analysis"]
    check, rng = Check(verbose, max(analysis["permutations"], analysis["bootstrap"])), random.Random(seed)
    halves: dict[str, dict[str, float]] = {}
    for name in comparison["order"]:
        record = json.loads((folder / name / "record.json").read_text())
        for measure in (*scores_of(folder, name), *(f"lift:{scorer}" for scorer in record["personal"])):
            halves.setdefault(measure, half_widths(folder, measure, comparison))
        check_generator(check, folder, name, comparison, halves, rng)
    primary = analysis["primary"]["scorer"]
    for measure in (primary, f"lift:{primary}"):
        check_family(check, folder, measure, comparison, rng)
    check_judges(check, folder, comparison)
    check_items(check, folder, comparison, halves)
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
