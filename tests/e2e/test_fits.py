"""A task with several fits: each makes its share of the images, shared ones are made once, and records say so."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from baselines.catalogue import CatalogueGenerator
from benchmark.dev.running import Running
from benchmark.records.rows import read_all
from benchmark.runner import decode, fits
from benchmark.runner.reproduce import compare
from benchmark.runner.store import Store
from benchmark.task.resolve import load_task
from rebeca.generator import Rebeca
from rebeca.params import changed_params
from rebeca.seeds import SeedScheme
from tests.benchmark.records.test_verify import edit_json, edit_rows, mend
from tests.conftest import TINY, invoke, make_folder, with_wild
from tests.running import find

LINES = [
    line
    for line in TINY.splitlines()
    if not line.startswith(("  auditor", "  - {id: rebeca-shuffled", "  - {id: catalogue-verifier", "  - auditor"))
]
SHORT = "\n".join([*LINES, ""])
"""REBECA, the same without users, which shares its fits, and random items, whose fit does not vary."""


def with_fits(fits, images=6):
    return SHORT.replace("images: 3\n", f"images: {images}\nfits: {fits}\n")


def run(folder, text, workdir="w", code=0):
    if not (folder / "data").exists():
        make_folder(folder / "data")
    (folder / "tiny.yaml").write_text(text)
    invoke("run", folder / "tiny.yaml", "--workdir", folder / workdir, "--quiet", code=code)
    return folder / workdir / "records" / "tiny" / "v1"


@pytest.fixture(scope="module")
def thrice(tmp_path_factory):
    """The records of a run with three fits; no test changes them."""
    return run(tmp_path_factory.mktemp("thrice"), with_fits(3))


def test_records_of_three_fits_add_up(thrice):
    assert "all agree" in invoke("verify", thrice)
    task, rows = read_all(thrice)
    by_id = {row.id: row for row in rows}
    assert task.spec.fits == 3
    assert {name: len(row.fit_keys) for name, row in by_id.items()} == {
        "rebeca": 3, "rebeca-no-user": 3, "catalogue-random": 1,
    }  # fmt: skip
    assert by_id["rebeca"].fit_keys == by_id["rebeca-no-user"].fit_keys
    for row in rows:
        assert row.fits == 3 and row.pairs["ncf"].shape == (3, 12, 12) and row.sets["diversity"].shape == (3, 12)
        for measure, value in row.values("exclude").items():
            by_fit = row.by_fit(measure, "exclude")
            np.testing.assert_allclose(by_fit.mean(axis=0), value, rtol=1e-12)
        for fit in range(3):
            own = row.scores["ncf"][:, fit::3].mean(axis=1)
            np.testing.assert_allclose(row.by_fit("ncf", "exclude")[fit], own, rtol=1e-12)
            np.testing.assert_allclose(np.diag(row.pairs["ncf"][fit]), own, rtol=1e-9)


def test_seeds_of_fits_have_names(thrice):
    record = json.loads((thrice / "rebeca" / "record.json").read_text())
    task = load_task(thrice.parents[3] / "tiny.yaml")
    spec = task.generators[0]
    changed = changed_params(spec.params, spec.flags().fit_parameters)
    assert [fit["seed"] for fit in record["fits"]] == [
        SeedScheme("tiny", 1, 7).fitting("generator", "rebeca", changed, number) for number in range(3)
    ]
    assert len({fit["key"] for fit in record["fits"]}) == 3
    assert len({json.dumps(fit["report"]["history"]) for fit in record["fits"]}) == 3


def test_every_fit_makes_its_own_images(thrice, tmp_path):
    running = Running.of(load_task(thrice.parents[3] / "tiny.yaml"), tmp_path)
    spec = running.task.generators[0]
    scores = pd.read_parquet(thrice / "rebeca" / "scores.parquet").query("scorer == 'ncf'")
    for number in (0, 2):
        unit = running.addresses.generators[spec.id].units[number]
        assert (unit.fit.number, list(unit.replicates)) == (number, [number, number + 3])
        requests = decode.requests_of(running.task, spec, unit.users, unit.replicates)
        items = [image.item for image in running.fitted(spec, number).generate(requests)]
        assert items == scores[scores.replicate % 3 == number]["item"].tolist()


def test_nothing_is_shown_twice_within_a_fit(thrice):
    """Eight items are candidates, so six images per user need no repeats; three fits repeat each other's items."""
    for row in read_all(thrice)[1]:
        of_fit = row.item.reshape(12, 2, 3)
        assert (of_fit[:, 0] != of_fit[:, 1]).all()
        assert any(len(set(items)) < 6 for items in row.item.tolist())


