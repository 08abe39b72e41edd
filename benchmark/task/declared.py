"""What plug-ins declare, by their registered names; nothing is built.

The parameters' dataclass declares which of its fields name files; their paths are relative to the task file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from benchmark.task.registry import Kind, identity, plugin_class
from rebeca import declared
from rebeca.declared import Asker, GeneratorFlags, ScorerFlags
from rebeca.guards import guarded
from rebeca.params import params_json


def generator_flags(use: str, params: Any, label: str | None = None) -> GeneratorFlags:
    """What a generator declares.

    Args:
        use: Registered name.
        params: Its ``Params``.
        label: Its name in the task, for messages.

    Raises:
        PluginError: If an answer has the wrong type or names something unknown.
    """
    return declared.generator_flags(plugin_class("generator", use), params, label or use)


def scorer_flags(use: str, params: Any, label: str | None = None) -> ScorerFlags:
    """What a scorer or set scorer declares; as :func:`generator_flags`."""
    return declared.scorer_flags(plugin_class("scorer", use), params, label or use)


def fingerprint(kind: Kind, use: str, params: Any) -> str:
    """What a plug-in's results depend on besides code and parameters, such as the hash of its weights.

    Raises:
        PluginError: If the answer is no text.
    """
    plugin = plugin_class(kind, use)
    return Asker(kind, use).answer(lambda: plugin.fingerprint(params), "fingerprint", str)


def environment(kind: Kind, use: str, params: Any) -> Mapping[str, str]:
    """Versions of what a plug-in runs in another Python, by name.

    Raises:
        PluginError: If the answer is no mapping of texts.
    """
    plugin = plugin_class(kind, use)
    return Asker(kind, use).versions(lambda: plugin.environment(params))


def prompts_cut(use: str, params: Any, decoder: str, decoder_params: Any) -> Sequence[str] | None:
    """Prompts of a generator, known before its fit, and of its decoder that the decoder does not read to their end.

    Args:
        use: The generator's registered name.
        params: Its ``Params``.
        decoder: The decoder's registered name.
        decoder_params: Its ``Params`` for this generator.

    Returns:
        None if this machine cannot tell.
    """
    generator, reader = plugin_class("generator", use), plugin_class("decoder", decoder)
    prompts = Asker("generator", use).answer(lambda: generator.prompts(params), "prompts", Sequence)
    with guarded("decoder", decoder):
        cut: Sequence[str] | None = reader.cut(decoder_params, prompts)
    return cut


def notes_of(use: str, params: Any) -> Sequence[str]:
    """What a generator says of its parameters before the fit."""
    generator = plugin_class("generator", use)
    return Asker("generator", use).answer(lambda: generator.notes(params), "notes", Sequence)


def learns(use: str, params: Any) -> bool:
    plugin = plugin_class("encoder", use)
    return Asker("encoder", use).answer(lambda: plugin.learns(params), "learns", bool)


def space(kind: Literal["encoder", "decoder"], use: str, params: Any) -> str:
    """The space of an encoder's embeddings, or the one that a decoder takes, by the name of an encoder; or empty."""
    plugin = plugin_class(kind, use)
    return Asker(kind, use).answer(lambda: plugin.space(params), "space", str)


def address_of(kind: Kind, use: str, params: Any) -> dict[str, Any]:
    """The part of an address that identifies a plug-in: code, parameters, weights.

    Returns:
        JSON with ``use``, ``code`` (empty for the project's own), ``params`` with every default, ``fingerprint``.
    """
    return {
        "use": use,
        "code": identity(kind, use).hash,
        "params": params_json(params),
        "fingerprint": fingerprint(kind, use, params),
    }
