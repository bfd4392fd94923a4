"""Columns of pixels in order, and the values at their ends that are left out."""

from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.network import sort_rows
from autowisp_xr.kernels.pixels import Pixels, gather


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
