"""The cell of pixels in which two masters differ most, over what noise explains."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.measure.master_differences import Plane

CELL = 32
"""Pixels a side of what counts as large-scale, about: cells divide a master evenly."""

_FLAT_LIMIT = 0.01
"""Relative: what is wrong with the shape of a flat is wrong with photometry."""

_NOISE = 5.0
"""Errors of its mean that a cell is granted, for the largest of thousands is looked at."""


class Cell(NamedTuple):
    """The cell of a channel that stands out most; NaN where no cell is half good."""

    difference: float
    """New less old: relative for flats."""
    y: float
    """Index of the row in its middle."""
    x: float
    """Index of the column in its middle."""
    most: float
    """What cells may differ by, over their noise."""
    exceeds: bool
    """Whether this one differs by more."""


def outstanding_cell(
    new: Plane, old: Plane, ratio: float, *, relative: bool, most: float | None
) -> Cell:
    """Find the cell, of those of about 32 x 32 pixels, that differs most over its noise.

    Parameters
    ----------
    new, old
        The channel of both masters.
    ratio
        By which the old master is multiplied.
    relative
        Whether cells are divided; else their means are subtracted.
    most
        What cells may differ by, over five times the error of their mean. None: 0.01 where they are
        divided, else the error of the difference of one pixel (root of the mean variance).
    """
    good = new.usable & old.usable
    edges = [_edges(size) for size in good.shape]

    def sums(plane: ArrayLike) -> Floats:
        """Sums of the good pixels of each cell, float64."""
        rows = np.add.reduceat(np.where(good, plane, np.float64(0)), edges[1][:-1], axis=1)
        return np.add.reduceat(rows, edges[0][:-1], axis=0)

    number, light, scaled = sums(1.0), sums(new.image), ratio * sums(old.image)
    variance = sums(new.variance) + ratio**2 * sums(old.variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        base = np.where(scaled > 0, scaled, np.nan) if relative else number
        difference = (light - scaled) / base
        noise = _NOISE * np.sqrt(variance) / base
        pixel = float(np.sqrt(variance.sum() / number.sum()))
    if most is None:
        most = _FLAT_LIMIT if relative else pixel
    known = np.isfinite(difference) & (2 * number >= np.outer(*map(np.diff, edges)))
    if not known.any():
        return Cell(np.nan, np.nan, np.nan, most, False)
    excess = np.where(known, np.abs(difference) - noise, -np.inf)
    place = np.unravel_index(excess.argmax(), excess.shape)
    y, x = (float(edge[i : i + 2].sum() // 2) for edge, i in zip(edges, place, strict=True))
    return Cell(float(difference[place]), y, x, most, bool(excess[place] > most))


def _edges(size: int) -> Integers:
    """First pixels of cells along an axis, and the end of the last."""
    number = max(1, round(size / CELL))
    return np.arange(number + 1) * size // number
