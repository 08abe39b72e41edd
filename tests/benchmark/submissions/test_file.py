"""The file that describes a submission: what it says, and one clear message for everything that is wrong in it."""

import pytest

from benchmark.submissions.file import read_submission
from benchmark.task.resolve import load_task
from rebeca.errors import SpecError
from tests.benchmark.submissions.conftest import CARD, GENERATORS, submission_text

NOISE = GENERATORS["noise"]


@pytest.fixture
def read(place, tmp_path):
    task = load_task(place / "tiny.yaml")
    (tmp_path / "noise").mkdir()

    def read(text):
        path = tmp_path / "my.yaml"
        path.write_text(text)
        return read_submission(path, task)

    return read


def test_authors_made_and_scored_the_images_unless_the_card_says_more(read):
    card = read(submission_text(NOISE)).card
    assert card.made_by == card.scored_by == "Ada Lovelace, Charles Babbage"
    assert (card.category, card.trained_on_items, card.paper, card.images) == ("open", True, None, None)
    other = read(submission_text(NOISE, f"{CARD}  scored_by: The maintainers\n")).card
    assert (other.made_by, other.scored_by) == ("Ada Lovelace, Charles Babbage", "The maintainers")


def test_the_generator_is_resolved_against_its_task(read):
    submission = read(submission_text(NOISE))
    assert (submission.generator.id, submission.generator.title) == ("noise", "Noise")
    assert submission.generator.params.path.endswith("noise")


def test_images_elsewhere(read):
    submission = read(submission_text(NOISE) + "images: https://example.org/all.parquet\n")
    assert submission.images == "https://example.org/all.parquet"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (submission_text(NOISE) + "extra: 1\n", r"my\.yaml:10: unknown key 'extra'"),
        (submission_text(NOISE, ""), "the key 'card' is missing"),
        (submission_text(NOISE, "card: yes\n"), "the key 'card' is missing, or holds no keys"),
        (CARD, "generators: one is handed in at a time, found 0"),
        (submission_text(NOISE) + "  - x\n", "not valid YAML"),
        (submission_text(f"{NOISE}\n  - {GENERATORS['copies']}"), "one is handed in at a time, found 2"),
        (submission_text(NOISE).replace("id: noise", "id: rebeca"), "the task has a generator 'rebeca' already"),
        (submission_text(NOISE.replace("Noise", "rebeca")), "the title 'rebeca' is that of 'rebeca'"),
        (submission_text(NOISE.replace("params", "offset: 3, params")), "rows share their seeds"),
        (submission_text(NOISE.replace("params", "images: 1, params")), "rows share their seeds"),
        (submission_text(NOISE.replace("title: Noise", 'title: "R\u0415B"')), "mixes letters of CYRILLIC, LATIN"),
        (submission_text(NOISE, CARD.replace("open", "best")), r"my\.yaml:6: card\.class: input should be .* 'best'"),
        (submission_text(NOISE, CARD.replace("open", "privileged")), "card.class is 'privileged', and the generator"),
        (submission_text(NOISE, CARD.replace("licence", "license")), "unknown key 'card.license'"),
        (submission_text(NOISE, CARD.replace("  licence: CC0-1.0\n", "")), "the key 'card.licence' is missing"),
        (submission_text(NOISE, CARD.replace("true", "perhaps")), r"card\.trained_on_items: .* found 'perhaps'"),
        (submission_text(NOISE, f"{CARD}  code: http://a.org\n"), r"card\.code: expected an address"),
        (submission_text(NOISE, f'{CARD}  paper: "javascript:alert(1)"\n'), r"card\.paper: expected an address"),
        (submission_text(NOISE, CARD.replace("CC0-1.0", '"a\\u202eb"')), r"card\.licence: .*U\+202E"),
        (submission_text(NOISE, CARD.replace("[Ada Lovelace, Charles Babbage]", "Ada")), r"card\.authors: "),
        (submission_text(NOISE) + "images: all.parquet\n", r"my\.yaml:10: images: expected an address"),
        (submission_text(NOISE) + "images: [1]\n", r"images: .* found '\[1\]'"),
    ],
)
def test_what_is_wrong_is_said_once_with_its_place(read, text, message):
    with pytest.raises(SpecError, match=message):
        read(text)


def test_a_judge_guided_folder_is_privileged(read):
    text = submission_text(NOISE.replace("path: noise", "path: noise, judge_guided: true"))
    with pytest.raises(SpecError, match="the generator needs judge"):
        read(text)
    assert read(text.replace("class: open", "class: privileged")).card.category == "privileged"
