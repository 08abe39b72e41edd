"""What plug-ins say of themselves beforehand: asked of their classes, checked, without building anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from benchmark.task.registry import Kind, guarded, identity, plugin_class
from rebeca.errors import PluginError
from rebeca.interfaces import NEEDS, PRIVILEGES, STEPS, Scorer, ScorerCard
from rebeca.params import params_json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GeneratorFlags:
    """What a generator says of itself.

    Attributes:
        needs: Its privileges: ``judge``, ``held-out``, ``ground-truth``.
        privileged_at: Whether it uses them in the ``fit`` or only in ``generate``.
        family: Shown on the leaderboard.
        fit_parameters: Names of the parameters that the fit depends on.
        decodes_in: Where it asks for the decoder: in ``fit``, in ``generate``.
        claims_personal: Whether images are meant to differ between users because of their taste.
        fit_varies: Whether another seed gives another fit.
    """

    needs: frozenset[str]
    privileged_at: Literal["fit", "generate"]
    family: str
    fit_parameters: frozenset[str]
    decodes_in: frozenset[str]
    claims_personal: bool
    fit_varies: bool


@dataclass(frozen=True, slots=True)
class ScorerFlags:
    """What a scorer or set scorer says of itself.

    Attributes:
        of_sets: Whether it is a set scorer.
        needs: What its scores rest on, see ``rebeca.interfaces.NEEDS``.
        encoders: Encoders that it uses besides the task's.
        cards: By measure: the scorer's own under an empty name, or those of a set scorer.
    """

    of_sets: bool
    needs: frozenset[str]
    encoders: tuple[str, ...]
    cards: Mapping[str, ScorerCard]

    @property
    def card(self) -> ScorerCard:
        """The card of a scorer of single images."""
        return self.cards[""]


def generator_flags(use: str, params: Any, label: str | None = None) -> GeneratorFlags:
    """What a generator says of itself.

    Args:
        use: Registered name.
        params: Its ``Params``.
        label: How the task calls it, for messages.

    Raises:
        PluginError: If an answer is of another type, or names what there is not.
    """
    kind, name = plugin_class("generator", use), label or use
    ask = _Asker("generator", name)
    return GeneratorFlags(
        ask.names(lambda: kind.needs(params), "needs", PRIVILEGES),
        ask.one(lambda: kind.privileged_at, "privileged_at", str, ("fit", "generate")),
        ask.one(lambda: kind.family, "family", str),
        ask.names(lambda: kind.fit_parameters(params), "fit_parameters", [each.name for each in fields(kind.Params)]),
        ask.names(lambda: kind.decodes_in(params), "decodes_in", STEPS),
        ask.one(lambda: kind.claims_personal(params), "claims_personal", bool),
        ask.one(lambda: kind.fit_varies(params), "fit_varies", bool),
    )


def scorer_flags(use: str, params: Any, label: str | None = None) -> ScorerFlags:
    """What a scorer or set scorer says of itself; as :func:`generator_flags`."""
    kind = plugin_class("scorer", use)
    of_sets = not issubclass(kind, Scorer)
    ask = _Asker("set scorer" if of_sets else "scorer", label or use)
    if issubclass(kind, Scorer):
        single = kind
        cards = {"": ask.one(lambda: single.card(params), "card", ScorerCard)}
    else:
        several = kind
        cards = dict(ask.one(lambda: several.cards(params), "cards", Mapping))
        for measure, card in cards.items():
            ask.one(lambda measure=measure: measure, "cards", str)  # type: ignore[misc]
            ask.one(lambda card=card: card, "cards", ScorerCard)  # type: ignore[misc]
    return ScorerFlags(
        of_sets,
        ask.names(lambda: kind.needs(params), "needs", NEEDS),
        tuple(ask.one(lambda: kind.encoders(params), "encoders", tuple)),
        cards,
    )


def fingerprint(kind: Kind, use: str, params: Any) -> str:
    """What a plug-in's results depend on besides code and parameters, e.g. the hash of its weights.

    Raises:
        PluginError: If the answer is no text.
    """
    found = plugin_class(kind, use)
    return _Asker(kind, use).one(lambda: found.fingerprint(params), "fingerprint", str)


def learns(use: str, params: Any) -> bool:
    """Whether an encoder learns from training items."""
    found = plugin_class("encoder", use)
    return _Asker("encoder", use).one(lambda: found.learns(params), "learns", bool)


def address_of(kind: Kind, use: str, params: Any) -> dict[str, Any]:
    """What every address that depends on a plug-in holds: its code, its parameters, its weights.

    Returns:
        JSON with ``use``, ``code`` (empty for the project's own), ``params`` with every default, ``fingerprint``.
    """
    return {
        "use": use,
        "code": identity(kind, use).hash,
        "params": params_json(params),
        "fingerprint": fingerprint(kind, use, params),
    }


@dataclass(frozen=True, slots=True)
class _Asker:
    kind: str
    name: str

    def one(self, ask: Callable[[], T], what: str, wanted: type[Any], allowed: Collection[object] = ()) -> T:
        with guarded(self.kind, self.name):
            answer = ask()
        if not isinstance(answer, wanted) or (allowed and answer not in allowed):
            words = " or ".join(map(repr, allowed)) if allowed else wanted.__name__
            raise PluginError(f"{self.kind} '{self.name}': {what} is {answer!r}, expected {words}")
        return answer

    def names(self, ask: Callable[[], Collection[str]], what: str, allowed: Collection[str]) -> frozenset[str]:
        answer = self.one(ask, what, Collection)
        unknown = [] if isinstance(answer, str) else sorted(str(each) for each in set(answer) - set(allowed))
        if isinstance(answer, str) or unknown:
            found = answer if isinstance(answer, str) else unknown[0]
            raise PluginError(
                f"{self.kind} '{self.name}': {what} names '{found}'", hint=f"allowed: {', '.join(sorted(allowed))}"
            )
        return frozenset(answer)
