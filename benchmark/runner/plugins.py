"""Building plug-ins by name, behind the guards of :mod:`rebeca.guards`."""

from __future__ import annotations

from typing import Any, Literal, overload

from benchmark.task.encoders import ResolvedEncoder
from benchmark.task.registry import Kind, plugin_class
from rebeca.guards import GUARDS, guarded
from rebeca.interfaces import (
    DatasetContext,
    DatasetSource,
    Decoder,
    DecoderContext,
    Encoder,
    EncoderContext,
    Generator,
    GeneratorContext,
    Judge,
    JudgeContext,
    Scorer,
    ScorerContext,
    SetScorer,
)
from rebeca.spans import Part, span


@overload
def build(
    kind: Literal["generator"], name: str, params: Any, context: GeneratorContext, label: str | None = None
) -> Generator[Any]: ...
@overload
def build(
    kind: Literal["encoder"], name: str, params: Any, context: EncoderContext, label: str | None = None
) -> Encoder[Any]: ...
@overload
def build(
    kind: Literal["decoder"], name: str, params: Any, context: DecoderContext, label: str | None = None
) -> Decoder[Any]: ...
@overload
def build(
    kind: Literal["judge"], name: str, params: Any, context: JudgeContext, label: str | None = None
) -> Judge[Any]: ...
@overload
def build(
    kind: Literal["data set"], name: str, params: Any, context: DatasetContext, label: str | None = None
) -> DatasetSource[Any]: ...
@overload
def build(
    kind: Literal["scorer"], name: str, params: Any, context: ScorerContext, label: str | None = None
) -> Scorer[Any] | SetScorer[Any]: ...
def build(kind: Kind, name: str, params: Any, context: Any, label: str | None = None) -> Any:
    """Builds a plug-in.

    Args:
        kind: Its kind.
        name: Registered name.
        params: Its ``Params``, as ``rebeca.params.make_params`` reads them.
        context: The kind's context.
        label: Its name in messages; by default its registered name.

    Returns:
        The plug-in behind a guard of the same base class: every error becomes one message, every answer is checked.

    Raises:
        PluginError: If its class is not of this kind, or its constructor fails.
    """
    plugin = plugin_class(kind, name)
    guard = GUARDS["set scorer" if issubclass(plugin, SetScorer) else kind]
    with span(Part.PLUGINS, f"{guard.kind} '{label or name}': build"), guarded(guard.kind, label or name):
        inner = plugin(params, context)
    return guard(inner, params, context, label or name)


def build_encoder(encoder: ResolvedEncoder, device: str) -> Encoder[Any]:
    """Builds an encoder and those below it; the project's own load their weights at the first image."""
    below = None if encoder.of is None else build_encoder(encoder.of, device)
    return build("encoder", encoder.use, encoder.params, EncoderContext(device, below), encoder.text)
