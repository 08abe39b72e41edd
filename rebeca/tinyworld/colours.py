"""Eight statistics of light and colour of a whole image."""

from __future__ import annotations

import numpy as np

from rebeca.arrays import Floats, Pixels

COLOURS = (
    "brightness",
    "contrast",
    "colourfulness",
    "warmth",
    "saturation",
    "vertical gradient",
    "green share",
    "blue share",
)
CENTRE = np.array([0.4939, 0.127, 0.2481, -0.0213, 0.2691, -0.0141, 0.061, 0.4068])
SPREAD = np.array([0.1838, 0.0282, 0.1166, 0.2016, 0.1236, 0.122, 0.1207, 0.2527])
"""Mean and standard deviation of the statistics over 6,000 postcards, see scripts/tinyworld/facts.py."""
_EDGE = 0.12
"""From this lead on over the other channels, a pixel counts fully to its colour's share."""


def colours(postcards: Pixels) -> Floats:
    """float64 [n, 8]; the statistics of uint8 [n, 64, 64, 3], standardised over the world's postcards."""
    return (raw_colours(postcards) - CENTRE) / SPREAD


def raw_colours(postcards: Pixels) -> Floats:
    """float64 [n, 8]; as :func:`colours`, not standardised."""
    return np.array([_colours(image) for image in postcards], np.float64).reshape(-1, len(COLOURS))


def _colours(image: Pixels) -> list[float]:
    """Means over the whole image, so that a decoder must keep light and colour, but not single edges."""
    rgb = image.astype(np.float64) / 255
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    high, low = rgb.max(axis=2), rgb.min(axis=2)
    red_green, yellow_blue = r - g, (r + g) / 2 - b
    colourfulness = np.sqrt(red_green.var() + yellow_blue.var()) + 0.3 * np.sqrt(
        red_green.mean() ** 2 + yellow_blue.mean() ** 2
    )  # Hasler and Suesstrunk 2003
    half = len(luma) // 2
    return [
        float(luma.mean()),
        float(luma.std()),
        float(colourfulness),
        float((r - b).mean()),
        float((high - low).mean()),
        float(luma[:half].mean() - luma[half:].mean()),
        float(np.clip((g - np.maximum(r, b)) / _EDGE, 0, 1).mean()),
        float(np.clip((b - np.maximum(r, g)) / _EDGE, 0, 1).mean()),
    ]
