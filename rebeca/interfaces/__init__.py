"""The public vocabulary: base classes and contexts of the seven kinds of plug-in, and what they exchange.

Importing it imports neither torch nor pandas, so that a plug-in can be written against it cheaply.
"""

from rebeca.interfaces.dataset import CaptionFile, DatasetContext, DatasetSource
from rebeca.interfaces.decoder import Decoder, DecoderContext
from rebeca.interfaces.encoder import Encoder, EncoderContext
from rebeca.interfaces.generator import PRIVILEGES, STEPS, Generator, GeneratorContext, Privileges
from rebeca.interfaces.images import GeneratedImage, Request, Space, whole_users
from rebeca.interfaces.judge import FittedJudge, Judge, JudgeContext, no_progress
from rebeca.interfaces.plugin import NoParams, Plugin
from rebeca.interfaces.scorer import NEEDS, Role, ScoredImages, Scorer, ScorerCard, ScorerContext, SetScorer

__all__ = [
    "NEEDS",
    "PRIVILEGES",
    "STEPS",
    "CaptionFile",
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
    "Judge",
    "JudgeContext",
    "NoParams",
    "Plugin",
    "Privileges",
    "Request",
    "Role",
    "ScoredImages",
    "Scorer",
    "ScorerCard",
    "ScorerContext",
    "SetScorer",
    "Space",
    "no_progress",
    "whole_users",
]
