"""Average each pixel through all frames, rejecting outliers at the ends, block by block of pixels.

Pixels go through in blocks of neighbours, so that one block of all frames stays in the fastest
caches and each loop over it becomes vector instructions. A median sorts its block and looks values
up; a mean leaves them where they are. Raw integers go in as they are; every sum runs in double
precision, for each pixel on its own, so that the result never depends on how an image is cut.
"""

from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.arrays import Floats
from autowisp_xr.kernels.block import Block, empty_block, gather, part_of
from autowisp_xr.kernels.clip import MAD, MEAN, PERCENTILE, RMS, Clipping
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.network import odd_even_merge_network, sort_rows
from autowisp_xr.kernels.pixels import Pixels
from autowisp_xr.kernels.ranked import average_ranked
from autowisp_xr.kernels.unranked import mean_unranked

__all__ = ["average_pixels"]

# the steps of a network grow faster than the number of frames: of so many, sorting each column on
# its own is as fast, of 8000 it takes two thirds of the time
_MOST_OF_A_NETWORK = 1024
# of a block; with more it would not stay in the cache, with fewer pixels its loops would be short
_BLOCK_BYTES = 2**16
_WIDTHS = (128, 256)
# a row stride of a power of two would put every frame of a pixel into one set of the cache
_PADDING = 16


class Room(NamedTuple):
    """Where a block is worked upon; ``most`` is its width, and rows are longer than that."""

    rows: Any
    """(frame, at least most), of the type of the values."""
    few_rows: Any
    """Likewise, of those that reject something; of no frames where the values are sorted."""
    few: Any
    """A block of ``most`` pixels for what is known of these; of none likewise."""
    spare: Any
    """(8, most) float64."""
    bits: Any
    """(2, most) uint8, of which the first row is 0."""


@kernel
def average_blocks(pixels, quantile, clipping, floor, network, blank, room, whole):
    """Average pixels block by block; see :func:`average_pixels`.

    Parameters
    ----------
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
        gather(pixels, start, blank, room.bits, rows, block.number)
        for pixel in range(block.number.size):
            block.above[pixel] = block.number[pixel]
        if network is None:
            mean_unranked(rows, clipping, block, room.few_rows, room.few, room.spare)
        else:
            sort_rows(rows, block.number.size, network)
            here = floor[start : start + block.number.size]
            average_ranked(rows, quantile, clipping, here, block, room.spare)
        for pixel in range(block.number.size):
            block.above[pixel] -= block.number[pixel] + block.below[pixel]


def average_pixels(
    pixels: Pixels, quantile: float, clipping: Clipping | None = None, floor: Floats | None = None
) -> Block:
    """Average of each pixel, and what survives.

    Parameters
    ----------
    pixels
        Their values, and which of them are left out.
    quantile
        0.5 for the median, or ``MEAN``.
    clipping
        How outliers are found; None for no rejection.
    floor : (pixel) float64, or None
        What the MAD of each pixel, brought to sigma, counts as at least.
    """
    frames, number = pixels.values.shape
    clipping = clipping or Clipping(RMS, 1.0, -1.0, 0, quantile, 0.0)
    ranked = clipping.origin != MEAN or clipping.measure in (MAD, PERCENTILE) or quantile != MEAN
    # in a block that is not sorted NaN stands for what is left out
    kind = pixels.values.dtype
    kind = kind if ranked else np.result_type(kind, np.float32)
    largest = np.inf if kind.kind == "f" else np.iinfo(kind).max
    blank = kind.type(largest if ranked else np.nan)
    few, many = _WIDTHS
    most = many if frames * many * kind.itemsize <= _BLOCK_BYTES else few
    room = Room(
        rows=np.empty((frames, most + _PADDING), kind),
        few_rows=np.empty((0 if ranked else frames, most + _PADDING), kind),
        few=empty_block(0 if ranked else most),
        spare=np.empty((8, most)),
        bits=np.zeros((2, most), np.uint8),
    )
    whole = empty_block(number)
    # of zeros no memory is touched unless they are looked at
    floor = np.zeros(number) if floor is None else floor
    if ranked and frames > _MOST_OF_A_NETWORK:
        _average_long_columns(pixels, quantile, clipping, floor, blank, room, whole)
        return whole
    network = odd_even_merge_network(frames) if ranked else None
    average_blocks(pixels, quantile, clipping, floor, network, blank, room, whole)
    return whole


def _average_long_columns(
    pixels: Pixels,
    quantile: float,
    clipping: Clipping,
    floor: Floats,
    blank: Any,
    room: Room,
    whole: Block,
) -> None:
    """What :func:`average_blocks` does, each column of a block sorted on its own."""
    rows, most = room.rows, room.bits.shape[1]
    for start in range(0, floor.size, most):
        block = Block(*(part[start : start + most] for part in whole))
        width = block.number.size
        gather(pixels, start, blank, room.bits, rows, block.number)
        block.above[:] = block.number
        rows[:, :width] = np.sort(rows[:, :width], axis=0)
        average_ranked(rows, quantile, clipping, floor[start : start + most], block, room.spare)
        block.above[:] -= block.number + block.below
