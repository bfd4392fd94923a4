"""Level and noise of a flat, from a stamp in its middle."""

from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Bools, Image
from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.kernels.clip_list import average_list
from autowisp_xr.options import upper_and_lower
from autowisp_xr.stats.averages import quantile_of
from autowisp_xr.stats.least_squares import rejections_at_most


class Stamp(NamedTuple):
    """Statistics of the stamp of one frame and channel."""

    mean: float
    """Average of the de-trended pixels, outliers rejected; NaN where there is no use of it."""
    variance: float
    """Mean squared distance of the survivors from that."""
    number: int
    """How many survived."""
    saturated_fraction: float
    """Of all pixels of the stamp."""


def stamp_area(shape: tuple[int, int], fraction: float) -> tuple[slice, slice]:
    """Rows and columns of the stamp; at least one pixel."""
    sizes = [max(1, int(fraction * size)) for size in shape]
    starts = [(size - part) // 2 for size, part in zip(shape, sizes, strict=True)]
    y, x = (slice(start, start + part) for start, part in zip(starts, sizes, strict=True))
    return y, x


def stamp_statistics(pixels: Image, saturated: Bools, selection: FlatSelection) -> Stamp:
    """Statistics of a stamp.

    Parameters
    ----------
    pixels : (y, x) array
        NaN where a pixel is to be left out.
    saturated : (y, x) bool array
        Which pixels are.
    selection
        How.

    Returns
    -------
    NaN and 0 for mean, variance and number if too many pixels are saturated or none is left.
    """
    fraction = float(np.count_nonzero(saturated)) / pixels.size
    limit = selection.max_saturated_fraction
    if (limit is not None and fraction > limit) or not np.isfinite(pixels).any():
        return Stamp(np.nan, np.nan, 0, fraction)
    flat = pixels if selection.smoother is None else selection.smoother.detrend(pixels)
    upper, lower = upper_and_lower(selection.outlier_threshold)
    rounds = rejections_at_most(selection.max_iter)
    found = average_list(
        flat,
        quantile=quantile_of(selection.average),
        upper=upper,
        lower=lower,
        max_rounds=None if np.isinf(rounds) else int(rounds),
    )
    if found.number == 0:
        return Stamp(np.nan, np.nan, 0, fraction)
    return Stamp(found.average, found.squared_deviations / found.number, found.number, fraction)
