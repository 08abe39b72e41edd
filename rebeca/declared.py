"""What plug-ins declare: their classes are asked and the answers checked; nothing is built."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from rebeca.errors import PluginError
from rebeca.guards import guarded
from rebeca.interfaces import NEEDS, PRIVILEGES, STEPS, Generator, Scorer, ScorerCard, SetScorer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GeneratorFlags:
    """What a generator declares.

    Attributes:
        needs: Its privileges: ``judge``, ``held-out``, ``ground-truth``.
        privileged_at: Whether it uses them in the ``fit`` or only in ``generate``.
        family: Shown on the leaderboard.
        fit_parameters: Names of the parameters that the fit depends on.
        fit_varies: Whether a fit with another seed may learn something else.
        fitted_elsewhere: Whether somebody else fitted the models.
        decodes_in: Where it asks for the decoder: in ``fit``, in ``generate``.
        reads_captions: Whether it reads the captions of items.
        claims_personal: Whether images are meant to differ between users because of their taste.
    """

    needs: frozenset[str]
    privileged_at: Literal["fit", "generate"]
    family: str
    fit_parameters: frozenset[str]
    fit_varies: bool
    fitted_elsewhere: bool
    decodes_in: frozenset[str]
    reads_captions: bool
    claims_personal: bool

    def recorded(self) -> dict[str, object]:
        """Those flags that records hold."""
        return {
            "needs": tuple(sorted(self.needs)),
            "family": self.family,
            "claims_personal": self.claims_personal,
            "fit_varies": self.fit_varies,
            "fitted_elsewhere": self.fitted_elsewhere,
        }


@dataclass(frozen=True, slots=True)
class ScorerFlags:
    """What a scorer or set scorer declares.

    Attributes:
        of_sets: Whether it is a set scorer.
        needs: What its scores depend on, see ``rebeca.interfaces.NEEDS``.
        encoders: Encoders that it uses besides the task's.
        cards: By measure: the scorer's own under an empty name, or those of a set scorer.
    """

    of_sets: bool
    needs: frozenset[str]
    encoders: tuple[str, ...]
    cards: Mapping[str, ScorerCard]

    @property
    def card(self) -> ScorerCard:
        return self.cards[""]


def generator_flags(plugin: type[Generator[Any]], params: Any, name: str) -> GeneratorFlags:
    """What a generator declares.

    Args:
        plugin: Its class.
        params: Its ``Params``.
        name: Its name in messages.

    Raises:
        PluginError: If an answer has the wrong type or names something unknown.
    """
    ask = Asker("generator", name)
    known = [field.name for field in fields(plugin.Params)]
    return GeneratorFlags(
        ask.names(lambda: plugin.needs(params), "needs", PRIVILEGES),
        ask.checked(plugin.privileged_at, "privileged_at", str, ("fit", "generate")),
        ask.checked(plugin.family, "family", str),
        ask.names(lambda: plugin.fit_parameters(params), "fit_parameters", known),
        ask.answer(lambda: plugin.fit_varies(params), "fit_varies", bool),
        ask.checked(plugin.fitted_elsewhere, "fitted_elsewhere", bool),
        ask.names(lambda: plugin.decodes_in(params), "decodes_in", STEPS),
        ask.answer(lambda: plugin.reads_captions(params), "reads_captions", bool),
        ask.answer(lambda: plugin.claims_personal(params), "claims_personal", bool),
    )


def scorer_flags(plugin: type[Scorer[Any]] | type[SetScorer[Any]], params: Any, name: str) -> ScorerFlags:
    """What a scorer or set scorer declares; as :func:`generator_flags`."""
    of_sets = issubclass(plugin, SetScorer)
    ask = Asker("set scorer" if of_sets else "scorer", name)
    if issubclass(plugin, SetScorer):
        cards = dict(ask.answer(lambda: plugin.cards(params), "cards", Mapping))
        for measure, card in cards.items():
            ask.checked(measure, "cards", str)
            ask.checked(card, "cards", ScorerCard)
    else:
        cards = {"": ask.answer(lambda: plugin.card(params), "card", ScorerCard)}
    needs = ask.names(lambda: plugin.needs(params), "needs", NEEDS)
    return ScorerFlags(of_sets, needs, ask.answer(lambda: plugin.encoders(params), "encoders", tuple), cards)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks a plug-in's class, and checks the answers."""

    kind: str
    name: str

    def answer(self, ask: Callable[[], T], what: str, wanted: type[Any]) -> T:
        with guarded(self.kind, self.name):
            answer = ask()
        return self.checked(answer, what, wanted)

    def checked(self, answer: T, what: str, wanted: type[Any], allowed: Collection[object] = ()) -> T:
        if not isinstance(answer, wanted) or (allowed and answer not in allowed):
            words = " or ".join(map(repr, allowed)) if allowed else wanted.__name__
            raise PluginError(f"{self.kind} '{self.name}': {what} is {answer!r}, expected {words}")
        return answer

    def versions(self, ask: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        answer = self.answer(ask, "environment", Mapping)
        for name, version in answer.items():
            self.checked(name, "a name in environment", str)
            self.checked(version, f"environment '{name}'", str)
        return answer

    def names(self, ask: Callable[[], Collection[str]], what: str, allowed: Collection[str]) -> frozenset[str]:
        answer = self.answer(ask, what, Collection)
        unknown = [answer] if isinstance(answer, str) else sorted(str(name) for name in set(answer) - set(allowed))
        if unknown:
            raise PluginError(
                f"{self.kind} '{self.name}': {what} names '{unknown[0]}'", hint=f"allowed: {', '.join(sorted(allowed))}"
            )
        return frozenset(answer)
