"""What a leaderboard shows, read from records: the one view that the terminal and the site share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.board.flags import GAP, flags_of, gaps, twins
from benchmark.board.format_numbers import count, number
from benchmark.records.attestation import status_of
from benchmark.records.files import read_comparison, read_record
from benchmark.records.schema import LIFT, MEANINGS
from benchmark.stats.levels import FEWEST_USERS
from rebeca.errors import printable

NAMED = 4
GAP_MEANING = "Verifier minus auditor: large where a generator pleases the verifier alone."
CAUTIONS = {
    "few-users": "Few people ({where}): 95 % intervals hold the truth in fewer than 95 of 100 cases.",
    "unequal-pictures": "Unequal numbers of pictures ({where}): lifts compare people who have equally many.",
    "skewed-values": "Skewed values, {measure} ({where}): the interval holds the truth less often than it says.",
    "skewed-differences": "Skewed differences, {measure} ({where}): sign flips can reject too often.",
}
"""By kind; the figures behind each sentence are in docs/reports/calibration.md."""
NOT_FROZEN = "The task was not written down before the first picture, or was changed since: everything is exploratory."


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the board.

    Attributes:
        heading: Short.
        measure: Measure or scorer.
        is_lift: Whether it is a personal lift.
        unit: Unit.
        meaning: One sentence.
        higher_is_better: Direction; None where neither end is better.
    """

    heading: str
    measure: str
    is_lift: bool
    unit: str
    meaning: str
    higher_is_better: bool | None = True

    @property
    def signed(self) -> bool:
        """Differences carry a sign."""
        return self.is_lift or self.measure == GAP

    @property
    def key(self) -> str:
        """Names it in addresses and downloads: a measure, or ``lift:`` and a scorer, or ``gap``."""
        return LIFT + self.measure if self.is_lift else self.measure

    @property
    def direction(self) -> str:
        """In words."""
        return {True: "higher is better", False: "lower is better", None: "near zero is better"}[self.higher_is_better]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One generator.

    Attributes:
        id: Its id.
        title: Its name.
        family: ``rebeca``, ``catalogue``, ...
        ranked: Whether it takes part in the ranks.
        needs: What it was granted.
        rank: ``text``, ``group`` and ``probability_first``, or None.
        measures: Summaries by measure.
        lifts: Personal results by scorer.
        flags: Words.
        record: The whole record.
    """

    id: str
    title: str
    family: str
    ranked: bool
    needs: tuple[str, ...]
    rank: dict[str, Any] | None
    measures: Mapping[str, Any]
    lifts: Mapping[str, Any]
    flags: list[str]
    record: dict[str, Any]

    def measure(self, name: str) -> dict[str, Any] | None:
        """Interval of a measure, or None."""
        entry = self.measures.get(name)
        return None if entry is None or entry["interval"]["estimate"] is None else entry["interval"]

    def lift(self, scorer: str) -> dict[str, Any] | None:
        """Interval of the personal lift by a scorer, or None."""
        found: dict[str, Any] | None = self.lifts.get(scorer, {}).get("lift")
        return found

    def cell(self, column: Column) -> dict[str, Any] | None:
        """Interval of a cell, or None."""
        if column.measure == GAP:
            gap: dict[str, Any] | None = self.record["gap"]
            return None if gap is None or gap["estimate"] is None else gap
        return self.lift(column.measure) if column.is_lift else self.measure(column.measure)

    @property
    def seconds(self) -> float | None:
        """Wall seconds a picture, fits aside; None where the record's run took them from the store."""
        origin = self.record["provenance"]
        spent = origin["seconds"].get(f"pictures {self.id}")
        made = origin.get("painted", {}).get(self.id, self.record["pictures"]["requested"])
        return None if spent is None else float(spent) / int(made)

    @property
    def failures(self) -> float:
        """Share of the pictures asked for that failed."""
        pictures = self.record["pictures"]
        return float(1 - pictures["valid"] / pictures["requested"])


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """One task's leaderboard.

    Attributes:
        folder: Where the records lie.
        task: Id, version, title, hash, modified.
        comparison: The task's record.
        rows: Best first; unranked rows last.
        primary: Scorer that decides.
        finding: One or two sentences written from the numbers.
        status: ``self-reported``, ``verified`` or ``reproduced``.
    """

    folder: Path
    task: dict[str, Any]
    comparison: dict[str, Any]
    rows: list[Row]
    primary: str
    finding: str
    status: str

    @property
    def title(self) -> str:
        """The task's title."""
        return printable(str(self.task["title"]))

    @property
    def reference(self) -> str:
        """The generator that the task compares the others with."""
        return str(self.comparison["spec"]["analysis"]["reference"])

    def row_status(self, row: Row) -> str:
        """Status of a row; pictures that were handed in can be verified, never reproduced."""
        return "verified" if self.status == "reproduced" and row.family == "external" else self.status

    @property
    def pictures_each(self) -> str:
        """Pictures a person, as the generators have them: "4", or "4 to 16"."""
        own = sorted({row.record["pictures"]["requested"] // max(1, self.people) for row in self.rows})
        return str(own[0]) if len(own) == 1 else f"{own[0]} to {own[-1]}"

    @property
    def people(self) -> int:
        """People that pictures were made for."""
        return int(self.comparison["results"]["people"])

    @property
    def judges(self) -> dict[str, Any]:
        """The verifier's report: judges, controls, ceiling."""
        found = self.comparison["judges"]
        return {name: found[name] for name in MEANINGS if name in found}

    @property
    def families(self) -> dict[str, Any]:
        """Comparisons by measure."""
        return dict(self.comparison["results"]["families"])

    @property
    def agreement(self) -> list[dict[str, Any]]:
        """The primary scorer beside the others."""
        return list(self.comparison["results"]["agreement"])

    @property
    def validity(self) -> list[dict[str, Any]]:
        """The board's order beside the truth's; empty where nobody knows the truth."""
        return list(self.comparison["results"].get("validity", []))

    @property
    def titles(self) -> dict[str, str]:
        """Titles by id."""
        return {row.id: row.title for row in self.rows}

    @property
    def random_weights(self) -> list[str]:
        """Published weights in whose place random ones were used: then the numbers mean nothing."""
        found = self.comparison["provenance"].get("weights", {})
        return sorted(name for name, identity in found.items() if " random " in identity)

    @property
    def frozen(self) -> bool:
        """Whether the analysis was written down before the first picture."""
        return bool(self.comparison["analysis"]["frozen"])

    @property
    def failed(self) -> list[dict[str, str]]:
        """Generators that have no row: id, title, reason."""
        return list(self.comparison.get("failed", []))

    def cautions(self) -> list[str]:
        """What the calibration says against taking these numbers at their word, a sentence each."""
        sentences = []
        for caution in self.comparison["results"]["cautions"]:
            where = caution["where"]
            named = ", ".join(where[:NAMED]) + (f" and {len(where) - NAMED} more" if len(where) > NAMED else "")
            measure = str(caution.get("measure", "")).replace("lift:", "personal lift, ")
            sentences.append(CAUTIONS[caution["kind"]].format(where=named, measure=measure))
        return sentences

    def against_others(self, generator: str) -> list[tuple[str, dict[str, Any]]]:
        """Declared measures and comparisons of a generator, as it minus the other."""
        return [
            (measure, one if one["a"] == generator else turned_round(one))
            for measure in (self.primary, f"lift:{self.primary}")
            for one in self.families.get(measure, {}).get("comparisons", [])
            if generator in (one["a"], one["b"])
        ]

    def card(self, measure: str) -> dict[str, Any]:
        """Card of a measure; empty where no generator has it."""
        cards = (row.measures[measure]["card"] for row in self.rows if measure in row.measures)
        return dict(next(cards, {}))

    def card_name(self, measure: str) -> str:
        """Heading of a measure."""
        return str(self.card(measure).get("name", measure))

    def truth(self) -> str | None:
        """The scorer that knows best: the truth of a made world, else observed ratings that judge everybody."""
        cards = {name: entry["card"] for row in self.rows for name, entry in row.measures.items()}
        for name in ("ground-truth", "observed"):
            if name in cards:
                return name
        return None

    def columns(self) -> list[Column]:
        """Preference and lift by the primary scorer, by the truth, then auditor, coverage and precision."""
        cards = {name: entry["card"] for row in self.rows for name, entry in row.measures.items()}
        lifted = {name for row in self.rows for name in row.lifts if row.lift(name) is not None}
        out: list[Column] = []

        def add(name: str, heading: str, lift: bool = False) -> None:
            card = cards.get(name)
            if card is None or (lift and name not in lifted):
                return
            meaning = (
                f"Own pictures against other people's, judged by: {card['name'].lower()}." if lift else card["meaning"]
            )
            out.append(Column(heading, name, lift, card["unit"], meaning, lift or card["higher_is_better"]))

        add(self.primary, "preference")
        add(self.primary, "personal lift", lift=True)
        truth = self.truth()
        if truth is not None:
            word = "real rating" if truth == "observed" else "truth"
            add(truth, word)
            add(truth, f"lift, {'real ratings' if truth == 'observed' else 'truth'}", lift=True)
        if truth == "ground-truth":
            add("top-utility", "right")
        if self.primary != "auditor":
            add("auditor", "auditor")
            add("auditor", "lift, auditor", lift=True)
        add("diversity", "diversity")
        precision = sorted((n for n in cards if n.startswith("precision@")), key=lambda n: int(n.partition("@")[2]))
        if precision:
            add(precision[-1], precision[-1].replace("@", " at "))
        return out

    def all_columns(self) -> list[Column]:
        """As :meth:`columns`, with aesthetics, the gap between verifier and auditor, and every other measure."""
        cards = {name: entry["card"] for row in self.rows for name, entry in row.measures.items()}
        found = self.columns()
        there = {column.key for column in found}

        def more(names: Iterable[str]) -> list[Column]:
            return [
                Column(_heading(n, cards[n]["name"]), n, False, cards[n]["unit"], cards[n]["meaning"],
                       cards[n]["higher_is_better"])
                for n in names
                if n in cards and n not in there
            ]  # fmt: skip

        aesthetics = more(("hpsv2", "laion"))
        gap = [Column("auditor gap", GAP, False, "probability", GAP_MEANING, None)]
        there |= {column.key for column in aesthetics}
        first = 2 if len(found) > 1 and found[1].is_lift else 1
        out = [*found[:first], *aesthetics, *found[first:]]
        if any(row.record["gap"] is not None for row in self.rows):
            at = next((i for i, column in enumerate(out) if column.measure == "diversity"), len(out))
            out[at:at] = gap
        return [*out, *more(sorted(cards))]


def _heading(measure: str, name: str) -> str:
    """A card's name; those of HPSv2 and LAION keep their capitals, and say where they are stand-ins."""
    return name if measure in ("hpsv2", "laion") else _lower(name)


def _lower(name: str) -> str:
    """A heading within a sentence: "Distinct" becomes "distinct", "HPSv2" stays."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def turned_round(one: dict[str, Any]) -> dict[str, Any]:
    """A comparison of A and B as one of B and A."""
    prefer, beats = one["prefer"], one["beats"]
    flipped = {"better": "worse", "worse": "better"}
    return {
        **one,
        "a": one["b"],
        "b": one["a"],
        "difference": _turned(one["difference"], lambda value: -value),
        "inner": _turned(one["inner"], lambda value: -value),
        "effect": None if one["effect"] is None else -one["effect"],
        "prefer": {"share": _complement(prefer["share"]), "low": _complement(prefer["high"]),
                   "high": _complement(prefer["low"])},
        "beats": None if beats is None else _turned(beats, lambda value: 1 - value),
        "verdict": flipped.get(one["verdict"], one["verdict"]),
    }  # fmt: skip


def _complement(share: float | None) -> float | None:
    return None if share is None else 1 - share


def _turned(interval: dict[str, Any], turn: Callable[[float], float]) -> dict[str, Any]:
    """An interval of minus or one minus the value: every number turned, the ends exchanged."""

    def maybe(value: float | None) -> float | None:
        return None if value is None else turn(value)

    out = {**interval, "low": maybe(interval["high"]), "high": maybe(interval["low"])}
    if "estimate" in interval:
        out |= {"estimate": maybe(interval["estimate"]), "skewness": None}
        if interval["skewness"] is not None:
            out["skewness"] = -interval["skewness"]
        if interval["bootstrap_t"] is not None:
            out["bootstrap_t"] = _turned(interval["bootstrap_t"], turn)
    return out


def read_board(folder: Path) -> Board:
    """Reads the records of one task version."""
    comparison = read_comparison(folder)
    primary = str(comparison["spec"]["analysis"]["primary"]["scorer"])
    ranks = comparison["results"]["families"].get(primary, {}).get("ranks", {})
    records = {name: read_record(folder / name) for name in comparison["order"]}
    titles = Counter(str(record["generator"]["title"]) for record in records.values())
    same, wide = twins(records), gaps(records, str(comparison["spec"]["analysis"]["reference"]))
    rows = []
    for name, record in records.items():
        generator = record["generator"]
        rank = ranks.get(name)
        if rank is not None:
            low, high = rank["low"], rank["high"]
            rank = {**rank, "text": str(low) if low == high else f"{low}–{high}"}
        rows.append(
            Row(
                name,
                _title(generator, titles),
                str(generator["family"]),
                bool(generator["ranked"]),
                tuple(generator["needs"]),
                rank,
                record["summary"],
                _ordered(record["personal"], primary),
                flags_of(record, comparison, same.get(name), name in wide),
                record,
            )
        )
    rows.sort(key=lambda row: (not row.ranked, -(row.measure(primary) or {"estimate": -1e9})["estimate"], row.id))
    board = Board(folder, comparison["task"], comparison, rows, primary, "", status_of(folder, comparison))
    return replace(board, finding=finding(board))


def _ordered(personal: Mapping[str, Any], primary: str) -> dict[str, Any]:
    """The scorer that decides first, then those that know best."""
    first = [name for name in (primary, "observed", "ground-truth") if name in personal]
    return {name: personal[name] for name in [*first, *(n for n in personal if n not in first)]}


def _title(generator: Mapping[str, Any], titles: Counter[str]) -> str:
    """For readers; with the id where several generators have the same."""
    title = str(generator["title"])
    return printable(title if titles[title] == 1 else f"{title} ({generator['id']})")


def finding(board: Board) -> str:
    """What the numbers say, in one or two sentences.

    Names the leader on preference, who is most personal by the best judge that the world has, and what the reference's
    personal part is.
    """
    ranked = [row for row in board.rows if row.ranked and row.measure(board.primary)]
    if len(ranked) < 2:
        return ""
    first = ranked[0]
    if board.people < FEWEST_USERS:
        return f"{count(board.people)} cannot say who leads: nothing is tested below {FEWEST_USERS}."
    sentences = []
    near = first.rank["high"] - 1 if first.rank else len(ranked) - 1
    if near == 0:
        sentences.append(f"{first.title} leads on preference.")
    elif near < len(ranked) - 1:
        sentences.append(f"{first.title} is liked most; {near} other{'s' if near > 1 else ''} may be as good.")
    else:
        sentences.append(f"{first.title} is liked most, but no other is clearly behind.")
    judge = board.truth()
    if judge is None or not any(row.lift(judge) for row in ranked):
        judge = board.primary
    by = {"observed": "real ratings", "ground-truth": "the ground truth", "ncf": "the verifier"}.get(
        judge, board.card_name(judge)
    )
    personal = _proven_lifts(board, ranked, judge)
    if personal:
        estimate, best = max(personal, key=lambda pair: pair[0])
        low = (best.lift(judge) or {})["low"]
        near = sum(1 for row in ranked if row is not best and ((row.lift(judge) or {}).get("high") or low) > low)
        others = {0: "", 1: "; the interval of 1 other overlaps with it"}.get(
            near, f"; the intervals of {near} others overlap with it"
        )
        said = number(estimate, 3, sign=True)
        sentences.append(f"By {by}, {best.title} has the highest personal lift ({said}{others}).")
    elif any(row.lift(judge) for row in ranked):
        sentences.append(f"By {by}, nobody is clearly personal.")
    gain = board.judges.get("population", {}).get("verifier_gain")
    if gain is not None and gain["low"] is not None and gain["low"] <= 0:
        sentences.append("The verifier does not clearly beat the population model here: its lifts prove little.")
    return " ".join(sentences)


def _proven_lifts(board: Board, ranked: Sequence[Row], judge: str) -> list[tuple[float, Row]]:
    """Lifts whose interval lies above zero and whose personalisation test, adjusted over the ranked ones, rejects."""
    import numpy as np

    from benchmark.stats.comparison import holm

    tests = {row.id: row.lifts[judge]["median_double_centred"] for row in ranked if row.lift(judge) is not None}
    tested = [(lift, row) for row in ranked if (lift := row.lift(judge)) and lift["low"] is not None and tests[row.id]]
    adjusted = holm(np.array([tests[row.id]["p"] for _, row in tested]))
    alpha = board.comparison["spec"]["analysis"]["alpha"]
    return [
        (lift["estimate"], row)
        for (lift, row), p in zip(tested, adjusted, strict=True)
        if lift["low"] > 0 and p <= alpha
    ]
