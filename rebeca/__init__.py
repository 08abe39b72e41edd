"""REBECA: images generated for one user, learned from ratings alone.

The public vocabulary: the method (:class:`Prior`, :class:`Verifier`), and the base classes and contexts of the seven
kinds of plug-in with what they exchange. Importing it imports neither torch nor pandas, and numpy only once a name is
used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rebeca.data.catalogue import Candidates, Catalogue
    from rebeca.data.dataset import Dataset, GroundTruth
    from rebeca.data.interactions import Interactions
    from rebeca.data.splits import Part
    from rebeca.errors import (
        DataError,
        MissingDependency,
        PluginError,
        RebecaError,
        RecordError,
        SpecError,
        StoreError,
    )
    from rebeca.interfaces import (
        CaptionFile,
        DatasetContext,
        DatasetSource,
        Decoder,
        DecoderContext,
        Encoder,
        EncoderContext,
        FittedJudge,
        GeneratedImage,
        Generator,
        GeneratorContext,
        Judge,
        JudgeContext,
        NoParams,
        Plugin,
        Privileges,
        Request,
        ScoredImages,
        Scorer,
        ScorerCard,
        ScorerContext,
        SetScorer,
        Space,
        whole_users,
    )
    from rebeca.ncf.api import NCF, train_ncf
    from rebeca.ncf.verifier import Verifier
    from rebeca.prior.prior import Prior
    from rebeca.space import LinearSpace

__version__ = "0.1.0"

__all__ = [
    "NCF",
    "Candidates",
    "CaptionFile",
    "Catalogue",
    "DataError",
    "Dataset",
    "DatasetContext",
    "DatasetSource",
    "Decoder",
    "DecoderContext",
    "Encoder",
    "EncoderContext",
    "FittedJudge",
    "GeneratedImage",
    "Generator",
    "GeneratorContext",
    "GroundTruth",
    "Interactions",
    "Judge",
    "JudgeContext",
    "LinearSpace",
    "MissingDependency",
    "NoParams",
    "Part",
    "Plugin",
    "PluginError",
    "Prior",
    "Privileges",
    "RebecaError",
    "RecordError",
    "Request",
    "ScoredImages",
    "Scorer",
    "ScorerCard",
    "ScorerContext",
    "SetScorer",
    "Space",
    "SpecError",
    "StoreError",
    "Verifier",
    "train_ncf",
    "whole_users",
]

_HOMES = {
    "rebeca.data.catalogue": ("Candidates", "Catalogue"),
    "rebeca.data.dataset": ("Dataset", "GroundTruth"),
    "rebeca.data.interactions": ("Interactions",),
    "rebeca.data.splits": ("Part",),
    "rebeca.ncf.api": ("NCF", "train_ncf"),
    "rebeca.ncf.verifier": ("Verifier",),
    "rebeca.prior.prior": ("Prior",),
    "rebeca.errors": (
        "DataError",
        "MissingDependency",
        "PluginError",
        "RebecaError",
        "RecordError",
        "SpecError",
        "StoreError",
    ),
    "rebeca.space": ("LinearSpace",),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'rebeca' has no attribute '{name}'")
    home = next((module for module, names in _HOMES.items() if name in names), "rebeca.interfaces")
    return getattr(import_module(home), name)
