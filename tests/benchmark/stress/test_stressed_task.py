"""Which adversaries and defences a task gets."""

from dataclasses import replace

import pytest

from benchmark.stress.stressed_task import ADVERSARIES, stressed
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from benchmark.task.yaml_source import read_yaml
from rebeca.errors import SpecError

ENTRIES = read_yaml(ADVERSARIES).data["generators"]


@pytest.fixture(scope="module")
def quick():
    return load_task(find_task("tinyworld-quick"))


@pytest.fixture(scope="module")
def bare(quick):
    """Without the defences that the task declares."""
    none = dict.fromkeys(("confirmation", "most_copies", "most_outside"))
    file = quick.file.model_copy(update={"analysis": quick.file.analysis.model_copy(update=none)})
    scorers = tuple(each for each in quick.scorers if each.id not in ("confirming", "near-copies"))
    return replace(quick, file=file, scorers=scorers)


def listed(task, *more):
    notes = []
    return stressed(task, more, notes.append), notes


def test_all_adversaries_stand_behind_the_tasks_own_generators(quick):
    task, notes = listed(quick)
    assert notes == []
    ids = [generator.id for generator in task.generators]
    assert ids == [generator.id for generator in quick.generators] + [entry["id"] for entry in ENTRIES]
    assert task.modified and task.seeds == quick.seeds
    families = {generator.flags().family for generator in task.generators[len(quick.generators) :]}
    assert families == {"adversary"}


def test_placeholders_are_the_encoders_of_the_tasks_judges(quick):
    task, _ = listed(quick)
    params = {generator.id: generator.params for generator in task.generators}
    both = ("tinyworld:verifier-encoder", "tinyworld:auditor-encoder")
    assert params["attack-verifier-8"].surrogates == both[:1] and params["attack-both-8"].surrogates == both
    assert params["attack-digests"].images == quick.file.images
    assert not any("$" in str(each) for each in params.values())


def test_defences_are_added_once(bare):
    task, _ = listed(bare)
    ids = [scorer.id for scorer in task.scorers]
    assert ids.count("confirming") == ids.count("near-copies") == 1
    declared = task.file.analysis
    assert (declared.confirmation.preference, declared.confirmation.lift, declared.most_copies) == (0.08, 0.03, 0.05)
    assert declared.most_outside == 0.15  # the world can tell
    again, _ = listed(replace(task, generators=()))
    assert [scorer.id for scorer in again.scorers] == ids


def test_what_a_task_declares_is_kept(tmp_path):
    mine = tmp_path / "mine.yaml"
    scorers = "scorers: [ncf, confirming, near-copies, in-world]"
    margins = "confirmation: {preference: 0.2, lift: 0.1}, most_copies: 0.5"
    mine.write_text(f"extends: tinyworld-quick\n{scorers}\nanalysis: {{{margins}}}\n")
    declared = listed(load_task(mine))[0].file.analysis
    assert (declared.confirmation.preference, declared.confirmation.lift, declared.most_copies) == (0.2, 0.1, 0.5)


def test_adversaries_that_the_encoders_rule_out_are_named(tiny):
    """Fourier amplitudes have no gradients here."""
    task, notes = listed(load_task(tiny))
    ids = [generator.id for generator in task.generators]
    assert "attack-memorised" in ids and "attack-both-8" not in ids
    assert all(note.startswith("left out: attack-") for note in notes) and len(notes) + len(ids) - 5 == len(ENTRIES)
    assert "attack-contentless-encoders" not in ids  # the auditor's encoder stands above another one


def test_others_add_their_own(quick, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("generators:\n  - {id: attack-mine, use: attack-near-copy, params: {alteration: flip}}\n")
    task, _ = listed(quick, mine)
    assert task.generators[-1].id == "attack-mine" and task.generators[-1].params.alteration == "flip"


def test_one_adversary_extends_another(quick, tmp_path):
    mine, start = tmp_path / "mine.yaml", "{surrogates: [$verifier], budget: 8, steps: 3}"
    mine.write_text(
        f"generators:\n  - {{id: one, use: attack-gradient, params: {start}}}\n"
        "  - {id: two, extends: one, params: {budget: 16}}\n"
    )
    one, two = listed(quick, mine)[0].generators[-2:]
    assert (one.params.budget, two.params.budget) == (8, 16)
    assert one.params.surrogates == two.params.surrogates == ("tinyworld:verifier-encoder",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("generators:\n  - {id: rebeca, use: attack-crowd}\n", "has a generator 'rebeca' already"),
        ("generators:\n  - {id: mine, use: attack-nobody}\n", "mine.yaml:2: no generator is called 'attack-nobody'"),
        ("generators:\n  - {id: mine, uses: attack-crowd}\n", "mine.yaml:2"),
        ("generators: {id: mine}\n", "generators is a list of mappings"),
        ("generators:\n  - {id: mine, use: attack-crowd, images: 4}\n", "cannot be shared equally among 3 fits"),
        (
            "generators:\n  - {id: mine, use: attack-gradient, params: {surrogates: [$verifyer]}}\n",
            "mine.yaml:2: '$verifyer' stands for nothing",
        ),
        ("adversaries: []\n", "unknown key 'adversaries'"),
    ],
)
def test_files_of_adversaries_that_are_wrong_are_refused(quick, tmp_path, text, message):
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    with pytest.raises(SpecError) as caught:
        listed(quick, mine)
    assert message in str(caught.value)
