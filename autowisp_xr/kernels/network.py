"""Sort many short columns at once with a sorting network.

A network is a fixed list of compare-exchange steps. Each step is a minimum and a maximum of two
contiguous rows, which the compiler turns into vector instructions, so that a block of pixels
is sorted along its frames without one branch.

References
----------
K. E. Batcher, "Sorting networks and their applications", AFIPS Spring Joint Computer
Conference 32 (1968) 307-314.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from autowisp_xr.kernels._jit import kernel

__all__ = ["odd_even_merge_network", "sort_rows"]


@cache
def odd_even_merge_network(number: int) -> npt.NDArray[np.int32]:
    """Steps of Batcher's odd-even merge sort of ``number`` rows, as pairs (step, 2).

    The network of the next power of two sorts fewer rows as well: the missing ones would hold
    the largest value and never move, so their steps are left out.
    """
    pairs: list[tuple[int, int]] = []
    width = 1
    while width < number:
        span = width
        while span >= 1:
            for first in range(span % width, number - span, 2 * span):
                pairs.extend(
                    (low, low + span)
                    for low in range(first, min(first + span, number - span))
                    if low // (2 * width) == (low + span) // (2 * width)
                )
            span //= 2
        width *= 2
    return np.array(pairs, dtype=np.int32).reshape(-1, 2)


@kernel
def sort_rows(rows: Any, network: Any) -> None:
    """Sort each column of ``rows`` (number, pixels) in place, smallest first."""
    for step in range(network.shape[0]):
        low = rows[network[step, 0]]
        high = rows[network[step, 1]]
        for pixel in range(low.size):
            a = low[pixel]
            b = high[pixel]
            low[pixel] = a if a < b else b
            high[pixel] = b if a < b else a
