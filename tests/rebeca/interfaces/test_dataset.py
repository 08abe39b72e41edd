"""What a data set's source is given, and what it says about its files."""

from pathlib import Path

import pytest

from rebeca.errors import SpecError
from rebeca.interfaces import DatasetContext, DatasetSource, NoParams


def test_the_folder_is_the_one_that_the_task_names():
    assert DatasetContext(Path("/data/here")).folder == Path("/data/here")


def test_a_source_that_needs_a_folder_says_how_to_name_one():
    with pytest.raises(SpecError, match=r"data\.path is not set") as error:
        _ = DatasetContext().folder
    assert "--set data.path=FOLDER" in error.value.hint
    assert error.value.exit_code == 2


def test_a_source_that_needs_no_folder_is_built_without_one():
    class Drawn(DatasetSource):
        def read(self):
            return self.context.path

    assert Drawn(NoParams(), DatasetContext()).read() is None


def test_every_file_counts_unless_the_source_says_which():
    assert DatasetSource.ITEM_FILES == ("*",) and DatasetSource.RATING_FILES == ()
