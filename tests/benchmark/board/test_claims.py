"""Every sentence about a leaderboard is true: of generated leaderboards of all odd kinds, and of the tests' own runs.

What a sentence claims is computed here anew, from users' values and from the rows that the page shows.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import HeldOutScores, Rows, lifts_of
from benchmark.analysis.judges import JudgeReport
from benchmark.analysis.numbers import Interval
from benchmark.board.board import board_of
from benchmark.board.format_numbers import brief, number, percent
from benchmark.board.tables import Tables
from benchmark.figures.build import figures_of
from benchmark.records.files import read_comparison, read_record
from benchmark.records.schema import MeasureInfo
from benchmark.stats.verifier import Curve
from benchmark.task.file import ConfirmationSpec
from rebeca.interfaces import ScorerCard

CARDS = {
    "ncf": ScorerCard("Verifier", "probability", True, "Likes it.", role="verifier"),
    "auditor": ScorerCard("Auditor", "probability", True, "Likes it.", role="auditor"),
    "gt": ScorerCard(
        "Ground truth", "the world's own scale", True, "Known.", role="ground-truth", is_ground_truth=True
    ),
    "confirming": ScorerCard("Confirming judge", "expected likes", True, "Confirms.", role="confirming"),
    "near-copies": ScorerCard("Near-copies", "share", False, "Copies.", role="copies"),
}
NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")


class Shown:
    """What the page shows, and users' values, as the checks below read them."""

    def __init__(self, tables):
        self.tables, self.board = tables, tables.board
        self.primary = tables.primary
        self.ranked = [row.id for row in self.board.rows if row.ranked]
        self.records = {row.id: row.record for row in self.board.rows}

    def users_values(self, name, key):
        values = self.tables.values[name].get(key)
        return np.array([]) if values is None else values[np.isfinite(values)]

    def interval(self, name, key):
        record = self.records[name]
        if key.startswith("lift:"):
            personal = record.personal.get(key.removeprefix("lift:"))
            return None if personal is None else personal.lift
        return record.summary[key].interval if key in record.summary else None

    def pairs(self, key):
        family = self.board.record.results.families.get(key)
        return () if family is None else family.comparisons


def adjusted_by_holm(p):
    order, out, worst = sorted(range(len(p)), key=p.__getitem__), [0.0] * len(p), 0.0
    for place, i in enumerate(order):
        worst = max(worst, min(1.0, p[i] * (len(p) - place)))
        out[i] = worst
    return out


def passing(shown, key):
    """Generators whose interval lies above 0 and whose permutation test rejects, one test per set of images."""
    scorer, by_images = key.removeprefix("lift:"), {}
    for name in shown.ranked:
        personal = shown.records[name].personal.get(scorer)
        if personal is not None and personal.median_double_centred is not None:
            by_images[shown.records[name].images.digest] = personal.median_double_centred.p
    adjusted = dict(zip(by_images, adjusted_by_holm(list(by_images.values())), strict=True))
    alpha = shown.board.record.spec.analysis.alpha
    passes = []
    for name in shown.ranked:
        interval = shown.interval(name, key)
        if interval is None or interval.estimate is None:
            continue
        same = interval.method == "constant" and interval.estimate > 0
        if (same or (interval.low or 0) > 0) and adjusted[shown.records[name].images.digest] <= alpha:
            passes.append(name)
    return passes, len(by_images)


def share_of_draws(shown):
    """How often each ranked generator has the highest mean over its own users, in the figures' bootstrap draws."""
    values = {name: shown.tables.values[name][shown.primary] for name in shown.ranked}
    values = {name: own for name, own in values.items() if np.isfinite(own).any()}
    won, draws = Counter(), 0
    for weights in shown.tables.weights:
        means = {}
        for name, own in values.items():
            known = np.isfinite(own)
            if weights[known].sum():
                means[name] = (weights[known] * own[known]).sum() / weights[known].sum()
        if means:
            draws += 1
            best = [name for name, mean in means.items() if mean >= max(means.values()) - 1e-9]
            won.update({name: 1 / len(best) for name in best})
    return {name: won[name] / draws for name in values}


