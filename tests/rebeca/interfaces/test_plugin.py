"""What every kind of plug-in shares: parameters, a context, and needs that must be declared."""

import pytest

import rebeca
from rebeca import interfaces
from rebeca.errors import PluginError
from rebeca.interfaces import NEEDS, PRIVILEGES, NoParams, Plugin, Privileges, ScorerContext

KINDS = [
    interfaces.DatasetSource, interfaces.Decoder, interfaces.Encoder, interfaces.Generator, interfaces.Judge,
    interfaces.Scorer, interfaces.SetScorer,
]  # fmt: skip


def scorer_context(given):
    return ScorerContext(
        given, users=(), catalogue=None, training_items=None, block_of_user=None, scale=(1, 5), encoder=None
    )


OFFERS = [(Privileges, need) for need in PRIVILEGES] + [(scorer_context, need) for need in NEEDS]


def test_a_plugin_keeps_what_it_is_given():
    params, context = NoParams(), object()
    plugin = Plugin(params, context)
    assert plugin.params is params and plugin.context is context


def test_a_plugin_takes_nothing_unless_it_says_so():
    assert Plugin.Params is NoParams
    assert Plugin.fingerprint(NoParams()) == ""
    assert NoParams() == NoParams()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_cannot_be_built_until_its_methods_are_written(kind):
    assert issubclass(kind, Plugin)
    with pytest.raises(TypeError, match="abstract"):
        kind(NoParams(), None)
    written = {name: lambda *_: None for name in kind.__abstractmethods__}
    assert type("Written", (kind,), written)(NoParams(), None).params == NoParams()
    left_out = sorted(written)[0]
    del written[left_out]
    with pytest.raises(TypeError, match=left_out):
        type("Unwritten", (kind,), written)(NoParams(), None)


@pytest.mark.parametrize(("build", "need"), OFFERS)
def test_each_need_has_a_property_that_gives_it(build, need):
    offered = object()
    offers = build({need: lambda: offered})
    assert getattr(offers, need.replace("-", "_")) is offered


@pytest.mark.parametrize(("build", "need"), OFFERS)
def test_what_was_not_declared_is_refused_by_name(build, need):
    others = dict.fromkeys({*PRIVILEGES, *NEEDS} - {need}, object)
    with pytest.raises(PluginError, match=rf"'{need}', which its needs\(\) does not name") as error:
        getattr(build(others), need.replace("-", "_"))
    assert error.value.hint == "name it in needs(params)"


def test_what_is_offered_is_computed_only_when_asked_for():
    asked = []
    privileges = Privileges({"judge": lambda: asked.append("judge"), "held-out": lambda: asked.append("held-out")})
    assert asked == []
    assert privileges.held_out is None
    assert asked == ["held-out"]


def test_nobody_is_privileged_by_default():
    assert dict(Privileges().given) == {}


def test_the_package_offers_the_vocabulary_of_its_interfaces():
    assert all(hasattr(interfaces, name) for name in interfaces.__all__)
    for name in set(rebeca.__all__) & set(interfaces.__all__):
        assert getattr(rebeca, name) is getattr(interfaces, name)
    shared = {kind.__name__ for kind in KINDS} | {"Request", "GeneratedImage", "ScoredImages", "ScorerCard", "NoParams"}
    assert shared <= set(rebeca.__all__)


@pytest.mark.parametrize("name", [name for name in interfaces.__all__ if name.endswith("Context")])
def test_contexts_cannot_be_changed(name):
    context = getattr(interfaces, name)
    assert context.__dataclass_params__.frozen
    assert not hasattr(object.__new__(context), "__dict__"), "a misspelt attribute would be kept"
