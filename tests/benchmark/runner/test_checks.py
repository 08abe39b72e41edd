"""What could only fail later is refused before the first fit, and says which generator it is about."""

import pytest

from benchmark.runner.checks import check_needs, check_task
from benchmark.runner.store import Store
from benchmark.runner.world import build_world, find_data, keep_users
from benchmark.task.resolve import load_task
from rebeca.errors import SpecError
from tests.conftest import MINIATURE, TINY, invoke


def task_of(tmp_path, text):
    path = tmp_path / "task.yaml"
    path.write_text(text)
    return load_task(path)


def test_the_tasks_of_the_tests_pass(tmp_path, tiny):
    assert check_task(load_task(tiny, ("generators.rebeca.params.steps=25",))) == []


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("command", ["run", "plan", "run --dry-run"])
@pytest.mark.parametrize(
    ("scorer", "said"),
    [
        ("ground-truth", "scorer 'ground-truth': the data set has no ground truth"),
        ("in-world", "scorer 'in-world': the data set cannot tell which images could be its items"),
    ],
)
def test_a_scorer_of_what_the_data_do_not_know_is_refused_before_the_first_fit(
    scorer, said, command, earlier, tiny, tmp_path
):
    tiny.write_text(TINY.replace("scorers:\n", f"scorers:\n  - {scorer}\n"))
    work = tmp_path / "w"
    if earlier:  # the work folder knows the users, so the data need not be read for them
        task = load_task(tiny)
        store = Store(work, lambda _: None)
        keep_users(find_data(task, store), store)
        assert find_data(task, store).world is None
    output = invoke(*command.split(), tiny, "--workdir", work, code=2)
    assert f"tiny.yaml: {said}" in output and "hint: " in output
    assert not any((work / stage).exists() for stage in ("embeddings", "judge", "images"))


@pytest.mark.parametrize("command", ["run", "plan", "run --dry-run"])
def test_a_folder_that_is_not_there_is_refused_before_the_first_fit(command, tiny, tmp_path):
    tiny.write_text(TINY.replace("generators:\n", "generators:\n  - {id: mine, use: folder, params: {path: mine}}\n"))
    output = invoke(*command.split(), tiny, "--workdir", tmp_path / "w", code=2)
    assert "generator 'mine': '" in output and "mine' is no folder" in output and "hint: " in output
    assert not any((tmp_path / "w" / stage).exists() for stage in ("embeddings", "judge", "images"))


def test_a_generator_of_what_the_data_do_not_know_is_refused(tiny, monkeypatch):
    from baselines.catalogue import CatalogueGenerator

    monkeypatch.setattr(CatalogueGenerator, "needs", classmethod(lambda cls, params: frozenset({"ground-truth"})))
    task = load_task(tiny)
    with pytest.raises(SpecError, match="generator 'catalogue-random': the data set has no ground truth"):
        check_needs(task, build_world(task).knows)


@pytest.mark.parametrize(
    ("sampler", "steps", "remedy"),
    [
        ("DPMSolverMultistepScheduler", 1001, "try 999 steps"),
        ("DPMSolverSinglestepScheduler", 1000, "try 999 steps"),
        ("UniPCMultistepScheduler", 1001, "try 999 steps"),
        ("DEISMultistepScheduler", 1001, "try 999 steps"),
        ("PNDMScheduler", 3, "try 4 steps"),
        ("DDPMScheduler", 1001, "try 999 steps"),
        ("FlowMatchEulerDiscreteScheduler", 10, "or another scheduler: DDPMScheduler"),
    ],
)
def test_steps_that_a_sampler_cannot_take(sampler, steps, remedy, tmp_path):
    text = TINY.replace("sampler: DPMSolverMultistepScheduler", f"sampler: {sampler}").replace(
        "steps: 4", f"steps: {steps}"
    )
    with pytest.raises(SpecError) as raised:
        check_task(task_of(tmp_path, text))
    assert f"task.yaml: generator 'rebeca': sampler: {sampler} cannot take {steps:,} steps" in raised.value.message
    assert remedy in raised.value.hint