def share_of_users(shown):
    """For how many of the users that have a value by every ranked generator each is the best."""
    names = [name for name in shown.ranked if len(shown.users_values(name, shown.primary))]
    table = np.array([shown.tables.values[name][shown.primary] for name in names])
    table = table[:, np.isfinite(table).all(axis=0)]
    best = table >= table.max(axis=0) - 1e-9
    return dict(zip(names, (best / best.sum(axis=0)).mean(axis=1), strict=True))


def between_groups(shown, name, key):
    labels, _ = shown.tables.personas
    values = shown.tables.values[name][key]
    means = [np.nanmean(values[labels == k]) for k in set(labels.tolist()) if np.isfinite(values[labels == k]).any()]
    return max(means) - min(means) if means else 0.0


def of_users(statistic):
    return lambda shown, name, key: statistic(values) if len(values := shown.users_values(name, key)) > 1 else None


def failing(shown):
    """Generators of which more images failed than the task allows, counted from the single images."""
    most = shown.board.record.spec.analysis.most_failures
    return [
        name
        for name, rows in shown.tables.rows.items()
        if shown.records[name].generator.ranked and np.isnan(rows.scores["ncf"]).mean() > most
    ]


def incomplete(shown):
    """Generators that lack more than a twentieth, rounded up, of the users for whom anyone has a value."""
    users = {
        name: {u for u, value in enumerate(shown.tables.values[name][shown.primary]) if np.isfinite(value)}
        for name, record in shown.records.items()
        if record.generator.ranked and shown.primary in shown.tables.values[name] and name not in failing(shown)
    }
    anyone = set().union(*users.values()) if users else set()
    return [name for name, own in users.items() if len(anyone - own) > -(-len(anyone) // 20)]


def ranked_but_for_defences(shown):
    lost = {*failing(shown), *incomplete(shown)}
    return [name for name, record in shown.records.items() if record.generator.ranked and name not in lost]


def copying(shown):
    """Generators of which more images are near-copies than the task allows, counted from the single images."""
    most = shown.board.record.spec.analysis.most_copies
    if most is None:
        return []
    copies = {name: shown.tables.rows[name].scores["near-copies"] for name in ranked_but_for_defences(shown)}
    return [name for name, own in copies.items() if np.isfinite(own).any() and np.nanmean(own) > most]


def of_images_that_exist(shown, name, key):
    """Every user's lift, or mean over the images that did not fail."""
    if key.startswith("lift:"):
        return lifts_of(shown.tables.rows[name], key.removeprefix("lift:"), "exclude")[0]
    scores = shown.tables.rows[name].scores[key]
    return np.array([own[np.isfinite(own)].mean() if np.isfinite(own).any() else np.nan for own in scores])


def unconfirmed(shown):
    """Generators whose excess lies above a margin: the interval of the record, around a mean computed anew."""
    margins = shown.board.record.spec.analysis.confirmation
    lost = []
    for name in ranked_but_for_defences(shown) if margins else ():
        for key, margin in (("ncf", margins.preference), ("lift:ncf", margins.lift)):
            excess = shown.records[name].excess.get(key)
            if excess is None:
                continue
            own, other = (of_images_that_exist(shown, name, each) for each in (key, key.replace("ncf", "confirming")))
            known = np.isfinite(own - other)
            if key == "lift:ncf" and known.any() and other[known].mean() < 0:
                other = np.zeros_like(other)
            assert excess.estimate is None or excess.estimate == pytest.approx((own - other)[known].mean())
            low = excess.estimate if excess.method == "constant" else excess.low
            lost += [name] if low is not None and low > margin else []
    return set(lost)


def fits_of(shown, name):
    """Of a generator; of the whole leaderboard, those of every generator whose fit varies."""
    if name:
        return len(shown.records[name].fits)
    return max(len(record.fits) for record in shown.records.values() if record.generator.fit_varies)


DERIVED = {
    "median": of_users(np.median),
    "middle half": of_users(lambda v: np.subtract(*np.quantile(v, [0.75, 0.25]))),
    "lower quartile": of_users(lambda v: np.quantile(v, 0.25)),
    "upper quartile": of_users(lambda v: np.quantile(v, 0.75)),
    "above 0.7": of_users(lambda v: np.mean(v > 0.7)),
    "first": lambda shown, name, key: share_of_draws(shown).get(name),
    "wins": lambda shown, name, key: share_of_users(shown).get(name),
    "between groups": between_groups,
    "users": lambda shown, name, key: shown.interval(name, key).n,
}
"""Of one generator, from a measure."""
WHOLE = {
    "tests": lambda shown, key: passing(shown, key)[1],
    "passed": lambda shown, key: sum(p <= shown.board.record.spec.analysis.alpha for p in own_tests(shown, key)),
    "tested": lambda shown, key: len(own_tests(shown, key)),
    "pairs that differ": lambda shown, key: sum(
        pair.test is not None and pair.test.p_max_t <= shown.board.record.spec.analysis.alpha
        for pair in shown.pairs(key)
    ),
    "incomplete": lambda shown, key: len(incomplete(shown)),
    "failing": lambda shown, key: len(failing(shown)),
    "unconfirmed": lambda shown, key: len(unconfirmed(shown)),
    "copying": lambda shown, key: len(copying(shown)),
    "outside": lambda shown, key: sum("outside" in row.doubts for row in shown.board.rows),
    "tested pairs": lambda shown, key: sum(pair.test is not None for pair in shown.pairs(key)),
}
"""Of the leaderboard, from a measure."""


def own_tests(shown, scorer):
    """Unadjusted p of every ranked generator, or of all where none is ranked."""
    names = shown.ranked or list(shown.records)
    tests = [shown.records[name].personal.get(scorer) for name in names]
    return [t.median_double_centred.p for t in tests if t is not None and t.median_double_centred is not None]


def against(shown, reference, key, verdict):
    other = {"better": "worse", "worse": "better"}[verdict]
    return sum(pair.verdict == (other if pair.a == reference else verdict) for pair in shown.pairs(key))


def value_of(shown, claim):
    """The value that a claim is about, or None where this file cannot compute it."""
    head, _, rest = claim.measure.partition(":")
    if claim.measure == "failed":
        images = shown.records[claim.subject].images
        return 1 - images.valid / images.requested
    if claim.measure == "users":
        return shown.board.users
    if claim.measure == "fits":
        return fits_of(shown, claim.subject)
    if claim.measure == "groups":
        return len(set(shown.tables.personas[0].tolist()))
    if claim.measure == "silhouette":
        return shown.tables.personas[1]
    if head in WHOLE:
        return WHOLE[head](shown, rest)
    if head in ("better than it", "worse than it"):
        return against(shown, claim.subject, rest, head.partition(" ")[0])
    if head in ("tau", "with ground truth"):
        judged, known = re.fullmatch(r"((?:lift:)?[^:]+):(.+)", rest).groups()
        (validity,) = [v for v in shown.board.validity if (v.measure, v.ground_truth) == (judged, known)]
        return validity.tau.estimate if head == "tau" else len(validity.generators)
    if head in DERIVED:
        return DERIVED[head](shown, claim.subject, rest)
    if claim.subject in shown.records and claim.measure in shown.tables.values[claim.subject]:
        values = shown.users_values(claim.subject, claim.measure)
        return float(values.mean()) if len(values) else None
    return None


def is_value(shown, claim):
    value = value_of(shown, claim)
    assert value is not None, claim
    assert claim.value is None or claim.value == pytest.approx(value, abs=1e-9), claim


def is_highest(shown, claim):
    """Among ranked generators with a value; among all where there are none of these."""
    for names in (shown.ranked, list(shown.records)):
        values = {name: value_of(shown, replace(claim, subject=name)) for name in names}
        if known := {name: value for name, value in values.items() if value is not None}:
            break
    assert claim.subject in known, claim
    assert known[claim.subject] >= max(known.values()) - 1e-9, (claim, known)
    assert claim.value is None or claim.value == pytest.approx(known[claim.subject], abs=1e-9), claim


def is_shared(shown, claim):
    values = [shown.users_values(name, claim.measure) for name in shown.ranked]
    means = [own.mean() for own in values if len(own)]
    assert claim.value == sum(mean >= max(means) - 1e-9 for mean in means) - 1, claim


def as_good(shown, claim):
    """Where it was compared with all others only; against one reference, that alone may be said."""
    compared = {pair.seen_from(claim.subject).b for pair in shown.pairs(claim.measure)
                if claim.subject in (pair.a, pair.b)}  # fmt: skip
    worse = {pair.seen_from(claim.subject).b for pair in shown.pairs(claim.measure)
             if claim.subject in (pair.a, pair.b) and pair.seen_from(claim.subject).verdict == "better"}  # fmt: skip
    others = [name for name in shown.ranked if len(shown.users_values(name, claim.measure))]
    assert compared == {name for name in others if name != claim.subject}, claim
    assert claim.value == len(compared - worse), claim


def adjusted(shown, claim):
    """Adjusted p of the subject against another, by step-down max-T as recorded, and on which side it lies."""
    (pair,) = [pair for pair in shown.pairs(claim.measure) if {pair.a, pair.b} == {claim.subject, claim.than}]
    test, difference = pair.test, pair.difference.estimate * (1 if pair.a == claim.subject else -1)
    return test is not None and test.p_max_t <= shown.board.record.spec.analysis.alpha and difference > 0


def beats(shown, claim):
    assert adjusted(shown, claim), claim


def does_not_beat(shown, claim):
    assert not adjusted(shown, claim), claim


def passes(shown, claim):
    assert claim.subject in passing(shown, claim.measure)[0], claim


def fails(shown, claim):
    who = passing(shown, claim.measure)[0]
    assert claim.subject not in who if claim.subject else not who, claim


def may_be_zero(shown, claim):
    gain = shown.board.judges["population"].verifier_gain
    assert gain.low <= 0, claim


CHECKS = {
    "is": is_value, "highest": is_highest, "shared": is_shared, "as good": as_good, "beats": beats,
    "does not beat": does_not_beat, "passes": passes, "fails": fails, "may be zero": may_be_zero,
}  # fmt: skip
OTHERS = ("among prompts", "auc", "pooled auc", "gain", "calibration error", "first share", "learning gain", "spearman",
          "change by decoding", "best epoch", "epochs", "on the Pareto front", "with a cost",
          "on the diversity front", "with a diversity", "seconds", "users:auc",
          "guidance", "prior_guidance", "image_guidance")  # fmt: skip
"""Beginnings of measures that the figures' own tests compute anew: they need files, which generated boards lack."""


def check(tables):
    """Asserts every claim of a leaderboard, and that its sentences hold no number that is not claimed."""
    shown = Shown(tables)
    sentences = [("finding", shown.board.lead.text, shown.board.lead.claims)]
    sentences += [(figure.name, figure.title, figure.claims) for _, figure in figures_of(tables)]
    for name, text, claims in sentences:
        for claim in claims:
            if not claim.measure.startswith(OTHERS):
                CHECKS[claim.relation](shown, claim)
        spoken = {form for claim in claims if claim.value is not None for form in forms(claim.value)}
        spoken |= forms(shown.board.users)
        names = [*shown.board.titles.values(), *(card.name for card in shown.board.cards.values())]
        for title in sorted(names, key=len, reverse=True):
            text = text.replace(title, "")
        text = re.sub(r"below 6 users|95 % of draws|above 0\.7", "", text)
        said = re.findall(r"[+−]?\d[\d,]*(?:\.\d+)?", text)
        assert all(each in spoken for each in said), (name, text, said, spoken)
    return sentences


def forms(value):
    """All ways in which a number may be written."""
    written = {number(value, places, sign) for places in (0, 1, 2, 3) for sign in (False, True)}
    written |= {number(abs(value), 2), f"{value:,.0f}", f"{value:g}", percent(value), brief(abs(value))}
    written.add(f"{100 * value:.3g}")
    return {re.sub("[<>% ]", "", text) for text in written}


@st.composite
def cases(draw):
    """One to five users (sometimes twelve), two to five generators; ties, copies, missing users, failures."""
    users = draw(st.sampled_from([1, 2, 3, 4, 5, 12, 12]))
    names = NAMES[: draw(st.integers(2, 5))]
    return {
        "users": users,
        "names": names,
        "images": draw(st.integers(1, 2)),
        "seed": draw(st.integers(0, 2**16)),
        "levels": draw(st.sampled_from([1, 2, 5, 1000])),
        "effect": draw(st.sampled_from([0.0, 0.3, 0.9])),
        "copies": draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=2)),
        "failing": draw(st.dictionaries(st.sampled_from(names), st.sampled_from([0.2, 0.67, 1.0]), max_size=2)),
        "unranked": draw(st.sets(st.sampled_from(names), max_size=len(names))),
        "family": draw(st.sampled_from(["all-pairs", "against-reference"])),
        "failures": draw(st.sampled_from(["exclude", "worst"])),
        "most_failures": draw(st.sampled_from([0.0, 0.05, 0.5, 0.99])),
        "ground_truth": draw(st.booleans()),
        "fits": draw(st.lists(st.sampled_from([0, 1, 3]), min_size=len(names), max_size=len(names))),
        "gain": draw(st.sampled_from([None, (-0.1, 0.2), (0.1, 0.3)])),
        "defended": draw(st.sampled_from([False, False, True])),
    }


