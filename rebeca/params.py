"""Parameters of generators, judges, decoders and scorers: frozen dataclasses, read strictly from plain data.

The aliases say which values make sense; a dataclass that uses them is checked whenever it is read from a task file.

| alias         | type  | values           |
|---------------|-------|------------------|
| `Count`       | int   | 1 and above      |
| `Whole`       | int   | 0 and above      |
| `Positive`    | float | above 0          |
| `NotNegative` | float | 0 and above      |
| `AtLeastOne`  | float | 1 and above      |
| `Probability` | float | 0 to 1           |
| `Share`       | float | above 0, up to 1 |
| `Dropout`     | float | 0 to below 1     |

Example:
    >>> from dataclasses import dataclass
    >>> from rebeca.params import AtLeastOne, Count, Dropout, NotNegative, Positive, Probability, Share, Whole
    >>> from rebeca.params import make_params
    >>> @dataclass(frozen=True)
    ... class NetworkParams:
    ...     layers: Count = 2
    ...     patience: Whole = 0
    ...     lr: Positive = 1e-3
    ...     weight_decay: NotNegative = 0.0
    ...     guidance: AtLeastOne = 1.0
    ...     dropped_condition: Probability = 0.1
    ...     data: Share = 1.0
    ...     dropout: Dropout = 0.0
    >>> make_params(NetworkParams, {"layers": 3}, "params").layers
    3
    >>> make_params(NetworkParams, {"dropout": 1.0}, "params")
    Traceback (most recent call last):
    ...
    rebeca.params.ParamError: params.dropout: input should be less than 1, found 1.0
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import index
from pathlib import PurePath
from typing import Annotated, Any, SupportsIndex, TypeVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import TypeAdapter, ValidationError

from rebeca.arrays import Plain
from rebeca.errors import SpecError, did_you_mean

__all__ = [
    "AtLeastOne",
    "Count",
    "Dropout",
    "NotNegative",
    "Positive",
    "Probability",
    "Share",
    "Whole",
    "make_params",
]

T = TypeVar("T")

Count = Annotated[int, Ge(1)]
Whole = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
AtLeastOne = Annotated[float, Ge(1)]
Probability = Annotated[float, Ge(0), Le(1)]
Share = Annotated[float, Gt(0), Le(1)]
Dropout = Annotated[float, Ge(0), Lt(1)]


class ParamError(SpecError):
    """A parameter that does not fit; ``path`` leads to it."""

    def __init__(self, message: str, path: tuple[str | int, ...], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


def make_params(kind: type[T], raw: Mapping[str, object], where: str) -> T:
    """Builds a ``Params`` dataclass from a mapping, strictly; as the harness does with a task file.

    Args:
        kind: The dataclass.
        raw: Values by name, as YAML gives them.
        where: What messages begin with.

    Example:
        >>> from dataclasses import dataclass
        >>> from rebeca.params import Count, make_params
        >>> @dataclass(frozen=True)
        ... class BlurParams:
        ...     radius: Count = 3
        >>> make_params(BlurParams, {"radius": 5}, "params")
        BlurParams(radius=5)
        >>> make_params(BlurParams, {"radus": 5}, "params")
        Traceback (most recent call last):
        ...
        rebeca.params.ParamError: params: no parameter 'radus'
          hint: did you mean 'radius'?

    Raises:
        ParamError: Naming the first unknown, missing, ill-typed or impossible parameter.
    """
    fields = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name, value in raw.items():
        if name not in fields:
            raise ParamError(f"{where}: no parameter '{name}'", (name,), hint=did_you_mean(str(name), fields))
        if number := _not_finite(value):
            place = (name, *number[0])
            message = f"{where}.{'.'.join(map(str, place))}: not a finite number, found {number[1]}"
            raise ParamError(message, place)
    try:
        params: T = _adapter(kind).validate_python(dict(raw))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":  # raised by a __post_init__
            raise ParamError(f"{where}: {first['ctx']['error']}", first["loc"]) from error
        path = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            raise ParamError(f"{where}.{path}: a value is required, and none is given", first["loc"]) from error
        message = f"{where}.{path}: {first['msg'].lower()}, found {shortened(first.get('input'))}"
        raise ParamError(message, first["loc"]) from error
    if fault := reinterpreted(raw, params):
        raise ParamError(f"{where}.{'.'.join(map(str, fault[0]))}: {fault[1]}", fault[0])
    return params


def whole_number(name: str, value: SupportsIndex, least: int | None = None) -> int:
    """A whole number as a Python caller gives it: an int, or one of numpy.

    Args:
        name: Of the argument, for messages.
        value: What was given.
        least: The smallest that makes sense.

    Raises:
        SpecError: If it is none, or smaller.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise SpecError(f"{name}: expected a whole number, found {shortened(value)}")
    number = index(value)
    if least is not None and number < least:
        raise SpecError(f"{name}: expected at least {least}, found {number}")
    return number


