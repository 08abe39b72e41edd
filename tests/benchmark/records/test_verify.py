"""Every edit of a record is caught, also by an editor who mends the hashes."""

import contextlib
import json

import numpy as np
import pandas as pd
import pytest

from benchmark.records.files import COMPARISON, file_digests, own_digest
from benchmark.records.gallery import encode_lossless
from benchmark.records.schema import SCHEMA
from benchmark.stats.intervals import resampling_weights
from benchmark.stats.random import stream
from tests.conftest import invoke, make_folder
from tests.e2e.test_malformed import png

COMPARISON_PATH = f"_task/{COMPARISON}"


def mend(folder):
    """Makes all hashes fit again, as a careful forger would."""
    path = folder / COMPARISON_PATH
    comparison = json.loads(path.read_text())
    comparison["records"] = {name: file_digests(folder / name) for name in comparison["records"]}
    comparison["digest"] = own_digest(comparison)
    path.write_text(json.dumps(comparison))


def at(value, keys):
    """The container of the last of dotted ``keys``, and that key."""
    *path, last = [int(key) if key.isdigit() else key for key in keys.split("/")]
    for key in path:
        value = value[key]
    return value, last


def edit_json(folder, file, keys, change):
    path = folder / file
    record = json.loads(path.read_text())
    place, last = at(record, keys)
    place[last] = change(place[last])
    path.write_text(json.dumps(record))


def edit_rows(folder, file, change):
    table = pd.read_parquet(folder / file)
    changed = change(table)
    (table if changed is None else changed).to_parquet(folder / file, index=False)


def set_at(row, column, value):
    def change(table):
        table.loc[row, column] = value

    return change


def without(row):
    return lambda table: table.drop(index=row)


def doubled(row):
    return lambda table: pd.concat([table, table.iloc[[row]]])


