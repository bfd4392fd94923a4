"""Means of a block of pixels whose values stay where they are: an interval that shrinks.

What survives rejection about a mean lies between two values, so nothing needs to be sorted: a
pass over the block gives sums and extremes, one more the squares, and these end nearly all pixels.
The few that reject something go through the same passes round by round, each on its own.
"""

import numpy as np

from autowisp_xr.kernels.clip import farthest
from autowisp_xr.kernels.jit import kernel


@kernel
def first_sums(rows, total, smallest, largest):
    """Sum, smallest and largest value of each pixel, NaN left out."""
    total[:] = 0.0
    smallest[:] = np.inf
    largest[:] = -np.inf
    for frame in range(rows.shape[0]):
        row = rows[frame]
        for pixel in range(total.size):
            total[pixel] += np.float64(row[pixel]) if row[pixel] == row[pixel] else 0.0
        for pixel in range(total.size):
            value = np.float64(row[pixel])
            smallest[pixel] = value if value < smallest[pixel] else smallest[pixel]
        for pixel in range(total.size):
            value = np.float64(row[pixel])
            largest[pixel] = value if value > largest[pixel] else largest[pixel]


@kernel
def square_sums(rows, block):
    """Sum of the squared distances from the average of what lies between the ends."""
    about, squared_deviations, smallest, largest = (
        block.about,
        block.squared_deviations,
        block.smallest,
        block.largest,
    )
    squared_deviations[:] = 0.0
    for frame in range(rows.shape[0]):
        row = rows[frame]
        for pixel in range(about.size):
            value = np.float64(row[pixel])
            distance = value - about[pixel]
            keeps = (value >= smallest[pixel]) & (value <= largest[pixel])
            squared_deviations[pixel] += distance * distance if keeps else 0.0


@kernel
def clip_unranked(rows, pixel, clipping, block, column):
    """Shrink the interval of what survives of one pixel until no rejection is due.

    Whether the last round still rejected is written, too, as is all of the block but ``above``.
    ``column`` is room for what survives, a value a frame.
    """
    about, squared_deviations, number = (
        block.about[pixel],
        block.squared_deviations[pixel],
        block.number[pixel],
    )
    smallest, largest = block.smallest[pixel], block.largest[pixel]
    rejecting, rounds = False, 0
    left, below = 0, 0
    for frame in range(rows.shape[0]):
        column[left] = rows[frame, pixel]
        left += (column[left] >= smallest) & (column[left] <= largest)
    while rounds != clipping.rounds:
        scale, size = np.sqrt(squared_deviations / number), max(-smallest, largest)
        over = farthest(clipping.upper, scale, size, clipping.rounding)
        under = farthest(clipping.lower, scale, size, clipping.rounding)
        rejecting = largest - about > over or smallest - about < under
        if not rejecting:
            break
        rounds += 1
        total, number = 0.0, 0
        smallest, largest = np.inf, -np.inf
        for place in range(left):
            value = column[place]
            if under <= value - about <= over:
                total += value
                column[number] = value
                number += 1
                smallest, largest = min(smallest, value), max(largest, value)
            elif value < about:
                below += 1
        left = number
        about, squared_deviations = total / number, 0.0
        for place in range(left):
            squared_deviations += (column[place] - about) * (column[place] - about)
    block.about[pixel], block.squared_deviations[pixel], block.number[pixel] = (
        about,
        squared_deviations,
        number,
    )
    block.smallest[pixel], block.largest[pixel] = smallest, largest
    block.rejecting[pixel], block.below[pixel] = rejecting, below


@kernel
def mean_unranked(rows, clipping, block):
    """Mean of each pixel of a block, rejecting what lies beyond thresholds in units of the rms.

    Parameters
    ----------
    rows : (frame, at least width) float array
        NaN for what is left out.
    clipping
        A :class:`autowisp_xr.kernels.clip.Clipping` in units of the rms.
    block
        Whose ``number`` counts what is not left out; all is written but ``above``.
    """
    about, squared_deviations, number = block.about, block.squared_deviations, block.number
    column = np.empty(rows.shape[0])
    first_sums(rows, about, block.smallest, block.largest)
    for pixel in range(about.size):
        about[pixel] /= number[pixel]
    square_sums(rows, block)
    block.below[:] = 0
    block.rejecting[:] = False
    if clipping.rounds == 0:
        return
    # what only rounding takes beyond is left to the careful look
    for pixel in range(about.size):
        scale = np.sqrt(squared_deviations[pixel] / number[pixel])
        above = block.largest[pixel] - about[pixel] > clipping.upper * scale
        beneath = block.smallest[pixel] - about[pixel] < clipping.lower * scale
        block.rejecting[pixel] = above | beneath
    for pixel in range(about.size):
        if block.rejecting[pixel]:
            clip_unranked(rows, pixel, clipping, block, column)
