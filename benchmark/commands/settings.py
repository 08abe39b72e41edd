"""Environment variables that the commands read, and ``rebeca-bench settings``, which lists them.

None of them changes a result silently: seeds, users and parameters are set by task files and options alone. Records
hold the device and the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmark.commands.options import json_option, print_result
from benchmark.runner import threads
from rebeca.hashes import cache_folder

THREADS_BY_DEFAULT = "threads by default"
"""Key of a command's context: whether its environment did not say how many."""


@dataclass(frozen=True, slots=True)
class Setting:
    """An environment variable.

    Attributes:
        name: Its name.
        meaning: What it decides.
        default: What holds where it is not set, in words.
        present: The value that holds now where it is not set; by default in words as well.
    """

    name: str
    meaning: str
    default: str
    present: Callable[[], Path] | None = None


SETTINGS = (
    Setting("REBECA_WORKDIR", "`--workdir` of all commands but `check run`", "the cache folder", cache_folder),
    Setting("REBECA_STORE", "`--store` of `run` and `work`", "nothing is shared"),
    Setting("REBECA_DEVICE", "`--device` of all commands; records hold it", "cpu"),
    Setting("REBECA_QUIET", "`--quiet` where it is 1", "0"),
    Setting(
        "REBECA_WEIGHTS",
        "folder of published weights",
        "`weights` in the cache folder",
        lambda: cache_folder() / "weights",
    ),
    Setting(threads.VARIABLE, "threads of numpy and torch; records hold it", threads.DEFAULT),
    Setting(
        threads.PROCESSES,
        "processes for independent parts of a run, such as fits; on Linux, with one thread, where PyTorch sees no GPU",
        threads.PROCESSES_BY_DEFAULT,
    ),
    Setting("RAY_USAGE_STATS_ENABLED", "whether ray tells its authors that it is used, where it is 1", "0"),
    Setting("CXX", "C++ compiler of `compile: true` of REBECA's prior, on the processor", "`g++`"),
    Setting("XDG_CACHE_HOME", "on Linux, the folder that holds the cache folder `rebeca-bench`", "`~/.cache`"),
    Setting("TMPDIR", "where `check run` puts its work folder", "the system's folder"),
    Setting("HF_HOME", "folder of the hub's files and access token", "`~/.cache/huggingface`"),
    Setting("HF_HUB_CACHE", "where weights that the hub's own programs fetched are looked for", "`hub` in `HF_HOME`"),
    Setting("HF_HUB_OFFLINE", "fetch nothing from the hub where it is 1", "0"),
    Setting("COLUMNS", "width of what is printed", "that of the terminal, or 100"),
)
"""Every one, in the order of the list. docs/reference/settings.md shows the same table."""


@dataclass(frozen=True, slots=True)
class PresentSetting:
    """A setting as it is now.

    Attributes:
        name: The environment variable.
        meaning: What it decides.
        default: What holds where it is not set.
        value: What holds now.
        is_set: Whether it comes from the environment.
    """

    name: str
    meaning: str
    default: str
    value: str
    is_set: bool


def present_settings(environment: Mapping[str, str]) -> list[PresentSetting]:
    """All settings with their present values. A variable that is empty counts as not set."""
    return [_present(setting, environment.get(setting.name, "")) for setting in SETTINGS]


def _present(setting: Setting, value: str) -> PresentSetting:
    fallback = str(setting.present()) if setting.present else setting.default
    return PresentSetting(
        setting.name,
        setting.meaning.replace("`", ""),
        setting.default.replace("`", ""),
        value or fallback.replace("`", ""),
        bool(value),
    )


def print_settings(settings: Sequence[PresentSetting]) -> None:
    """Prints a row per variable."""
    from benchmark.commands.layout import Column, print_rows, terminal

    columns = (
        Column("variable", [setting.name for setting in settings]),
        Column("value", [setting.value for setting in settings], least=16),
        Column("from", ["environment" if setting.is_set else "default" for setting in settings]),
        Column("decides", [setting.meaning for setting in settings], least=28),
    )
    print_rows(terminal(), columns)


@click.command()
@json_option
def settings(as_json: bool) -> None:
    """List the environment variables that are read, with their values."""
    environment = dict(os.environ)
    if click.get_current_context().meta.get(THREADS_BY_DEFAULT):
        del environment[threads.VARIABLE]
    print_result(present_settings(environment), as_json, print_settings)
