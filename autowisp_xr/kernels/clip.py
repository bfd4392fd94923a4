"""Rejection of outliers in one sorted column: what survives is always a range of it.

A column is pixel ``pixel`` of ``rows``, its values ``low <= i < high`` sorted. All sums run in
double precision, in an order that depends on nothing but the number of values.

A value is rejected strictly beyond a threshold. What rounding can make of a value that is at it
(some units in the last place of the largest value, and of the distance) is no distance beyond.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from autowisp_xr.kernels.jit import kernel

MEDIAN = 0.5
MEAN = -1.0  # in place of the quantile where the average is a mean

MAD_TO_SIGMA = 1.4826

RMS, MAD, PERCENTILE = 1, 2, 3
"""What the distance of an outlier is measured in: the rms distance from the average, the median
distance (the rms where it is 0), or the median itself, once and about it."""

_LAST_PLACES = 16
"""Of a sum of squares: more than the number of frames loses by chance."""
_FEW_PLACES = 4
"""Of float32 values, which are summed in float64."""


class Clipping(NamedTuple):
    """The way to find outliers at the ends of sorted values."""

    measure: int
    """What distances are measured in: RMS, MAD or PERCENTILE."""
    upper: float
    """Threshold above 0, in units of it."""
    lower: float
    """Threshold below 0."""
    rounds: int
    """Largest number of rounds; negative for no limit, 0 for no rejection."""
    origin: float
    """What distances are from: a quantile, or ``MEAN``."""
    rounding: float
    """Relative error of the values, see :func:`rounding_of`."""


def rounding_of(kind: DTypeLike) -> float:
    """Return the relative error that rounding may leave in sums and distances of a type."""
    if np.dtype(kind) == np.float32:
        return _FEW_PLACES * float(np.finfo(np.float32).eps)
    return _LAST_PLACES * float(np.finfo(np.float64).eps)


@kernel
def farthest(threshold, scale, size, rounding):
    """Return the distance beyond which values are rejected, on the side of the threshold.

    ``size`` is the largest absolute value that distances are taken of.
    """
    distance = threshold * scale
    allowed = rounding * (abs(distance) + size)
    return distance + allowed if threshold > 0.0 else distance - allowed


@kernel
def center(rows, pixel, low, high, quantile):
    """Average the sorted values ``low <= i < high``; a quantile is linear between neighbours."""
    if quantile < 0:
        total = 0.0
        for i in range(low, high):
            total += np.float64(rows[i, pixel])
        return total / (high - low)
    position = quantile * (high - low - 1)
    below = int(position)
    share = position - below
    first = np.float64(rows[low + below, pixel])
    if share == 0.0:
        return first
    second = np.float64(rows[low + below + 1, pixel])
    if share == 0.5:
        return 0.5 * (first + second)
    return first + share * (second - first)


@kernel
def square_sum(rows, pixel, low, high, about):
    """Sum the squared distances of the sorted values from ``about``."""
    # two sums at a time: each has to wait for its own last addition only
    even, odd = 0.0, 0.0
    for i in range(low, high - 1, 2):
        first = np.float64(rows[i, pixel]) - about
        second = np.float64(rows[i + 1, pixel]) - about
        even += first * first
        odd += second * second
    if (high - low) % 2:
        last = np.float64(rows[high - 1, pixel]) - about
        even += last * last
    return even + odd


@kernel
def median_distance(rows, pixel, low, high, about):
    """Find the median of |value - about|, merging the sorted values outwards from ``about``."""
    above = low
    while above < high and np.float64(rows[above, pixel]) < about:
        above += 1
    below = above - 1
    number = high - low
    before = 0.0
    distance = 0.0
    for _ in range(number // 2 + 1):
        before = distance
        left = about - np.float64(rows[below, pixel]) if below >= low else np.inf
        right = np.float64(rows[above, pixel]) - about if above < high else np.inf
        if left < right:
            distance = left
            below -= 1
        else:
            distance = right
            above += 1
    return distance if number % 2 == 1 else 0.5 * (before + distance)


@kernel
def clip(rows, pixel, high, about, squared_deviations, clipping, floor):
    """Reject from both ends until nothing lies beyond the thresholds, or rounds run out.

    Parameters
    ----------
    high
        How many values the column has.
    about, squared_deviations
        The origin of distances, and the sum of their squares.
    clipping
        A :class:`Clipping`.
    floor
        What the median distance, brought to sigma, counts as at least.

    Returns
    -------
    The range, origin and sum of squares of the survivors, and whether the last round still
    rejected.
    """
    measure, rounding = clipping.measure, clipping.rounding
    low = 0
    rejecting = False
    rounds = 0
    while high > low and (clipping.rounds < 0 or rounds < clipping.rounds):
        origin, scale = about, 0.0
        if measure == PERCENTILE:
            origin = center(rows, pixel, low, high, 0.5)
            # where there is no signal, no share of it is an outlier
            scale = origin if origin > 0.0 else np.inf
        elif measure == MAD:
            scale = MAD_TO_SIGMA * median_distance(rows, pixel, low, high, about)
            scale = max(scale, floor)
        if scale == 0.0:
            scale = np.sqrt(squared_deviations / (high - low))
        smallest, largest = np.float64(rows[low, pixel]), np.float64(rows[high - 1, pixel])
        size = max(abs(smallest), abs(largest))
        over = farthest(clipping.upper, scale, size, rounding)
        under = farthest(clipping.lower, scale, size, rounding)
        new_low, new_high = low, high
        while new_high > new_low and rows[new_high - 1, pixel] - origin > over:
            new_high -= 1
        while new_low < new_high and rows[new_low, pixel] - origin < under:
            new_low += 1
        rejecting = new_low != low or new_high != high
        if not rejecting:
            break
        low, high = new_low, new_high
        rounds += 1
        about, squared_deviations = np.nan, 0.0
        if high > low:
            about = center(rows, pixel, low, high, clipping.origin)
            squared_deviations = square_sum(rows, pixel, low, high, about)
        if measure == PERCENTILE:
            return low, high, about, squared_deviations, False
    return low, high, about, squared_deviations, rejecting