def tables_for(case, template, task):
    """A leaderboard in memory, analysed by the product, in the frame of a finished run's records."""
    rng = np.random.default_rng(case["seed"])
    users, images, levels = case["users"], case["images"], case["levels"]
    scorers = ["ncf", "auditor", *(["gt"] if case["ground_truth"] else [])]
    everything = [*scorers, *(["confirming", "near-copies"] if case["defended"] else [])]
    rows = {}
    for name in case["names"]:
        failed = rng.random((users, images)) < case["failing"].get(name, 0.0)
        scores, pairs = {}, {}
        for scorer in scorers:
            opinions = np.floor(rng.random((users, users, images)) * levels) / max(1, levels - 1) * 0.5
            opinions += case["effect"] * np.eye(users)[:, :, None] / 2
            own = opinions[np.arange(users), np.arange(users)]
            scores[scorer] = np.where(failed, np.nan, np.clip(own, 0, 1))
            valid = np.where(failed[None], np.nan, np.clip(opinions, 0, 1))
            known = np.isfinite(valid).any(axis=2)
            means = np.nansum(valid, axis=2) / np.maximum(1, (~failed).sum(axis=1))
            pairs[scorer] = np.where(known, means, np.nan)[None]
        if case["defended"]:
            kinder = rng.choice([-0.3, 0.0])
            scores["confirming"] = scores["ncf"] + kinder
            pairs["confirming"] = pairs["ncf"] + kinder * rng.choice([0, 1], (1, users, users))
            scores["near-copies"] = np.where(failed, np.nan, rng.random(failed.shape) < rng.choice([0.0, 0.2]))
        digest = np.array([[f"{name}{u}-{k}" for k in range(images)] for u in range(users)])
        lowest = dict.fromkeys(everything, np.zeros(users))
        rows[name] = Rows(
            name, name not in case["unranked"], digest, np.full((users, images), -1), failed, scores, lowest,
            {scorer: CARDS[scorer] for scorer in everything}, dict.fromkeys(("ncf", "auditor"), (0.0, 1.0)), {}, pairs,
        )  # fmt: skip
    for copy, of in case["copies"]:
        rows[copy] = replace(rows[of], id=copy, ranked=rows[copy].ranked)
    analysis_spec = task.spec.analysis.model_copy(
        update={
            "reference": case["names"][0],
            "family": case["family"],
            "permutations": 99,
            "bootstrap": 99,
            "most_failures": case["most_failures"],
            "confirmation": ConfirmationSpec() if case["defended"] else None,
            "most_copies": 0.1 if case["defended"] else None,
        }
    )
    spec = task.spec.model_copy(update={"analysis": analysis_spec, "failures": case["failures"]})
    task = task.model_copy(update={"spec": spec})
    zeros = np.zeros(users, np.int64)
    analysis = analyse(task.plan, list(rows.values()), zeros, zeros)
    task = task.model_copy(
        update={
            "results": analysis.task,
            "order": tuple(case["names"]),
            "judges": judges(case["gain"], users),
            "users": task.users.model_copy(
                update={"id": tuple(f"u{u}" for u in range(users)), "block": (0,) * users, "stratum": (0,) * users}
            ),
            "taste": task.taste.model_copy(update={"counts": ((1, 2),) * users, "levels": ("1", "2"), "shown": ()}),
        }
    )
    records = {}
    for (name, row), fits in zip(rows.items(), case["fits"], strict=False):
        results = analysis.generators[name]
        same = "".join(map(str, row.digest.ravel()))
        records[name] = template.model_copy(
            update={
                "generator": template.generator.model_copy(
                    update={
                        "id": name,
                        "title": f"Generator {name}",
                        "ranked": row.ranked,
                        "params": {},
                        "fit_varies": fits > 0,
                    }
                ),
                "images": template.images.model_copy(
                    update={"requested": users * images, "valid": int((~row.failed).sum()), "digest": same}
                ),
                "measures": {
                    scorer: MeasureInfo(card=CARDS[scorer], of_images=True, everyone=True, range=row.ranges.get(scorer))
                    for scorer in everything
                },
                "excess": results.excess,
                "fits": template.fits[:1] * max(1, fits),
                "summary": results.summary,
                "personal": results.personal,
                "gap": results.gap,
                "published_schemes": {},
            }
        )
    tables = Tables(board_of(Path("nowhere"), task, records), rows)
    none = np.zeros(0, int)
    tables.held_out = HeldOutScores(none, none, none.astype(str), none > 0, none.astype(str), none * 1.0, none * 1.0)
    return tables


