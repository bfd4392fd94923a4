"""Average each pixel through all frames, rejecting outliers at the ends, block by block of pixels.

Pixels go through in blocks of neighbours, so that one block of all frames stays in the fastest
caches and each loop over it becomes vector instructions. A median sorts its block and looks values
up; a mean leaves them where they are. Raw integers go in as they are; every sum runs in double
precision, for each pixel on its own, so that the result never depends on how an image is cut.
"""

from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.arrays import Floats
from autowisp_xr.kernels.clip import MAD, MEAN, PERCENTILE, RMS, Clipping
from autowisp_xr.kernels.clip_sorted import average_sorted
from autowisp_xr.kernels.clip_unsorted import mean_unsorted
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.network import odd_even_merge_network, sort_rows
from autowisp_xr.kernels.pixels import (
    Block,
    Pixels,
    empty_block,
    gather,
    in_a_row,
    largest_of,
    part_of,
)

# of a block that is sorted; with more it would not stay in the cache, with fewer pixels its loops
# would be short. A mean goes through its block twice, and is faster by long loops whatever it takes
_BLOCK_BYTES = 2**16
_WIDTHS = (128, 256)
# a row stride of a power of two would put every frame of a pixel into one set of the cache
_PADDING = 16


class Room(NamedTuple):
    """Room to work on a block; ``most`` is its width, and rows are longer than that."""

    rows: Any
    """(frame, at least most), of the type of the values."""
    spare: Any
    """(3, most) float64."""
    bits: Any
    """(2, most) uint8, of which the first row is 0."""


@kernel
def average_blocks(pixels, apart, quantile, clipping, floor, network, blank, room, whole):
    """Average pixels block by block; see :func:`average_pixels`.

    Parameters
    ----------
    pixels, apart
        As :func:`autowisp_xr.kernels.pixels.in_a_row` returns them.
    network
        Steps that sort as many rows as there are frames; None for a mean that needs no order.
    blank
        What stands in a block for a value left out: the largest where it is sorted, else NaN.
    room
        A :class:`Room`.
    whole : Block
        Of all pixels; written.
    """
    rows, most = room.rows, room.bits.shape[1]
    for start in range(0, floor.size, most):
        block = part_of(whole, start, min(floor.size, start + most))
        gather(pixels, apart, start, blank, room.bits, rows, block.number)
        for pixel in range(block.number.size):
            block.above[pixel] = block.number[pixel]
        if network is None:
            mean_unsorted(rows, clipping, block, room.spare[:2])
        else:
            sort_rows(rows, block.number.size, network)
            here = floor[start : start + block.number.size]
            average_sorted(rows, quantile, clipping, here, block, room.spare)
        for pixel in range(block.number.size):
            block.above[pixel] -= block.number[pixel] + block.below[pixel]


def average_pixels(
    pixels: Pixels, quantile: float, clipping: Clipping | None = None, floor: Floats | None = None
) -> Block:
    """Average each pixel, and find what survives.

    Parameters
    ----------
    pixels
        Their values, each frame of which may be a part of a larger one, and which are left out.
    quantile
        0.5 for the median, or ``MEAN``.
    clipping
        How outliers are found; None for no rejection.
    floor : (pixel) float64, or None
        What the MAD of each pixel, brought to sigma, counts as at least.
    """
    frames, number = pixels.values.shape
    clipping = clipping or Clipping(RMS, 1.0, -1.0, 0, quantile, 0.0)
    in_order = clipping.origin != MEAN or clipping.measure in (MAD, PERCENTILE) or quantile != MEAN
    # in a block that is not sorted NaN stands for what is left out
    kind = pixels.values.dtype
    kind = kind if in_order else np.result_type(kind, np.float32)
    blank = largest_of(kind) if in_order else kind.type(np.nan)
    few, many = _WIDTHS
    fits = frames * many * kind.itemsize <= _BLOCK_BYTES
    most = few if in_order and not fits else many
    room = Room(
        rows=np.empty((frames, most + _PADDING), kind),
        spare=np.empty((3, most)),
        bits=np.zeros((2, most), np.uint8),
    )
    whole = empty_block(number)
    # of zeros no memory is touched unless they are looked at
    floor = np.zeros(number) if floor is None else floor
    network = odd_even_merge_network(frames) if in_order else None
    row, apart = in_a_row(pixels)
    average_blocks(row, apart, quantile, clipping, floor, network, blank, room, whole)
    return whole
