"""What moves which address, and that finding addresses loads nothing."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml

from benchmark.dev.running import Running
from benchmark.runner import addresses as module
from benchmark.runner.addresses import data_addresses, find_addresses
from benchmark.runner.fits import generator_context
from benchmark.runner.store import STAGE_VERSIONS
from benchmark.scorers.near_copies import NearCopiesScorer
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from rebeca.interfaces import NEEDS

USERS = tuple(f"u{i}" for i in range(12))


def found(task, device="cpu", overrides=()):
    """Keys by name of everything that a task file rests on."""
    task = load_task(task, overrides)
    data = data_addresses(task)
    addresses = find_addresses(task, device, USERS, data)
    keys = {"data": data.users.key, "held-out": addresses.held_out.key}
    keys |= {f"embeddings {role}": each.embeddings.key for role, each in addresses.encoders.items()}
    keys |= {f"judge {role}": each.fit.key for role, each in addresses.judges.items()}
    keys |= {f"curve {each.share:g}": each.fit.key for each in addresses.curve}
    keys |= {f"fit {name}": each.fits[0].address.key for name, each in addresses.generators.items()}
    keys |= {f"images {name}": each.units[0].address.key for name, each in addresses.generators.items()}
    keys |= {f"scores {name} {scorer}": each.key for (name, scorer), each in addresses.scores.items()}
    return keys


def moved(before, after):
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def starting(keys, *starts):
    return {name for name in keys if name.startswith(starts)}


@pytest.fixture
def keys(tiny):
    return found(tiny)


def test_every_artefact_once(tiny):
    task = load_task(tiny)
    addresses = find_addresses(task, "cpu", USERS, data_addresses(task))
    artefacts = list(addresses.artefacts())
    stages = [address.stage for address in artefacts]
    assert len(set(artefacts)) == len(artefacts)
    assert {stage: stages.count(stage) for stage in dict.fromkeys(stages)} == {
        "data": 1, "embeddings": 3, "judge": 3, "fit": 3, "images": 5, "scores": 30, "held-out": 1,
    }  # fmt: skip
    assert set(stages) == STAGE_VERSIONS.keys() - {"records"}


def test_whatever_a_scorer_may_need_has_an_address(tiny, monkeypatch):
    monkeypatch.setattr(NearCopiesScorer, "NEEDS", frozenset(NEEDS))
    keys = found(tiny, overrides=("scorers=[ncf, near-copies]",))
    assert any(name.endswith("near-copies") for name in keys)


def test_users_of_work_units(tiny, monkeypatch):
    monkeypatch.setattr(module, "USERS_PER_UNIT", 5)
    task = load_task(tiny)
    addresses = find_addresses(task, "cpu", USERS, data_addresses(task))
    assert addresses.units == (USERS[:5], USERS[5:10], USERS[10:])
    assert {len(each.units) for each in addresses.generators.values()} == {3}
    assert len(set(addresses.images())) == 15


@pytest.mark.parametrize("name", ["images/0.png", "images/23.png"])
def test_a_changed_item_moves_everything(tiny, keys, name):
    path = tiny.parent / "data" / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert moved(keys, found(tiny)) == set(keys)


def test_a_changed_rating_moves_all_but_the_embeddings_of_encoders_that_learn_nothing(tiny, keys):
    path = tiny.parent / "data" / "ratings.csv"
    path.write_text(path.read_text().replace(",5\n", ",6\n", 1))
    assert moved(keys, found(tiny)) == set(keys) - {"embeddings verifier"}


PROMPTS = [
    {"id": "persona", "use": "prompts", "params": {"words": "persona"}},
    {"id": "everybody", "use": "prompts", "params": {"words": "population"}},
    {"id": "published", "use": "prompts", "params": {"words": "published-1"}},
]


@pytest.fixture
def with_prompts(tiny):
    """A task with generators that read captions, and one that only might."""
    task = yaml.safe_load(tiny.read_text())
    task["generators"] += PROMPTS
    tiny.write_text(yaml.safe_dump(task))
    return tiny


def test_a_caption_alone_moves_only_what_reads_captions(with_prompts):
    before = found(with_prompts)
    path = with_prompts.parent / "data" / "items.csv"
    path.write_text(path.read_text().replace("image 5", "a quiet lake"))
    readers = [f"{kind} {name}" for kind in ("fit", "images", "scores") for name in ("persona", "everybody")]
    assert moved(before, found(with_prompts)) == starting(before, *readers)


@pytest.mark.parametrize(("old", "new"), [("i5,", "j5,"), ("5.png", "6.png"), ("item,file,caption", "item,file,notes")])
def test_anything_else_in_the_list_of_items_moves_everything(with_prompts, old, new):
    before = found(with_prompts)
    path = with_prompts.parent / "data" / "items.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    assert moved(before, found(with_prompts)) == set(before)


def test_who_does_not_read_captions_is_given_none(with_prompts, tmp_path):
    run = Running.of(load_task(with_prompts), tmp_path / "w")
    spec = {each.id: each for each in run.task.generators}
    contexts = {
        name: generator_context(run.task, spec[name], own, own.fits[0], run.materials, None, tmp_path)
        for name, own in run.addresses.generators.items()
        if name in ("rebeca", "persona", "published", "catalogue-random")
    }
    assert {name for name, context in contexts.items() if any(context.catalogue.captions)} == {"persona"}
    first, second = contexts["rebeca"].catalogue, contexts["persona"].catalogue
    assert first.pixels(0) is second.pixels(0) and first.item_ids == second.item_ids  # decoded once


def test_what_the_data_set_does_not_read_moves_nothing(tiny, keys):
    (tiny.parent / "data" / "notes.txt").write_text("mine")
    (tiny.parent / "data" / "task.yaml").write_text("schema: 1")
    assert moved(keys, found(tiny)) == set()


def test_a_moved_folder_moves_nothing(tiny, keys):
    elsewhere = tiny.parent / "some" / "where"
    elsewhere.mkdir(parents=True)
    shutil.move(tiny.parent / "data", elsewhere / "other")
    assert moved(keys, found(tiny, overrides=(f"data.path={elsewhere / 'other'}",))) == set()


@pytest.mark.parametrize("change", ["data.like_at=5", "data.split.test=0.4", "judges.ratings=disjoint"])
def test_another_division_leaves_the_items_alone(tiny, keys, change):
    assert moved(keys, found(tiny, overrides=(change,))) == set(keys) - {"embeddings verifier"}


def test_who_images_are_made_for_is_no_matter_of_fits(tiny, keys):
    assert moved(keys, found(tiny, overrides=("users.limit=3",))) == {"data"}


def test_the_class_of_a_device_decides_and_not_its_number(tiny, keys):
    assert found(tiny, "cpu:0") == keys
    assert found(tiny, "cuda") == found(tiny, "cuda:0") == found(tiny, "cuda:1")
    assert moved(keys, found(tiny, "cuda")) == set(keys) - {"data"}


def test_seeds_know_no_device(tiny):
    task = load_task(tiny)
    cpu, cuda = (find_addresses(task, device, USERS, data_addresses(task)) for device in ("cpu", "cuda"))
    for name, each in cpu.generators.items():
        assert each.fits[0].seed == cuda.generators[name].fits[0].seed
    for role, each in cpu.judges.items():
        assert each.seed == cuda.judges[role].seed
    for role, each in cpu.encoders.items():
        assert each.seed == cuda.encoders[role].seed


def test_seeds_of_fits_know_neither_data_nor_embeddings_nor_ids(tiny):
    def seeds(*overrides):
        task = load_task(tiny, overrides)
        addresses = find_addresses(task, "cpu", USERS, data_addresses(task))
        fits = [fit for each in addresses.generators.values() for fit in each.fits]
        return [each.seed for each in (*fits, *addresses.judges.values())]

    before = seeds()
    for change in ("data.like_at=5", "encoder=fourier:8", "generators.rebeca.title=Other", "judges.ratings=disjoint"):
        assert seeds(change) == before, change
    assert seeds("seed=8") != before


def test_arms_of_one_fit_share_its_address_and_seed(tiny):
    task = load_task(tiny)
    generators = find_addresses(task, "cpu", USERS, data_addresses(task)).generators
    arms = [generators[name] for name in ("rebeca", "rebeca-no-user", "rebeca-shuffled-users")]
    assert len({arm.fits for arm in arms}) == 1
    assert len({arm.units for arm in arms}) == 3


@pytest.mark.parametrize(
    ("change", "starts"),
    [
        ("generators.rebeca.params.lr=0.01", ("fit rebeca", "images rebeca", "scores rebeca")),
        ("generators.rebeca.params.prior_guidance=3.0", ("images rebeca", "scores rebeca")),
        ("decoder.params.metric=cosine", ("images rebeca", "scores rebeca")),
        ("images=2", ("images", "scores")),
        ("judges.auditor.params.epochs=4", ("judge auditor", "held-out")),
        ("title=Another title", ()),
        ("analysis.permutations=299", ()),
    ],
)
def test_a_change_moves_its_dependants_and_nothing_else(tiny, keys, change, starts):
    auditor = {name for name in keys if name.endswith(" auditor") and name.startswith("scores")}
    expected = starting(keys, *starts) if starts else set()
    assert moved(keys, found(tiny, overrides=(change,))) == expected | (auditor if "auditor" in change else set())


def test_a_fit_that_decodes_rests_on_the_decoder(tiny):
    """Where the fit chooses the guidance, it asks which images are nearest, by the decoder's metric."""
    chosen = ("generators.rebeca.params.guidance_grid=[1, 4]", "generators.rebeca.params.prior_guidance=validation")
    keys = found(tiny, overrides=chosen)
    changed = moved(keys, found(tiny, overrides=(*chosen, "decoder.params.metric=cosine")))
    assert changed == starting(keys, "fit rebeca", "images rebeca", "scores rebeca")


