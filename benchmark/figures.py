"""Figures of the site: SVG made at build time, so that a page needs no script and no network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from benchmark.board import Board, Row
from benchmark.verifier_report import JUDGES

FAMILY_COLOURS = {
    "rebeca": "#0072B2",
    "catalogue": "#E69F00",
    "prompt": "#009E73",
    "external": "#CC79A7",
    "control": "#56B4E9",
}
"""Okabe and Ito's palette: told apart by people who see few colours, and by shape besides."""
FAMILY_SHAPES = {
    "rebeca": "circle",
    "catalogue": "square",
    "prompt": "triangle-up",
    "external": "diamond",
    "control": "cross",
}
JUDGE_COLOURS = {"judge": "#0072B2", "control": "#737373", "ceiling": "#E69F00"}
INK, GRID, HALO = "#1a1a1a", "#d9d9d6", "#fcfcfa"
LABEL_ROOM = 0.5
"""Room for names on the right, as a share of the data's width."""
LABEL_GAP = 0.03
WIDTH, HEIGHT = 560, 380
SMALL = 250
LABEL_HEIGHT = 0.046
"""Share of the figure's height that a label needs."""
FONT = "DejaVu Sans, Helvetica, Arial, sans-serif"


def planes(board: Board) -> list[str]:
    """The plane by the verifier, and by the truth or by real ratings where these judge everybody."""
    out = [plane(board, board.primary, "By the verifier", "preference (probability)", "personal lift")]
    truth = board.truth()
    if truth is not None and truth != board.primary and any(row.lift(truth) for row in board.rows):
        title = "By people's own ratings" if truth == "observed" else "By the truth"
        unit = next(row.measures[truth]["card"]["unit"] for row in board.rows if truth in row.measures)
        out.append(plane(board, truth, title, f"mean {unit}", "personal lift"))
    return [svg for svg in out if svg]


def plane(board: Board, judge: str, title: str, x_title: str, y_title: str) -> str:
    """The hero figure as SVG: preference across, personal lift upwards, both by one judge.

    Args:
        board: The leaderboard.
        judge: Scorer that gives both numbers.
        title: What the figure shows.
        x_title: Heading of the horizontal axis.
        y_title: Heading of the vertical axis.
    """
    data = pd.DataFrame(_points(board.rows, judge))
    if data.empty:
        return ""
    data["label_y"] = _spread(data["lift"].tolist(), data["like"].tolist(), _span(data, "lift"))
    families = [f for f in FAMILY_COLOURS if f in set(data["family"])]
    colour = alt.Color(
        "family:N", legend=alt.Legend(title=None, orient="bottom"),
        scale=alt.Scale(domain=families, range=[FAMILY_COLOURS[f] for f in families]),
    )  # fmt: skip
    shape = alt.Shape(
        "family:N", legend=None, scale=alt.Scale(domain=families, range=[FAMILY_SHAPES[f] for f in families])
    )
    low, high = float(data["like_low"].min()), float(data["like_high"].max())
    margin = (high - low) or 1.0
    room = alt.Scale(domain=[low - 0.05 * margin, high + LABEL_ROOM * margin], nice=False, zero=False)
    ticks, decimals = _ticks(low, high)
    axis = alt.Axis(values=ticks, format=f".{decimals}f")

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=x_title, scale=room, axis=axis)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=y_title)

    base = alt.Chart(data)
    zero = alt.Chart(pd.DataFrame({"lift": [0.0]}))
    weight = alt.Opacity("weight:Q", scale=None, legend=None)
    names = base.encode(x=x("label_x"), y=y("label_y"))
    label: dict[str, Any] = {"align": "left", "dx": 4, "fontSize": 11}
    layers = [
        zero.mark_rule(color=INK, strokeDash=[3, 3], opacity=0.6).encode(y=y("lift")),
        base.mark_rule(color=INK, opacity=0.2).encode(x=x("like"), x2="label_x:Q", y=y("lift"), y2="label_y:Q"),
        names.mark_text(**label, stroke=HALO, strokeWidth=4, strokeJoin="round").encode(text="title:N"),
        base.mark_rule(opacity=0.55).encode(x=x("like_low"), x2="like_high:Q", y=y("lift"), color=colour),
        base.mark_rule(opacity=0.55).encode(x=x("like"), y=y("lift_low"), y2="lift_high:Q", color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x("like"), y=y("lift"), color=colour, shape=shape),
        names.mark_text(**label, color=INK).encode(text="title:N", opacity=weight),
    ]
    data["label_x"] = data["like_high"] + LABEL_GAP * margin
    data["weight"] = data["ranked"].map({True: 1.0, False: 0.6})
    return _svg(alt.layer(*layers), title, WIDTH, HEIGHT)


