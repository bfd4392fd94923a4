"""Sort many short columns at once with a sorting network.

A network is a fixed list of compare-exchange steps. Each step is a minimum and a maximum of two
contiguous rows, which the compiler turns into vector instructions, so that a block of pixels
is sorted along its frames without one branch. What bounds it is reading and writing the rows, so
three steps that meet in the same four rows are done in one go where they follow each other.

References
----------
K. E. Batcher, "Sorting networks and their applications", AFIPS Spring Joint Computer
Conference 32 (1968) 307-314.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from autowisp_xr.kernels.jit import kernel

_NONE = -1


@cache
def odd_even_merge_network(number: int) -> npt.NDArray[np.int32]:
    """Batcher's odd-even merge sort of ``number`` rows.

    The network of the next power of two sorts fewer rows as well: the missing ones would hold
    the largest value and never move, so their steps are left out.

    Returns
    -------
    (step, 4): rows a, b, c, d, to put (a, c), (b, d) and then (b, c) in order; or a, b, -1, -1.
    """
    steps: list[tuple[int, int, int, int]] = []
    width = 1
    while width < number:
        span = width
        while span >= 1:
            half = span // 2
            wide, narrow = _layer(number, width, span), _layer(number, width, half)
            for low in sorted(wide):
                fours = (low, low + half, low + span, low + span + half)
                if half and low in wide and low + half in wide and low + half in narrow:
                    steps.append(fours)
                    wide -= {low, low + half}
                    narrow -= {low + half}
                elif low in wide:
                    steps.append((low, low + span, _NONE, _NONE))
            steps.extend((low, low + half, _NONE, _NONE) for low in sorted(narrow))
            span //= 4
        width *= 2
    return np.array(steps, dtype=np.int32).reshape(-1, 4)


def _layer(number: int, width: int, span: int) -> set[int]:
    """The lower rows of the steps, all of one span, that merge runs of ``width`` rows."""
    if not span:
        return set()
    return {
        low
        for first in range(span % width, number - span, 2 * span)
        for low in range(first, min(first + span, number - span))
        if low // (2 * width) == (low + span) // (2 * width)
    }


@kernel
def sort_rows(rows, width, network):
    """Sort each of the first ``width`` columns of ``rows`` (number, pixels), smallest first."""
    for step in range(network.shape[0]):
        first = rows[network[step, 0]]
        second = rows[network[step, 1]]
        if network[step, 2] < 0:
            for pixel in range(width):
                a = first[pixel]
                b = second[pixel]
                first[pixel] = a if a < b else b
                second[pixel] = b if a < b else a
        else:
            third = rows[network[step, 2]]
            fourth = rows[network[step, 3]]
            for pixel in range(width):
                a = first[pixel]
                b = second[pixel]
                c = third[pixel]
                d = fourth[pixel]
                middle = d if d < b else b
                other = a if c < a else c
                first[pixel] = c if c < a else a
                fourth[pixel] = b if d < b else d
                second[pixel] = middle if middle < other else other
                third[pixel] = other if middle < other else middle
