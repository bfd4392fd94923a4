"""Flats at several levels of light, each reduced to the levels of zones that are lit alike.

A zone is made of tiles of about the same brightness, wherever they are. Of evenly lit flats all is
one zone; the zones of others are several levels in one exposure, whatever the lamp did.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.measure.frame_pairs import Frames
from autowisp_xr.measure.tile_scatter import median, typical_size

_MOST_ZONES = 8
_TILES_OF_ZONE = 8
_UNEVEN = 1.15
"""Ratio of the brightness of bright and dim tiles, from which on one zone would not do."""

_CLIP = 5.0
"""Standard deviations, beyond which a pixel is none of its tile: hot, dead, hit by a particle."""

_BRIGHTEST = 10
"""The rank of the pixel that shows how far values reach; a few may be hot, or hit."""

_TYPICAL = (0.05, 0.5)
"""Frames between these shares of the brightest show the light without any saturation."""


class Levels(NamedTuple):
    """What was read of all frames, in one channel."""

    tiles: Floats
    """(frame, tile): mean above the bias, in ADU; NaN where a tile is not usable."""
    brightest: Floats
    """(frame): how far values reach, in ADU above the bias."""


class Zones(NamedTuple):
    """The zones of one channel."""

    powers: Floats
    """(frame, zone, power): mean over the tiles of the level to the power of 1, 2, ...; NaN where
    a tile is not usable."""
    error: Floats
    """(frame, zone): relative uncertainty of the level, by how much the tiles scatter."""

    @property
    def level(self) -> Floats:
        """(frame, zone) ADU."""
        return self.powers[..., 0]

    @property
    def uneven(self) -> float:
        """The ratio of the brightness of the brightest and the dimmest zone."""
        if self.level.shape[1] < 2:
            return 1.0
        with np.errstate(invalid="ignore"):
            ratio = self.level[:, -1] / self.level[:, 0]
        known = ratio[np.isfinite(ratio)]
        return float(np.median(known)) if known.size else 1.0


def read(frames: Frames) -> tuple[list[Levels], list[str]]:
    """Read all frames, one at a time.

    Returns
    -------
    The levels of each channel, and why a frame is of no use at all; "" where it is.
    """
    found: list[list[tuple[Floats, float]]] = [[] for _ in frames.channels]
    reasons = []
    for number in range(frames.ds.sizes["frame"]):
        frame = frames.read(number)
        reasons.append(frame.reason)
        for channel, of in enumerate(found):
            pixels, good = frame.pixels[channel], frame.good[channel]
            means = np.where(frame.usable[channel], _means(pixels, good), np.nan)
            of.append((means, _reach(pixels)))
    columns = [tuple(map(np.array, zip(*of, strict=True))) for of in found]
    return [Levels(*column) for column in columns], reasons


def _means(pixels: Floats, good: Bools) -> Floats:
    """Return the means of the good pixels of tiles (tile, pixel), outliers left out."""
    values = np.where(good, pixels, np.nan).astype(np.float64)
    distance = np.abs(values - median(values)[:, None])
    scale = typical_size(distance)[:, None]
    kept = (distance <= _CLIP * scale) | ((scale == 0) & np.isfinite(distance))
    total = np.where(kept, values, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return total / np.count_nonzero(kept, axis=1)


def _reach(pixels: Floats) -> float:
    values = pixels[np.isfinite(pixels)]
    rank = min(_BRIGHTEST, values.size)
    return float(np.partition(values, values.size - rank)[-rank]) if rank else np.nan


def zones_of(tiles: Floats, terms: int) -> Zones:
    """Return the zones of tiles (frame, tile), with so many powers of their levels."""
    light = _light(tiles)
    members = _members(light)
    shape = (len(tiles), len(members))
    powers, error = np.full((*shape, terms), np.nan), np.full(shape, np.nan)
    for zone, numbers in enumerate(members):
        own = tiles[:, numbers]
        powers[:, zone] = (own[..., None] ** np.arange(1, terms + 1)).mean(axis=1)
        scatter = (own / light[numbers]).std(axis=1, ddof=1) if numbers.size > 1 else np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = scatter / (own / light[numbers]).mean(axis=1)
        error[:, zone] = relative / np.sqrt(numbers.size)
    return Zones(powers, error)


def _light(tiles: Floats) -> Floats:
    """Return how brightly each tile is lit, relative to all; NaN of those that cannot show it."""
    lit = np.array(
        [np.median(of[np.isfinite(of)]) if np.isfinite(of).any() else np.nan for of in tiles]
    )
    top = np.nanmax(lit) if np.isfinite(lit).any() else np.nan
    usual = (lit >= _TYPICAL[0] * top) & (lit <= _TYPICAL[1] * top)
    chosen = usual if usual.any() else lit > 0
    relative = tiles[chosen] / lit[chosen, None]
    seen = np.isfinite(relative).any(axis=0)
    light = np.full(tiles.shape[1], np.nan)
    light[seen] = np.nanmedian(relative[:, seen], axis=0)
    return np.where(light > 0, light, np.nan)


def _members(light: Floats) -> Sequence[Integers]:
    """Return the numbers of the tiles of each zone, from dim to bright."""
    known = np.flatnonzero(np.isfinite(light))
    order = known[np.argsort(light[known], kind="stable")]
    if not order.size:
        return []
    low, high = np.quantile(light[order], [0.05, 0.95])
    number = min(_MOST_ZONES, order.size // _TILES_OF_ZONE) if high > _UNEVEN * low else 1
    return np.array_split(order, max(number, 1))
