"""A block of neighbouring pixels of all frames, side by side where the processor can keep them.

Here and in the other kernels of a stack a loop over the pixels of a block writes one array: of more
the compiler cannot tell that they do not overlap, and would go pixel by pixel.
"""

from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.kernels.jit import kernel


class Block(NamedTuple):
    """What is known about some pixels: arrays (pixel)."""

    about: Any
    """Average of the survivors, float64; NaN without any."""
    squared_deviations: Any
    """Sum of their squared distances from it, float64."""
    smallest: Any
    """Of the survivors, float64; inf without any."""
    largest: Any
    """Of the survivors, float64; -inf without any."""
    number: Any
    """How many survive, int32."""
    below: Any
    """How many were rejected below, int32."""
    above: Any
    """How many were rejected above, int32."""
    rejecting: Any
    """Whether the last round still rejected, bool."""


def empty_block(pixels: int) -> Block:
    """Room for what is known about so many pixels."""
    floats, numbers = np.empty((4, pixels)), np.empty((3, pixels), np.int32)
    return Block._make([*floats, *numbers, np.empty(pixels, np.bool_)])


@kernel
def part_of(block, start, stop):
    """Some of the pixels of a block."""
    return Block(
        block.about[start:stop],
        block.squared_deviations[start:stop],
        block.smallest[start:stop],
        block.largest[start:stop],
        block.number[start:stop],
        block.below[start:stop],
        block.above[start:stop],
        block.rejecting[start:stop],
    )


@kernel
def gather(pixels, start, blank, bits, rows, number):
    """Copy a block of pixels of all frames into ``rows``; what is left out becomes ``blank``.

    Parameters
    ----------
    pixels
        A :class:`autowisp_xr.kernels.pixels.Pixels`.
    start
        First pixel of the block.
    bits : (2, at least width) uint8
        A row of 0, which stands for a mask that is not given, and room to work in.
    rows : (frame, at least width), written
    number : (width) int32, written
        How many values each pixel has left.
    """
    values, mask, exclude = pixels
    width = number.size
    number[:] = values.shape[0]
    flags, bad = bits[0], bits[1]
    for frame in range(values.shape[0]):
        source = values[frame, start : start + width]
        into = rows[frame]
        # most rows have nothing to leave out, and a quick look costs less than a careful one
        unfit = False
        for pixel in range(width):
            into[pixel] = source[pixel]
            unfit |= source[pixel] - source[pixel] != 0
        if mask.size:
            flags = mask[frame, start : start + width]
            union = np.uint8(0)
            for pixel in range(width):
                union |= flags[pixel]
            unfit |= (union & exclude) != 0
        if unfit:
            for pixel in range(width):
                bad[pixel] = flags[pixel] & exclude | (source[pixel] - source[pixel] != 0)
            for pixel in range(width):
                into[pixel] = blank if bad[pixel] else source[pixel]
            for pixel in range(width):
                number[pixel] -= np.int32(bad[pixel] != 0)
