"""Rejection of outliers in one sorted column: what survives is always a range of it.

A column is pixel ``pixel`` of ``rows``, its values ``low <= i < high`` sorted. All sums run in
double precision, in an order that depends on nothing but the number of values.
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels._jit import kernel

__all__ = ["MAD", "MAD_TO_SIGMA", "MEAN", "PERCENTILE", "RMS", "centre", "clip"]

MEAN = -1.0  # in place of the quantile where the average is a mean

MAD_TO_SIGMA = 1.4826

RMS, MAD, PERCENTILE = 1, 2, 3
"""What the distance of an outlier is measured in: the rms distance from the average, the median
distance (the rms where it is 0), or the median itself, once and about it."""


@kernel
def centre(rows: Any, pixel: int, low: int, high: int, quantile: float) -> float:
    """Mean or quantile (linear between neighbours) of the sorted values ``low <= i < high``."""
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
def square_sum(rows: Any, pixel: int, low: int, high: int, about: float) -> float:
    """Sum of the squared distances of the sorted values from ``about``."""
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
def median_distance(rows: Any, pixel: int, low: int, high: int, about: float) -> float:
    """Median of |value - about|, by merging the sorted values outwards from ``about``."""
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
def clip(
    rows: Any,
    pixel: int,
    high: int,
    about: float,
    squares: float,
    clipping: tuple[int, float, float, int],
    quantile: float,
) -> tuple[int, int, float, float, bool]:
    """Reject from both ends until nothing lies beyond the thresholds, or rounds run out.

    Parameters
    ----------
    high
        How many values the column has.
    about, squares
        Their average, and the sum of the squared distances from it.
    clipping
        What distances are measured in, upper and lower threshold in units of it, and the largest
        number of rounds (negative: no limit).

    Returns
    -------
    The range, average and sum of squares of the survivors, and whether the last round still
    rejected.
    """
    measure, upper, lower, max_rounds = clipping
    low = 0
    rejecting = False
    rounds = 0
    while high > low and (max_rounds < 0 or rounds < max_rounds):
        origin, scale = about, 0.0
        if measure == PERCENTILE:
            origin = centre(rows, pixel, low, high, 0.5)
            # where there is no signal, no share of it is an outlier
            scale = origin if origin > 0.0 else np.inf
        elif measure == MAD:
            scale = MAD_TO_SIGMA * median_distance(rows, pixel, low, high, about)
        if scale == 0.0:
            scale = np.sqrt(squares / (high - low))
        new_low, new_high = low, high
        while new_high > new_low and rows[new_high - 1, pixel] - origin > upper * scale:
            new_high -= 1
        while new_low < new_high and rows[new_low, pixel] - origin < lower * scale:
            new_low += 1
        rejecting = new_low != low or new_high != high
        if not rejecting:
            break
        low, high = new_low, new_high
        rounds += 1
        about, squares = np.nan, 0.0
        if high > low:
            about = centre(rows, pixel, low, high, quantile)
            squares = square_sum(rows, pixel, low, high, about)
        if measure == PERCENTILE:
            return low, high, about, squares, False
    return low, high, about, squares, rejecting
