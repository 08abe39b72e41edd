"""Task files are YAML 1.2, and every value knows where it was given."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.task.resolve import load_task
from benchmark.task.yaml_source import override, parse_scalar, read_yaml, with_extends
from rebeca.errors import SpecError
from tests.conftest import TINY


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("042", 42), ("010", 10), ("08", 8), ("0o10", 8), ("0x1f", 31), ("12:30", "12:30"), ("1:30", "1:30"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("true", True), ("~", None), ("1e-3", 0.001), (".5", 0.5),
        ("'42'", "42"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(tmp_path, text, value):
    assert read_yaml(write(tmp_path / "t.yaml", f"k: {text}\n")).data == {"k": value}
    assert parse_scalar(text) == value


PRINTED = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"])
"""YAML takes no control characters, JSON does."""
WORDS = st.text(PRINTED, max_size=6)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(WORDS, VALUES, max_size=4))
def test_json_is_read_as_it_is_written(tmp_path, data):
    """JSON is YAML 1.2: nothing may become something else."""
    (tmp_path / "t.yaml").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    assert read_yaml(tmp_path / "t.yaml").data == data


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('path: "C:\\Users\\me\\data"', "write / in paths, or use single quotes"),  # borgbase/vykar #77
        ('path: "D:\\data"', "write / in paths, or use single quotes"),
        ("data:\n\tpath: x", "indent with blanks, not with tabs"),
        ("title: @home", "put the text into quotes"),
        ("title: Study 2: faces", "put a text that holds a colon and a blank into quotes"),
        ("title: Gesichter für".encode("latin-1"), "save the file as UTF-8"),
    ],
)
def test_usual_mistakes_have_a_remedy(tmp_path, text, hint):
    (tmp_path / "t.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError, match=r"not (valid YAML|UTF-8)") as raised:
        read_yaml(tmp_path / "t.yaml")
    assert raised.value.hint and hint in raised.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("images: 3", "images: yes", r"tiny.yaml:18: images: .*found 'yes'"),
        ("images: 3", "images: true", r"tiny.yaml:18: images: expected a number, found True"),
        ("images: 3", 'images: "3"', r"tiny.yaml:18: images: expected a number, found '3'"),
        ("redistribute: true", "redistribute: 1", r"data\.params.*expected true or false, found 1"),
        (
            "hidden: 16",
            "hidden: true",
            r"tiny.yaml:29: generators\.rebeca\.params\.hidden: expected a number, found True",
        ),
        ("scale: [1, 7]", 'scale: ["1", 7]', r"data\.params\.scale\.0: expected a number, found '1'"),
        ("title: A tiny task", "title: 12", r"tiny.yaml:5: title: .*found 12"),
        ("images: 3", "images: 12:30", r"images: .*found '12:30'"),
    ],
)
def test_no_kind_of_value_is_taken_for_another(tmp_path, old, new, message):
    assert old in TINY
    with pytest.raises(SpecError, match=message):
        load_task(write(tmp_path / "tiny.yaml", TINY.replace(old, new, 1)))


def test_a_bundled_task_is_extended_by_its_name(tmp_path):
    task = load_task(write(tmp_path / "mine.yaml", "extends: sprites\nid: mine\nversion: 1\n"))
    bundled = load_task(write(tmp_path / "other.yaml", "extends: sprites\n"))
    assert task.file.id == "mine" and [g.id for g in task.generators] == [g.id for g in bundled.generators]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sprits", "no task file and no bundled task is called 'sprits'"), ("none.yaml", r".*none\.yaml: no such file"),
        ("t.yaml", "more than 5 files in a row, or files that extend each other"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_extended_is_named_where_it_is_asked_for(tmp_path, name, message):
    with pytest.raises(SpecError, match=rf"t\.yaml:2: extends: {message}"):
        with_extends(read_yaml(write(tmp_path / "t.yaml", f"id: mine\nextends: {name}\n")))


def test_a_fault_is_placed_in_the_file_that_holds_it(tmp_path):
    write(tmp_path / "below.yaml", TINY.replace("images: 3", "images: many"))
    with pytest.raises(SpecError, match=r"below\.yaml:18: images: "):
        load_task(write(tmp_path / "t.yaml", "extends: below.yaml\n"))
    write(tmp_path / "below.yaml", TINY)
    with pytest.raises(SpecError, match=r"t\.yaml:2: images: "):
        load_task(write(tmp_path / "t.yaml", "extends: below.yaml\nimages: many\n"))


def test_a_fault_on_the_command_line_is_placed_there(tmp_path):
    path = write(tmp_path / "tiny.yaml", TINY)
    with pytest.raises(SpecError, match=r"^--set images=many: images: "):
        load_task(path, ("images=many",))
    with pytest.raises(SpecError, match=r"^--set generators\.rebeca\.params\.hidden=x: generators"):
        load_task(path, ("generators.rebeca.params.hidden=x",))
    for text, line, message in [
        ("analysis.primary.scorer=observd", 50, "the primary scorer 'observd' is not among the scorers"),
        ("judges.verifier.encoder.use=pca:3", 14, "encoder 'pca:3' needs an encoder below it"),
        ("data.split.test=3", 12, "with held-out-items test and validation are shares below 1"),
    ]:
        with pytest.raises(SpecError, match=rf"tiny\.yaml:{line} with --set {text}: {message}"):
            load_task(path, (text,))


def test_set_can_add_one_element(tmp_path):
    source = read_yaml(write(tmp_path / "t.yaml", "a: [{id: x}]\n"))
    assert override(source, "a.1={id: y, n: 2}") == ("a", 1)
    assert override(source, "a.2.id=z") == ("a", 2, "id")
    assert source.data == {"a": [{"id": "x"}, {"id": "y", "n": 2}, {"id": "z"}]}
    with pytest.raises(SpecError, match="the list has no element '5'"):
        override(source, "a.5=1")
    task = load_task(write(tmp_path / "tiny.yaml", TINY), ("generators.5={id: again, extends: rebeca}",))
    assert [g.id for g in task.generators][-1] == "again"
