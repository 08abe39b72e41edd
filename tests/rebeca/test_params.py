"""Parameters are read strictly."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from rebeca.params import Count, ParamError, Share, changed_params, make_params, params_json, shortened


@dataclass(frozen=True)
class Some:
    LOCATIONS: ClassVar = ("place",)
    LIMITS: ClassVar = ("seconds",)
    FILES: ClassVar = ("file",)
    LATER: ClassVar = ("added",)

    count: Count = 2
    share: Share = 0.5
    place: str = "here"
    file: str | None = None
    pair: tuple[float, float] = (0.0, 1.0)
    seconds: float = 60.0
    added: int = 0


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"cuont": 1}, "where: no parameter 'cuont'"),
        ({"count": 0}, "where.count: input should be greater than or equal to 1, found 0"),
        ({"share": float("nan")}, "where.share: not a finite number, found nan"),
        ({"pair": [0.0, float("inf")]}, "where.pair.1: not a finite number"),
        ({"pair": {"a": float("inf")}}, "where.pair.a: not a finite number"),
        ({"pair": [0.0, "x"]}, "where.pair.1: input should be a valid number"),
        ({"share": 2.0}, "found 2.0"),
    ],
)
def test_mistakes_are_named(raw, message):
    with pytest.raises(ParamError) as raised:
        make_params(Some, raw, "where")
    assert message in raised.value.message and raised.value.path


def test_json_spells_out_defaults_and_leaves_out_places_and_limits():
    params = make_params(Some, {"count": 3, "file": "/somewhere/e.npy", "place": "there", "seconds": 9.0}, "where")
    assert params_json(params) == {"count": 3, "share": 0.5, "file": "e.npy", "pair": [0.0, 1.0]}
    assert params_json(Some(file="sub/e.npy"))["file"] == "sub/e.npy"


def test_a_later_parameter_is_in_addresses_only_when_it_is_set():
    assert "added" not in params_json(Some())
    assert params_json(Some(added=1)) == params_json(Some()) | {"added": 1}
    assert changed_params(Some(added=1)) == {"added": 1} and changed_params(Some()) == {}


def test_long_values_are_shortened():
    assert shortened("x" * 200) == repr("x" * 200)[:77] + "..."
    assert shortened(1) == "1"