def judges(gain, users):
    if gain is None:
        return {}
    curve, mean = Curve((), ()), Interval(0.6, 0.5, 0.7, "student-t", users, 0.0)
    difference = Interval(sum(gain) / 2, *gain, "student-t", users, 0.0)
    return {
        "verifier": JudgeReport("the verifier", 9, mean, mean, curve),
        "population": JudgeReport("control", 9, mean, mean, curve, verifier_gain=difference),
    }


@pytest.fixture(scope="module")
def frame(done):
    folder = done / "w" / "records" / "tiny" / "v1"
    return lambda case: tables_for(case, read_record(folder / "rebeca"), read_comparison(folder))


BASE = {
    "users": 12, "names": NAMES[:3], "images": 1, "seed": 3, "levels": 1000, "effect": 0.9, "copies": [], "failing": {},
    "unranked": set(), "family": "all-pairs", "failures": "exclude", "most_failures": 0.05,
    "ground_truth": True, "gain": None, "fits": [1] * 5, "defended": False,
}  # fmt: skip


def test_a_lift_that_all_users_share_can_be_confirmed(frame):
    """In sprites, all users get exactly what they like; such lifts have no interval, and the test rejects."""
    lead = frame(BASE | {"levels": 1, "names": NAMES[:2], "effect": 0.9}).board.lead
    assert "passes" in [claim.relation for claim in lead.claims if claim.measure.startswith("lift:")]


