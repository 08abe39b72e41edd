"""REBECA: pictures made for a person, learned from ratings alone.

The public vocabulary; importing it imports neither torch nor pandas.
"""

from rebeca.data.interactions import Interactions
from rebeca.interfaces import Decoder, Encoder, Generator, Picture, Request, Scorer

__version__ = "0.1.0"

__all__ = ["Decoder", "Encoder", "Generator", "Interactions", "Picture", "Request", "Scorer"]
