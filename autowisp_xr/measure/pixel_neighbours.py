"""What the neighbours of a pixel are like: their level and scatter, and how many are bad."""

import bottleneck
import numpy as np
from scipy.ndimage import correlate, uniform_filter1d

from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.measure.tile_scatter import cut

_TO_SIGMA = 1.4826

_RUN, _SHARE = 17, 0.5
"""Pixels of a column or row, and the share of them from which on all are bad."""

_AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
_SURROUNDED = 6
"""Bad ones of the eight pixels around a pixel, which then is bad as well."""


def surroundings(planes: Floats, side: int) -> Floats:
    """Return the level around each pixel (channel, y, x), by the medians of tiles of this side.

    It goes from the middle of one tile to the next in a straight line. NaN takes no part; a tile of
    nothing else is as the median of all.
    """
    channels, height, width = planes.shape
    ends = [(0, -size % side) for size in (height, width)]
    whole = np.pad(planes, [(0, 0), *ends], constant_values=np.nan)
    medians = bottleneck.nanmedian(cut(whole, side, side), axis=-1)
    of_all = bottleneck.nanmedian(medians.reshape(channels, -1), axis=-1)
    medians = np.where(np.isnan(medians), of_all[:, None, None], medians)
    for axis, size in ((1, height), (2, width)):
        medians = _between(medians, size, side, axis)
    return medians


def _between(medians: Floats, size: int, side: int, axis: int) -> Floats:
    """Return medians of tiles along an axis as values of its pixels."""
    number = medians.shape[axis]
    # the last tile may have less of the axis
    middles = np.minimum(np.arange(number) * side + side, size) - 1
    middles = (np.arange(number) * side + middles) / 2
    place = np.interp(np.arange(size), middles, np.arange(number))
    below = np.minimum(place.astype(np.int64), max(number - 2, 0))
    above = np.minimum(below + 1, number - 1)
    share = np.expand_dims(place - below, [other for other in (0, 1, 2) if other != axis])
    return (1.0 - share) * medians.take(below, axis) + share * medians.take(above, axis)


def scatter_around(planes: Floats, middle: Floats, side: int) -> Floats:
    """Return the standard deviation around each pixel, by the median distance."""
    return _TO_SIGMA * surroundings(np.abs(planes - middle), side)


def in_bad_lines(bad: Bools) -> Bools:
    """Return the pixels (channel, y, x) that are in a run of a column or row that is mostly bad."""
    share = []
    for axis in (1, 2):
        number, of = (
            uniform_filter1d(which.astype(np.float64), _RUN, axis=axis, mode="constant")
            for which in (bad, np.ones_like(bad))
        )
        share.append(number / of)
    return np.asarray(np.maximum(*share) > _SHARE)


def surrounded(bad: Bools) -> Bools:
    """Return the pixels (channel, y, x) most of whose neighbours are bad."""
    number = np.stack([correlate(one.astype(np.uint8), _AROUND, mode="constant") for one in bad])
    return number >= _SURROUNDED
