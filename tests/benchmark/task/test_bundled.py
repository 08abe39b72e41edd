"""Task files that travel with the package."""

import pytest

from benchmark.task.bundled import find_task, folder
from rebeca.errors import SpecError


def test_a_task_is_found_by_name_or_path(tmp_path):
    assert find_task("sprites") == folder("tasks") / "sprites.yaml"
    (tmp_path / "mine.yml").write_text("")
    assert find_task(str(tmp_path / "mine.yml")) == tmp_path / "mine.yml"
    assert find_task("not/there.yaml").name == "there.yaml"  # reading it says that it is not there


def test_misspelt_names_and_folders_have_a_hint(tmp_path):
    with pytest.raises(SpecError) as unknown:
        find_task("sprite")
    assert "did you mean 'sprites'" in str(unknown.value.hint)
    (tmp_path / "task.yaml").write_text("")
    with pytest.raises(SpecError) as there:
        find_task(str(tmp_path))
    assert str(tmp_path / "task.yaml") in str(there.value.hint)