@given(case=cases())
@example(case=BASE | {"copies": [("beta", "alpha"), ("gamma", "alpha")]})
@example(case=BASE | {"failing": {"alpha": 1.0}})
@example(case=BASE | {"defended": True, "names": NAMES[:5], "seed": 1})
@example(case=BASE | {"defended": True, "names": NAMES[:5], "seed": 2})
@example(case=BASE | {"failing": {"alpha": 1.0}, "family": "against-reference"})
@example(case=BASE | {"failing": {"beta": 0.67}, "failures": "worst"})
@example(case=BASE | {"failing": {"beta": 0.67}, "failures": "worst", "most_failures": 0.9})
@example(case=BASE | {"unranked": set(NAMES[:3])})
@example(case=BASE | {"levels": 1, "effect": 0.0})
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sentences_about_generated_leaderboards_are_true(frame, case):
    check(frame(case))


def test_sentences_about_finished_runs_are_true(tables, miniature_tables):
    for some in (tables, miniature_tables):
        assert len(check(some)) > 10


def test_a_copy_changes_nobody_elses_finding(frame):
    """Copies once enlarged the family of tests until nobody's lift was significant."""
    one = frame(BASE).board.lead
    names = NAMES[:5]
    copies = [("delta", "alpha"), ("epsilon", "alpha")]
    more = frame(BASE | {"names": names, "copies": copies}).board.lead
    tests = [claim.relation for claim in one.claims if claim.measure.startswith("lift:")]
    assert "passes" in tests
    assert "passes" in [claim.relation for claim in more.claims if claim.measure.startswith("lift:")]


