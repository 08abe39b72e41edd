"""Seeds come from names: what an image or a fit is decides, and nothing else."""

from dataclasses import dataclass, field

import pytest

from rebeca.params import changed_params
from rebeca.seeds import SeedScheme

SEEDS = SeedScheme("task", 1, 42)


@dataclass(frozen=True)
class Old:
    rate: float
    layers: tuple[int, ...] = (8, 8)
    names: list[str] = field(default_factory=list)
    steps: int = 10


@dataclass(frozen=True)
class New(Old):
    momentum: float = 0.0
    words: tuple[str, ...] = ()


def seed_of_fit(params, names=None):
    return SEEDS.fitting("generator", "somebody", changed_params(params, names))


@pytest.mark.parametrize("values", [{}, {"layers": (4,)}, {"steps": 3, "names": ["a"]}])
def test_a_new_parameter_with_the_old_behaviour_as_default_moves_no_seed(values):
    assert seed_of_fit(Old(rate=1.0, **values)) == seed_of_fit(New(rate=1.0, **values))
    assert seed_of_fit(New(rate=1.0, **values)) != seed_of_fit(New(rate=1.0, **values, momentum=0.5))


def test_only_what_differs_from_its_default_or_has_none_is_named():
    assert changed_params(Old(rate=1.0)) == {"rate": 1.0}
    assert changed_params(Old(rate=1.0, layers=(8, 8), steps=11)) == {"rate": 1.0, "steps": 11}
    assert changed_params(Old(rate=1.0, steps=11), {"steps", "layers"}) == {"steps": 11}


def test_a_value_spelled_out_and_a_default_are_the_same_fit():
    assert seed_of_fit(Old(rate=1.0, steps=10)) == seed_of_fit(Old(rate=1.0))


def test_parameters_of_sampling_have_no_part_in_it():
    names = {"rate", "layers", "names"}
    assert seed_of_fit(Old(rate=1.0, steps=3), names) == seed_of_fit(Old(rate=1.0, steps=4), names)


def test_every_name_decides():
    fits = [
        SEEDS.fitting("generator", "a", {}),
        SEEDS.fitting("generator", "b", {}),
        SEEDS.fitting("generator", "a", {"x": 1}),
        SEEDS.fitting("judge verifier", "a", {}),
        SEEDS.fitting("judge auditor", "a", {}),
        SeedScheme("task", 2, 42).fitting("generator", "a", {}),
        SeedScheme("task", 1, 43).fitting("generator", "a", {}),
        SeedScheme("other", 1, 42).fitting("generator", "a", {}),
    ]
    assert len(set(fits)) == len(fits)


def test_fits_of_one_generator_differ_and_the_first_keeps_its_seed():
    assert [SEEDS.fitting("generator", "a", {"x": 1}, number) for number in range(3)] == [
        10255584070670178749,
        10918570294518414746,
        11647343444870349903,
    ]
    assert SEEDS.fitting("generator", "a", {"x": 1}) == 10255584070670178749


def test_noise_offsets_leave_fits_alone():
    assert SeedScheme("task", 1, 42, offset=5).fitting("generator", "a", {}) == SEEDS.fitting("generator", "a", {})