MINE = "rebeca/record.json"
RANK = "results/families/ncf/ranks/rebeca"
FIRST = "results/families/ncf/comparisons/0"
JSON_EDITS = {
    "p of a test": (MINE, "personal/ncf/median_double_centred/p", lambda p: p / 2),
    "b of a test": (MINE, "personal/ncf/median_double_centred/at_least", lambda b: b + 1),
    "end of an interval": (MINE, "summary/ncf/interval/low", lambda low: low + 0.001),
    "mean": (MINE, "summary/ncf/interval/estimate", lambda mean: mean + 0.001),
    "users": (MINE, "summary/ncf/users", lambda n: n + 1),
    "published p": (MINE, "published_schemes/ncf/p", lambda p: p / 2),
    "published statistic": (MINE, "published_schemes/ncf/statistic", lambda s: s + 0.01),
    "valid images": (MINE, "images/valid", lambda n: n - 1),
    "digest of the images": (MINE, "images/digest", lambda d: d[::-1]),
    "direction of a scorer": (MINE, "measures/ncf/card/higher_is_better", lambda up: not up),
    "parameter": (MINE, "generator/params/steps", lambda n: n + 1),
    "provenance": (MINE, "provenance/seed", lambda seed: seed + 1),
    "needs": ("catalogue-verifier/record.json", "generator/needs", lambda _: []),
    "ranked": ("catalogue-verifier/record.json", "generator/ranked", lambda _: True),
    "version of the task": (COMPARISON_PATH, "task/version", lambda v: v + 1),
    "schema": (COMPARISON_PATH, "schema", lambda v: v + 1),
    "level": (COMPARISON_PATH, "spec/analysis/alpha", lambda _: 0.1),
    "seed of the task": (COMPARISON_PATH, "spec/seed", lambda seed: seed + 1),
    "rank": (COMPARISON_PATH, f"{RANK}/low", lambda low: low + 1),
    "letters": (COMPARISON_PATH, f"{RANK}/letters", lambda _: "z"),
    "first place": (COMPARISON_PATH, f"{RANK}/share_first", lambda _: 1.0),
    "adjusted p": (COMPARISON_PATH, f"{FIRST}/test/p_max_t", lambda _: 0.001),
    "verdict": (COMPARISON_PATH, f"{FIRST}/verdict", lambda _: "better"),
    "image against image": (COMPARISON_PATH, f"{FIRST}/beats/estimate", lambda b: b / 2),
    "declared": (COMPARISON_PATH, "results/families/auditor/declared", lambda _: True),
    "caution": (COMPARISON_PATH, "results/cautions", lambda _: []),
    "agreement": (COMPARISON_PATH, "results/agreement/0/pooled/pearson/estimate", lambda _: 0.99),
    "AUC": (COMPARISON_PATH, "judges/verifier/auc_within_user/estimate", lambda a: a + 0.01),
    "calibration error": (COMPARISON_PATH, "judges/verifier/calibration/expected_error", lambda e: e / 2),
    "order of generators": (COMPARISON_PATH, "order", lambda order: order[::-1]),
    "impossible p": (MINE, "personal/ncf/mean/p", lambda _: 0.0),
    "impossible share": (COMPARISON_PATH, f"{FIRST}/prefer/share", lambda _: 1.5),
}
ROW_EDITS = {
    "score": ("rebeca/scores.parquet", set_at(5, "score", 0.987)),
    "impossible score": ("rebeca/scores.parquet", set_at(5, "score", 1.5)),
    "infinite score": ("rebeca/scores.parquet", set_at(5, "score", np.inf)),
    "score taken out": ("rebeca/scores.parquet", set_at(5, "score", np.nan)),
    "seed of an image": ("rebeca/scores.parquet", set_at(5, "seed", 3)),
    "digest of an image": ("rebeca/scores.parquet", set_at(5, "digest", "0" * 64)),
    "failure": ("rebeca/scores.parquet", set_at(5, "failure", "blank")),
    "user": ("rebeca/scores.parquet", set_at(5, "user", "u7")),
    "row removed": ("rebeca/scores.parquet", without(5)),
    "row doubled": ("rebeca/scores.parquet", doubled(5)),
    "scorer renamed": ("rebeca/scores.parquet", lambda t: t.replace({"scorer": {"ncf": "nfc"}})),
    "value of a user": ("rebeca/users.parquet", set_at(3, "value", 0.5)),
    "user removed": ("rebeca/users.parquet", without(3)),
    "worst value": ("rebeca/users.parquet", set_at(3, "worst", 0.0)),
    "opinion about another's set": ("rebeca/pairs.parquet", set_at(1, "mean", 0.9)),
    "opinion about the own set": ("rebeca/pairs.parquet", set_at(0, "mean", 0.9)),
    "opinion doubled": ("rebeca/pairs.parquet", doubled(4)),
    "opinion of nobody": ("rebeca/pairs.parquet", set_at(1, "judge", 99)),
    "number of images": ("rebeca/pairs.parquet", set_at(1, "n", 2)),
    "column renamed": ("rebeca/pairs.parquet", lambda t: t.rename(columns={"mean": "average"})),
    "verifier's score": ("_task/verifier.parquet", set_at(2, "score", 0.99)),
    "label": ("_task/verifier.parquet", lambda t: t.assign(label=np.where(t.index == 2, ~t.label, t.label))),
    "rating doubled": ("_task/verifier.parquet", doubled(2)),
    "rating removed": ("_task/verifier.parquet", without(2)),
    "held-out rating": ("_task/ratings.parquet", lambda t: t.assign(rating=t.rating.where(t.index != 2, 6 - t.rating))),
    "infinite held-out rating": ("_task/ratings.parquet", set_at(2, "rating", np.inf)),
    "held-out rating removed": ("_task/ratings.parquet", without(2)),
    "held-out rating doubled": ("_task/ratings.parquet", doubled(2)),
    "held-out rating of no item": ("_task/ratings.parquet", set_at(2, "item", 10_000)),
    "held-out rating of nobody": ("_task/ratings.parquet", set_at(2, "user", -1)),
}


