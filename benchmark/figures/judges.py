"""Can the verifier be trusted? Its scores of held-out ratings, beside controls and the mean of others."""

from __future__ import annotations

from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.measures import JUDGES, OTHERS, VERIFIER
from benchmark.board.claims import Claim, Sentence
from benchmark.board.finding import USERS
from benchmark.board.format_numbers import count, number, percent, with_interval
from benchmark.board.tables import DRAWS, Tables
from benchmark.figures.plane import ends_of
from benchmark.figures.style import BLUE, GRID, INK, ORANGE, SOFT, Figure, Size, Undrawn, present
from benchmark.stats.exact import resampled_means
from benchmark.stats.intervals import resampling_weights
from benchmark.stats.random import stream
from benchmark.stats.verifier import auc_by_user

AUC = "auc"
"""Key of claims: AUC within user."""
KINDS = {"judge": BLUE, "control": "#737373", OTHERS: ORANGE}
BINS = 40
COLOURS = alt.Scale(domain=list(JUDGES), range=[BLUE, ORANGE])
BELOW = {"legend": alt.Legend(title=None, orient="bottom")}


def judges(tables: Tables) -> list[Figure | Undrawn]:
    """Dots, ROC, bootstrap AUC, calibration, learning curve; those that the task has."""
    kinds = {
        "judges": _dots,
        "roc": _roc,
        "bootstrap": _bootstrap,
        "calibration": _calibration,
        "learning": _learning,
    }
    return present({name: partial(figure, tables) for name, figure in kinds.items()})


def _finding(tables: Tables) -> Sentence:
    if VERIFIER not in tables.board.judges:
        return Sentence("How judges and controls rank the liked above the disliked held-out items")
    verifier = tables.board.judges[VERIFIER].auc_within_user
    gain = tables.board.judges["population"].verifier_gain if "population" in tables.board.judges else None
    text = f"Within a user the verifier's AUC is {number(verifier.estimate, 2)}, over {count(verifier.n)}"
    claims = (Claim(VERIFIER, AUC, "is", verifier.estimate), Claim(VERIFIER, f"{USERS}:{AUC}", "is", verifier.n))
    if gain is None or gain.estimate is None:
        return Sentence(text, claims)
    if gain.low is None or gain.high is None or gain.low <= 0 <= gain.high:
        unclear = Claim(VERIFIER, "gain:population", "may be zero" if gain.estimate >= 0 else "is")
        return Sentence(f"{text}, not clearly more or less than that of taste in common", (*claims, unclear))
    difference = number(abs(gain.estimate), 2)
    text += f", {difference} {'more' if gain.estimate > 0 else 'less'} than that of taste in common"
    return Sentence(text, (*claims, Claim(VERIFIER, "gain:population", "is", gain.estimate)))


def _dots(tables: Tables) -> Figure | None:
    rows = []
    for name, report in tables.board.judges.items():
        if not report.auc_within_user.known:
            continue
        kind = "judge" if name in JUDGES else OTHERS if name == OTHERS else "control"
        ends = ends_of("auc", report.auc_within_user)
        rows.append({"judge": name, "auc": ends["auc"], "low": ends["auc_low"], "high": ends["auc_high"], "kind": kind})
    data = pd.DataFrame(rows)
    if data.empty:
        return None

    finding = _finding(tables)

    def draw(size: Size) -> Any:
        present = [kind for kind in KINDS if kind in set(data["kind"])]
        scale = alt.Scale(domain=present, range=[KINDS[kind] for kind in present])
        colour = alt.Color("kind:N", scale=scale, **BELOW)
        y = alt.Y("judge:N", sort=data["judge"].tolist(), title=None)
        x_title = "AUC within a user's held-out ratings (0.5: by chance)"
        base, chance = alt.Chart(data), alt.Chart(pd.DataFrame({"auc": [0.5]}))
        return alt.layer(
            chance.mark_rule(color=INK, strokeDash=[3, 3], opacity=0.6).encode(x="auc:Q"),
            base.mark_rule().encode(
                x=alt.X("low:Q", title=x_title, scale=alt.Scale(zero=False)), x2="high:Q", y=y, color=colour
            ),
            base.mark_point(filled=True, size=size.font * 5, opacity=1).encode(
                x="auc:Q", y=y, color=colour, shape=alt.Shape("kind:N", scale=alt.Scale(domain=present), **BELOW)
            ),
        ).properties(width=size.width, height=size.font * 2.6 * len(rows))

    return Figure(
        "judges",
        title=finding.text,
        claims=finding.claims,
        alt="; ".join(f"{n}: {with_interval(report.auc_within_user)}" for n, report in tables.board.judges.items()),
        data=data,
        draw=draw,
        note="Each dot is a mean over users, with its interval.",
    )


