"""Average each pixel through all frames, rejecting outliers at the ends, block by block of pixels.

Pixels go through in blocks of neighbours, so that one block of all frames stays in the fastest
caches and each loop over it becomes vector instructions. A median sorts its block and looks values
up; a mean leaves them where they are. Raw integers go in as they are; every sum runs in double
precision, for each pixel on its own, so that the result never depends on how an image is cut.
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels.block import Block, empty_block, gather, part_of
from autowisp_xr.kernels.clip import MAD, MEAN, PERCENTILE, Clipping
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.network import odd_even_merge_network, sort_rows
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


@kernel
def average_blocks(
    values: Any, mask: Any, exclude: Any, quantile: float, clipping: Any, floor: Any, network: Any,
    blank: Any, most: int, room: Any, whole: Any,
) -> None:  # fmt: skip
    """Average pixels block by block; see :func:`average_pixels`.

    Parameters
    ----------
    network
        Steps that sort as many rows as there are frames; None for a mean that needs no order.
    blank
        What stands in a block for a value left out: the largest where it is sorted, else NaN.
    most
        Width of a block.
    room : (frame, more than most) arrays, float64 and uint8 ones, and a block of ``most`` pixels
        Where a block is worked upon.
    whole : Block
        Of all pixels; written.
    """
    rows, few_rows, spare, bits, few = room
    for start in range(0, values.shape[1], most):
        block = part_of(whole, start, min(values.shape[1], start + most))
        gather(values, mask, exclude, start, blank, bits, rows, block.number)
        for pixel in range(block.number.size):
            block.above[pixel] = block.number[pixel]
        if network is None:
            mean_unranked(rows, clipping, block, few_rows, few, spare)
        else:
            sort_rows(rows, block.number.size, network)
            here = floor[start : start + block.number.size]
            average_ranked(rows, quantile, clipping, here, block, spare)
        for pixel in range(block.number.size):
            block.above[pixel] -= block.number[pixel] + block.below[pixel]


def average_pixels(
    values: Any,
    mask: Any,
    exclude: Any,
    quantile: float,
    clipping: Clipping,
    floor: Any = None,
) -> Block:
    """Average of each pixel, and what survives.

    Parameters
    ----------
    values : (frame, pixel) array of integers or floats
    mask : (frame, pixel) uint8, or of size 0
    exclude : uint8
        Values with any of these bits in the mask are left out, as are those not finite.
    quantile
        0.5 for the median, or ``MEAN``.
    clipping
        How outliers are found.
    floor : (pixel) float64, or None
        What the MAD of each pixel, brought to sigma, counts as at least.
    """
    frames, pixels = values.shape
    ranked = clipping.origin != MEAN or clipping.measure in (MAD, PERCENTILE) or quantile != MEAN
    # in a block that is not sorted NaN stands for what is left out
    kind = values.dtype if ranked else np.result_type(values.dtype, np.float32)
    blank = np.nan
    if ranked:
        blank = np.inf if kind.kind == "f" else np.iinfo(kind).max
    few, many = _WIDTHS
    most = many if frames * many * kind.itemsize <= _BLOCK_BYTES else few
    room = (
        np.empty((frames, most + _PADDING), kind),
        np.empty((0 if ranked else frames, most + _PADDING), kind),
        np.empty((8, most)),
        np.zeros((2, most), np.uint8),
        empty_block(0 if ranked else most),
    )
    whole = empty_block(pixels)
    floor = np.zeros(pixels) if floor is None else floor
    given = (values, mask, exclude, quantile, clipping, floor)
    if ranked and frames > _MOST_OF_A_NETWORK:
        _average_long_columns(*given, kind.type(blank), most, room, whole)
        return whole
    network = odd_even_merge_network(frames) if ranked else None
    average_blocks(*given, network, kind.type(blank), most, room, whole)
    return whole


def _average_long_columns(
    values: Any,
    mask: Any,
    exclude: Any,
    quantile: float,
    clipping: Clipping,
    floor: Any,
    blank: Any,
    most: int,
    room: Any,
    whole: Block,
) -> None:
    """What :func:`average_blocks` does, each column of a block sorted on its own."""
    rows, _, spare, bits, _ = room
    for start in range(0, values.shape[1], most):
        block = Block(*(part[start : start + most] for part in whole))
        gather(values, mask, exclude, start, blank, bits, rows, block.number)
        block.above[:] = block.number
        columns = np.ascontiguousarray(rows[:, : block.number.size].T)
        columns.sort(axis=1)
        rows[:, : block.number.size] = columns.T
        average_ranked(rows, quantile, clipping, floor[start : start + most], block, spare)
        block.above[:] -= block.number + block.below