def caught(folder, hashes_mended):
    message = invoke("verify", folder, code=7)
    assert message.startswith("error: "), message
    assert hashes_mended != ("SHA-256" in message or "digest is another" in message), message
    return message


@pytest.mark.parametrize("name", JSON_EDITS)
def test_an_edited_number_is_caught(records, name):
    file, keys, change = JSON_EDITS[name]
    edit_json(records, file, keys, change)
    invoke("verify", records, code=7)
    mend(records)
    caught(records, hashes_mended=True)


@pytest.mark.parametrize("name", ROW_EDITS)
def test_an_edited_row_is_caught(records, name):
    file, change = ROW_EDITS[name]
    edit_rows(records, file, change)
    caught(records, hashes_mended=False)
    mend(records)
    caught(records, hashes_mended=True)


def test_an_edited_hash_file_or_image_is_caught(records):
    edit_json(records, COMPARISON_PATH, "records/rebeca/record.json", lambda digest: digest[::-1])
    assert "digest is another" in invoke("verify", records, code=7)
    mend(records)
    invoke("verify", records)
    (records / "rebeca" / "notes.txt").write_text("hello")
    assert "missing or added: ['notes.txt']" in invoke("verify", records, code=7)
    (records / "rebeca" / "notes.txt").unlink()


@pytest.mark.parametrize(
    ("file", "image", "message"),
    [
        ("rebeca/images.parquet", encode_lossless(np.full((24, 24, 3), 9, np.uint8)), "is another image"),
        ("_task/images.parquet", encode_lossless(np.full((24, 24, 3), 9, np.uint8)), "is another image"),
        ("rebeca/images.parquet", b"no image", "not a readable image"),
        ("rebeca/images.parquet", b"", "has its bytes twice, or none"),
        ("rebeca/images.parquet", png(60_000, 60_000), "too many pixels"),
    ],
    ids=["another image", "another item", "no image", "no bytes", "a decompression bomb"],
)
def test_an_edited_image_is_caught(records, file, image, message):
    def change(table):
        table.at[0, "image"] = image

    edit_rows(records, file, change)
    caught(records, hashes_mended=False)
    mend(records)
    assert message in caught(records, hashes_mended=True)


def test_packed_images_that_unpack_to_too_much_are_refused(records, monkeypatch):
    monkeypatch.setattr("benchmark.records.gallery.MOST_PACKED_BYTES", 1000)
    assert "bytes unpacked are too many" in invoke("verify", records, code=7)
    assert "bytes unpacked are too many" in invoke("site", "build", records, "--out", records / "site", code=7)


def test_an_image_too_many_is_caught(records):
    edit_rows(records, "rebeca/images.parquet", doubled(0))
    mend(records)
    assert "does not hold exactly the images that are shown" in caught(records, hashes_mended=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"kind": "task"', '"kind": "task", "kind": "task"', "the key 'kind' is given twice"),
        ('"kind": "task"', '"kind": "task", "more": NaN', "NaN is no JSON number"),
        ('"kind": "task"', '"kind": "task", "more": 1', "more: Extra inputs are not permitted"),
        ('"kind": "task"', '"kind": "generator"', "kind: Input should be 'task'"),
        (f'"schema": {SCHEMA}', f'"schema": {SCHEMA + 1}', "install that one"),
        (f'"schema": {SCHEMA}', f'"schema": "{SCHEMA}"', "it has no schema version"),
        ("{", "[" * 100_000, "cannot be read"),
    ],
)
def test_hostile_json_is_refused(records, old, new, message):
    path = records / COMPARISON_PATH
    path.write_text(path.read_text().replace(old, new, 1))
    assert message in invoke("verify", records, code=7)


def test_a_record_that_names_files_elsewhere_is_refused(records):
    edit_json(records, COMPARISON_PATH, "order/0", lambda _: "../../etc")
    assert "String should match pattern" in invoke("verify", records, code=7)
    assert "String should match pattern" in invoke("show", records, code=7)


