"""What plug-ins say of themselves: asked of the class, checked, and named where it is wrong."""

from dataclasses import dataclass

import pytest

from benchmark.task import declared
from benchmark.task.declared import address_of, fingerprint, generator_flags, learns, scorer_flags
from benchmark.task.registry import plugin_class
from rebeca.errors import DataError, PluginError
from rebeca.interfaces import Encoder, Generator, Scorer, ScorerCard, SetScorer
from rebeca.params import make_params

CARD = ScorerCard("Mine", "points", True, "A number.")


@dataclass(frozen=True)
class Params:
    size: int = 3
    steps: int = 4


class Mine(Generator):
    Params = Params
    family = "mine"

    @classmethod
    def needs(cls, params):
        return ["judge"]

    @classmethod
    def fit_parameters(cls, params):
        return {"size"}


class Single(Scorer):
    Params = Params

    @classmethod
    def needs(cls, params):
        return {"held-out"}

    @classmethod
    def card(cls, params):
        return CARD

    @classmethod
    def encoders(cls, params):
        return (f"fourier:{params.size}",)


class Several(SetScorer):
    @classmethod
    def cards(cls, params):
        return {"first": CARD, "second": CARD}


class Learned(Encoder):
    @classmethod
    def learns(cls, params):
        return True


@pytest.fixture
def registered(monkeypatch):
    """Makes a class the only plug-in."""
    return lambda plugin: monkeypatch.setattr(declared, "plugin_class", lambda kind, use: plugin)


def answering(kind, name, answer):
    """The class with another answer to one question."""
    return type("Changed", (kind,), {name: classmethod(lambda cls, params: answer)})


def test_a_generator_says_what_it_needs(registered):
    registered(Mine)
    flags = generator_flags("mine", Params())
    assert (flags.needs, flags.fit_parameters, flags.family) == (frozenset({"judge"}), frozenset({"size"}), "mine")
    assert (flags.privileged_at, flags.claims_personal) == ("fit", True)


def test_the_projects_own_generators_answer():
    params = make_params(plugin_class("generator", "catalogue").Params, {"rank_by": "verifier"}, "catalogue")
    assert generator_flags("catalogue", params).needs == {"judge"}
    params = make_params(plugin_class("generator", "catalogue").Params, {"rank_by": "random"}, "catalogue")
    assert generator_flags("catalogue", params).needs == frozenset()


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("needs", {"gold"}, "generator 'arm': needs names 'gold'"),
        ("needs", "judge", "generator 'arm': needs names 'judge'"),  # a text is a collection of letters
        ("needs", 3, "generator 'arm': needs is 3, expected Collection"),
        ("fit_parameters", {"size", "weight"}, "generator 'arm': fit_parameters names 'weight'"),
        ("claims_personal", 1, "generator 'arm': claims_personal is 1, expected bool"),
    ],
)
def test_wrong_answers_of_a_generator_are_named(registered, name, answer, message):
    registered(answering(Mine, name, answer))
    with pytest.raises(PluginError) as raised:
        generator_flags("mine", Params(), "arm")
    assert raised.value.message == message


def test_allowed_names_are_the_hint(registered):
    registered(answering(Mine, "needs", {"gold"}))
    with pytest.raises(PluginError) as raised:
        generator_flags("mine", Params())
    assert raised.value.hint == "allowed: ground-truth, held-out, judge"
    registered(answering(Mine, "fit_parameters", {"weight"}))
    with pytest.raises(PluginError) as raised:
        generator_flags("mine", Params())
    assert raised.value.hint == "allowed: size, steps"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("privileged_at", "never", "privileged_at is 'never', expected 'fit' or 'generate'"),
        ("family", 7, "family is 7, expected str"),
    ],
)
def test_wrong_attributes_of_a_generator_are_named(registered, name, value, message):
    registered(type("Changed", (Mine,), {name: value}))
    with pytest.raises(PluginError, match=message):
        generator_flags("mine", Params())


def test_a_scorer_of_single_images(registered):
    registered(Single)
    flags = scorer_flags("mine", Params(size=8))
    assert not flags.of_sets
    assert (flags.needs, flags.encoders) == (frozenset({"held-out"}), ("fourier:8",))
    assert flags.card is CARD


def test_a_scorer_of_sets_has_a_card_per_measure(registered):
    registered(Several)
    flags = scorer_flags("mine", Several.Params())
    assert flags.of_sets and list(flags.cards) == ["first", "second"] and flags.encoders == ()


@pytest.mark.parametrize(
    ("kind", "name", "answer", "message"),
    [
        (Single, "card", "a card", "scorer 'mine': card is 'a card', expected ScorerCard"),
        (Single, "needs", {"judge"}, "scorer 'mine': needs names 'judge'"),
        (Single, "encoders", ["fourier:8"], r"scorer 'mine': encoders is \['fourier:8'\], expected tuple"),
        (Several, "cards", [CARD], "set scorer 'mine': cards is .*, expected Mapping"),
        (Several, "cards", {1: CARD}, "set scorer 'mine': cards is 1, expected str"),
        (Several, "cards", {"one": "a card"}, "set scorer 'mine': cards is 'a card', expected ScorerCard"),
    ],
)
def test_wrong_answers_of_a_scorer_are_named(registered, kind, name, answer, message):
    registered(answering(kind, name, answer))
    with pytest.raises(PluginError, match=message):
        scorer_flags("mine", Params())


def test_what_a_class_raises_is_named_and_what_the_data_do_is_not(registered):
    def raising(error):
        def needs(cls, params):
            raise error

        return type("Changed", (Mine,), {"needs": classmethod(needs)})

    registered(raising(KeyError("out of ideas")))
    with pytest.raises(PluginError, match="generator 'mine' failed: KeyError: 'out of ideas'"):
        generator_flags("mine", Params())
    registered(raising(DataError("row 3 is empty")))
    with pytest.raises(DataError, match=r"^row 3 is empty$"):
        generator_flags("mine", Params())


def test_an_encoder_learns_or_does_not(registered):
    registered(Learned)
    assert learns("mine", Learned.Params()) is True
    registered(answering(Learned, "learns", "yes"))
    with pytest.raises(PluginError, match="encoder 'mine': learns is 'yes', expected bool"):
        learns("mine", Learned.Params())


def test_a_fingerprint_is_a_text(registered):
    registered(answering(Learned, "fingerprint", "abc"))
    assert fingerprint("encoder", "mine", Learned.Params()) == "abc"
    registered(answering(Learned, "fingerprint", b"abc"))
    with pytest.raises(PluginError, match="encoder 'mine': fingerprint is b'abc', expected str"):
        fingerprint("encoder", "mine", Learned.Params())


def test_an_address_spells_every_default_out():
    params = make_params(plugin_class("decoder", "nearest-picture").Params, {}, "decoder")
    assert address_of("decoder", "nearest-picture", params) == {
        "use": "nearest-picture", "code": "", "params": {"metric": "euclidean", "repeats": False}, "fingerprint": "",
    }  # fmt: skip


# ------------------------------------------------------------------------------------ paths relative to the task file
