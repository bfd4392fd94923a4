"""Rejection that looks at each value on its own: the extremes of a pixel, or the noise of a frame.

What survives is no range of the values (of equal ones, some go), so each value is marked: 1 in
``dropped`` (frame, pixel) uint8, which from then on is the mask of the stack.
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels.clip import farthest
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.survivors import own_variance

__all__ = ["drop_extremes", "drop_noisy", "drop_unfit"]

_WIDTH = 1024


@kernel
def drop_unfit(values: Any, mask: Any, exclude: Any, dropped: Any) -> None:
    """Mark what is not finite or bears an excluded flag, and nothing else."""
    for frame in range(values.shape[0]):
        source, marks = values[frame], dropped[frame]
        for pixel in range(marks.size):
            marks[pixel] = np.uint8(source[pixel] - source[pixel] != 0)
        if mask.size:
            flags = mask[frame]
            for pixel in range(marks.size):
                marks[pixel] |= np.uint8(flags[pixel] & exclude != 0)


@kernel
def drop_extremes(
    values: Any, smallest: int, largest: int, dropped: Any, below: Any, above: Any
) -> None:
    """Mark the smallest and the largest values of each pixel, the first of equal ones.

    Parameters
    ----------
    values : (frame, pixel) array
    smallest, largest
        How many; a pixel that has no more loses all.
    dropped : (frame, pixel) uint8, changed
        What is marked already does not count.
    below, above : (pixel) int32, changed
        Raised by how many are marked on either side.
    """
    extreme, place = np.empty(_WIDTH), np.empty(_WIDTH, np.int32)
    for start in range(0, values.shape[1], _WIDTH):
        stop = min(values.shape[1], start + _WIDTH)
        for turn in range(smallest + largest):
            sign = 1.0 if turn < smallest else -1.0
            extreme[:] = np.inf
            place[:] = -1
            for frame in range(values.shape[0]):
                source, marks = values[frame, start:stop], dropped[frame, start:stop]
                for pixel in range(source.size):
                    value = sign * np.float64(source[pixel])
                    less = (value < extreme[pixel]) & (marks[pixel] == 0)
                    place[pixel] = np.int32(frame) if less else place[pixel]
                for pixel in range(source.size):
                    value = sign * np.float64(source[pixel])
                    less = (value < extreme[pixel]) & (marks[pixel] == 0)
                    extreme[pixel] = value if less else extreme[pixel]
            for pixel in range(stop - start):
                if place[pixel] >= 0:
                    dropped[place[pixel], start + pixel] = 1
                    below[start + pixel] += turn < smallest
                    above[start + pixel] += turn >= smallest


@kernel
def drop_noisy(
    values: Any, variance: Any, shared: Any, relative: Any, light: Any, about: Any, upper: float,
    lower: float, least: float, rounding: float, dropped: Any, below: Any, above: Any,
) -> bool:  # fmt: skip
    """Mark values farther from the average than thresholds times their own noise; whether any is.

    Parameters
    ----------
    values, variance, shared, relative, light
        As for :func:`autowisp_xr.kernels.survivors.own_variance`.
    about : (pixel) float64
        Average of each pixel, whose photons count where ``light`` tells those of the values.
    upper, lower
        Thresholds above and below 0.
    least
        No value is farther off than allowed that is not farther than this.
    rounding
        Relative error of values and noise, see :func:`autowisp_xr.kernels.clip.rounding_of`.
    dropped, below, above
        As for :func:`drop_extremes`.
    """
    found = False
    side, own = np.empty(_WIDTH, np.int32), np.empty(_WIDTH)
    for start in range(0, values.shape[1], _WIDTH):
        stop = min(values.shape[1], start + _WIDTH)
        centre = about[start:stop]
        for frame in range(values.shape[0]):
            source, marks = values[frame, start:stop], dropped[frame, start:stop]
            mine = own[: source.size]
            own_variance(values, variance, shared, relative, light, about, frame, start, mine)
            for pixel in range(source.size):
                sigma = np.sqrt(own[pixel])
                distance = np.float64(source[pixel]) - centre[pixel]
                size = abs(np.float64(source[pixel]))
                over = distance > max(farthest(upper, sigma, size, rounding), least)
                under = distance < min(farthest(lower, sigma, size, rounding), -least)
                far = np.int32(over) - np.int32(under)
                # by a noise that is not known nothing can be judged
                known = own[pixel] > 0.0
                side[pixel] = far if known & (marks[pixel] == 0) else np.int32(0)
            for pixel in range(source.size):
                above[start + pixel] += np.int32(side[pixel] > 0)
            for pixel in range(source.size):
                below[start + pixel] += np.int32(side[pixel] < 0)
            for pixel in range(source.size):
                marks[pixel] |= np.uint8(side[pixel] != 0)
                found |= side[pixel] != 0
    return found