@pytest.mark.parametrize("file", ["rebeca/scores.parquet", "rebeca/pairs.parquet", "_task/verifier.parquet"])
def test_a_file_that_is_no_parquet_is_refused(records, file):
    (records / file).write_bytes(b"PAR1 nothing PAR1")
    mend(records)
    assert "cannot be read" in invoke("verify", records, code=7)


def forge(folder):
    """Computes every number again from edited rows, with the project's own functions, and mends the hashes."""
    from benchmark.records.files import TASK_FOLDER, read_comparison, read_record, write_comparison, write_record
    from benchmark.records.rows import HELD_OUT, read_held_out, read_rows
    from benchmark.records.verify import Checked, recomputed

    task = read_comparison(folder)
    records = {name: read_record(folder / name) for name in task.order}
    rows = [read_rows(folder / name, record, task) for name, record in records.items()]
    scores = read_held_out(folder / TASK_FOLDER / HELD_OUT, len(task.user_ids))
    analysis, judges = recomputed(folder, Checked(task, records, rows, scores))
    for name, record in records.items():
        results = {field: getattr(analysis.generators[name], field) for field in ("summary", "personal", "gap")}
        write_record(folder / name, record.model_copy(update=results))
    write_comparison(folder, task.model_copy(update={"results": analysis.task, "judges": judges}))


def higher(table):
    return table.assign(score=np.where(table.scorer == "ncf", (table.score + 0.2).clip(0, 1), table.score))


def forged_scores(folder):
    """Everybody likes what rebeca made a little more, consistently in all its files."""
    edit_rows(folder, "rebeca/scores.parquet", higher)
    scores = pd.read_parquet(folder / "rebeca" / "scores.parquet")
    means = scores[scores.scorer == "ncf"].groupby("user", sort=False).score.mean().to_numpy()

    def users(table):
        own = table.measure == "ncf"
        table.loc[own, "value"] = means
        table.loc[own, "worst"] = means

    def pairs(table):
        own = (table.scorer == "ncf") & (table.judge == table.target)
        table.loc[own, "mean"] = means[table.judge[own]]

    edit_rows(folder, "rebeca/users.parquet", users)
    edit_rows(folder, "rebeca/pairs.parquet", pairs)

    def published(test):
        test["statistic"] = float(np.median(means))
        return test | {"z": (test["statistic"] - test["null_mean"]) / test["null_sd"]}

    edit_json(folder, MINE, "published_schemes/ncf", published)


MANY = """
schema: 1
id: many
version: 1
title: Users enough for BCa
seed: 3
data:
  kind: folder
  path: data
  params: {scale: [1, 7]}
  like_at: 4
  split: {kind: held-out-items, test: 0.34, validation: 0.25}
judges:
  verifier: {use: ncf, encoder: "fourier:8", params: {nets: 1, dims: 4, epochs: 2, patience: 2}}
  auditor: null
  ratings: shared
images: 3
encoder: "fourier:8"
decoder: {use: nearest-picture}
generators:
  - {id: random, use: catalogue, params: {rank_by: random}}
  - {id: most-liked, use: catalogue, params: {rank_by: most-liked}}
scorers: [ncf, observed]
analysis: {primary: {scorer: observed, statistic: mean}, reference: random, permutations: 199, bootstrap: 199}
"""