def test_fits_are_counted(tmp_path, monkeypatch):
    """Shared fits are made once, and a generator whose fit does not vary is asked for each fit's images in turn."""
    calls = Counter()

    def count(kind, name):
        real = getattr(kind, name)

        def counted(self, argument):
            if name == "generate":
                assert len({request.replicate % 2 for request in argument}) == 1
            calls[kind.__name__, name] += 1
            return real(self, argument)

        monkeypatch.setattr(kind, name, counted)

    for kind in (Rebeca, CatalogueGenerator):
        count(kind, "fit")
        count(kind, "generate")
    records = run(tmp_path, with_fits(2))
    expected = {
        ("Rebeca", "fit"): 2, ("Rebeca", "generate"): 4,
        ("CatalogueGenerator", "fit"): 1, ("CatalogueGenerator", "generate"): 2,
    }  # fmt: skip
    assert calls == expected
    invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--quiet")  # again: nothing is left to do
    assert calls == expected
    planned = json.loads(invoke("plan", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--json"))
    assert planned["fits"] == 3 and planned["images"] == planned["images_cached"] == 3 * 12 * 6
    assert [row["fits_cached"] for row in planned["generators"]] == [2, 2, 1]
    assert "all agree" in invoke("verify", records)


def test_interrupted_between_fits(tmp_path, monkeypatch):
    """The first fit is kept, and the records are those of a run that nobody disturbed."""
    undisturbed = run(tmp_path, with_fits(2), "undisturbed")
    real = fits.fit_jobs

    def stop(folder, report):
        raise KeyboardInterrupt

    def interrupted(*given):
        first, *others = real(*given)
        return [first, *(replace(job, write=stop) for job in others)]

    with monkeypatch.context() as patch:
        patch.setattr(fits, "fit_jobs", interrupted)
        run(tmp_path, with_fits(2), code=130)
    store, own = (
        Store(tmp_path / "w", print),
        find(load_task(tmp_path / "tiny.yaml"), tmp_path / "w").generators["rebeca"],
    )
    assert [store.folder(fit.address).is_dir() for fit in own.fits] == [True, False]
    steps = json.loads(invoke("run", tmp_path / "tiny.yaml", "--workdir", tmp_path / "w", "--dry-run", "--json"))[
        "steps"
    ]
    assert [step["title"] for step in steps if step["title"].startswith("fit rebeca")] == ["fit rebeca, 2 of 2"]
    assert compare(undisturbed, run(tmp_path, with_fits(2))).bytes == []


def test_images_of_a_lost_fit_are_made_again(tmp_path):
    records = run(tmp_path, with_fits(2))
    shutil.copytree(records, tmp_path / "before")
    own = find(load_task(tmp_path / "tiny.yaml"), tmp_path / "w").generators["rebeca"]
    store = Store(tmp_path / "w", print)
    for address in (own.fits[1].address, own.units[1].address):
        shutil.rmtree(store.folder(address))
    shutil.rmtree(records)
    assert compare(tmp_path / "before", run(tmp_path, with_fits(2))).bytes == []
    origin = json.loads((records / "rebeca" / "record.json").read_text())["provenance"]
    assert origin["decoded"] == {"rebeca": 36} and "fit rebeca, 2 of 2" in origin["seconds"]


def test_one_fit_is_what_nothing_says(tmp_path):
    plain, spelled = run(tmp_path, SHORT), run(tmp_path, with_fits(1, 3), "other")
    assert compare(plain, spelled).bytes == []


def test_a_plugin_in_a_process_of_its_own(installed, tmp_path):
    text = with_wild("well").replace("images: 3\n", "images: 4\nfits: 2\n")
    records = run(tmp_path, text)
    record = json.loads((records / "well" / "record.json").read_text())
    assert [fit["number"] for fit in record["fits"]] == [0, 1]
    assert record["provenance"]["decoded"]["well"] == 48
    assert {"fit well, 1 of 2", "fit well, 2 of 2"} <= record["provenance"]["seconds"].keys()


def submission(folder, names):
    """Images by two models that name themselves in a table, or do not."""
    rng = np.random.default_rng(0)
    (folder / "mine").mkdir(parents=True)
    lines = ["user,replicate,file,fit"]
    for user in range(12):
        for k in range(4):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / "mine" / f"{user}-{k}.png")
            lines.append(f"u{user},{k},{user}-{k}.png,{'ab'[k % 2]}")
    (folder / "mine" / "images.csv").write_text("\n".join(lines) + "\n")
    named = f"  - {{id: mine, use: folder, params: {{path: mine, names_fits: {names}}}}}\n"
    return with_fits(2, 4).replace("scorers:\n", named + "scorers:\n")


@pytest.mark.parametrize(("names", "fits"), [("true", 2), ("false", 1)])
def test_images_from_outside_may_name_their_fits(tmp_path, names, fits):
    records = run(tmp_path, submission(tmp_path, names))
    row = next(row for row in read_all(records)[1] if row.id == "mine")
    assert (row.fits, len(row.fit_keys), row.procedure) == (2, fits, "folder mine") and not row.failed.any()
    assert "all agree" in invoke("verify", records)


def test_an_export_asks_for_fits(tmp_path):
    make_folder(tmp_path / "data")
    (tmp_path / "tiny.yaml").write_text(with_fits(2, 4))
    invoke("export", tmp_path / "tiny.yaml", "--out", tmp_path / "out")
    requests = pd.read_csv(tmp_path / "out" / "requests.csv")
    assert requests["fit"].tolist() == (requests["replicate"] % 2).tolist()
    assert json.loads((tmp_path / "out" / "task.json").read_text())["fits"] == 2
    assert "set `names_fits: true`" in (tmp_path / "out" / "README.md").read_text()


def test_images_are_shared_equally_among_fits(tmp_path):
    (tmp_path / "tiny.yaml").write_text(with_fits(3, 4))
    message = invoke("validate", tmp_path / "tiny.yaml", code=2)
    line = with_fits(3, 4).splitlines().index("images: 4") + 1
    assert f"tiny.yaml:{line}: 4 images per user cannot be shared equally among 3 fits" in message
    assert "use a multiple of 'fits', e.g. 3" in message
    text = with_fits(3).replace("{id: catalogue-random, ", "{id: catalogue-random, images: 5, ")
    (tmp_path / "tiny.yaml").write_text(text)
    line = next(number for number, line in enumerate(text.splitlines(), start=1) if "images: 5" in line)
    assert f"tiny.yaml:{line}: 5 images per user" in invoke("validate", tmp_path / "tiny.yaml", code=2)


FIT_EDITS = {
    "seed": ("fits/1/seed", lambda seed: seed + 1, "numbers and seeds are not those of the spec"),
    "number": ("fits/1/number", lambda number: number + 1, "numbers and seeds are not those of the spec"),
    "fit left out": ("fits", lambda fits: fits[:2], "numbers and seeds are not those of the spec"),
    "address": ("fits/1/key", lambda key: "0" * 64, ""),
    "one address": (
        "fits",
        lambda fits: [fits[0], fits[1], {**fits[2], "key": fits[1]["key"]}],
        "two have one address",
    ),
    "report": ("fits/1/report/parameters", lambda number: number + 1, "differ in more than the generator"),
}


@pytest.mark.parametrize("name", FIT_EDITS)
def test_an_edited_fit_is_caught(thrice, tmp_path, name):
    keys, change, message = FIT_EDITS[name]
    folder = shutil.copytree(thrice, tmp_path / "v1")
    edit_json(folder, "rebeca/record.json", keys, change)
    assert "SHA-256" in invoke("verify", folder, code=7)
    mend(folder)
    if message:  # nothing says which address is right
        assert message in invoke("verify", folder, code=7)


def moved(pairs):
    """Means by the verifier in one fit, others as they are."""
    return pairs["mean"].where((pairs.fit != 1) | (pairs.scorer != "ncf"), 0.9)


ROW_EDITS = {
    "value of a set": ("sets.parquet", lambda t: t.assign(value=t.value * (1 - 0.1 * (t.fit == 1))), "or sets"),
    "fit of a set": ("sets.parquet", lambda t: t.assign(fit=0), "every user of every fit once, in order"),
    "measure left out": ("sets.parquet", lambda t: t[t.measure != "diversity"], "name different measures"),
    "fit of a pair": ("pairs.parquet", lambda t: t.assign(fit=t.fit.where(t.fit < 2, 3)), "a fit outside 0 to 2"),
    "pairs of a fit": ("pairs.parquet", lambda t: t.assign(fit=t.fit.where(t.fit < 2, 1)), "is given twice"),
    "opinion in one fit": ("pairs.parquet", lambda t: t.assign(mean=moved(t)), "own sets"),
    "fits exchanged": ("pairs.parquet", lambda t: t.assign(fit=(t.fit + 1) % 3), "own sets"),
}


@pytest.mark.parametrize("name", ROW_EDITS)
def test_an_edited_row_of_a_fit_is_caught(thrice, tmp_path, name):
    file, change, message = ROW_EDITS[name]
    folder = shutil.copytree(thrice, tmp_path / "v1")
    edit_rows(folder, f"rebeca/{file}", change)
    mend(folder)
    assert message in invoke("verify", folder, code=7)