def _roc(tables: Tables) -> Figure | None:
    reports = {name: tables.board.judges[name] for name in JUDGES if name in tables.board.judges}
    data = pd.DataFrame(
        [
            {"judge": name, "ratings": ratings, "false_positive": x, "true_positive": y}
            for name, report in reports.items()
            if report.train is not None
            for ratings, curve in (("held-out", report.roc), ("training", report.train.roc))
            for x, y in zip(curve.false_positive, curve.true_positive, strict=True)
        ]
    )
    if data.empty:
        return None
    diagonal = pd.DataFrame({"false_positive": [0.0, 1.0], "true_positive": [0.0, 1.0]})

    def draw(size: Size) -> Any:
        x = alt.X("false_positive:Q", title="disliked ratings above the threshold")
        y = alt.Y("true_positive:Q", title="liked ratings above it")
        colour = alt.Color("judge:N", scale=COLOURS, **BELOW)
        dash = alt.StrokeDash("ratings:N", sort=["held-out"], **BELOW)
        side = round(size.width * 0.7)
        return alt.layer(
            alt.Chart(diagonal).mark_line(color=GRID).encode(x=x, y=y),
            alt.Chart(data).mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour, strokeDash=dash),
        ).properties(width=side, height=side)

    auc = reports[VERIFIER].auc_pooled.estimate
    return Figure(
        "roc",
        title=f"On held-out ratings of all users together the verifier's AUC is {number(auc, 2)}",
        claims=(Claim(VERIFIER, "pooled auc", "is", auc),),
        alt="; ".join(f"{name}: pooled AUC {with_interval(report.auc_pooled)}" for name, report in reports.items()),
        data=data,
        draw=draw,
        note="Pooled curves also reward knowing who is lenient.",
    )


