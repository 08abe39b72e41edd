"""Held-out ratings in records: intervals over users and items, recomputed from the files alone, and edits of them."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.benchmark.records.test_verify import COMPARISON_PATH, MANY, at, edit_json, mend
from tests.conftest import invoke, make_folder
from tests.scripts.test_scripts import load

GENERATORS = "  - {id: most-liked, use: catalogue, params: {rank_by: most-liked}}"
K = 3


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """40 users and 16 held-out items."""
    root = tmp_path_factory.mktemp("items")
    make_folder(root / "data", users=40, items=48)
    more = f"{GENERATORS}\n  - {{id: ridge, use: catalogue, params: {{rank_by: ridge}}}}"
    (root / "many.yaml").write_text(MANY.replace(GENERATORS, more))
    invoke("run", root / "many.yaml", "--workdir", root / "w", "--quiet")
    return root / "w" / "records" / "many" / "v1"


def read(folder, generator):
    return json.loads((folder / generator / "record.json").read_text())


def shown(folder, generator):
    """Ratings [users, items], and items [users, K] in the order of replicates."""
    ratings = pd.read_parquet(folder / "_task" / "ratings.parquet")
    table = ratings.pivot(index="user", columns="item", values="rating")
    scores = pd.read_parquet(folder / generator / "scores.parquet").query("scorer == 'observed'")
    places = np.searchsorted(table.columns, scores["item"].to_numpy().reshape(-1, K))
    return table.to_numpy(), places


def item_variance_by_hand(values, places, items):
    """Two-way clustered variance, one item at a time: items, less pairs of user and item."""
    users = len(values)
    effects = np.zeros((users, items))
    for u in range(users):
        for k in range(K - 1):
            effects[u, places[u, k]] += (values[u, k] - values[u, K - 1]) / (K - 1) / users
    totals = effects.sum(axis=0)
    return max(np.square(totals - totals.mean()).sum() * (items - 1) / items - np.square(effects).sum(), 0.0)


@pytest.mark.parametrize("generator", ["random", "most-liked", "ridge"])
@pytest.mark.parametrize("is_lift", [False, True])
def test_intervals_over_items_follow_from_the_files(records, generator, is_lift):
    record = read(records, generator)
    table, places = shown(records, generator)
    users = np.arange(len(table))[:, None]
    if is_lift:
        interval = record["personal"]["observed"]["lift"]
        centred = (table - table.mean(axis=0)) * len(table) / (len(table) - 1)
        values = centred[users, places]
        assert interval["estimate"] == pytest.approx(values.mean(), abs=1e-12)
    else:
        interval = record["summary"]["observed"]["interval"]
        values = table[users, places]
        assert interval["estimate"] == pytest.approx(values.mean())
    if interval["method"] == "constant":
        assert (generator, is_lift) == ("most-liked", True)
        return
    variance = item_variance_by_hand(values, places, table.shape[1])
    for end, sign in (("low", -1), ("high", 1)):
        outer, inner = (sign * (ends[end] - interval["estimate"]) for ends in (interval, interval["over_users"]))
        assert outer >= inner > 0
        if variance > 0:  # Student's t at 1 to 16 degrees of freedom
            assert 2.1 <= np.sqrt((outer**2 - inner**2) / variance) <= 12.8
        else:
            assert outer == inner
    assert interval["items"] == 16


def test_a_few_items_for_all_users_make_intervals_wide(records):
    widths = {}
    for generator in ("most-liked", "random"):
        interval = read(records, generator)["summary"]["observed"]["interval"]
        own = interval["over_users"]
        widths[generator] = (interval["high"] - interval["low"]) / (own["high"] - own["low"])
    assert widths["most-liked"] > 1.2
    assert widths["most-liked"] > widths["random"] >= 1


def test_judges_have_intervals_over_items_and_no_scorer_of_new_images_has(records):
    comparison = json.loads((records / COMPARISON_PATH).read_text())
    for judge in ("verifier", "population"):
        for measure in ("auc_within_user", "auc_pooled"):
            interval = comparison["judges"][judge][measure]
            assert interval["items"] == 16
            assert (
                interval["low"] <= interval["over_users"]["low"] <= interval["over_users"]["high"] <= interval["high"]
            )
    assert comparison["judges"]["user mean"]["verifier_gain"]["items"] == 16
    assert "items" not in read(records, "ridge")["summary"]["ncf"]["interval"]
    pair = comparison["results"]["families"]["observed"]["comparisons"][1]
    assert (pair["a"], pair["b"]) == ("random", "ridge")
    assert pair["items"]["p"] <= pair["items"]["p_holm"]
    assert pair["difference"]["over_users"]["low"] >= pair["difference"]["low"]
    assert "items" not in comparison["results"]["families"]["ncf"]["comparisons"][1]


EDITS = {
    "end over users": ("ridge/record.json", "summary/observed/interval/over_users/low", lambda low: low - 0.01),
    "end over both": ("ridge/record.json", "personal/observed/lift/low", lambda low: low + 0.01),
    "number of items": (COMPARISON_PATH, "judges/verifier/auc_pooled/items", lambda n: n + 1),
    "p": (COMPARISON_PATH, "results/families/observed/comparisons/1/items/p", lambda p: p / 2),
    "adjusted p": (COMPARISON_PATH, "results/families/observed/comparisons/1/items/p_holm", lambda p: p / 2),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_are_caught(records, name):
    file, keys, change = EDITS[name]
    invoke("verify", records)
    before = at(json.loads((records / file).read_text()), keys)
    original = before[0][before[1]]
    edit_json(records, file, keys, change)
    mend(records)
    assert f"recorded {change(original)}" in invoke("verify", records, code=7)
    edit_json(records, file, keys, lambda _: original)
    mend(records)


def test_a_missing_file_of_ratings_is_refused(records):
    path = records / "_task" / "ratings.parquet"
    content = path.read_bytes()
    path.unlink()
    mend(records)
    assert "ratings.parquet: is missing" in invoke("verify", records, code=7)
    path.write_bytes(content)
    mend(records)
    invoke("verify", records)


def test_a_calculation_by_hand_agrees(records):
    """It shares no code with the benchmark."""
    check = load("by_hand").run(records)
    assert not check.wrong
    assert check.agree > 200
