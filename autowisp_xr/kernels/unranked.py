"""Means of a block of pixels whose values stay where they are: an interval that shrinks.

What survives rejection about a mean lies between two values, so nothing needs to be sorted: a
pass over the block gives sums and extremes, one more the squares, and these end nearly all pixels.
The few that reject something are put side by side, and go through the same passes round by round.
"""

import numpy as np

from autowisp_xr.kernels.block import part_of
from autowisp_xr.kernels.clip import farthest
from autowisp_xr.kernels.jit import kernel

__all__ = ["mean_unranked"]


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
    about, squares, smallest, largest = block.about, block.squares, block.smallest, block.largest
    squares[:] = 0.0
    for frame in range(rows.shape[0]):
        row = rows[frame]
        for pixel in range(about.size):
            value = np.float64(row[pixel])
            distance = value - about[pixel]
            keeps = (value >= smallest[pixel]) & (value <= largest[pixel])
            squares[pixel] += distance * distance if keeps else 0.0


@kernel
def outliers(block, clipping, limits):
    """Find how far from the average values may be; how many pixels have farther ones, each marked.

    ``limits`` (2, at least width) are written: what is allowed below and above.
    """
    under, over = limits[0], limits[1]
    about, squares, number, rejecting = block.about, block.squares, block.number, block.rejecting
    smallest, largest, rounding = block.smallest, block.largest, clipping.rounding
    for pixel in range(about.size):
        scale, size = np.sqrt(squares[pixel] / number[pixel]), max(-smallest[pixel], largest[pixel])
        under[pixel] = farthest(clipping.lower, scale, size, rounding)
    for pixel in range(about.size):
        scale, size = np.sqrt(squares[pixel] / number[pixel]), max(-smallest[pixel], largest[pixel])
        over[pixel] = farthest(clipping.upper, scale, size, rounding)
    found = 0
    for pixel in range(about.size):
        above = largest[pixel] - about[pixel] > over[pixel]
        rejecting[pixel] = above | (smallest[pixel] - about[pixel] < under[pixel])
        found += rejecting[pixel]
    return found


@kernel
def shrink(rows, block, limits, spare):
    """Keep what lies between the ends and no farther from the average than the limits allow.

    ``spare`` (6, at least width) is room to work in; its first row becomes the sum of what is kept.
    """
    width = block.about.size
    about, number, below = block.about, block.number, block.below
    under, over = limits[0], limits[1]
    total, side, kept, low = spare[0], spare[1], spare[2], spare[3]
    smallest, largest = spare[4, :width], spare[5, :width]
    total[:] = 0.0
    kept[:] = 0.0
    low[:] = 0.0
    smallest[:] = np.inf
    largest[:] = -np.inf
    for frame in range(rows.shape[0]):
        row = rows[frame]
        # 1 of a value that is kept, -1 of one that is too low, else 0
        for pixel in range(width):
            value = np.float64(row[pixel])
            distance = value - about[pixel]
            was = (value >= block.smallest[pixel]) & (value <= block.largest[pixel])
            keeps = (distance >= under[pixel]) & (distance <= over[pixel])
            too_low = -1.0 if distance < under[pixel] else 0.0
            side[pixel] = (1.0 if keeps else too_low) if was else 0.0
        for pixel in range(width):
            total[pixel] += np.float64(row[pixel]) if side[pixel] > 0.0 else 0.0
        for pixel in range(width):
            kept[pixel] += 1.0 if side[pixel] > 0.0 else 0.0
        for pixel in range(width):
            low[pixel] += 1.0 if side[pixel] < 0.0 else 0.0
        for pixel in range(width):
            value = np.float64(row[pixel])
            less = (side[pixel] > 0.0) & (value < smallest[pixel])
            smallest[pixel] = value if less else smallest[pixel]
        for pixel in range(width):
            value = np.float64(row[pixel])
            more = (side[pixel] > 0.0) & (value > largest[pixel])
            largest[pixel] = value if more else largest[pixel]
    block.smallest[:] = smallest
    block.largest[:] = largest
    for pixel in range(width):
        number[pixel] = np.int32(kept[pixel])
        below[pixel] += np.int32(low[pixel])


@kernel
def copy(source, pixel, target, place):
    """Take one pixel of a block over into another block."""
    target.about[place] = source.about[pixel]
    target.squares[place] = source.squares[pixel]
    target.smallest[place] = source.smallest[pixel]
    target.largest[place] = source.largest[pixel]
    target.number[place] = source.number[pixel]
    target.below[place] = source.below[pixel]
    target.rejecting[place] = source.rejecting[pixel]


@kernel
def mean_unranked(rows, clipping, block, few_rows, few, spare):
    """Mean of each pixel of a block, rejecting what lies beyond thresholds in units of the rms.

    Parameters
    ----------
    rows : (frame, at least width) float array
        NaN for what is left out.
    clipping
        A :class:`autowisp_xr.kernels.clip.Clipping` in units of the rms.
    block
        Whose ``number`` counts what is not left out; all is written but ``above``.
    few_rows, few
        Room for as many pixels again.
    spare : (at least 8, at least width) float64
        Room to work in.
    """
    limits = spare[6:8]
    first_sums(rows, spare[0, : block.about.size], block.smallest, block.largest)
    for pixel in range(block.about.size):
        block.about[pixel] = spare[0, pixel] / block.number[pixel]
    square_sums(rows, block)
    for pixel in range(block.about.size):
        block.below[pixel] = 0
        block.rejecting[pixel] = False
    if clipping.rounds == 0 or not outliers(block, clipping, limits):
        return
    found = 0
    for pixel in range(block.about.size):
        if block.rejecting[pixel]:
            for frame in range(rows.shape[0]):
                few_rows[frame, found] = rows[frame, pixel]
            copy(block, pixel, few, found)
            limits[0, found], limits[1, found] = limits[0, pixel], limits[1, pixel]
            found += 1
    these = part_of(few, 0, found)
    rounds = 0
    while True:
        shrink(few_rows, these, limits, spare)
        for pixel in range(found):
            these.about[pixel] = spare[0, pixel] / these.number[pixel]
        square_sums(few_rows, these)
        rounds += 1
        if rounds == clipping.rounds or not outliers(these, clipping, limits):
            break
    found = 0
    for pixel in range(block.about.size):
        if block.rejecting[pixel]:
            copy(these, found, block, pixel)
            found += 1