def judge_dots(board: Board) -> str:
    """AUC within user of the verifier, its controls and the ceiling, as SVG."""
    rows = []
    for name, entry in board.judges.items():
        interval = entry["auc_within_user"]
        if interval["estimate"] is None:
            continue
        low, high = interval["low"] or interval["estimate"], interval["high"] or interval["estimate"]
        kind = "judge" if name in ("verifier", "auditor") else "ceiling" if "others" in name else "control"
        rows.append({"judge": name, "auc": interval["estimate"], "low": low, "high": high, "kind": kind})
    data = pd.DataFrame(rows)
    if data.empty:
        return ""
    order = [row["judge"] for row in rows]
    present = [kind for kind in JUDGE_COLOURS if kind in set(data["kind"])]
    kinds = alt.Scale(domain=present, range=[JUDGE_COLOURS[kind] for kind in present])
    colour = alt.Color("kind:N", scale=kinds, legend=alt.Legend(title=None, orient="bottom"))
    y = alt.Y("judge:N", sort=order, title=None)
    base = alt.Chart(data)
    chart = alt.layer(
        alt.Chart(pd.DataFrame({"auc": [0.5]})).mark_rule(color=INK, strokeDash=[3, 3], opacity=0.6).encode(x="auc:Q"),
        base.mark_rule().encode(x=alt.X("low:Q", title="AUC within a person's held-out ratings (0.5: by chance)",
                                        scale=alt.Scale(zero=False)), x2="high:Q", y=y, color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(x="auc:Q", y=y, color=colour),
    )  # fmt: skip
    return _svg(chart, "Can the verifier tell what a person likes?", 620, 30 * len(rows))


def roc_curves(board: Board) -> str:
    """ROC curves of the judges on held-out and on training ratings, as SVG."""
    rows = []
    for name in JUDGES:
        entry = board.judges.get(name)
        for ratings, curve in (("held-out", entry["roc"]), ("training", entry["train"]["roc"])) if entry else ():
            for x, y in zip(curve["false_positive"], curve["true_positive"], strict=True):
                rows.append({"judge": name, "ratings": ratings, "x": x, "y": y})
    if not rows:
        return ""
    diagonal = alt.Chart(pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})).mark_line(color=GRID)
    chart = diagonal.encode(x="x:Q", y="y:Q") + alt.Chart(pd.DataFrame(rows)).mark_line().encode(
        x=alt.X("x:Q", title="disliked ratings above the threshold"),
        y=alt.Y("y:Q", title="liked ratings above it"),
        color=_judge_colour(),
        strokeDash=alt.StrokeDash("ratings:N", legend=alt.Legend(title=None, orient="bottom"), sort=["held-out"]),
    )
    return _svg(chart, "ROC curves", SMALL, SMALL)


def reliability(board: Board) -> str:
    """Do the judges' probabilities mean what they say? As SVG."""
    rows = [
        {"judge": name, "mean": b["mean"], "share": b["share"], "n": b["n"]}
        for name in JUDGES
        for b in board.judges.get(name, {}).get("calibration", {}).get("bins", [])
    ]
    if not rows:
        return ""
    diagonal = alt.Chart(pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})).mark_line(color=GRID)
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("mean:Q", title="probability that was given"), y=alt.Y("share:Q", title="share that was liked"),
        color=_judge_colour(),
    )  # fmt: skip
    size = alt.Size("n:Q", legend=None, scale=alt.Scale(range=[20, 160]))
    chart = (
        diagonal.encode(x="x:Q", y="y:Q") + base.mark_line(opacity=0.6) + base.mark_circle(opacity=1).encode(size=size)
    )
    return _svg(chart, "Calibration", SMALL, SMALL)


