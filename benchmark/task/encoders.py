"""Encoders as tasks name them: a registered name, perhaps an argument after a colon, parameters, an encoder below."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.task.declared import address_of, learns, space
from benchmark.task.file import EncoderSpec
from benchmark.task.paths import placed
from benchmark.task.registry import plugin_class
from rebeca.encoders import with_argument
from rebeca.errors import SpecError
from rebeca.params import make_params


@dataclass(frozen=True, slots=True)
class ResolvedEncoder:
    """An encoder with its parameters.

    Attributes:
        text: As the task names it, e.g. ``pca:16``.
        use: Registered name, e.g. ``pca``.
        params: Its ``Params``.
        of: The encoder below it, where it takes one.
    """

    text: str
    use: str
    params: Any
    of: ResolvedEncoder | None = None

    @property
    def learns(self) -> bool:
        """Whether it, or an encoder below it, learns from training items."""
        return learns(self.use, self.params) or (self.of is not None and self.of.learns)

    @property
    def space(self) -> str:
        """Name of the space of its embeddings: the encoder's own unless it declares another one's."""
        return space("encoder", self.use, self.params) or self.text

    @property
    def chain(self) -> tuple[ResolvedEncoder, ...]:
        """It and all encoders below it."""
        return (self, *(() if self.of is None else self.of.chain))

    def address(self) -> dict[str, Any]:
        """Code, parameters and weights, with those of the encoder below; no weights are loaded."""
        below = None if self.of is None else self.of.address()
        return address_of("encoder", self.use, self.params) | {"of": below}


def resolve_encoder(spec: EncoderSpec, base: Path) -> ResolvedEncoder:
    """Reads an encoder's parameters; nothing is built.

    Args:
        spec: As the task names it.
        base: Folder that file names are relative to.

    Raises:
        SpecError: If the spec does not fit the encoder.
    """
    use = spec.use.partition(":")[0]
    plugin = plugin_class("encoder", use)
    raw = with_argument(plugin, spec.use, spec.params)
    if plugin.TAKES_ENCODER and spec.of is None:
        raise SpecError(
            f"encoder '{spec.use}' needs an encoder below it", hint=f"write encoder: {{use: '{spec.use}', of: ...}}"
        )
    if spec.of is not None and not plugin.TAKES_ENCODER:
        raise SpecError(f"encoder '{spec.use}' takes no encoder below it")
    params = make_params(plugin.Params, placed(plugin.Params, raw, base), f"encoder '{spec.use}'")
    below = None if spec.of is None else resolve_encoder(spec.of, base)
    if below is not None and below.learns and learns(use, params):
        raise SpecError(
            f"encoder '{spec.use}' learns, and so does '{below.text}' below it", hint="let one of the two learn"
        )
    return ResolvedEncoder(spec.use, use, params, below)


def named_encoder(text: str, base: Path) -> ResolvedEncoder:
    """An encoder by its name alone, e.g. ``published:vit-l``; see :func:`resolve_encoder`."""
    return resolve_encoder(EncoderSpec(use=text), base)
