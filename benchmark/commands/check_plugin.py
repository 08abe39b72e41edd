"""``rebeca-bench check plugin``: does a plug-in keep the contract of its kind?"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from unittest.mock import patch

from benchmark.commands.layout import print_pairs, terminal
from benchmark.task import registry
from benchmark.task.encoders import named_encoder
from benchmark.task.paths import placed, refuse_missing_files
from benchmark.task.registry import BASES, GROUPS, KINDS, Kind
from rebeca.errors import MissingDependency, PluginError, SpecError, did_you_mean
from rebeca.guards import message_of
from rebeca.interfaces import Decoder, Scorer, SetScorer
from rebeca.params import make_params

if TYPE_CHECKING:
    from rich.console import Console

    from rebeca.arrays import Plain
    from rebeca.testing import CheckResult, World
    from rebeca.testing.contract import Contract

DATA = "data.path="
MARKS = {"passed": "yes", "broken": "no", "stopped": "no", "skipped": "-"}


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What a contract found.

    Attributes:
        plugin: As it was named.
        kind: Its kind, such as ``set scorer``.
        checks: All checks, in order.
    """

    plugin: str
    kind: str
    checks: Sequence[CheckResult]

    @property
    def summary(self) -> str:
        """How many checks passed and failed, a sentence."""
        count = Counter(result.status for result in self.checks)
        failed = count["broken"] + count["stopped"]
        counts = f"{count['passed']} passed, {failed} failed, {count['skipped']} not needed or not possible"
        return f"{self.kind} '{self.plugin}': {counts}"

    @property
    def exit_code(self) -> int:
        """That of a broken contract, otherwise that of the first error of parameters or data, or 0."""
        codes = [result.exit_code for result in self.checks]
        return max(codes, key=lambda code: (code == PluginError.exit_code, code > 0), default=0)


def run_checks(name: str, kind: str | None, raw: str, folder: str | None, *, quiet: bool) -> PluginReport:
    """Runs the contract of a plug-in, as :func:`contract_of` finds it; prints every check unless ``quiet``."""
    from rebeca.testing import run_contract

    contract, console = contract_of(name, kind, raw, folder), terminal()
    results = []
    with patch("os._exit", _exit_of(os.getpid(), os._exit)):
        for result in run_contract(contract):
            results.append(result)
            if not quiet:
                print_check(console, result)
    return PluginReport(name, contract.kind, results)


def _exit_of(process: int, leave: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
    """``os._exit`` that ends child processes only: in the process of the checks it would pass for success."""

    def leave_or_raise(status: int) -> NoReturn:
        if os.getpid() != process:
            leave(status)
        raise SystemExit(f"os._exit({status})")

    return leave_or_raise


def contract_of(name: str, kind: str | None, raw: str, folder: str | None) -> type[Contract]:
    """The contract of a plug-in, ready to run.

    Args:
        name: Registered name, or ``module:Class``.
        kind: Its kind, where several have this name.
        raw: JSON of its parameters.
        folder: ``data.path=FOLDER``, for data sets.

    Raises:
        SpecError: If there is no such plug-in, or its parameters are not valid.
        MissingDependency: If it needs packages or weights that are not on this machine.
    """
    plugin = _of_module(name) if ":" in name else registry.plugin_class(_kind_of(name, kind), name)
    contract = _contract_of(plugin)
    params = make_params(plugin.Params, placed(plugin.Params, _mapping(raw), Path()), "--params")
    refuse_missing_files(params, "--params")
    attributes: dict[str, Any] = {"plugin": plugin, "params": params, "name": name, "path": _path(folder)}
    world = _world_of(plugin, params)
    if world is not None:
        attributes["world"] = lambda self: world
    return type(f"Test{plugin.__name__}", (contract,), attributes)


def print_check(console: Console, result: CheckResult) -> None:
    """Prints a check with its verdict; of a failed one what came and what to do."""
    print_pairs(console, [(f"{MARKS[result.status]:<3}", _lines(result))])


def _lines(result: CheckResult) -> str:
    if result.status == "passed":
        return result.title
    if result.status == "skipped":
        return f"{result.title} ({result.message})"
    hint = f"hint: {result.remedy}" if result.remedy else ""
    return "\n".join(line for line in (result.title, result.message, hint, result.name) if line)


def _kind_of(name: str, kind: str | None) -> Kind:
    kinds = [each for each, group in GROUPS.items() if name in registry.names(group)]
    if kind is not None:
        return next(each for each in GROUPS if each.replace(" ", "-") == kind)
    if not kinds:
        known = {known for group in KINDS for known in registry.names(group)}
        hint = f"{did_you_mean(name, known)}; a class that is not registered is named module:Class"
        raise SpecError(f"no plug-in is called '{name}'", hint=hint)
    if len(kinds) > 1:
        options = " or ".join(f"--kind {each.replace(' ', '-')}" for each in kinds)
        raise SpecError(f"several plug-ins are called '{name}'", hint=f"add {options}")
    return kinds[0]


def _of_module(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a file in the current folder, as for python -m
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            message = f"{name} needs the package '{error.name}'"
            raise MissingDependency(message, hint=f"pip install {error.name}") from error
        raise SpecError(f"no module is called '{module}'", hint="name it as Python imports it") from error
    except (Exception, SystemExit) as error:  # a module may raise anything
        failure = f"{type(error).__name__}: {message_of(error)}"
        raise PluginError(f"importing {module} failed: {failure}", hint=f"python -c 'import {module}'") from error
    if not hasattr(loaded, attribute):
        raise SpecError(f"the module {module} has no class '{attribute}'", hint="check its name")
    return getattr(loaded, attribute)


def _contract_of(plugin: Any) -> type[Contract]:
    from rebeca import testing

    contracts: list[type[Contract]] = [getattr(testing, name) for name in testing.__all__ if name.endswith("Contract")]
    for contract in contracts:
        if isinstance(plugin, type) and issubclass(plugin, contract.base):
            return contract
    wanted = ", ".join(f"rebeca.{base.__name__}" for bases in BASES.values() for base in bases)
    raise PluginError(f"{plugin!r} is derived from none of {wanted}", hint="derive it from the base class of its kind")


def _mapping(raw: str) -> dict[str, Plain]:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise SpecError(f"--params is no JSON: {error}", hint="""write --params '{"number": 2}'""") from error
    if not isinstance(value, dict):
        raise SpecError(f"--params: expected a mapping, found {raw}", hint="""write --params '{"number": 2}'""")
    return value


def _path(folder: str | None) -> Path | None:
    if folder is None:
        return None
    if not folder.startswith(DATA):
        raise SpecError(f"--set {folder}: only data.path can be set here", hint="give parameters with --params")
    return Path(folder.removeprefix(DATA)).absolute()


def _world_of(plugin: Any, params: Any) -> World | None:
    """A world in the embedding space of the encoder that a decoder or scorer names; None where it names none."""
    from benchmark.runner.plugins import build_encoder
    from rebeca.testing import World, make_world

    if issubclass(plugin, Decoder):
        names = [plugin.space(params)]
    else:
        names = list(plugin.encoders(params)) if issubclass(plugin, Scorer | SetScorer) else []
    if not any(names):
        return None
    return World.of(make_world().dataset, build_encoder(named_encoder(names[0], Path()), "cpu"))
