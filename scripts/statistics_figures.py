"""Draws the figures of docs/explanation/statistics.md: from the records of sprites, the calibration, and examples.

python scripts/statistics_figures.py
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from benchmark.figures.style import BLUE, ORANGE, RED, adaptive
from benchmark.figures.theme import CONFIG
from benchmark.records.files import read_comparison
from benchmark.records.rows import read_all
from benchmark.stats.comparison import cosine, studentised
from benchmark.stats.levels import detectable
from benchmark.stats.personalisation import double_centred, permutations_within
from benchmark.stats.random import stream
from benchmark.stats.simulation import Shape, simulate_ratings

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "results" / "sprites" / "v2"
OUT = ROOT / "docs" / "images" / "statistics"
GREY = "#737373"
WIDTH, HEIGHT = 340, 200
SHOWN = 12
"""Users in the table of opinions, three per taste; the world gives tastes in turn."""
TASTES = 4


def save(name: str, chart: Any) -> None:
    """Writes one figure as SVG."""
    spec = chart.configure(**CONFIG)
    drawn = adaptive(vl_convert.vegalite_to_svg(spec.to_dict()))
    (OUT / f"{name}.svg").write_text(drawn, encoding="utf-8")


def opinions() -> None:
    """S of twelve users, as it is and with leniency and quality subtracted."""
    _, rows = read_all(RECORDS)
    pairs = next(row for row in rows if row.id == "rebeca").pairs["ground-truth"].mean(axis=0)
    users = np.concatenate([np.arange(taste, len(pairs), TASTES)[: SHOWN // TASTES] for taste in range(TASTES)])
    parts = []
    for title, table in (
        ("score by u of the images for v", pairs),
        ("leniency and quality subtracted", double_centred(pairs)),
    ):
        data = pd.DataFrame(
            [
                {"judge": i + 1, "set": j + 1, "value": table[u, v]}
                for i, u in enumerate(users)
                for j, v in enumerate(users)
            ]
        )
        scale = alt.Scale(scheme="blueorange", domainMid=0) if table.min() < 0 else alt.Scale(scheme="blues")
        parts.append(
            alt.Chart(data, title=alt.TitleParams(title, fontSize=12, anchor="start"))
            .mark_rect()
            .encode(
                x=alt.X("set:O", title="images made for"),
                y=alt.Y("judge:O", title="judged by"),
                color=alt.Color("value:Q", scale=scale, legend=alt.Legend(title=None, gradientLength=120)),
            )
            .properties(width=210, height=210)
        )
    save("opinions", alt.hconcat(*parts).resolve_scale(color="independent"))


def whole_sets() -> None:
    """The null of the whole-set test, with and without the user in the prior."""
    _, rows = read_all(RECORDS)
    parts = []
    for name, title in (("rebeca-no-user", "REBECA without the user"), ("rebeca", "REBECA")):
        centred = double_centred(next(row for row in rows if row.id == name).pairs["ncf"].mean(axis=0))
        (moved,) = permutations_within([len(centred)], 4000, stream("figure", name))
        null = np.median(centred[np.arange(len(centred)), moved], axis=1)
        parts.append(_histogram(null, float(np.median(np.diag(centred))), title, "median of the centred own scores"))
    save("whole-sets", alt.hconcat(*parts))


def _histogram(null: Any, observed: float, title: str, axis: str) -> Any:
    width = max(float(np.abs(null).max()), abs(observed)) * 1.1
    edges = np.linspace(min(0.0, -width) if null.min() < 0 else 0.0, width, 41)
    counts, _ = np.histogram(null, edges)
    data = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": counts, "zero": 0})
    bars = (
        alt.Chart(data)
        .mark_bar(color=GREY)
        .encode(x=alt.X("low:Q", title=axis), x2="high:Q", y=alt.Y("n:Q", title=None), y2="zero:Q")
    )
    rule = alt.Chart(pd.DataFrame({"x": [observed]})).mark_rule(color=RED, strokeWidth=2).encode(x="x:Q")
    return (bars + rule).properties(
        width=WIDTH * 0.75, height=HEIGHT, title=alt.TitleParams(title, fontSize=12, anchor="start")
    )


def flips() -> None:
    """|t| with signs flipped, of one pair alone and of the largest in the family."""
    task, rows = read_all(RECORDS)
    family = task.results.families["ncf"]
    values = {row.id: row.values("exclude")["ncf"] for row in rows}
    d = np.column_stack([values[pair.a] - values[pair.b] for pair in family.comparisons])
    names = [(pair.a, pair.b) for pair in family.comparisons]
    chosen = names.index(("rebeca-no-user", "catalogue-most-liked"))
    rng = stream("figure", "flips")
    signs = rng.integers(0, 2, (4000, len(d))) * 2.0 - 1
    square, users = np.square(d).sum(axis=0), np.full(d.shape[1], len(d))
    t = studentised(cosine(signs @ d, square, users), users)
    observed = float(studentised(cosine(d.sum(axis=0), square, users), users)[chosen])
    parts = [
        _histogram(t[:, chosen], observed, "this pair alone: p", "|t|"),
        _histogram(t.max(axis=1), observed, f"largest of {len(names)} pairs: adjusted p", "|t|"),
    ]
    save("flips", alt.hconcat(*parts))


def coverage() -> None:
    """How often intervals contain the true value, by number of users."""
    table = pd.read_csv(ROOT / "docs" / "reports" / "calibration.csv")
    table = table[table["world"] != "fits"]
    lines = []
    for label, quantity, condition in (
        ("difference, not skewed", "difference, interval", "equal"),
        ("lift, not skewed", "lift, interval", "equal"),
        ("lift, skewed", "lift, interval", "skewed"),
        ("lift, skewed, bootstrap-t", "lift, bootstrap-t", "skewed"),
    ):
        own = table[(table["quantity"] == quantity) & (table["condition"] == condition)]
        lines.append(own.groupby("users", as_index=False)["rate"].mean().assign(case=label))
    save("coverage", _lines(pd.concat(lines), "users", "share of intervals with the true value", 0.95))


def published() -> None:
    """Rejections of a true null by correlation: the published scheme beside whole sets."""
    table = pd.read_csv(ROOT / "docs" / "reports" / "calibration.csv")
    table = table[(table["condition"] == "equal") & (table["kind"] == "level") & (table["world"] == "sets")]
    names = {
        "published scheme, single images": "published scheme",
        "whole-set test, median of centred scores": "whole sets (decides)",
    }
    table = table[table["quantity"].isin(names)]
    data = table.groupby(["quantity", "correlation"], as_index=False)["rate"].mean()
    data["case"] = data["quantity"].map(names)
    save("published", _lines(data, "correlation", "true null hypotheses rejected", 0.05))


def fits() -> None:
    """Leaderboards of equal methods with a verdict, by the variance between fits."""
    table = pd.read_csv(ROOT / "docs" / "reports" / "calibration.csv")
    table = table[(table["world"] == "fits") & (table["condition"] == "own fits") & (table["users"] == 100)]
    table = table[table["quantity"].isin(["one fit, a verdict in all pairs", "methods, no difference, all pairs"])]
    data = table.assign(case=[f"{own} fit{'s' if own > 1 else ''}" for own in table["fits"]])
    save("fits", _lines(data, "fit_variance", "leaderboards with a verdict", 0.05))


X_TITLES = {
    "users": "users",
    "correlation": "correlation of two images of one set",
    "fit_variance": "variance between fits / variance between users",
}


def _lines(data: Any, x: str, title: str, nominal: float) -> Any:
    base = alt.Chart(data).encode(
        x=alt.X(f"{x}:Q", title=X_TITLES[x],
                scale=alt.Scale(type="log" if x == "users" else "linear", nice=False),
                axis=alt.Axis(values=sorted(data[x].unique()), format=".2~f")),
        y=alt.Y("rate:Q", title=title, scale=alt.Scale(zero=nominal < 0.5)),
        color=alt.Color("case:N", legend=alt.Legend(title=None), scale=alt.Scale(range=[BLUE, GREY, RED, ORANGE]),
                        sort=None),
    )  # fmt: skip
    rule = alt.Chart(pd.DataFrame({"y": [nominal]})).mark_rule(strokeDash=[3, 3]).encode(y="y:Q")
    return (rule + base.mark_line() + base.mark_circle(size=50, opacity=1)).properties(width=WIDTH, height=HEIGHT)


def verdicts() -> None:
    """Four intervals and a margin."""
    data = pd.DataFrame(
        [
            {"verdict": "better", "d": 0.05, "low": 0.025, "high": 0.075},
            {"verdict": "worse", "d": -0.04, "low": -0.07, "high": -0.01},
            {"verdict": "equivalent", "d": 0.004, "low": -0.008, "high": 0.016},
            {"verdict": "inconclusive", "d": 0.01, "low": -0.02, "high": 0.04},
        ]
    )
    order = list(data["verdict"])
    base = alt.Chart(data).encode(y=alt.Y("verdict:N", sort=order, title=None))
    margin = alt.Chart(pd.DataFrame({"low": [-0.02], "high": [0.02]})).mark_rect(color=BLUE, opacity=0.12)
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(strokeDash=[3, 3]).encode(x="x:Q")
    chart = (
        margin.encode(x="low:Q", x2="high:Q")
        + zero
        + base.mark_rule().encode(x=alt.X("low:Q", title="difference (shaded: the declared margin)"), x2="high:Q")
        + base.mark_circle(size=70, opacity=1).encode(x="d:Q")
    )
    save("verdicts", chart.properties(width=WIDTH, height=130))


def ranks() -> None:
    """Rank intervals and letters of sprites."""
    ranks = read_comparison(RECORDS).results.families["ncf"].ranks
    data = pd.DataFrame([{"generator": name, **asdict(rank)} for name, rank in ranks.items()])
    data["left"], data["right"] = data["low"] - 0.15, data["high"] + 0.15
    order = list(data.sort_values("order")["generator"])
    base = alt.Chart(data).encode(y=alt.Y("generator:N", sort=order, title=None))
    x = alt.X("left:Q", title="rank", axis=alt.Axis(values=list(range(1, len(data) + 1)), format="d"),
              scale=alt.Scale(domain=[0.5, len(data) + 1]))  # fmt: skip
    chart = base.mark_rule(strokeWidth=6, color=BLUE, opacity=0.5, strokeCap="round").encode(x=x, x2="right:Q")
    chart += base.mark_text(align="left", dx=8, fontWeight="bold").encode(x="right:Q", text="letters:N")
    save("ranks", chart.properties(width=WIDTH, height=220))


def aucs() -> None:
    """Held-out ratings of six users: lenient users are easy to tell, their own likes are not."""
    user, liked, score = simulate_ratings(Shape(6, 1, 0.8), 24, stream("figure", "auc"))
    data = pd.DataFrame({"user": user + 1, "score": score, "rating": np.where(liked, "liked", "disliked")})
    data["y"] = data["user"] + np.where(liked, -0.12, 0.12)
    colours = alt.Scale(domain=["liked", "disliked"], range=[BLUE, ORANGE])
    chart = (
        alt.Chart(data)
        .mark_tick(thickness=2, size=14)
        .encode(
            x=alt.X("score:Q", title="the verifier's score"),
            y=alt.Y("y:Q", title="user", axis=alt.Axis(values=[1, 2, 3, 4, 5, 6])),
            color=alt.Color("rating:N", scale=colours, legend=alt.Legend(title=None)),
        )
    )
    save("aucs", chart.properties(width=WIDTH, height=HEIGHT))


def agreement() -> None:
    """The verifier beside the auditor, on the distinct images of two users."""
    _, rows = read_all(RECORDS)
    points: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        for u in (0, 5) if row.ranked else ():
            for k, digest in enumerate(row.digest[u]):
                scores = {"verifier": row.scores["ncf"][u, k], "auditor": row.scores["auditor"][u, k]}
                points[str(u), str(digest)] = {"user": f"user {u + 1}", **scores}
    chart = alt.Chart(pd.DataFrame(list(points.values()))).mark_circle(size=30).encode(
        x=alt.X("auditor:Q", title="by the auditor"), y=alt.Y("verifier:Q", title="by the verifier"),
        color=alt.Color("user:N", legend=alt.Legend(title=None), scale=alt.Scale(range=[BLUE, ORANGE])),
    )  # fmt: skip
    save("agreement", chart.properties(width=WIDTH, height=HEIGHT))


def power() -> None:
    """Smallest detectable difference by users and images."""
    users = np.array([8, 15, 30, 60, 120, 210, 400])
    data = pd.concat(
        [
            pd.DataFrame({"users": users, "case": "1 image" if k == 1 else f"{k} images",
                          "rate": detectable(0.05) * np.sqrt((0.3 + 0.7 / k) * 2 / users)})
            for k in (1, 5, 25)
        ]
    )  # fmt: skip
    base = alt.Chart(data).encode(
        x=alt.X("users:Q", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(values=users.tolist())),
        y=alt.Y("rate:Q", title="smallest detectable difference (sd)"),
        color=alt.Color(
            "case:N", legend=alt.Legend(title=None), sort=None, scale=alt.Scale(range=[GREY, ORANGE, BLUE])
        ),
    )
    save("power", (base.mark_line() + base.mark_circle(opacity=1)).properties(width=WIDTH, height=HEIGHT))


FIGURES = (opinions, whole_sets, flips, coverage, published, fits, verdicts, ranks, aucs, agreement, power)


def main() -> None:
    """Draws all figures."""
    OUT.mkdir(parents=True, exist_ok=True)
    for draw in FIGURES:
        draw()


if __name__ == "__main__":
    main()