def test_an_end_moved_to_the_next_order_statistic_is_caught(tmp_path):
    """Ends of BCa are order statistics of bootstrap means; ratings lie on a lattice, so their neighbours are near."""
    make_folder(tmp_path / "data", users=70)
    (tmp_path / "many.yaml").write_text(MANY)
    invoke("run", tmp_path / "many.yaml", "--workdir", tmp_path / "w", "--quiet")
    folder = tmp_path / "w" / "records" / "many" / "v1"
    comparison = json.loads((folder / COMPARISON_PATH).read_text())
    weights = resampling_weights(70, 199, stream(comparison["analysis"]["hash"], "bootstrap"))
    users = pd.read_parquet(folder / "random" / "users.parquet")
    place = {user: i for i, user in enumerate(comparison["users"]["id"])}
    own = users[users.measure == "observed"].assign(place=lambda t: t.user.map(place)).sort_values("place")
    draws = np.unique(np.round(weights @ own["value"].to_numpy() / 70, 9))
    for end in ("low", "high"):
        keys = f"summary/observed/interval/{end}"
        interval, last = at(json.loads((folder / "random" / "record.json").read_text()), keys)
        assert interval["method"] == "bca"
        next_lower = draws[draws < interval[last] - 1e-9].max()
        assert 0 < interval[last] - next_lower < 0.04
        edit_json(folder, "random/record.json", keys, lambda _, new=next_lower: float(new))
        mend(folder)
        assert f"{end}: recorded" in invoke("verify", folder, code=7)
        edit_json(folder, "random/record.json", keys, lambda _, old=interval[last]: old)
        mend(folder)
    invoke("verify", folder)


def lowest_of_one(folder):
    edit_rows(
        folder,
        "rebeca/users.parquet",
        lambda t: t.assign(lowest=t.lowest.where(t.measure == "observed", t.lowest * 0.5)),
    )


def one_opinion_less(folder):
    def change(table):
        gone = (table.scorer == "ncf") & (table.judge == 3) & (table.target == 5)
        return table[~gone]

    edit_rows(folder, "rebeca/pairs.parquet", change)


def no_opinions(folder):
    edit_rows(folder, "rebeca/pairs.parquet", lambda t: t[t.scorer != "ncf"])
    record = json.loads((folder / MINE).read_text())
    del record["personal"]["ncf"], record["published_schemes"]["ncf"]
    (folder / MINE).write_text(json.dumps(record))


def other_item(folder):
    def change(table):
        table.loc[table.replicate == 1, "item"] += 1

    edit_rows(folder, "rebeca/scores.parquet", change)


def rows_of(judge, **more):
    def change(folder):
        def keep(table):
            gone = table.judge == judge
            for column, value in more.items():
                gone &= table[column] == value
            return table[~gone]

        edit_rows(folder, "_task/verifier.parquet", keep)

    return change


def narrower_range(folder):
    """Limits that lie nearer would cut the ends of intervals."""
    for path in folder.glob("*/record.json"):
        record = json.loads(path.read_text())
        record["measures"]["ncf"]["range"] = [-0.5, 1.0]
        path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (narrower_range, "'ncf' has the range"),
        (forged_scores, "scores one image for"),
        (lowest_of_one, "'lowest' of"),
        (one_opinion_less, "is not complete within groups"),
        (no_opinions, "'ncf' is missing"),
        (other_item, "two items|an item outside"),
        (rows_of("population"), "judges "),
        (rows_of("auditor", split="train"), "training ratings of 'auditor'"),
        (rows_of("verifier", share=0.5), "judges "),
    ],
    ids=["range", "scores", "lowest", "opinion", "opinions", "item", "control", "training", "curve"],
)
def test_a_careful_forger_is_caught_by_what_the_parts_say_about_each_other(records, change, message):
    import re

    from rebeca.errors import RecordError

    change(records)
    try:
        forge(records)
    except RecordError:  # the forger's own tools refuse
        mend(records)
    assert re.search(message, invoke("verify", records, code=7))


def in_every_record(folder, change):
    for path in [*folder.glob("*/record.json"), folder / COMPARISON_PATH]:
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))


