"""Frames cut in square tiles, and how two of them scatter about each other within each tile."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

__all__ = ["MOST_TILES", "RANK", "RANK_TO_SIGMA", "Scatter", "Tiles", "ranked", "scatter"]

MOST_TILES = 1500
"""A gain is then known to 0.1 %; more would only take longer."""

_CELL = 8
"""Pixels a side, about, of what has a mean of its own: gradients that turn are no noise."""

_CLIP = 5.0
"""Standard deviations; a normal loses 1.5e-5 of its variance by that."""

_ROUNDS = 20

RANK = 0.8
RANK_TO_SIGMA = 1.2816
"""That quantile of the distances from the median, of a normal in standard deviations. The median
distance is often 0 where noise is less than what one digit stands for."""

_ROUNDING = 1e-12

_PART_PIXELS = 2**17
"""Pixels that are worked on at once: temporary arrays stay in the cache."""


@dataclass(frozen=True)
class Tiles:
    """Tiles of equal size that are spread evenly over a plane."""

    rows: Any
    """(tiles down x height): rows of the plane that they hold."""
    columns: Any
    height: int
    width: int

    @classmethod
    def over(cls, shape: tuple[int, int], side: int) -> "Tiles":
        """Tiles of a plane of this shape, no more than MOST_TILES; of a small one, all of it."""
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
    def _cells(self) -> Any:
        """Which cell of its tile a pixel is in, (pixel)."""
        down, across = (
            np.arange(size) * max(1, round(size / _CELL)) // size
            for size in (self.height, self.width)
        )
        return (down[:, None] * (across[-1] + 1) + across).ravel()

    @property
    def starts(self) -> Any:
        """First pixel of each cell, among those that are cut."""
        sizes = np.bincount(self._cells)
        return np.cumsum(sizes) - sizes

    def cut(self, planes: Any) -> Any:
        """Rows and columns of the tiles (channel, y, x), as (channel, tile, pixel).

        The pixels of a tile come cell by cell.
        """
        down, across = (len(self.rows) // self.height, len(self.columns) // self.width)
        apart = planes.reshape(-1, down, self.height, across, self.width).swapaxes(2, 3)
        tiles = apart.reshape(len(planes), down * across, -1)
        return tiles[..., np.argsort(self._cells, kind="stable")]


def _spread(size: int, side: int, number: int) -> Any:
    """Pixels along an axis of so many tiles, evenly spread, (number x side)."""
    room = size // side
    starts = ((2 * np.arange(number) + 1) * room // (2 * number)) * side + size % side // 2
    return (starts[:, None] + np.arange(side)).ravel()


class Scatter(NamedTuple):
    """Of first - ratio x second in each tile, outliers left out."""

    level: Any
    """Mean of the first frame."""
    ratio: Any
    """Of the levels, first over second; 1 where frames are not scaled."""
    variance: Any
    """About the means of cells; NaN without degrees of freedom."""
    freedom: Any
    """Degrees of freedom: pixels that are left, less the means."""


def scatter(first: Any, second: Any, good: Any, starts: Any, *, scaled: bool) -> Scatter:
    """How two frames scatter about each other in each tile.

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
    return Scatter(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _scatter(first: Any, second: Any, good: Any, starts: Any, scaled: bool) -> tuple[Any, ...]:
    one, two = (np.where(good, plane, np.nan).astype(np.float64) for plane in (first, second))
    ratio = np.ones(len(one))
    sizes = np.diff([*starts, one.shape[1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        if scaled:
            ratio = _median(one) / _median(two)
            good = good & _near(one) & _near(two)
        difference = one - ratio[:, None] * two
        kept = good & _near(difference)
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
    return level, ratio, variance, freedom


def _near(values: Any) -> Any:
    """Which values are near the median of their tile: all of them where most are equal."""
    distance = np.abs(values - _median(values)[:, None])
    scale = ranked(distance, RANK)[:, None] / RANK_TO_SIGMA
    return (distance <= _CLIP * scale) | ((scale == 0) & np.isfinite(distance))


def _median(values: Any) -> Any:
    return ranked(values, 0.5)


def ranked(values: Any, rank: float) -> Any:
    """A value that about this fraction of the finite ones of each row is below."""
    number = np.count_nonzero(np.isfinite(values), axis=1)
    place = np.minimum((rank * number).astype(np.int64), np.maximum(number - 1, 0))
    return np.take_along_axis(np.sort(values, axis=1), place[:, None], axis=1)[:, 0]


def _total(values: Any, kept: Any) -> Any:
    return np.where(kept, values, 0.0).sum(axis=1)