def test_repeated_levels_of_noise_are_refused(tiny):
    changes = ("generators.rebeca.params.sampler=EulerDiscreteScheduler", "generators.rebeca.params.steps=1001")
    with pytest.raises(SpecError, match=r"EulerDiscreteScheduler cannot take 1,001 steps \(they have 1,000 levels of"):
        check_task(load_task(tiny, changes))


def test_a_sampler_that_narrows_what_the_prior_learned_is_named(tiny):
    changes = tuple(f"generators.rebeca.params.{change}" for change in ("schedule=laplace", "steps=25"))
    (note,) = check_task(load_task(tiny, changes))
    assert note.startswith(
        "rebeca, rebeca-no-user, rebeca-shuffled-users: DPMSolverMultistepScheduler in 25 steps with schedule laplace"
        " gives embeddings 63% of the spread"
    )


@pytest.mark.parametrize(("scheduler", "steps"), [("DPMSolverMultistepScheduler", 1001), ("LCMScheduler", 60)])
def test_steps_that_the_decoders_scheduler_cannot_take(scheduler, steps, tmp_path):
    text = MINIATURE.replace("decoder: {image_guidance: 4.0}", f"decoder: {{scheduler: {scheduler}, steps: {steps}}}")
    message = f"of guided': decoder.params.scheduler: {scheduler} cannot take {steps:,} steps"
    with pytest.raises(SpecError, match=message):
        check_task(task_of(tmp_path, text))


def test_the_command_stops_before_anything_is_computed(tiny, tmp_path):
    work = ("--workdir", tmp_path / "w", "--set", "generators.rebeca.params.steps=1001")
    for command in ("run", "plan"):
        assert "cannot take 1,001 steps" in invoke(command, tiny, *work, code=2)
    assert "cannot take 1,001 steps" in invoke("validate", tiny, *work[2:], code=2)
    assert not {path.name for path in (tmp_path / "w").glob("*")} & {"embeddings", "judge", "fit", "images"}


def test_best_of_several_needs_a_decoder_that_repeats(tiny):
    with pytest.raises(SpecError, match=r"generator 'rebeca': best_of: .*repeats is false") as raised:
        check_task(load_task(tiny, ("generators.rebeca.params.best_of=2",)))
    assert "repeats: true" in raised.value.hint
    repeats = ("generators.rebeca.params.best_of=2", "decoder.params={repeats: true}")
    check_task(load_task(tiny, repeats))


def test_prompts_that_are_cut_are_counted(tmp_path):
    """The miniature's text encoder reads 32 tokens; the longer of the published prompts has 146."""
    text = MINIATURE.replace("steps: 4}", "steps: 25}")
    (note,) = check_task(task_of(tmp_path, text))
    assert note.startswith("published: the text encoder does not read the end of 2 of its prompts, the first is 'Real")
    long = "decoder: {prompt: photographic watercolour of extraordinarily picturesque surroundings}"
    notes = check_task(task_of(tmp_path, text.replace("decoder: {image_guidance: 4.0}", long)))
    assert [note.partition(":")[0] for note in notes] == ["guided", "published"]
    assert "1 of its prompts" in notes[0]


def test_prompts_without_a_tokenizer_are_said_not_to_be_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("REBECA_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    text = MINIATURE.replace("params: {steps: 2", "params: {model: 'published:sd15', steps: 2")
    (tmp_path / "task.yaml").write_text(text)
    output = invoke("validate", tmp_path / "task.yaml")
    assert "the task file is fine" in output
    assert "note: published: whether the text encoder reads all of the prompts was not checked" in output


@pytest.mark.parametrize(
    ("like_at", "message"),
    [
        ("8", "data.like_at: 8 lies outside the rating scale, 1 to 7"),
        ("0.5", "data.like_at: 0.5 lies outside the rating scale, 1 to 7"),
        ("7", "data.like_at: 7 leaves everyone without a like"),
    ],
)
def test_a_threshold_of_likes_that_nobody_reaches(like_at, message, tiny, tmp_path):
    output = invoke("run", tiny, "--workdir", tmp_path / "w", "--set", f"data.like_at={like_at}", code=2)
    assert message in output and "tiny.yaml" in output
    assert not (tmp_path / "w" / "embeddings").exists()