def _bootstrap(tables: Tables) -> Figure | None:
    board, users = tables.board, len(tables.board.record.user_ids)
    weights = resampling_weights(users, DRAWS, stream(tables.plan.name, "site-auc"))
    rows, text = [], []
    ends: tuple[float, float] = ()  # type: ignore[assignment]  # of the first judge, the verifier
    for name in board.judges:
        test = tables.held_out.of(name, "test")
        by_user = auc_by_user(test.user, test.label, test.score, users)
        known = np.isfinite(by_user)
        draws = resampled_means(weights[:, known], by_user[known])
        if not len(draws) or np.ptp(draws) < 1e-9:
            continue
        counts, edges = np.histogram(draws, BINS)
        rows += [
            {"judge": name, "auc": (a + b) / 2, "share": c / len(draws)}
            for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
        low, high = np.quantile(draws, [0.025, 0.975])
        ends = ends or (low, high)
        text.append(f"{name}: middle 95 % of draws {low:.3f} to {high:.3f}")
    data = pd.DataFrame(rows)
    if data.empty:
        return None

    def draw(size: Size) -> Any:
        row = alt.Row(
            "judge:N", sort=list(board.judges), title=None, header=alt.Header(labelAngle=0, labelAlign="left")
        )
        x = alt.X("auc:Q", title="mean AUC within user, users drawn again", scale=alt.Scale(zero=False))
        y = alt.Y("share:Q", title=None, axis=None, stack=None)
        area = alt.Chart(data).mark_area(color=BLUE, opacity=0.75, interpolate="step")
        return area.encode(x=x, y=y, row=row).properties(width=round(size.width * 0.75), height=size.font * 4)

    return Figure(
        "bootstrap-auc",
        title=f"Draw other users, and the verifier's AUC lies between {ends[0]:.2f} and {ends[1]:.2f} in 95 % of draws",
        claims=(
            Claim(VERIFIER, "auc, 2.5 % of draws", "is", ends[0]),
            Claim(VERIFIER, "auc, 97.5 % of draws", "is", ends[1]),
        ),
        alt="; ".join(text),
        data=data,
        draw=draw,
        note=f"{DRAWS:,} bootstrap draws of users.",
    )


def _calibration(tables: Tables) -> Figure | None:
    judges = tables.board.judges
    calibrations = {name: bins for name in JUDGES if name in judges and (bins := judges[name].calibration)}
    data = pd.DataFrame(
        [
            {"judge": name, "mean": part.mean, "share": part.share, "ratings": part.n}
            for name, calibration in calibrations.items()
            for part in calibration.bins
        ]
    )
    if data.empty:
        return None
    diagonal = pd.DataFrame({"mean": [0.0, 1.0], "share": [0.0, 1.0]})

    def draw(size: Size) -> Any:
        x = alt.X("mean:Q", title="predicted probability")
        y = alt.Y("share:Q", title="share of liked items")
        base = alt.Chart(data).encode(x=x, y=y, color=alt.Color("judge:N", scale=COLOURS, **BELOW))
        dots = base.mark_point(filled=True, opacity=1).encode(
            size=alt.Size("ratings:Q", legend=None, scale=alt.Scale(range=[size.font * 2, size.font * 12])),
            shape=alt.Shape("judge:N", scale=alt.Scale(domain=list(JUDGES)), **BELOW),
        )
        side = round(size.width * 0.7)
        line = alt.Chart(diagonal).mark_line(color=GRID).encode(x=x, y=y)
        return alt.layer(line, base.mark_line(opacity=0.6), dots).properties(width=side, height=side)

    errors = {name: calibration.expected_error for name, calibration in calibrations.items()}
    return Figure(
        "calibration",
        title=f"The verifier's probabilities are off by {number(errors[VERIFIER], 2)} on average",
        claims=(Claim(VERIFIER, "calibration error", "is", errors[VERIFIER]),),
        alt="; ".join(f"{name}: expected calibration error {number(error)}" for name, error in errors.items()),
        data=data,
        draw=draw,
        note="On the diagonal, probabilities are calibrated.",
    )


def _learning(tables: Tables) -> Figure | None:
    verifier = tables.board.judges.get(VERIFIER)
    curve = () if verifier is None else verifier.learning_curve
    if len(curve) < 2:
        return None
    data = pd.DataFrame(
        [
            {"share": point.share, "estimate": auc.estimate, "low": auc.low, "high": auc.high}
            for point, auc in ((point, point.auc_within_user) for point in curve)
        ]
    )

    def draw(size: Size) -> Any:
        axis = alt.Axis(format="%", values=list(data["share"]))
        x = alt.X(
            "share:Q", title="share of training ratings", axis=axis, scale=alt.Scale(domain=[0, 1.05], nice=False)
        )
        y = alt.Y("estimate:Q", title="AUC within user", scale=alt.Scale(zero=False))
        base = alt.Chart(data).encode(x=x)
        return alt.layer(
            base.mark_rule(color=SOFT).encode(y=alt.Y("low:Q", title="AUC within user"), y2="high:Q"),
            base.mark_line(color=BLUE, opacity=0.5).encode(y=y),
            base.mark_circle(color=BLUE, size=size.font * 5, opacity=1).encode(y=y),
        ).properties(width=round(size.width * 0.7), height=round(size.width * 0.45))

    first, last = (point.auc_within_user.estimate for point in (curve[0], curve[-1]))
    gain = None if first is None or last is None else last - first
    return Figure(
        "learning-curve",
        title=f"With all ratings instead of {percent(curve[0].share)} the verifier's AUC changes by"
        f" {number(gain, 3, True)}",
        claims=(
            Claim(VERIFIER, "first share", "is", curve[0].share),
            Claim(VERIFIER, "learning gain", "is", gain),
        ),
        alt="; ".join(f"{point.share:.0%}: {with_interval(point.auc_within_user)}" for point in curve),
        data=data,
        draw=draw,
        note="AUC within user, fitted on shares of everybody's ratings.",
    )
