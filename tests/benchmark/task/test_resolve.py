import json
from dataclasses import replace

import jsonschema
import pytest
import yaml

from benchmark.scorers.judges import VerifierScorer
from benchmark.task.bundled import folder
from benchmark.task.file import json_schema
from benchmark.task.resolve import limited, load_task
from rebeca.errors import SpecError
from tests.conftest import TINY


def edit(tiny, old, new):
    text = tiny.read_text()
    assert old in text
    tiny.write_text(text.replace(old, new, 1))
    return tiny


def test_a_scorer_that_is_better_low_cannot_decide(tiny, monkeypatch):
    """The board puts the highest first, and calls it liked most."""
    load_task(tiny)
    monkeypatch.setattr(VerifierScorer, "CARD", replace(VerifierScorer.CARD, higher_is_better=False))
    with pytest.raises(SpecError, match="lower is better for 'ncf'"):
        load_task(tiny)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("images: 3", "imges: 3", r"tiny.yaml:18: unknown key 'imges'\n  hint: did you mean 'images'"),
        ("learning_curve: [0.5]", "learning_curve: [0.5, 0.5]", r"learning_curve: .*a share is given twice"),
        ("images: 3", "images: three", r"tiny.yaml:18: images: .*found 'three'"),
        ("images: 3", "", r"the key 'images' is missing"),
        ("max_steps: 20", "max_step: 20", r"rebeca.params: no parameter 'max_step'\n  hint: did you mean 'max_steps'"),
        ("network: mlp", "network: mlpp", r"generators.rebeca.params.network: .*found 'mlpp'"),
        ("use: rebeca\n", "use: rebecca\n", r"no generator is called 'rebecca'\n  hint: did you mean 'rebeca'"),
        ("id: rebeca-no-user", "id: rebeca", r"tiny.yaml:\d+: the generator id 'rebeca' is given twice"),
        ("id: rebeca-no-user", "id: attestations", r"tiny.yaml:\d+: no generator can be called 'attestations'"),
        ("- auditor\n", "- auditr\n", r"tiny.yaml:\d+: no scorer is called 'auditr'\n  hint: did you mean 'auditor'"),
        ("reference: rebeca", "reference: rebca", r"no generator 'rebca'\n  hint: did you mean 'rebeca'"),
        ("extends: rebeca, params: {condition", "extends: nobody, params: {condition", r"no generator 'nobody' above"),
        ('"fourier:8", params: {nets', '"furier:8", params: {nets', r"tiny.yaml:\d+: no encoder is called 'furier'"),
        ("params: {nets: 1, dims: 4", "params: {net: 1, dims: 4", r"tiny.yaml:\d+: .*no parameter 'net'"),
        ("scorer: ncf, statistic", "scorer: diversity, statistic", r"cannot be the primary scorer"),
        ("- auditor\n", "- auditor\n  - auditor\n", r"the scorer 'auditor' is given twice\n  hint: give one"),
        ("- auditor\n", "- auditor\n  - {id: diversity, use: ncf}\n", r"the scorer 'diversity' is given twice"),
        ("- auditor\n", "- auditor\n  - {id: spread, use: ncf}\n", r"'diversity' and 'spread' both measure 'spread'"),
        ("- auditor\n", "- {use: auditor, name: a}\n", r"unknown key 'scorers.1.name'"),
        ("seed: 7", "seed: 7\nseed: 8", r"tiny.yaml:7: the key 'seed' is given twice"),
        ("seed: 7", "seed: &a 7", r"tiny.yaml:6: anchors and aliases are not allowed"),
        ("seed: 7", "seed: !!python/object:os.system 7", r"tiny.yaml:6: the YAML tag"),
        ("seed: 7", "seed: [7", r"tiny.yaml:\d+: not valid YAML"),
        ("id: tiny", "id: Tiny Task", r"tiny.yaml:3: id: "),
        ("test: 0.34", "test: 3", r"tiny.yaml:\d+: with held-out-items test and validation are shares"),
        ("kind: held-out-items", "kind: heldout", r"tiny.yaml:\d+: data.split.kind: .*found 'heldout'"),
        ("permutations: 199", "permutations: 5", r"tiny.yaml:\d+: analysis.permutations: "),
    ],
)  # fmt: skip
def test_mistakes_name_file_line_key_and_remedy(tiny, old, new, message):
    with pytest.raises(SpecError, match=message):
        load_task(edit(tiny, old, new))


