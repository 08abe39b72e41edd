"""Published models that score images, and scripts that do: images and prompts in, numbers out.

Importing it imports no torch; weights are read when a scorer is built.
"""

from rebeca.scorers.copies import CopyIndex
from rebeca.scorers.hpsv2 import HPSv2
from rebeca.scorers.laion import LAION
from rebeca.scorers.script import ScorerScript

__all__ = ["LAION", "CopyIndex", "HPSv2", "ScorerScript"]
