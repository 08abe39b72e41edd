"""What a generator answers where it says nothing of its own."""

from dataclasses import dataclass, fields

from rebeca.interfaces import Generator, GeneratorContext, NoParams, no_progress


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