@pytest.mark.parametrize(
    ("scorers", "changed", "message"),
    [
        ((), "confirmation: {}", "no scorer is a confirming judge"),
        ((), "most_copies: 0.05", "no scorer looks for near-copies"),
        ((), "most_outside: 0.5", "no scorer knows the world's items"),
        (("confirming",), "confirmation: {lift: -1}", "greater than or equal to 0"),
        (("confirming",), "primary.scorer: confirming", "the confirming judge confirms and never ranks"),
        (("confirming", "observed"), "primary.scorer: observed; confirmation: {}", "is no verifier"),
        (("confirming", "auditor"), "primary.scorer: auditor; confirmation: {}", "is no verifier"),
    ],
)
def test_defences_go_with_the_scorers_that_they_need(tiny, scorers, changed, message):
    task = yaml.safe_load(tiny.read_text())
    task["scorers"] += [scorer for scorer in scorers if scorer not in task["scorers"]]
    for change in changed.split("; "):
        key, _, value = change.partition(": ")
        holder = task["analysis"]
        for name in key.split(".")[:-1]:
            holder = holder.setdefault(name, {})
        holder[key.split(".")[-1]] = yaml.safe_load(value)
    tiny.write_text(yaml.safe_dump(task))
    with pytest.raises(SpecError) as caught:
        load_task(tiny)
    assert message in str(caught.value) and str(tiny) in str(caught.value)


def test_too_large_and_unreadable_files(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text("#" * (2 << 20))
    with pytest.raises(SpecError, match="too many for a task file"):
        load_task(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="not UTF-8 at byte 0"):
        load_task(path)
    with pytest.raises(SpecError, match="no such file"):
        load_task(tmp_path / "none.yaml")


def test_sweeps_expand_to_ids_and_go_to_generator_or_decoder(tiny):
    text = TINY.replace(
        "  - {id: catalogue-random",
        "  - {extends: rebeca, sweep: {prior_guidance: [3, 6], repeats: [true, false]}}\n  - {id: catalogue-random",
    )
    tiny.write_text(text)
    swept = [g for g in load_task(tiny).generators if "--" in g.id]
    assert [g.id for g in swept] == [
        f"rebeca--prior_guidance-{w}--repeats-{r}" for w in (3, 6) for r in ("true", "false")
    ]
    assert [(g.params.prior_guidance, g.decoder.repeats) for g in swept] == [
        (3, True), (3, False), (6, True), (6, False),
    ]  # fmt: skip
    assert swept[0].params.hidden == 16


def test_overrides_change_the_hash_and_mark_the_task(tiny):
    plain = load_task(tiny)
    assert not plain.modified
    changed = load_task(tiny, ("generators.rebeca.params.hidden=8",))
    assert changed.modified
    assert changed.hash() != plain.hash()
    assert changed.generators[1].params.hidden == 8  # the arm that extends it follows
    assert load_task(tiny, (), 3).modified
    assert load_task(tiny, (), 3).hash() != plain.hash()
    same = load_task(tiny, ("seed=7",))
    assert not same.modified
    assert same.hash() == plain.hash()


def test_where_the_data_lie_is_no_part_of_the_task(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain, moved = load_task(tiny), load_task(tiny, ("data.path=elsewhere",))
    assert moved.hash() == plain.hash()
    assert not moved.modified
    assert plain.data_path == tiny.parent / "data"
    assert moved.data_path == tmp_path / "elsewhere"


def test_overrides_that_do_not_fit(tiny):
    for text, message in [
        ("seed", "expected a.b=value"),
        ("generators.nobody.params.hidden=8", "the list has no element 'nobody'"),
        ("seed.a=8", "holds a value, not keys"),
        ("encoder.of=[", "not a YAML value"),
    ]:
        with pytest.raises(SpecError, match=message):
            load_task(tiny, (text,))


def test_extends_merges_files(tiny, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("extends: tiny.yaml\nid: other\ndata: {like_at: 5}\n")
    task = load_task(other)
    assert (task.file.id, task.file.data.like_at, task.file.data.kind) == ("other", 5, "folder")
    other.write_text("extends: other.yaml\nid: other\n")
    with pytest.raises(SpecError, match="extends"):
        load_task(other)


def test_only(tiny):
    task = limited(load_task(tiny), ("rebeca", "catalogue-random"))
    assert [g.id for g in task.generators] == ["rebeca", "catalogue-random"]
    with pytest.raises(SpecError, match="did you mean 'rebeca'"):
        limited(task, ("rebecca",))


@pytest.mark.parametrize("path", sorted(folder("tasks").glob("*.yaml")), ids=lambda p: p.stem)
def test_bundled_tasks_are_valid_and_have_a_card(path):
    task = load_task(path)
    assert task.file.id == path.stem
    assert not task.modified
    card = path.with_suffix(".md").read_text()
    for heading in ("What it measures", "Data", "Licence", "Caveats"):
        assert f"## {heading}" in card
    raw = yaml.safe_load(path.read_text())
    if "extends" not in raw:
        jsonschema.validate(raw, json_schema())


def test_the_schema_is_json_and_refuses_unknown_keys():
    schema = json.loads(json.dumps(json_schema()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**yaml.safe_load(TINY), "picturs": 1}, schema)
