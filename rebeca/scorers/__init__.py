"""Published models that score images: images and prompts in, numbers out.

Importing it imports no torch; weights are read when a scorer is built.
"""

from rebeca.scorers.copies import CopyIndex
from rebeca.scorers.hpsv2 import HPSv2
from rebeca.scorers.laion import LAION

__all__ = ["LAION", "CopyIndex", "HPSv2"]
