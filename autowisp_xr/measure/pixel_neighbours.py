"""What the neighbours of a pixel are like: their level and scatter, and how many are bad."""

import bottleneck
import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.bridge import blocks
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.kernels.tile_medians import beside_bad, between_tiles, tile_medians

_RUN = 17
"""Pixels of a column or row, of which most are bad where all are."""

_SURROUNDED = 6
"""Bad ones of the eight pixels around a pixel, which then is bad as well."""


def surroundings(planes: Floats, side: int, about: Floats | None = None) -> Floats:
    """Return the level around each pixel (channel, y, x), by the medians of tiles of this side.

    It goes from the middle of one tile to the next in a straight line. NaN takes no part; a tile of
    nothing else is as the median of all. The level is that of the distances from ``about``, where
    that is given.
    """
    channels, height, width = planes.shape
    rows = [None if of is None else _rows_of_tiles(of, side) for of in (planes, about)]
    tiles = xr.Variable("tile", np.arange(-(-width // side)))
    dims = ("channel", "y", "tile")
    (medians,) = blocks.at_once(_medians, [*rows, tiles], dims, [np.float64])
    of_all = bottleneck.nanmedian(medians.reshape(channels, -1), axis=-1)
    medians = np.where(np.isnan(medians), of_all[:, None, None], medians)
    (down, share_down), (across, share_across) = (_places(of, side) for of in (height, width))
    operands = [
        xr.Variable(("channel", "down", "across"), medians),
        *(xr.Variable("y", of) for of in (down, share_down)),
        *(xr.Variable("x", of) for of in (across, share_across)),
    ]
    (level,) = blocks.at_once(_between, operands, schema.DIMS[1:], [np.float64])
    return np.asarray(level)


def _rows_of_tiles(planes: Floats, side: int) -> xr.Variable:
    """Return planes as (channel, y, row, x), where y counts tiles."""
    channels, height, width = planes.shape
    if height % side:
        planes = np.pad(planes, [(0, 0), (0, -height % side), (0, 0)], constant_values=np.nan)
    rows = planes.reshape(channels, -1, side, width)
    return xr.Variable(("channel", "y", "row", "x"), rows)


def _medians(rows: Floats, about: Floats | None, tiles: Integers) -> tuple[Floats]:
    channels, _, side, width = rows.shape
    about = np.empty((0, 0, 0)) if about is None else about.reshape(channels, -1, width)
    return (tile_medians(rows.reshape(channels, -1, width), about, side),)


def _between(*operands: Floats) -> tuple[Floats]:
    medians, down, share_down, across, share_across = operands
    return (between_tiles(medians, down, across, share_down, share_across),)


def _places(size: int, side: int) -> tuple[Integers, Floats]:
    """Return the tile whose middle is before each pixel of an axis, and how far the next is."""
    number = -(-size // side)
    # the last tile may have less of the axis
    middles = np.minimum(np.arange(number) * side + side, size) - 1
    middles = (np.arange(number) * side + middles) / 2
    place = np.interp(np.arange(size), middles, np.arange(number))
    before = np.minimum(place.astype(np.int64), max(number - 2, 0))
    return before, place - before


def scatter_around(planes: Floats, middle: Floats, side: int) -> Floats:
    """Return the standard deviation around each pixel, by the median distance."""
    around = surroundings(planes, side, middle)
    around *= MAD_TO_SIGMA
    return around


def in_bad_company(bad: Bools) -> tuple[Bools, Bools]:
    """Return which pixels (channel, y, x) are in a bad line, and which have bad neighbours.

    The former are in a run of a column or row most of which is bad, and so are most of the eight
    pixels around the latter.
    """
    in_line, among = beside_bad(bad, _RUN, _SURROUNDED)
    return in_line, among
