"""The cell of pixels in which two masters differ most, over what noise explains."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.measure.differences import cell_starts

__all__ = ["LargeScale", "large_scale"]

_FLAT_LIMIT = 0.01
"""Relative: what is wrong with the shape of a flat is wrong with photometry."""

_NOISE = 5.0
"""Errors of its mean that a cell is granted, for the largest of thousands is looked at."""


class LargeScale(NamedTuple):
    """Of each channel; NaN where no cell is half good."""

    difference: Any
    """Of the cell that stands out most, new less old: relative for flats."""
    y: Any
    """Index of the row in its middle."""
    x: Any
    """Index of the column in its middle."""
    most: Any
    """What cells may differ by, over their noise."""
    exceeds: Any
    """Whether this one differs by more."""


def large_scale(
    sums: xr.Dataset, width: int, ratio: Any, *, relative: bool, most: float | None
) -> LargeScale:
    """Largest difference of cells of about 32 x 32 pixels.

    Parameters
    ----------
    sums
        Rows of cells, (channel, y, cell), in memory, of
        :func:`~autowisp_xr.measure.differences.sums_of_cells`.
    width
        Number of columns.
    ratio
        Of each channel, by which the old master is multiplied.
    relative
        Whether cells are divided; else their means are subtracted.
    most
        What cells may differ by, over five times the error of their mean. None: 0.01 where they are
        divided, else the error of the difference of one pixel (root of the mean variance).
    """
    height = sums.sizes["y"]
    rows, columns = cell_starts(height), cell_starts(width)
    cells = {name: np.add.reduceat(sums[name].values, rows, axis=1) for name in sums.data_vars}
    factor = ratio[:, None, None]
    number, old = cells["number"], factor * cells["old"]
    variance = cells["new_variance"] + factor**2 * cells["old_variance"]
    with np.errstate(divide="ignore", invalid="ignore"):
        base = np.where(old > 0, old, np.nan) if relative else number
        difference = (cells["new"] - old) / base
        noise = _NOISE * np.sqrt(variance) / base
        pixel = np.sqrt(variance.sum(axis=(1, 2)) / number.sum(axis=(1, 2)))
    limit = np.full(ratio.shape, _FLAT_LIMIT) if relative else pixel
    if most is not None:
        limit = np.full(ratio.shape, most)
    sizes = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    known = np.isfinite(difference) & (2 * number >= sizes)
    excess = np.where(known, np.abs(difference) - noise, -np.inf).reshape(len(ratio), -1)
    place = excess.argmax(axis=1)
    channels = np.arange(len(ratio))
    some = known.any(axis=(1, 2))
    row, column = np.unravel_index(place, sizes.shape)
    return LargeScale(
        np.where(some, difference.reshape(len(ratio), -1)[channels, place], np.nan),
        np.where(some, (rows + np.diff([*rows, height]) // 2)[row], np.nan),
        np.where(some, (columns + np.diff([*columns, width]) // 2)[column], np.nan),
        limit,
        excess[channels, place] > limit,
    )