def test_a_leader_whose_images_failed_is_named_as_such(frame):
    """The headline was once silent about 67 % failures."""
    case = BASE | {"failing": dict.fromkeys(NAMES[:3], 0.5), "images": 8, "most_failures": 0.9}
    lead = frame(case).board.lead
    assert "of the images of Generator " in lead.text and " failed." in lead.text


def test_generators_that_are_not_ranked_for_want_of_images_are_named(frame):
    """The headline was silent about submissions of which half the images, or all, were missing."""
    case = BASE | {"failing": {"beta": 1.0, "gamma": 0.9}, "images": 1}
    two = "Not ranked, because too many images failed: Generator gamma (83.3 %), Generator beta (100 %)."
    board = frame(case).board
    assert two in board.lead.text
    assert [claim.value for claim in board.lead.claims if claim.measure == "failing"] == [2]
    assert [row.id for row in board.rows if not row.ranked] == ["gamma", "beta"]
    for row in board.rows:
        assert row.ranked != ("too many failures" in row.flags) == row.failing
    assert "Not ranked: 12 of 12 images of Generator beta failed, more than the declared 5 %." in board.cautions()
    none = frame(BASE | {"failing": dict.fromkeys(NAMES, 1.0)}).board.lead.text
    assert none.startswith("No generator has a preference. Not ranked, because too many images failed: ")
    assert "ot ranked" not in frame(BASE).board.lead.text


