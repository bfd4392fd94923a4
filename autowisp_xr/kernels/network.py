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
from autowisp_xr.kernels.pixels import Pixels, gather

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


@kernel
def sort_columns(pixels, start, blank, network, bits, ordered, number):
    """Copy some pixels of all frames, the values of each in order.

    Parameters
    ----------
    pixels
        A :class:`autowisp_xr.kernels.pixels.Pixels`.
    start
        The first of them.
    blank
        The largest value of their type.
    network
        Of as many rows as there are frames.
    bits : (2, at least pixel) uint8
        As for :func:`autowisp_xr.kernels.pixels.gather`.
    ordered : (frame, at least pixel), written
        Smallest first; behind them ``blank`` for each value that is left out.
    number : (pixel) int32, written
        How many values each pixel has.
    """
    apart, row = pixels.values.shape[1], pixels.values.reshape(pixels.values.size)
    gather(Pixels(row, pixels.mask, pixels.exclude), apart, start, blank, bits, ordered, number)
    sort_rows(ordered, number.size, network)


@kernel
def drop_ends(values, start, ordered, number, ends, marks):
    """Mark values at the ends of some pixels, of equal ones those of the first frames.

    Parameters
    ----------
    values : (frame, pixel)
        Of all pixels.
    start, ordered, number
        As for :func:`sort_columns`.
    ends : (pixel, 2) int32
        How many of the smallest go, and of the largest.
    marks
        A :class:`autowisp_xr.kernels.pixels.Marks`, changed.
    """
    dropped, below, above = marks
    for pixel in range(number.size):
        low, high, n = ends[pixel, 0], ends[pixel, 1], number[pixel]
        if low + high == 0:
            continue
        here = start + pixel
        below[here] += low
        above[here] += high
        smallest = ordered[max(low, 1) - 1, pixel]
        largest = ordered[min(n - high, n - 1), pixel]
        # those equal to the last that goes may be more than go
        equal_low, equal_high = 0, 0
        for i in range(low):
            equal_low += ordered[i, pixel] == smallest
        for i in range(n - high, n):
            equal_high += ordered[i, pixel] == largest
        for frame in range(values.shape[0]):
            value = values[frame, here]
            if dropped[frame, here]:
                continue
            if low and value <= smallest and (value < smallest or equal_low > 0):
                equal_low -= value == smallest
                dropped[frame, here] = 1
            elif high and value >= largest and (value > largest or equal_high > 0):
                equal_high -= value == largest
                dropped[frame, here] = 1
