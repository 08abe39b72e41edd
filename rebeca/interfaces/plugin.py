"""What the seven kinds of plug-in share: parameters, a context, and answers that need neither model nor data."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from rebeca.errors import PluginError

if TYPE_CHECKING:
    from rebeca.data.dataset import GroundTruth
    from rebeca.data.interactions import Interactions

P = TypeVar("P")
"""The parameters' dataclass."""
C = TypeVar("C")
"""The context's dataclass."""


@dataclass(frozen=True, slots=True)
class NoParams:
    """The ``Params`` of classes without parameters.

    Example:
        >>> from rebeca import NoParams
        >>> NoParams() == NoParams()
        True
    """


class Plugin(abc.ABC, Generic[P, C]):
    """What generators, scorers, set scorers, judges, encoders, decoders and data sets have in common.

    A plug-in names a frozen dataclass ``Params`` and is built as ``Class(params, context)``. The harness reads the
    parameters of a task file into ``Params``; unknown names, wrong types and values out of range are errors of the
    task file. ``Params.__post_init__`` may raise ValueError where values do not go together.

    The class methods are asked before anything is built. They see parameters only, and import no torch, except for
    :meth:`check`.

    Attributes:
        Params: Dataclass of the parameters.
        references: Papers to cite where the plug-in is used, each as a BibTeX entry; ``rebeca-bench cite`` prints them.
        params: The parameters, where the constructor is not overridden.
        context: What the harness gives, likewise.

    Example:
        >>> from dataclasses import dataclass
        >>> from rebeca import DatasetContext, Plugin, SpecError
        >>> @dataclass(frozen=True)
        ... class GridParams:
        ...     side: int = 4
        >>> class Grid(Plugin[GridParams, DatasetContext]):
        ...     Params = GridParams
        ...     @classmethod
        ...     def check(cls, params):
        ...         if params.side > 16:
        ...             raise SpecError(f"side: {params.side} is above 16")
        >>> Grid(GridParams(side=3), DatasetContext()).params
        GridParams(side=3)
        >>> Grid.check(GridParams(side=99))
        Traceback (most recent call last):
        ...
        rebeca.errors.SpecError: side: 99 is above 16
    """

    Params: ClassVar[type[Any]] = NoParams
    references: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: P, context: C) -> None:
        self.params = params
        self.context = context

    @classmethod
    def fingerprint(cls, params: P) -> str:
        """Identifies what results depend on besides parameters and code, such as the SHA-256 of weights or files.

        The harness adds the plug-in's code, its version, and its parameters by itself. Files are hashed with
        ``rebeca.hashes.file_hash``, which reads a file again only when its size or time changed.
        """
        return ""

    @classmethod
    def environment(cls, params: P) -> Mapping[str, str]:
        """Versions of what it runs in another Python, by name; records hold them. Empty by default.

        A plug-in with a :class:`rebeca.scorers.ScorerScript` returns that of the script, and its ``fingerprint``.
        """
        return {}

    @classmethod
    def check(cls, params: P) -> None:
        """Refuses parameters with which the plug-in could not work, before anything is fitted.

        For what ``Params`` cannot know, such as whether a scheduler can take so many steps. Asked by ``run``, ``plan``
        and ``validate``; may import torch, and must not read weights.

        Raises:
            SpecError: What is wrong, and what to do.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """What a plug-in asked for with ``needs``, as properties; they raise where a need was not declared.

    Attributes:
        given: Makes what was asked for, by need.
    """

    given: Mapping[str, Callable[[], object]] = field(default_factory=dict)

    @property
    def held_out(self) -> Interactions:
        """The users' held-out ratings."""
        return self._get("held-out")

    @property
    def ground_truth(self) -> GroundTruth:
        """What a synthetic world knows."""
        return self._get("ground-truth")

    def _get(self, need: str) -> Any:
        if need not in self.given:
            raise PluginError(f"it uses '{need}', which its needs() does not name", hint="name it in needs(params)")
        return self.given[need]()