WHOLE = {
    "direction": (MINE, "measures/observed/card/higher_is_better", lambda _: False),
    "unit": (MINE, "measures/diversity/card/unit", lambda _: "probability"),
    "published scheme left out": (MINE, "published_schemes", lambda _: {}),
    "images not shown": (MINE, "images/shown", lambda _: []),
    "strata": (COMPARISON_PATH, "users/stratum", lambda s: list(range(len(s)))),
    "blocks": (COMPARISON_PATH, "data/blocks", lambda _: 77),
    "items": (COMPARISON_PATH, "data/items", lambda _: 1),
    "limit": (COMPARISON_PATH, "spec/users/limit", lambda _: 3),
    "scorers": (COMPARISON_PATH, "spec/scorers", lambda s: s[:1]),
    "learning curve": (COMPARISON_PATH, "spec/judges/learning_curve", lambda _: []),
    "a generator twice": (COMPARISON_PATH, "order", lambda order: [*order, order[0]]),
    "not resolved": (COMPARISON_PATH, "spec/analysis/permutations", str),
    "no seed": (COMPARISON_PATH, "spec", lambda spec: {k: v for k, v in spec.items() if k != "seed"}),
    "no family": (COMPARISON_PATH, "spec/analysis", lambda a: {k: v for k, v in a.items() if k != "family"}),
    "a surrogate": (COMPARISON_PATH, "spec/title", lambda _: "\\ud800"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_the_parts_of_a_record_say_must_agree(records, name):
    """Edits that no recomputed number contradicts, with the hashes of spec and analysis mended as well."""
    from benchmark.task.spec import DECLARED
    from rebeca.seeds import digest_of

    file, keys, change = WHOLE[name]
    edit_json(records, file, keys, change)
    spec = json.loads((records / COMPARISON_PATH).read_text())["spec"]
    try:
        task, analysis = digest_of(spec), digest_of({key: spec[key] for key in DECLARED})
    except (KeyError, UnicodeError):
        task = analysis = "0" * 64
    in_every_record(records, lambda record: record["task"].update(hash=task))
    edit_json(records, COMPARISON_PATH, "analysis/hash", lambda _: analysis)
    with contextlib.suppress(UnicodeError):
        mend(records)
    assert invoke("verify", records, code=7).startswith("error: ")


def test_a_declaration_needs_a_time(records):
    in_every_record(records, lambda record: record["provenance"].update(declared=None))
    mend(records)
    assert "frozen, but not declared" in invoke("verify", records, code=7)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"added": ["nobody"]}, "added generators that the spec does not have"),
        ({"decoded": {"rebeca": 10**6}}, "images of 'rebeca', at most"),
        ({"decoded": {"nobody": 1}}, "images of 'nobody', at most 0"),
        ({"decoded": {"rebeca": 0}}, "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_what_is_said_of_the_run_is_possible(records, said, named):
    in_every_record(records, lambda record: record["provenance"].update(said))
    mend(records)
    assert named in invoke("verify", records, code=7)


@pytest.mark.parametrize("added", ["rebeca/comparison.json", "other/record.json", "rebeca/more.zzz"])
def test_added_files_are_noticed(records, added):
    (records / added).parent.mkdir(exist_ok=True)
    (records / added).write_text("{}")
    mend(records)
    invoke("verify", records, code=7)


def test_nulls_and_other_texts_in_rows_are_refused(records):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = records / "_task" / "verifier.parquet"
    table = pq.read_table(path)
    names = [None, *table["judge"].to_pylist()[1:]]
    pq.write_table(table.set_column(table.schema.get_field_index("judge"), "judge", pa.array(names)), path)
    mend(records)
    assert "'judge' has missing values" in invoke("verify", records, code=7)


def test_an_image_may_be_two_items_only_where_the_data_have_equal_items(tiny):
    images = tiny.parent / "data" / "images"
    for item in range(1, 12, 2):
        (images / f"{item}.png").write_bytes((images / f"{item - 1}.png").read_bytes())
    folder = tiny.parent / "w" / "records" / "tiny" / "v1"
    invoke("run", tiny, "--workdir", tiny.parent / "w", "--quiet")
    rows = pd.concat(pd.read_parquet(path) for path in folder.glob("*/scores.parquet"))
    items = rows[rows.item >= 0].groupby("digest").item.nunique()
    assert items.max() == 2, "no image was returned as both of two equal items"
    assert "all agree" in invoke("verify", folder)
    edit_json(folder, COMPARISON_PATH, "data/equal_items", lambda _: int((items > 1).sum()) - 1)
    mend(folder)
    assert "an image is two items" in invoke("verify", folder, code=7)
