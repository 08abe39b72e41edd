"""Every number that a task file can hold has a range, or is listed here with the reason why it needs none."""

import dataclasses
import typing
from types import UnionType

import pytest
from pydantic import BaseModel

from benchmark.task.file import TaskFile
from benchmark.task.registry import GROUPS, names, plugin_class
from rebeca.data.splits import SplitRule
from rebeca.errors import SpecError
from rebeca.params import make_params

FREE = {
    "seed",  # names a random stream
    "offset",  # likewise
    "like_at",  # lies on the scale of the ratings, which is checked with the data
    "scale",  # of ratings: any two numbers
    "prior_guidance",  # any number extrapolates, as does any of its grid
    "guidance_grid",
    "missing",  # ratings that stand for none
}


def unbounded(annotation):
    """Whether a number in the annotation has no range."""
    if annotation in (int, float):
        return True
    if typing.get_origin(annotation) is typing.Annotated:
        return False
    if typing.get_origin(annotation) in (typing.Union, UnionType, tuple, list):
        return any(unbounded(inner) for inner in typing.get_args(annotation) if inner is not Ellipsis)
    return False


def models(model):
    yield model
    for hint in typing.get_type_hints(model).values():
        for inner in (hint, *typing.get_args(hint)):
            if isinstance(inner, type) and issubclass(inner, BaseModel) and inner is not model:
                yield from models(inner)


PARAMS = [
    (f"{kind} {name}", plugin_class(kind, name).Params)
    for kind, group in GROUPS.items()
    for name in names(group)
    if plugin_class(kind, name).__module__.partition(".")[0] in ("rebeca", "baselines", "benchmark")
]
KINDS = [*PARAMS, ("split rule", SplitRule), *((model.__name__, model) for model in dict.fromkeys(models(TaskFile)))]


@pytest.mark.parametrize(("label", "kind"), KINDS, ids=[label for label, _ in KINDS])
def test_every_number_has_a_range(label, kind):
    hints = typing.get_type_hints(kind, include_extras=True)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        bounded = {name for name, field in kind.model_fields.items() if field.metadata}
    else:
        bounded = set()
    free = {name for name, hint in hints.items() if name not in bounded and unbounded(hint)}
    assert free <= FREE, label


@pytest.mark.parametrize(("label", "kind"), PARAMS, ids=[label for label, _ in PARAMS])
def test_no_number_is_infinite(label, kind):
    for field in dataclasses.fields(kind):
        for value in (float("inf"), float("nan"), [1.0, float("-inf")]):
            with pytest.raises(SpecError, match=rf"here\.{field.name}.*not a finite number"):
                make_params(kind, {field.name: value}, "here")
