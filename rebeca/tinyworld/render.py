"""Draws postcards in batches: shapes with edges smoothed by their distance, layer over layer, then the grading.

Only additions, products, quotients, square roots and comparisons touch pixels, which every processor rounds alike.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rebeca.arrays import Floats, Ints, Pixels
from rebeca.tinyworld.scenes import (
    BOATS,
    CLOUDS,
    CRESCENT,
    DUSK,
    FLOWERS,
    HEATH,
    HOUSES,
    LAKE,
    LEAST_CAP,
    MEADOW,
    NIGHT,
    OCTAVES,
    PUFFS,
    RIDGES,
    SAND,
    SIZE,
    SNOW,
    STARS,
    SUN,
    TREES,
    Scenes,
)

BATCH = 64
THREADS = 2
# one row per time of day: dawn, morning, noon, sunset, dusk, night
SKY_TOP = np.array(
    [
        [0.46, 0.50, 0.74],
        [0.38, 0.64, 0.90],
        [0.16, 0.46, 0.86],
        [0.36, 0.27, 0.52],
        [0.16, 0.15, 0.38],
        [0.04, 0.06, 0.16],
    ],
    np.float32,
)
SKY_LOW = np.array(
    [
        [0.99, 0.80, 0.70],
        [0.86, 0.94, 0.98],
        [0.66, 0.86, 0.98],
        [1.00, 0.56, 0.24],
        [0.70, 0.42, 0.54],
        [0.15, 0.21, 0.40],
    ],
    np.float32,
)
LIGHT = np.array(
    [
        [0.98, 0.86, 0.82],
        [1.00, 0.99, 0.94],
        [1.05, 1.04, 1.00],
        [0.98, 0.70, 0.52],
        [0.56, 0.48, 0.62],
        [0.36, 0.41, 0.58],
    ],
    np.float32,
)
# one row per ground: field, meadow, lake, snow, sand, heath
GROUND_FAR = np.array(
    [
        [0.84, 0.74, 0.36],
        [0.50, 0.72, 0.34],
        [0.55, 0.72, 0.84],
        [0.95, 0.97, 1.00],
        [0.95, 0.87, 0.66],
        [0.66, 0.46, 0.62],
    ],
    np.float32,
)
GROUND_NEAR = np.array(
    [
        [0.74, 0.56, 0.16],
        [0.20, 0.48, 0.16],
        [0.14, 0.36, 0.56],
        [0.82, 0.88, 0.97],
        [0.84, 0.70, 0.46],
        [0.42, 0.24, 0.40],
    ],
    np.float32,
)
DISC_COLOUR = np.array(
    [[1.0, 0.93, 0.74], [1.0, 0.99, 0.88], [1.0, 1.0, 0.92], [1.0, 0.88, 0.55], [0.98, 0.96, 0.90], [0.97, 0.97, 0.92]],
    np.float32,
)
WALLS = np.array([[0.96, 0.94, 0.90], [0.78, 0.20, 0.16], [0.95, 0.78, 0.30]], np.float32)
ROOFS = np.array([[0.62, 0.22, 0.16], [0.34, 0.20, 0.18], [0.48, 0.26, 0.20]], np.float32)
FLOWER_COLOURS = np.array([[0.98, 0.30, 0.30], [0.99, 0.86, 0.30], [0.98, 0.98, 0.98], [0.85, 0.45, 0.85]], np.float32)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
GRADE_STEP = (0.22, 0.12, 0.055, 0.045)
"""Standard deviation of saturation, contrast, brightness and warmth."""

_CENTRES = np.arange(SIZE, dtype=np.float32) + np.float32(0.5)
_X = _CENTRES[None, None, :]
_Y = _CENTRES[None, :, None]


def render(scenes: Scenes) -> Pixels:
    """uint8 [n, 64, 64, 3]; each postcard depends on its own scene alone."""
    batches = [slice(start, start + BATCH) for start in range(0, len(scenes), BATCH)]
    with ThreadPoolExecutor(THREADS) as pool:
        pixels = list(pool.map(lambda rows: _batch(scenes.take(rows)), batches))
    return np.concatenate([np.empty((0, SIZE, SIZE, 3), np.uint8), *pixels])


def _batch(s: Scenes) -> Pixels:
    light = LIGHT[s.time]
    top, low = _palette(SKY_TOP[s.time] + _f32(s.tint[:, 0])), _palette(SKY_LOW[s.time] + _f32(s.tint[:, 0]))
    depth = np.clip(_Y / _col(s.horizon), 0, 1)
    canvas = np.broadcast_to(_between(top, low, depth * depth), (len(s), 3, SIZE, SIZE)).copy()
    _stars(canvas, s)
    _disc(canvas, s)
    _clouds(canvas, s, low, light)
    _ridges(canvas, s, low, light)
    _ground(canvas, s, top, low, light)
    _haze(canvas, s, low)
    for slot in range(max(TREES, HOUSES)):
        if slot < HOUSES:
            _house(canvas, s, slot, light)
        _tree(canvas, s, slot, light)
    for slot in range(BOATS):
        _boat(canvas, s, slot, light)
    return _graded(canvas, _f32(s.grade))


def _f32(values: Floats) -> Floats:
    return np.asarray(values, np.float32)


def _col(values: Floats) -> Floats:
    """One number per postcard, [n], as [n, 1, 1]."""
    return _f32(values)[:, None, None]


def _rgb(red: float, green: float, blue: float) -> Floats:
    return np.array([red, green, blue], np.float32)


def _palette(colours: Floats) -> Floats:
    return np.clip(colours, 0, 1)


def _between(a: Floats, b: Floats, share: Floats) -> Floats:
    """Colours [n, 3] mixed by shares [n, h, w] or [n, h, 1]: [n, 3, h, w]."""
    return a[:, :, None, None] + (b - a)[:, :, None, None] * share[:, None]


def _blend(canvas: Floats, rows: Ints, cover: Floats, colour: Floats) -> None:
    """Blends a colour, [rows, 3] or [rows, 3, 64, 64], into some postcards by the opacity ``cover`` [rows, 64, 64]."""
    if colour.ndim == 2:
        colour = colour[:, :, None, None]
    below = canvas[rows]
    canvas[rows] = below + cover[:, None] * (colour - below)


def _inside(distance: Floats) -> Floats:
    """Coverage of pixels by the distance of their centres inside an edge."""
    return np.clip(distance + np.float32(0.5), 0, 1)


def _disc_cover(x: Floats, y: Floats, radius: Floats) -> Floats:
    dx, dy = _X - _col(x), _Y - _col(y)
    return _inside(_col(radius) - np.sqrt(dx * dx + dy * dy))


def _stars(canvas: Floats, s: Scenes) -> None:
    for slot in range(STARS):
        rows = np.flatnonzero(s.stars > slot)
        x, y, radius = s.star_at[rows, slot].T
        _blend(canvas, rows, _disc_cover(x, y, radius), np.broadcast_to(_rgb(1.0, 0.98, 0.88), (len(rows), 3)))


def _disc(canvas: Floats, s: Scenes) -> None:
    rows = np.flatnonzero(s.disc > 0)
    x, y, radius = s.disc_at[rows].T
    dx, dy = _X - _col(x), _Y - _col(y)
    reach = _col(radius) * 2.2
    glow = 1 / (1 + (dx * dx + dy * dy) / (reach * reach))
    strength = np.where(s.disc[rows] == SUN, 0.62, 0.30)
    colour = DISC_COLOUR[s.time[rows]]
    _blend(canvas, rows, glow * glow * _col(strength), colour)
    cover = _disc_cover(x, y, radius)
    bite = _disc_cover(x + 0.55 * radius, y - 0.25 * radius, radius * 0.95)
    cover = np.where((s.disc[rows] == CRESCENT)[:, None, None], cover * (1 - bite), cover)
    _blend(canvas, rows, cover, colour)


def _clouds(canvas: Floats, s: Scenes, low: Floats, light: Floats) -> None:
    for slot in range(CLOUDS):
        rows = np.flatnonzero(s.clouds > slot)
        x, y, width, height = s.cloud_at[rows, slot].T
        cover = np.zeros((len(rows), SIZE, SIZE), np.float32)
        for puff in range(PUFFS):
            dx, dy, size = s.cloud_puffs[rows, slot, puff].T
            across = (puff + 0.5) / PUFFS - 0.5 + 0.12 * (dx - 0.5)
            px, py = x + width * across, y - height * 0.35 * dy * (1 - abs(2 * across))
            rx, ry = width * (0.20 + 0.12 * size), height * (0.42 + 0.25 * size)
            ex, ey = (_X - _col(px)) / _col(rx), (_Y - _col(py)) / _col(ry)
            distance = (1 - np.sqrt(ex * ex + ey * ey)) * _col(np.minimum(rx, ry))
            cover = np.maximum(cover, np.clip(distance * 0.6 + 0.4, 0, 1))
        cover = np.asarray(cover * _inside(_col(y + height * 0.30) - _Y), np.float32)
        colour = _palette(light[rows] * 0.72 + low[rows] * 0.30)
        shade = np.clip((_Y - _col(y - height * 0.6)) / _col(height * 1.0), 0, 1) * 0.22
        _blend(canvas, rows, cover * np.float32(0.92), _between(colour, colour * 0.55, shade))


def _outline(noise: Floats) -> Floats:
    """Fractal outline in about [0, 1], [rows, 64], by straight lines between the knots of several octaves."""
    total = np.zeros((len(noise), SIZE), np.float32)
    start, weight = 0, 0.55
    for intervals in OCTAVES:
        knots = _f32(noise[:, start : start + intervals + 1])
        place = _CENTRES * np.float32(intervals / SIZE)
        left = np.minimum(place.astype(np.int64), intervals - 1)
        share = place - left
        total += np.float32(weight) * (knots[:, left] + (knots[:, left + 1] - knots[:, left]) * share)
        start, weight = start + intervals + 1, weight * 0.48
    return total


def _ridges(canvas: Floats, s: Scenes, low: Floats, light: Floats) -> None:
    rock = _rgb(0.33, 0.36, 0.44)
    wood = _rgb(0.20, 0.30, 0.26)
    for slot in range(RIDGES):
        rows = np.flatnonzero(s.ridges > slot)
        near = np.float32((slot + 1) / RIDGES)
        height = _outline(s.ridge_noise[rows, slot]) * _f32(s.ridge_height[rows, slot])[:, None] * np.float32(1.25)
        crest = _f32(s.horizon[rows])[:, None] + 1 - height
        above = _Y - crest[:, None, :]
        distance = np.float32(0.75) - near * np.float32(0.55)
        body = (rock + (wood - rock) * near) * light[rows]
        colour = body + (low[rows] - body) * distance
        slope = np.zeros_like(crest)
        slope[:, 1:-1] = (crest[:, 2:] - crest[:, :-2]) * np.float32(0.09)
        shade = np.clip(1 + slope, np.float32(0.72), np.float32(1.28))[:, None, None, :]
        _blend(canvas, rows, _inside(above), colour[:, :, None, None] * shade)
        snowy = s.caps[rows] & (s.ridge_height[rows, slot] > LEAST_CAP)
        if snowy.any():
            top = crest.min(axis=1, keepdims=True)
            jag = _f32(s.ridge_noise[rows, slot, -SIZE // 2 :]).repeat(2, axis=1)[:, :SIZE]
            line = top + height.max(axis=1, keepdims=True) * (np.float32(0.30) + np.float32(0.22) * jag)
            cap = _inside(above) * _inside(line[:, None, :] - _Y) * snowy[:, None, None]
            white = _rgb(0.97, 0.98, 1.0) * np.minimum(light[rows] * 1.05, 1)
            _blend(canvas, rows, cap * np.float32(0.92), _palette(white)[:, :, None, None] * np.minimum(shade, 1.08))


def _ground(canvas: Floats, s: Scenes, top: Floats, low: Floats, light: Floats) -> None:
    rows = np.arange(len(s))
    tint = _f32(s.tint[:, 1])
    far, near = _palette((GROUND_FAR[s.ground] + tint) * light), _palette((GROUND_NEAR[s.ground] + tint) * light)
    water = s.ground == LAKE
    far = np.where(water[:, None], 0.45 * far + 0.55 * low, far)
    near = np.where(water[:, None], 0.55 * near + 0.45 * top * np.float32(0.9), near)
    horizon = _col(s.horizon)
    depth = np.clip((_Y - horizon) / (SIZE - horizon), 0, 1)
    colour = _between(far, near, depth)
    phase, spacing = _col(s.bands[:, 0]), _col(s.bands[:, 1])
    wave = _triangle(phase + _X / 37.0)
    along = np.sqrt(depth * 36 + 0.25) * 3 / spacing
    bend = np.where((s.ground == SAND)[:, None, None] | (s.ground == SNOW)[:, None, None], 0.9, 0.18)
    band = _triangle(along + wave * bend + phase)
    strength = np.array([0.16, 0.06, 0.10, 0.06, 0.12, 0.10], np.float32)[s.ground]
    colour = colour * (1 + _col(strength) * (band * 2 - 1))[:, None]
    _blend(canvas, rows, _inside(np.broadcast_to(_Y - horizon, (len(s), SIZE, SIZE))), _palette(colour))
    lit = np.flatnonzero(water & (s.disc > 0))
    x, _, radius = s.disc_at[lit].T
    width = _col(radius) * (0.5 + depth[lit] * 0.9)
    glitter = np.clip(1 - abs(_X - _col(x)) / width, 0, 1) * np.clip(band[lit] * 1.6 - 0.3, 0, 1)
    glitter = glitter * _inside(_Y - horizon[lit])
    _blend(canvas, lit, glitter * np.float32(0.75), DISC_COLOUR[s.time[lit]])
    _flowers(canvas, s, light)


def _triangle(x: Floats) -> Floats:
    """A wave of period 1 between 0 and 1, rounded at its turns."""
    t = abs((x - np.floor(x)) * 2 - 1)
    return t * t * (3 - 2 * t)


def _flowers(canvas: Floats, s: Scenes, light: Floats) -> None:
    rows = np.flatnonzero(s.ground == MEADOW)
    for slot in range(FLOWERS):
        x, depth, choice = s.flower_at[rows, slot].T
        y = s.horizon[rows] + 4 + depth * (SIZE - s.horizon[rows] - 5)
        colours = FLOWER_COLOURS[(choice * len(FLOWER_COLOURS)).astype(np.int64)]
        _blend(canvas, rows, _disc_cover(x, y, 0.55 + 0.75 * depth), colours * np.minimum(light[rows], 1))


def _haze(canvas: Floats, s: Scenes, low: Floats) -> None:
    far = (_Y - _col(s.horizon)) / 9.0
    veil = np.broadcast_to(_col(s.haze) / (1 + far * far), (len(s), SIZE, SIZE))
    _blend(canvas, np.arange(len(s)), veil, low + (1 - low) * np.float32(0.15))


def _tree(canvas: Floats, s: Scenes, slot: int, light: Floats) -> None:
    rows = np.flatnonzero(s.trees > slot)
    x, foot, height = s.tree_at[rows, slot].T
    pine = s.pines[rows]
    trunk = _box(x, foot - height * 0.14, np.maximum(height * 0.055, 0.6), height * 0.14)
    lit = light[rows]
    _blend(canvas, rows, trunk, _rgb(0.34, 0.23, 0.15) * lit)
    up = _col(foot - height * 0.12) - _Y
    tall = _col(height * 0.88)
    share = up / tall
    tiers = share * 3 - np.floor(share * 3)
    half = _col(height * 0.30) * (1 - share) * (1.12 - 0.38 * tiers)
    cone = _inside(half - abs(_X - _col(x))) * _inside(up) * _inside(tall - up)
    crown = _disc_cover(x, foot - height * 0.62, height * 0.36)
    cover = np.where(pine[:, None, None], cone, crown)
    autumn = s.ground[rows] == HEATH
    green = np.where(pine[:, None], _rgb(0.10, 0.30, 0.20), _rgb(0.24, 0.46, 0.14))
    green = np.where((autumn & ~pine)[:, None], _rgb(0.80, 0.42, 0.12), green).astype(np.float32)
    white = np.where((s.ground[rows] == SNOW)[:, None], np.float32(0.35), np.float32(0.0))
    colour = (green + (1 - green) * white) * lit
    side = np.clip((_X - _col(x)) / _col(height * 0.7) + 0.5, 0, 1)
    _blend(canvas, rows, cover, _between(colour * np.float32(1.35), colour * np.float32(0.75), side))


def _house(canvas: Floats, s: Scenes, slot: int, light: Floats) -> None:
    rows = np.flatnonzero(s.houses > slot)
    x, foot, width = s.house_at[rows, slot].T
    wall = width * 0.30
    lit = np.clip(light[rows], 0.38, 1)
    colour = WALLS[s.house_colour[rows]] * lit
    _blend(canvas, rows, _box(x, foot - wall, width / 2, wall), colour)
    rise = (_Y - _col(foot - 2 * wall - width * 0.34)) / _col(width * 0.36)
    roof = _inside(_col(width * 0.60) * rise - abs(_X - _col(x))) * _inside(_col(foot - 1.95 * wall) - _Y)
    _blend(canvas, rows, roof, ROOFS[s.house_colour[rows]] * lit)
    dark = (s.time[rows] == NIGHT) | (s.time[rows] == DUSK)
    pane = np.where(dark[:, None], _rgb(1.0, 0.86, 0.42), _rgb(0.30, 0.36, 0.46) * lit)
    for offset in (-0.24, 0.24):
        _blend(canvas, rows, _box(x + offset * width, foot - wall * 1.15, width * 0.10, width * 0.10), _f32(pane))
    _blend(canvas, rows, _box(x, foot - wall * 0.55, width * 0.085, wall * 0.55), _rgb(0.30, 0.18, 0.12) * lit)


def _box(x: Floats, y: Floats, half_width: Floats, half_height: Floats) -> Floats:
    return _inside(_col(half_width) - abs(_X - _col(x))) * _inside(_col(half_height) - abs(_Y - _col(y)))


def _boat(canvas: Floats, s: Scenes, slot: int, light: Floats) -> None:
    rows = np.flatnonzero(s.boats > slot)
    x, foot, height = s.boat_at[rows, slot].T
    lit = np.clip(light[rows], 0.42, 1)
    deep = (_Y - _col(foot - height * 0.16)) / _col(height * 0.16)
    hull = _inside(_col(height * 0.46) - _col(height * 0.16) * np.clip(deep, 0, 1) - abs(_X - _col(x)))
    hull = hull * _inside(_Y - _col(foot - height * 0.16)) * _inside(_col(foot) - _Y)
    _blend(canvas, rows, hull, _rgb(0.45, 0.24, 0.14) * lit)
    up = (_Y - _col(foot - height)) / _col(height * 0.80)
    sail = _inside(_Y - _col(foot - height)) * _inside(_col(foot - height * 0.22) - _Y)
    main = sail * _inside(_X - _col(x)) * _inside(_col(x) + _col(height * 0.42) * up - _X)
    jib = sail * _inside(_col(x - 1) - _X) * _inside(_X - _col(x - 1) + _col(height * 0.28) * (up * 1.1 - 0.1))
    _blend(canvas, rows, np.maximum(main, jib), _rgb(0.98, 0.96, 0.92) * lit)


def _graded(canvas: Floats, grade: Floats) -> Pixels:
    saturation, contrast, brightness, warmth = (
        grade[:, i, None, None] * np.float32(step) for i, step in enumerate(GRADE_STEP)
    )
    np.clip(canvas, 0, 1, out=canvas)
    luma = canvas[:, 0] * LUMA[0] + canvas[:, 1] * LUMA[1] + canvas[:, 2] * LUMA[2]
    out = luma[:, None] + (canvas - luma[:, None]) * (1 + saturation)[:, None]
    out = (out - np.float32(0.5)) * (1 + contrast)[:, None] + np.float32(0.5) + brightness[:, None]
    out[:, 0] += warmth
    out[:, 2] -= warmth
    return np.rint(np.clip(out, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