def learning_curve(board: Board) -> str:
    """AUC within user of the verifier fitted on shares of everybody's ratings, as SVG; empty for a single share."""
    curve = board.judges.get("verifier", {}).get("learning_curve", [])
    if len(curve) < 2:
        return ""
    data = pd.DataFrame([{"share": point["share"], **point["auc_within_user"]} for point in curve])
    axis = alt.Axis(format="%", values=list(data["share"]))
    x = alt.X("share:Q", title="share of training ratings", axis=axis, scale=alt.Scale(domain=[0, 1.05], nice=False))
    base = alt.Chart(data).encode(x=x)
    auc = alt.Y("estimate:Q", title="AUC within user", scale=alt.Scale(zero=False))
    chart = (
        base.mark_rule(color=JUDGE_COLOURS["judge"]).encode(y=alt.Y("low:Q", title="AUC within user"), y2="high:Q")
        + base.mark_line(color=JUDGE_COLOURS["judge"], opacity=0.5).encode(y=auc)
        + base.mark_circle(color=JUDGE_COLOURS["judge"], size=70, opacity=1).encode(y=auc)
    )
    return _svg(chart, "Learning curve of the verifier", SMALL, SMALL)


def _judge_colour() -> alt.Color:
    scale = alt.Scale(domain=list(JUDGES), range=["#0072B2", "#E69F00"])
    return alt.Color("judge:N", scale=scale, legend=alt.Legend(title=None, orient="bottom"))


def _points(rows: Sequence[Row], judge: str) -> list[dict[str, Any]]:
    out = []
    for row in rows:
        like, lift = row.measure(judge), row.lift(judge)
        if like is None or lift is None or lift["estimate"] is None:
            continue
        out.append(
            {
                "title": row.title,
                "family": row.family,
                "ranked": row.ranked,
                "like": like["estimate"],
                "like_low": like["low"] if like["low"] is not None else like["estimate"],
                "like_high": like["high"] if like["high"] is not None else like["estimate"],
                "lift": lift["estimate"],
                "lift_low": lift["low"] if lift["low"] is not None else lift["estimate"],
                "lift_high": lift["high"] if lift["high"] is not None else lift["estimate"],
            }
        )
    return out


def _ticks(low: float, high: float) -> tuple[list[float], int]:
    """Round values from low to high, four to nine of them, and the decimals that tell them apart."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= 9)
    first = math.ceil(low / step - 1e-9)
    values = [round(step * k, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return values, max(0, -math.floor(math.log10(step) + 1e-9))


def _span(data: pd.DataFrame, name: str) -> float:
    return float(data[f"{name}_high"].max() - data[f"{name}_low"].min()) or 1.0


def _spread(heights: Sequence[float], across: Sequence[float], span: float) -> list[float]:
    """Label heights that keep a distance of one line, nearest to their points, in order of height."""
    gap = LABEL_HEIGHT * span
    order = sorted(range(len(heights)), key=lambda i: (heights[i], across[i]))
    placed = [heights[i] for i in order]
    for _ in range(200):
        moved = False
        for i in range(len(placed) - 1):
            overlap = gap - (placed[i + 1] - placed[i])
            if overlap > 1e-9 * span:
                placed[i] -= overlap / 2
                placed[i + 1] += overlap / 2
                moved = True
        if not moved:
            break
    out = [0.0] * len(heights)
    for position, i in enumerate(order):
        out[i] = placed[position]
    return out


def _svg(chart: Any, title: str, width: int, height: int) -> str:
    spec = (
        chart.properties(
            width=width, height=height, title=alt.TitleParams(title, anchor="start", fontSize=15, color=INK)
        )
        .configure(font=FONT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            gridColor=GRID, domainColor=INK, tickColor=INK, labelColor=INK, titleColor=INK, labelFontSize=11
        )
        .to_dict()
    )
    svg: str = vl_convert.vegalite_to_svg(spec)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{_attribute(title)}" ', 1)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
