"""Means of a block of pixels whose values stay where they are: an interval that shrinks.

What survives rejection about a mean lies between two values, so nothing needs to be sorted: a
pass over the block gives sums and extremes, one more the squares, and these end nearly all pixels.
Where many reject something, as at 2 sigma, the whole block goes through the same passes again;
the few that still do are left to rounds of their own, value by value.
"""

import numpy as np

from autowisp_xr.kernels.clip import farthest
from autowisp_xr.kernels.jit import kernel

_MANY = 0.3
"""Share of the pixels of a block from which on passes over all of it are faster."""


@kernel
def sum_block(rows, block):
    """Find the mean, the squared distances from it and the extremes of each pixel but for NaN."""
    about, squared_deviations = block.about, block.squared_deviations
    smallest, largest = block.smallest, block.largest
    about[:] = 0.0
    squared_deviations[:] = 0.0
    smallest[:] = np.inf
    largest[:] = -np.inf
    for frame in range(rows.shape[0]):
        row = rows[frame]
        for pixel in range(about.size):
            about[pixel] += np.float64(row[pixel]) if row[pixel] == row[pixel] else 0.0
        for pixel in range(about.size):
            value = np.float64(row[pixel])
            smallest[pixel] = value if value < smallest[pixel] else smallest[pixel]
        for pixel in range(about.size):
            value = np.float64(row[pixel])
            largest[pixel] = value if value > largest[pixel] else largest[pixel]
    for pixel in range(about.size):
        about[pixel] /= block.number[pixel]
    for frame in range(rows.shape[0]):
        row = rows[frame]
        for pixel in range(about.size):
            distance = np.float64(row[pixel]) - about[pixel]
            squared_deviations[pixel] += distance * distance if distance == distance else 0.0


@kernel
def find_outliers(clipping, block):
    """Mark pixels that may have values beyond the thresholds, and count them."""
    about, squared_deviations, number = block.about, block.squared_deviations, block.number
    for pixel in range(about.size):
        scale = np.sqrt(squared_deviations[pixel] / number[pixel])
        above = block.largest[pixel] - about[pixel] > clipping.upper * scale
        beneath = block.smallest[pixel] - about[pixel] < clipping.lower * scale
        block.rejecting[pixel] = above | beneath
    found = 0
    for pixel in range(about.size):
        found += block.rejecting[pixel]
    return found


@kernel
def drop_outliers(rows, clipping, block, limits):
    """Leave out, as NaN, what lies beyond the thresholds, and mark the pixels that have it."""
    about, number, below = block.about, block.number, block.below
    under, over = limits
    for pixel in range(about.size):
        scale = np.sqrt(block.squared_deviations[pixel] / number[pixel])
        size = max(-block.smallest[pixel], block.largest[pixel])
        under[pixel] = farthest(clipping.lower, scale, size, clipping.rounding)
        over[pixel] = farthest(clipping.upper, scale, size, clipping.rounding)
        above = block.largest[pixel] - about[pixel] > over[pixel]
        block.rejecting[pixel] = above | (block.smallest[pixel] - about[pixel] < under[pixel])
    number[:] = 0
    for frame in range(rows.shape[0]):
        row = rows[frame]
        for pixel in range(about.size):
            below[pixel] += np.int32(np.float64(row[pixel]) - about[pixel] < under[pixel])
        for pixel in range(about.size):
            distance = np.float64(row[pixel]) - about[pixel]
            keeps = (distance >= under[pixel]) & (distance <= over[pixel])
            row[pixel] = row[pixel] if keeps else np.nan
        for pixel in range(about.size):
            number[pixel] += np.int32(row[pixel] == row[pixel])


@kernel
def clip_pixel(rows, pixel, clipping, rounds, block):
    """Reject values of one pixel until none lies beyond the thresholds, after so many rounds.

    All of the block but ``above`` is written. What survives goes to the front of ``rows``.
    """
    about, smallest, largest = block.about[pixel], block.smallest[pixel], block.largest[pixel]
    squared_deviations, below = block.squared_deviations[pixel], block.below[pixel]
    number, places, rejecting = np.int64(block.number[pixel]), rows.shape[0], True
    while rounds != clipping.rounds:
        scale, size = np.sqrt(squared_deviations / number), max(-smallest, largest)
        over = farthest(clipping.upper, scale, size, clipping.rounding)
        under = farthest(clipping.lower, scale, size, clipping.rounding)
        rejecting = largest - about > over or smallest - about < under
        if not rejecting:
            break
        rounds += 1
        # without a branch: no processor can guess which values are outliers
        total, number = 0.0, 0
        for place in range(places):
            value = np.float64(rows[place, pixel])
            distance = value - about
            keeps = (distance >= under) & (distance <= over)
            total += value if keeps else 0.0
            below += distance < under
            rows[number, pixel] = value
            number += keeps
        places, about, squared_deviations = number, total / number, 0.0
        smallest, largest = np.inf, -np.inf
        for place in range(places):
            value = np.float64(rows[place, pixel])
            squared_deviations += (value - about) * (value - about)
            smallest = value if value < smallest else smallest
            largest = value if value > largest else largest
    block.about[pixel], block.squared_deviations[pixel] = about, squared_deviations
    block.smallest[pixel], block.largest[pixel] = smallest, largest
    block.number[pixel], block.below[pixel] = number, below
    block.rejecting[pixel] = rejecting


@kernel
def mean_unsorted(rows, clipping, block, limits):
    """Average each pixel of a block, rejecting what lies beyond thresholds in units of the rms.

    Parameters
    ----------
    rows : (frame, at least width) float array
        NaN for what is left out; rejected values may become it.
    clipping
        A :class:`autowisp_xr.kernels.clip.Clipping` in units of the rms.
    block
        Whose ``number`` counts what is not left out; all is written but ``above``.
    limits : (2, at least width) float64
        Room to work in.
    """
    block.below[:] = 0
    block.rejecting[:] = False
    sum_block(rows, block)
    rounds, width = 0, block.about.size
    if clipping.rounds == 0:
        return
    if find_outliers(clipping, block) > _MANY * width:
        drop_outliers(rows, clipping, block, limits)
        sum_block(rows, block)
        rounds = 1
        if rounds == clipping.rounds:
            return
        find_outliers(clipping, block)
    for pixel in range(width):
        if block.rejecting[pixel]:
            clip_pixel(rows, pixel, clipping, rounds, block)
