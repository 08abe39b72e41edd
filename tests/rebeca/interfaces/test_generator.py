"""What a generator answers where it says nothing of its own."""

from dataclasses import dataclass, fields

import numpy as np
import pytest

from rebeca import Dataset, LinearSpace, PluginError
from rebeca.interfaces import Generator, GeneratorContext, NoParams, no_progress
from tests.builders import interactions


@dataclass(frozen=True)
class ShadeParams:
    side: int = 4
    shades: int = 2


class Shade(Generator):
    Params = ShadeParams

    def fit(self, train): ...

    def save(self, folder): ...

    def load(self, folder): ...

    def generate(self, requests):
        yield from [None] * len(requests)


def test_a_fit_depends_on_all_parameters_by_default():
    assert Shade.fit_parameters(ShadeParams()) == {"side", "shades"}
    assert Generator.fit_parameters(NoParams()) == frozenset()


def test_a_generator_is_ranked_and_personal_by_default():
    params = ShadeParams()
    assert Shade.needs(params) == frozenset()
    assert Shade.claims_personal(params) is True
    assert Shade.family == "external" and Shade.privileged_at == "fit"


def test_a_fit_that_says_nothing_about_itself_has_an_empty_report():
    assert Shade(ShadeParams(), None).report() == {}


def test_a_context_has_silent_progress_and_no_privileges_unless_given():
    required = [field.name for field in fields(GeneratorContext) if field.name not in ("progress", "privileges")]
    context = GeneratorContext(**dict.fromkeys(required))
    assert context.progress is no_progress and context.progress(1, 2, "epochs") is None
    assert dict(context.privileges.given) == {}


def test_a_generator_alone_sees_a_data_set_and_asks_for_no_decoder():
    ratings = interactions([0, 0, 1], [0, 1, 2], [5, 1, 5])
    data = Dataset.in_memory("Pets", np.zeros((3, 8, 8, 3), np.uint8), ratings, (1.0, 5.0))
    context = GeneratorContext.alone(data, seed=3)
    assert context.users == ("u0", "u1") and context.candidates.of(1).tolist() == [2]
    assert len(context.validation) == 0 and context.validation.num_users == 2
    assert context.embeddings.shape == (3, 0) and context.fit_seed == context.seeds.seed == 3
    for ask in (context.encoder, lambda: context.decoder(LinearSpace())):
        with pytest.raises(PluginError, match="only a task can give"):
            ask()
