"""Can the verifier be trusted? Its held-out ratings, beside controls and a ceiling."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.figures.style import BLUE, GRID, INK, ORANGE, SOFT, Figure, Size
from benchmark.numbers import number, with_interval
from benchmark.stats.exact import resampled_means
from benchmark.stats.intervals import resampling_weights
from benchmark.stats.random import stream
from benchmark.stats.verifier import auc_by_user
from benchmark.tables import DRAWS, Tables
from benchmark.verifier_report import JUDGES

KINDS = {"judge": BLUE, "control": "#737373", "ceiling": ORANGE}
BINS = 40
COLOURS = alt.Scale(domain=list(JUDGES), range=[BLUE, ORANGE])
BELOW = {"legend": alt.Legend(title=None, orient="bottom")}


def judges(tables: Tables) -> list[Figure]:
    """Dots, ROC, bootstrap AUC, calibration, learning curve; those that the task has."""
    found = [_dots(tables), _roc(tables), _bootstrap(tables), _calibration(tables), _learning(tables)]
    return [figure for figure in found if figure is not None]


def _finding(tables: Tables) -> str:
    verifier = tables.board.judges["verifier"]["auc_within_user"]
    control = tables.board.judges.get("population", {}).get("verifier_gain")
    text = f"Within a person the verifier puts a liked picture first {number(verifier['estimate'], 2)} of the time"
    if control is None or control["estimate"] is None:
        return text
    if control["low"] is None or control["low"] <= 0 <= control["high"]:
        return f"{text}, not clearly more or less than taste in common"
    more = "more" if control["estimate"] > 0 else "less"
    return f"{text}, {number(abs(control['estimate']), 2)} {more} than taste in common"


def _dots(tables: Tables) -> Figure | None:
    rows = []
    for name, entry in tables.board.judges.items():
        interval = entry["auc_within_user"]
        if interval["estimate"] is None:
            continue
        kind = "judge" if name in JUDGES else "ceiling" if "others" in name else "control"
        low, high = (interval[end] if interval[end] is not None else interval["estimate"] for end in ("low", "high"))
        rows.append({"judge": name, "auc": interval["estimate"], "low": low, "high": high, "kind": kind})
    data = pd.DataFrame(rows)
    if data.empty:
        return None

    def draw(size: Size) -> Any:
        present = [kind for kind in KINDS if kind in set(data["kind"])]
        scale = alt.Scale(domain=present, range=[KINDS[kind] for kind in present])
        colour = alt.Color("kind:N", scale=scale, **BELOW)
        y = alt.Y("judge:N", sort=data["judge"].tolist(), title=None)
        x_title = "AUC within a person's held-out ratings (0.5: by chance)"
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

    text = "; ".join(f"{n}: {with_interval(e['auc_within_user'])}" for n, e in tables.board.judges.items())
    return Figure("judges", _finding(tables), text, data, draw, "Each dot is a mean over people, with its interval.")


def _roc(tables: Tables) -> Figure | None:
    rows = []
    for name in JUDGES:
        entry = tables.board.judges.get(name)
        for ratings, curve in (("held-out", entry["roc"]), ("training", entry["train"]["roc"])) if entry else ():
            for x, y in zip(curve["false_positive"], curve["true_positive"], strict=True):
                rows.append({"judge": name, "ratings": ratings, "false_positive": x, "true_positive": y})
    data = pd.DataFrame(rows)
    if data.empty:
        return None
    pooled = {name: tables.board.judges[name]["auc_pooled"] for name in JUDGES if name in tables.board.judges}
    diagonal = pd.DataFrame({"false_positive": [0.0, 1.0], "true_positive": [0.0, 1.0]})

    def draw(size: Size) -> Any:
        x = alt.X("false_positive:Q", title="disliked ratings above the threshold")
        y = alt.Y("true_positive:Q", title="liked ratings above it")
        dash = alt.StrokeDash("ratings:N", sort=["held-out"], **BELOW)
        lines = alt.Chart(data).mark_line(strokeWidth=1.5)
        side = round(size.width * 0.7)
        return alt.layer(
            alt.Chart(diagonal).mark_line(color=GRID).encode(x=x, y=y),
            lines.encode(x=x, y=y, color=alt.Color("judge:N", scale=COLOURS, **BELOW), strokeDash=dash),
        ).properties(width=side, height=side)

    text = "; ".join(f"{name}: pooled AUC {with_interval(value)}" for name, value in pooled.items())
    title = (
        f"On held-out ratings of all people together the verifier's AUC is {number(pooled['verifier']['estimate'], 2)}"
    )
    return Figure("roc", title, text, data, draw, "Pooled curves also reward knowing who is lenient.")


def _bootstrap(tables: Tables) -> Figure | None:
    judged, board = tables.judged, tables.board
    people = len(board.comparison["user_ids"])
    weights = resampling_weights(people, DRAWS, stream(tables.plan.name, "site-auc"))
    rows, text = [], []
    ends: tuple[float, float] = ()  # type: ignore[assignment]  # of the first judge, the verifier
    for name in board.judges:
        own = (judged["judge"] == name) & (judged["split"] == "test") & (judged["share"] == 1)
        by_user = auc_by_user(judged["user"][own], judged["label"][own], judged["score"][own], people)
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
        x = alt.X("auc:Q", title="mean AUC within user, people drawn again", scale=alt.Scale(zero=False))
        y = alt.Y("share:Q", title=None, axis=None, stack=None)
        area = alt.Chart(data).mark_area(color=BLUE, opacity=0.75, interpolate="step")
        return area.encode(x=x, y=y, row=row).properties(width=round(size.width * 0.75), height=size.font * 4)

    title = f"Draw other people, and the verifier's AUC moves between {ends[0]:.2f} and {ends[1]:.2f}"
    return Figure("bootstrap-auc", title, "; ".join(text), data, draw, f"{DRAWS:,} bootstrap draws of people.")


def _calibration(tables: Tables) -> Figure | None:
    found = tables.board.judges
    data = pd.DataFrame(
        [
            {"judge": name, "mean": b["mean"], "share": b["share"], "ratings": b["n"]}
            for name in JUDGES
            for b in (found.get(name, {}).get("calibration") or {}).get("bins", [])
        ]
    )
    if data.empty:
        return None
    diagonal = pd.DataFrame({"mean": [0.0, 1.0], "share": [0.0, 1.0]})

    def draw(size: Size) -> Any:
        x = alt.X("mean:Q", title="probability that was given")
        y = alt.Y("share:Q", title="share that was liked")
        base = alt.Chart(data).encode(x=x, y=y, color=alt.Color("judge:N", scale=COLOURS, **BELOW))
        dots = base.mark_point(filled=True, opacity=1).encode(
            size=alt.Size("ratings:Q", legend=None, scale=alt.Scale(range=[size.font * 2, size.font * 12])),
            shape=alt.Shape("judge:N", scale=alt.Scale(domain=list(JUDGES)), **BELOW),
        )
        side = round(size.width * 0.7)
        line = alt.Chart(diagonal).mark_line(color=GRID).encode(x=x, y=y)
        return alt.layer(line, base.mark_line(opacity=0.6), dots).properties(width=side, height=side)

    errors = {name: found[name]["calibration"]["expected_error"] for name in JUDGES if name in found}
    text = "; ".join(f"{name}: expected calibration error {number(error)}" for name, error in errors.items())
    title = f"The verifier's probabilities are off by {number(errors['verifier'], 2)} on average"
    return Figure("calibration", title, text, data, draw, "On the diagonal, probabilities mean what they say.")


def _learning(tables: Tables) -> Figure | None:
    curve = tables.board.judges.get("verifier", {}).get("learning_curve") or []
    if len(curve) < 2:
        return None
    data = pd.DataFrame(
        [{"share": p["share"], **{k: p["auc_within_user"][k] for k in ("estimate", "low", "high")}} for p in curve]
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

    first, last = curve[0]["auc_within_user"]["estimate"], curve[-1]["auc_within_user"]["estimate"]
    gain = number(last - first, 3, True)
    title = f"With all ratings instead of {100 * curve[0]['share']:.0f} % the verifier's AUC changes by {gain}"
    text = "; ".join(f"{p['share']:.0%}: {with_interval(p['auc_within_user'])}" for p in curve)
    return Figure(
        "learning-curve", title, text, data, draw, "AUC within user, fitted on shares of everybody's ratings."
    )