@pytest.mark.parametrize("stage", sorted(STAGE_VERSIONS))
def test_the_version_of_a_stage_moves_it_and_its_dependants(tiny, keys, monkeypatch, stage):
    monkeypatch.setitem(STAGE_VERSIONS, stage, STAGE_VERSIONS[stage] + 1)
    changed = moved(keys, found(tiny))
    own = {
        "data": set(keys), "records": set(),
        "embeddings": set(keys) - {"data"},
        "judge": starting(keys, "judge", "curve", "held-out") | {name for name in keys if "catalogue-verifier" in name}
        | {name for name in keys if name.startswith("scores") and name.endswith((" ncf", " auditor"))},
    }  # fmt: skip
    below = {"fit": ("fit", "images", "scores"), "images": ("images", "scores")}
    assert changed == own.get(stage, starting(keys, *below.get(stage, (stage,))))


def test_plug_ins_of_this_project_are_not_named(tiny):
    task = load_task(tiny)
    assert find_addresses(task, "cpu", USERS, data_addresses(task)).plugins == ()


def test_finding_addresses_loads_nothing(tiny):
    """Neither packages, nor weights, nor the data set."""
    code = """
import json, sys
from pathlib import Path
from benchmark.runner.addresses import data_addresses, find_addresses
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
for path in (find_task("tinyworld-quick"), Path(sys.argv[1])):
    task = load_task(path)
    find_addresses(task, "cpu", ("a", "b"), data_addresses(task))
print(json.dumps([name for name in ("torch", "transformers", "diffusers", "pandas", "scipy") if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_a_file_of_the_data_is_read_once(tiny, tmp_path, monkeypatch):
    """Its hash is kept for as long as size and time of the file stay."""
    import hashlib
    import os

    monkeypatch.setattr("rebeca.hashes.cache_folder", lambda: tmp_path / "cache")  # other tests write to the usual one
    for path in (tiny.parent / "data").rglob("*"):
        os.utime(path, (10**9, 10**9))
    task = load_task(tiny)
    before = data_addresses(task)
    monkeypatch.setattr(hashlib, "file_digest", lambda *arguments: pytest.fail("a file was read again"))
    assert data_addresses(task) == before
    assert data_addresses(replace(task)) == before


def test_another_decoding_of_image_files_moves_everything_that_rests_on_some(tiny, keys, monkeypatch):
    drawn = data_addresses(load_task(find_task("sprites")))
    monkeypatch.setattr(module, "DECODING", 99)
    assert moved(keys, found(tiny)) == set(keys)
    assert data_addresses(load_task(find_task("sprites"))) == drawn
