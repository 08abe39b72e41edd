"""REBECA: pictures made for a person, learned from ratings alone.

The public vocabulary. Importing it imports neither torch nor pandas, and numpy only once a name is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rebeca.data.interactions import Interactions
    from rebeca.interfaces import Decoder, Encoder, GeneratedImage, Generator, Request, Scorer

__version__ = "0.1.0"

__all__ = ["Decoder", "Encoder", "GeneratedImage", "Generator", "Interactions", "Request", "Scorer"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'rebeca' has no attribute '{name}'")
    home = "rebeca.data.interactions" if name == "Interactions" else "rebeca.interfaces"
    return getattr(import_module(home), name)
