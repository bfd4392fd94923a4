"""Planes cut in tiles and cells, medians of these, and how two frames scatter in each tile."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from autowisp_xr.arrays import Bools, Floats, Integers

_Kind = TypeVar("_Kind", bound=np.number[Any])

MOST_TILES = 1500
"""A gain is then known to 0.1 %; more would only take longer."""

LEAST_TILE = 8
"""Pixels a side."""

OF_MEDIAN = np.pi / 2
"""Variance of the median of many values in units of that of their mean."""

_CELL = 8
"""Pixels a side, about, of what has a mean of its own: gradients that turn are no noise."""

_CLIP = 5.0
"""Standard deviations; a normal loses 1.5e-5 of its variance by that."""

_ROUNDS = 20

_RANK, _RANK_TO_SIGMA = 0.8, 1.2816
"""A quantile of the distances from the median, of a normal in standard deviations."""

_ROUNDING = 1e-12

_PART_PIXELS = 2**17
"""Pixels that are worked on at once: temporary arrays stay in the cache."""


def cut(planes: NDArray[_Kind], height: int, width: int) -> NDArray[_Kind]:
    """Cut planes (plane, y, x) to (plane, down, across, pixel) of cells of this height and width.

    What is left over at the far end of an axis is left out.
    """
    number, *sizes = planes.shape
    down, across = sizes[0] // height, sizes[1] // width
    whole = planes[:, : down * height, : across * width]
    apart = whole.reshape(number, down, height, across, width).swapaxes(2, 3)
    return apart.reshape(number, down, across, height * width)


def ranked(values: NDArray[_Kind], rank: float) -> NDArray[_Kind]:
    """Return a value that about this fraction of the finite ones along the last axis is below.

    NaN where none is finite.
    """
    number = np.count_nonzero(np.isfinite(values), axis=-1)
    place = np.minimum((rank * number).astype(np.int64), np.maximum(number - 1, 0))
    # as fast as what looks for ranks only
    ordered = np.sort(values, axis=-1)
    return np.take_along_axis(ordered, place[..., None], axis=-1)[..., 0]


def median(values: NDArray[_Kind]) -> NDArray[_Kind]:
    """Return the median along the last axis; of an even number, the upper of the middle two."""
    return ranked(values, 0.5)


@dataclass(frozen=True)
class Tiles:
    """Tiles of equal size that are spread evenly over a plane."""

    rows: Integers
    """(tiles down x height): rows of the plane that they hold."""
    columns: Integers
    height: int
    width: int

    @classmethod
    def over(cls, shape: tuple[int, int], side: int) -> "Tiles":
        """Spread tiles over a plane of this shape, MOST_TILES at most; a small one is a tile."""
        height, width = (min(side, size) for size in shape)
        down, across = shape[0] // height, shape[1] // width
        thinning = min(1.0, (MOST_TILES / (down * across)) ** 0.5)
        chosen_down = min(down, max(1, round(down * thinning)), MOST_TILES)
        chosen_across = min(across, MOST_TILES // chosen_down)
        return cls(
            _spread(shape[0], height, chosen_down),
            _spread(shape[1], width, chosen_across),
            height,
            width,
        )

    @cached_property
    def _cells(self) -> Integers:
        """The number of the cell of its tile that a pixel is in, (pixel)."""
        down, across = (
            np.arange(size) * max(1, round(size / _CELL)) // size
            for size in (self.height, self.width)
        )
        return (down[:, None] * (across[-1] + 1) + across).ravel()

    @property
    def starts(self) -> Integers:
        """The first pixel of each cell, among those that are cut."""
        sizes = np.bincount(self._cells)
        return np.cumsum(sizes) - sizes

    def cut(self, planes: NDArray[_Kind]) -> NDArray[_Kind]:
        """Cut the rows and columns of the tiles (channel, y, x) to (channel, tile, pixel).

        The pixels of a tile come cell by cell.
        """
        tiles = cut(planes, self.height, self.width)
        order = np.argsort(self._cells, kind="stable")
        return tiles.reshape(len(planes), -1, order.size)[..., order]


def _spread(size: int, side: int, number: int) -> Integers:
    """Return the pixels along an axis of so many tiles, evenly spread, (number x side)."""
    room = size // side
    starts = ((2 * np.arange(number) + 1) * room // (2 * number)) * side + size % side // 2
    return (starts[:, None] + np.arange(side)).ravel()


class Scatter(NamedTuple):
    """The scatter of first - ratio x second in each tile, outliers left out."""

    level: Floats
    """Mean of the first frame."""
    ratio: Floats
    """The ratio of the levels, first over second; 1 where frames are not scaled."""
    variance: Floats
    """About the means of cells; NaN without degrees of freedom."""
    freedom: Floats
    """Degrees of freedom: pixels that are left, less the means."""


def scatter(
    first: Floats, second: Floats, good: Bools, starts: Integers, *, scaled: bool
) -> Scatter:
    """Return how two frames scatter about each other in each tile.

    Parameters
    ----------
    first, second, good
        (tile, pixel); of pixels that are not good, nothing is taken.
    starts
        First pixel of each cell.
    scaled
        Whether the second is brought to the level of the first in each tile. Pixels that stand
        out in either frame, hot and dead ones and stars, are then left out, too.
    """
    tiles, pixels = first.shape
    step = max(1, _PART_PIXELS // pixels)
    parts = [
        _scatter(first[part], second[part], good[part], starts, scaled)
        for part in (slice(start, start + step) for start in range(0, max(tiles, 1), step))
    ]
    return Scatter._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _scatter(first: Floats, second: Floats, good: Bools, starts: Integers, scaled: bool) -> Scatter:
    one, two = (np.where(good, plane, np.nan).astype(np.float64) for plane in (first, second))
    ratio = np.ones(len(one))
    sizes = np.diff([*starts, one.shape[1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        if scaled:
            ratio = median(one) / median(two)
            good = good & near_median(one) & near_median(two)
        difference = one - ratio[:, None] * two
        kept = good & near_median(difference)
        # equal values may miss their own mean by rounding, which makes none an outlier
        rounding = _ROUNDING * np.where(good, np.abs(one), 0.0).max(axis=1)
        for _ in range(_ROUNDS):
            if scaled:
                ratio = _total(one, kept) / _total(two, kept)
                difference = one - ratio[:, None] * two
            number = np.add.reduceat(kept, starts, axis=1, dtype=np.int64)
            means = np.add.reduceat(np.where(kept, difference, 0.0), starts, axis=1) / number
            difference -= np.repeat(means, sizes, axis=1)
            freedom = np.maximum(number - 1, 0).sum(axis=1)
            variance = _total(difference**2, kept) / freedom
            limit = np.maximum(_CLIP * np.sqrt(variance), rounding)
            inside = good & (np.abs(difference) <= limit[:, None])
            if np.array_equal(inside, kept):
                break
            kept = inside
        level = _total(one, kept) / np.count_nonzero(kept, axis=1)
    return Scatter(level, ratio, variance, freedom)


def near_median(values: Floats) -> Bools:
    """Return which values (..., pixel) are near the median of their tile: all if most are equal."""
    distance = np.abs(values - median(values)[..., None])
    scale = typical_size(distance)[..., None]
    return (distance <= _CLIP * scale) | ((scale == 0) & np.isfinite(distance))


def typical_size(distances: Floats) -> Floats:
    """Return the standard deviation of normal values at these distances, along the last axis.

    From a high rank: the median distance is often 0 where noise is less than one digit stands for.
    """
    return ranked(distances, _RANK) / _RANK_TO_SIGMA


def size_of_sorted(values: NDArray[_Kind], middle: float) -> float:
    """Return :func:`typical_size` of the distances of sorted finite values from ``middle``.

    The nearest of them are neighbours, from one place on: the last one of these, on either side, is
    the farthest.
    """
    number = min(int(_RANK * values.size), values.size - 1)

    def ends(start: int) -> tuple[float, float]:
        return middle - float(values[start]), float(values[start + number]) - middle

    low, high = 0, values.size - 1 - number
    while low < high:
        start = (low + high) // 2
        below, above = ends(start)
        low, high = (start + 1, high) if below > above else (low, start)
    nearest = (max(ends(start)) for start in range(max(low - 1, 0), low + 1))
    return min(nearest) / _RANK_TO_SIGMA


def _total(values: Floats, kept: Bools) -> Floats:
    return np.where(kept, values, 0.0).sum(axis=1)