def reinterpreted(raw: object, value: object) -> tuple[tuple[str | int, ...], str] | None:
    """The first plain value that validation took for another kind, such as ``yes`` for 1 or ``"5"`` for 5.

    Args:
        raw: Plain data, as it was given.
        value: What validation made of it: a dataclass, a model, or containers of them.

    Returns:
        Its path and a message, or None.
    """
    if isinstance(raw, Mapping):
        children = ((key, child, _field(value, key)) for key, child in raw.items())
    elif isinstance(raw, list | tuple) and isinstance(value, list | tuple):
        children = ((index, *both) for index, both in enumerate(zip(raw, value, strict=False)))
    else:
        expected, given = _kind(value), _kind(raw)
        fits = "" in (expected, given) or expected == given
        return None if fits else ((), f"expected {expected}, found {shortened(raw)}")
    for key, child, validated in children:
        if fault := reinterpreted(child, validated):
            return (key, *fault[0]), fault[1]
    return None


def _field(value: object, key: Any) -> object:
    """What validation made of a key; models may call it otherwise, as an alias says."""
    if isinstance(value, Mapping):
        return value.get(key)
    fields = getattr(type(value), "model_fields", {})
    alias = next((name for name, field in fields.items() if field.alias == key), key)
    return getattr(value, alias, None)


def _kind(value: object) -> str:
    """``true or false``, ``a number``, ``a text``, or nothing for values of other kinds."""
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a text"}
    return kinds.get(type(value), "")


def params_json(params: Any) -> dict[str, Plain]:
    """JSON of a ``Params`` dataclass with every default spelled out, without folders of this machine.

    ``LOCATIONS`` and ``LIMITS`` name parameters that are left out, ``FILES`` and ``PATHS`` those of which only the
    file's name is kept; the contents of files are in addresses. ``LATER`` names parameters that came after addresses
    were in use, and are left out where they have their default.
    """
    dumped: dict[str, Plain] = _adapter(type(params)).dump_python(params, mode="json")
    for name in (*getattr(type(params), "LOCATIONS", ()), *getattr(type(params), "LIMITS", ())):
        del dumped[name]
    for name in (*getattr(type(params), "FILES", ()), *getattr(type(params), "PATHS", ())):
        value = dumped[name]
        if isinstance(value, str) and PurePath(value).is_absolute():
            dumped[name] = PurePath(value).name
    later = (field for field in dataclasses.fields(params) if field.name in getattr(type(params), "LATER", ()))
    for field in later:
        if getattr(params, field.name) == _default_of(field):
            del dumped[field.name]
    return dumped


def changed_params(params: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    """JSON of those parameters that differ from their defaults, or have none.

    Args:
        params: A ``Params`` dataclass.
        names: Only these; all by default.
    """
    dumped = params_json(params)
    wanted = dumped.keys() if names is None else dumped.keys() & set(names)
    changed = (field.name for field in dataclasses.fields(params) if getattr(params, field.name) != _default_of(field))
    return {name: dumped[name] for name in sorted(wanted & set(changed))}


def _default_of(field: dataclasses.Field[Any]) -> Any:
    """The default, or what no value equals where there is none."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def shortened(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) < 80 else f"{shown[:77]}..."


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def _not_finite(value: Any) -> tuple[tuple[str | int, ...], float] | None:
    """Path and value of the first number that is not finite, or None."""
    if isinstance(value, float):
        return None if math.isfinite(value) else ((), value)
    if isinstance(value, Mapping):
        children: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list | tuple):
        children = enumerate(value)
    else:
        return None
    faults = ((key, fault) for key, child in children if (fault := _not_finite(child)))
    return next((((key, *fault[0]), fault[1]) for key, fault in faults), None)
