"""Averages of a block of pixels whose values are sorted: a look-up, and two ends that move.

Once the values of a pixel are sorted, what survives rejection is always a range of them: the
median is a look-up, a rejection moves an end of the range, and a glance at the extremes ends nearly
all pixels in the first round. That glance goes over all pixels at once.
"""

import numpy as np

from autowisp_xr.kernels.clip import MAD, MAD_TO_SIGMA, RMS, center, clip
from autowisp_xr.kernels.jit import kernel

_FEW = 8
"""Where no more than one pixel in so many lacks a value, as few do in a block of frames with some
flags, all are taken for complete at first, and these are done again one by one."""


@kernel
def first_average(rows, number, full, quantile, about):
    """Average all values of each pixel; NaN without any.

    ``full`` is whether it is worth while to take all pixels for complete at first.
    """
    complete = rows.shape[0] if full and quantile >= 0.0 else -1
    if complete > 0:
        position = quantile * (rows.shape[0] - 1)
        below = int(position)
        share = position - below
        second = rows[below if share == 0.0 else below + 1]
        first = rows[below]
        for pixel in range(number.size):
            a, b = np.float64(first[pixel]), np.float64(second[pixel])
            about[pixel] = 0.5 * (a + b) if share == 0.5 else a + share * (b - a)
    for pixel in range(number.size):
        # of one type everywhere, so that it is compiled once for each type of values
        n = np.int64(number[pixel])
        if n != complete:
            about[pixel] = center(rows, pixel, np.int64(0), n, quantile) if n else np.nan


@kernel
def sum_squared_deviations(rows, full, block):
    """Sum the squared distances of the survivors of each pixel from their average.

    ``full`` is whether it is worth while to take all pixels for complete at first.
    """
    about, below, number = block.about, block.below, block.number
    total = block.squared_deviations
    total[:] = 0.0
    for i in range(rows.shape[0]):
        row = rows[i]
        for pixel in range(number.size):
            distance = np.float64(row[pixel]) - about[pixel]
            survives = full or ((i >= below[pixel]) & (i < below[pixel] + number[pixel]))
            total[pixel] += distance * distance if survives else 0.0
    for pixel in range(number.size if full else 0):
        if number[pixel] != rows.shape[0]:
            total[pixel] = 0.0
            for i in range(below[pixel], below[pixel] + number[pixel]):
                distance = np.float64(rows[i, pixel]) - about[pixel]
                total[pixel] += distance * distance


@kernel
def nearest(rows, about, wanted, distance):
    """Find the distance within which ``wanted`` values lie about the average of each pixel.

    Those nearest to it are neighbours in the order of the values: of all runs of so many, that
    whose farther end is the nearest.
    """
    distance[: about.size] = np.inf
    for i in range(rows.shape[0] - wanted + 1):
        first = rows[i]
        last = rows[i + wanted - 1]
        for pixel in range(about.size):
            left = about[pixel] - np.float64(first[pixel])
            right = np.float64(last[pixel]) - about[pixel]
            farther = left if left > right else right
            distance[pixel] = farther if farther < distance[pixel] else distance[pixel]


@kernel
def first_scales(rows, full, measure, floor, block, spare):
    """Return the units of distances before any rejection; 0 where :func:`clip` has to look."""
    about, squared_deviations, number = block.about, block.squared_deviations, block.number
    scale, distance, other = spare[0, : about.size], spare[1], spare[2]
    for pixel in range(about.size):
        scale[pixel] = np.sqrt(squared_deviations[pixel] / number[pixel])
    if measure == MAD and full:
        frames = rows.shape[0]
        nearest(rows, about, frames // 2 + 1, distance)
        if frames % 2 == 0:
            nearest(rows, about, frames // 2, other)
            for pixel in range(about.size):
                distance[pixel] = 0.5 * (other[pixel] + distance[pixel])
        for pixel in range(about.size):
            mad = max(MAD_TO_SIGMA * distance[pixel], floor[pixel])
            scale[pixel] = scale[pixel] if mad == 0.0 else mad
    elif measure != RMS:
        scale[:] = 0.0
    return scale


@kernel
def average_sorted(rows, quantile, clipping, floor, block, spare):
    """Average each pixel of a block of sorted values, rejecting outliers.

    Parameters
    ----------
    rows : (frame, at least width) array
        Sorted along frames, what is left out after all others.
    quantile
        Which quantile the average is, or ``MEAN``.
    clipping
        A :class:`autowisp_xr.kernels.clip.Clipping`.
    floor : (width) float64
        As for :func:`autowisp_xr.kernels.clip.clip`.
    block
        Whose ``number`` counts what is not left out; all is written but ``above``.
    spare : (at least 3, at least width) float64
        Room to work in.
    """
    about, number, rejecting = block.about, block.number, block.rejecting
    incomplete = 0
    for pixel in range(number.size):
        incomplete += number[pixel] != rows.shape[0]
    full = rows.shape[0] > 0 and incomplete == 0
    mostly = rows.shape[0] > 0 and incomplete * _FEW < number.size
    origin = quantile if clipping.rounds == 0 else clipping.origin
    block.below[:] = 0
    rejecting[:] = False
    first_average(rows, number, mostly, origin, about)
    sum_squared_deviations(rows, mostly, block)
    for pixel in range(number.size):
        n = rows.shape[0] if full else number[pixel]
        block.smallest[pixel] = rows[0, pixel] if n else np.inf
        block.largest[pixel] = rows[n - 1, pixel] if n else -np.inf
    if clipping.rounds == 0:
        return
    scale = first_scales(rows, full, clipping.measure, floor, block, spare)
    # what only rounding takes beyond is left to the careful look
    for pixel in range(number.size):
        above = block.largest[pixel] - about[pixel] > clipping.upper * scale[pixel]
        beneath = block.smallest[pixel] - about[pixel] < clipping.lower * scale[pixel]
        rejecting[pixel] = above | beneath | (scale[pixel] == 0.0)
    for pixel in range(number.size):
        if not rejecting[pixel]:
            continue
        low, high, about[pixel], block.squared_deviations[pixel], rejecting[pixel] = clip(
            rows,
            pixel,
            number[pixel],
            about[pixel],
            block.squared_deviations[pixel],
            clipping,
            floor[pixel],
        )
        block.below[pixel] = low
        number[pixel] = high - low
        block.smallest[pixel] = rows[low, pixel] if high > low else np.inf
        block.largest[pixel] = rows[high - 1, pixel] if high > low else -np.inf
    if origin != quantile:
        for pixel in range(number.size):
            low = np.int64(block.below[pixel])
            high = low + number[pixel]
            about[pixel] = center(rows, pixel, low, high, quantile) if high > low else np.nan
        sum_squared_deviations(rows, False, block)