def test_generators_without_enough_preferences_are_named(frame):
    """Where failures do not say why, because the scorer has no answer."""
    allowed = BASE | {"failing": {"beta": 1.0}, "most_failures": 0.99, "names": NAMES[:4]}
    share = frame(allowed | {"failing": {"beta": 0.9}}).board.lead.text
    assert "Generator beta is not ranked: the preference of too many users is missing." in share
    both = frame(allowed | {"failing": {"beta": 0.9, "gamma": 0.9}}).board.lead.text
    assert "are not ranked: the preference of too many users is missing." in both


def test_a_false_claim_is_noticed(frame):
    tables = frame(BASE)
    check(tables)
    lead = tables.board.lead
    for i, claim in enumerate(lead.claims):
        wrong = (
            replace(claim, value=(claim.value or 0.0) + 1.5)
            if claim.relation != "passes"
            else (replace(claim, relation="fails"))
        )
        tables.board.__dict__["lead"] = replace(lead, claims=(*lead.claims[:i], wrong, *lead.claims[i + 1 :]))
        with pytest.raises(AssertionError):
            check(tables)
    tables.board.__dict__["lead"] = replace(lead, text=lead.text + " 17 more are bad.")
    with pytest.raises(AssertionError, match="17 more"):
        check(tables)
