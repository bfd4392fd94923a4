"""Averages of one long list of values with outliers rejected: an interval that shrinks.

What survives rejection lies between two limits, so that each round is one pass over values which
stay where they are. A million values need no sorting network.
"""

from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Numbers
from autowisp_xr.kernels.clip import MEAN, farthest, rounding_of
from autowisp_xr.kernels.jit import kernel


class Sample(NamedTuple):
    """The average of a list, and the range of the values that survive."""

    average: float
    """NaN where nothing does."""
    squared_deviations: float
    """Sum of the squared distances from the average; NaN where nothing survives."""
    number: int
    limits: tuple[float, float]
    """The survivors are the values from the first to the second, both included."""
    rejecting: bool
    """Whether the last round that was allowed still rejected."""


@kernel
def survivors(
    values: Numbers, low: float, high: float, about: float, below: float, above: float
) -> tuple[int, float, float, float, float]:
    """Sum the values from ``low`` to ``high`` whose distance from ``about`` is allowed.

    Returned are their number, the sums of their distances and of the squares of these, the smallest
    and the largest.
    """
    number = 0
    first, second = 0.0, 0.0
    smallest, largest = np.inf, -np.inf
    for given in values:
        value = np.float64(given)
        distance = value - about
        if low <= value <= high and below <= distance <= above:
            number += 1
            first += distance
            second += distance * distance
            smallest = min(smallest, value)
            largest = max(largest, value)
    return number, first, second, smallest, largest


def average_list(
    values: Numbers, *, quantile: float, upper: float, lower: float, max_rounds: int | None
) -> Sample:
    """Average a list, rejecting what lies beyond thresholds in units of the rms.

    Parameters
    ----------
    values : (n,) array of real numbers
        What is not finite is left out.
    quantile
        Which quantile the average is, or ``MEAN``.
    upper, lower
        Thresholds, of opposite signs.
    max_rounds
        Rejections at most; None for as many as it takes.
    """
    values = np.ascontiguousarray(values).reshape(-1)
    low, high = -np.finfo(np.float64).max, np.finfo(np.float64).max
    number, total, *_ = survivors(values, low, high, 0.0, low, high)
    before = number
    rounds = 0
    below, above = low, high
    # a distance that is not far from the mean keeps its digits when it is squared
    about = total / number if number else np.nan
    while True:
        number, first, second, smallest, largest = survivors(values, low, high, about, below, above)
        rejecting = rounds > 0 and number < before
        before = number
        if number == 0:
            return Sample(np.nan, np.nan, 0, (low, high), rejecting)
        low, high = smallest, largest
        if quantile == MEAN:
            squared_deviations = second - first * first / number
            about += first / number
        else:
            center = _quantile(values[(values >= low) & (values <= high)], quantile)
            squared_deviations = second + (about - center) * (2 * first + number * (about - center))
            about = center
        squared_deviations = max(squared_deviations, 0.0)
        if (rounds > 0 and not rejecting) or rounds == max_rounds:
            return Sample(about, squared_deviations, number, (low, high), rejecting)
        scale = np.sqrt(squared_deviations / number)
        size, rounding = max(-low, high), rounding_of(values.dtype)
        below = farthest(lower, scale, size, rounding)
        above = farthest(upper, scale, size, rounding)
        rounds += 1


def _quantile(values: Numbers, quantile: float) -> float:
    return float(np.quantile(values.astype(np.float64), quantile, overwrite_input=True))
