"""Mean and scatter of each pixel through frames, apart from its two largest values.

A cosmic ray makes a value large, and so does a pixel that jumps. Which it was shows in the
neighbours of the pixel, which a block of rows may not have; so the two largest values are handed
out, to be taken in again once that is known.
"""

from typing import Any

import numpy as np

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.kernels.jit import kernel

APART = 2
"""Values that are kept apart."""

Moments = tuple[Integers, Floats, Floats, Floats, Integers]


@kernel
def pixel_moments(image: Any, mask: Any, excluded: int, level: Any, scale: Any) -> Moments:
    """Return the moments of pixels through frames.

    Parameters
    ----------
    image, mask
        (frame, channel, y, x); a pixel takes part that is finite and has no flag of ``excluded``.
    level, scale
        (frame, channel): what is subtracted from a frame, and what it is divided by then.

    Returns
    -------
    number, mean, squares
        (channel, y, x): values that took part without those apart, their mean, and the sum of
        their squared deviations from it.
    apart, frame
        (2, channel, y, x): the largest values, the largest first, and the frames that they are
        from. NaN where there are too few: one value always is among the others.
    """
    frames, channels, height, width = image.shape
    number = np.zeros((channels, height, width), np.uint16)
    mean = np.full((channels, height, width), np.nan)
    squares = np.full((channels, height, width), np.nan)
    apart = np.full((APART, channels, height, width), np.nan)
    origin = np.zeros((APART, channels, height, width), np.uint16)
    values = np.empty(frames)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                first, second, known = -1, -1, 0
                for f in range(frames):
                    values[f] = np.nan
                    if mask[f, c, y, x] & excluded:
                        continue
                    value = (float(image[f, c, y, x]) - level[f, c]) / scale[f, c]
                    if not np.isfinite(value):
                        continue
                    values[f] = value
                    known += 1
                    if first < 0 or value > values[first]:
                        first, second = f, first
                    elif second < 0 or value > values[second]:
                        second = f
                if known < 3:
                    second = -1
                if known < 2:
                    first = -1
                total, left = 0.0, 0
                for f in range(frames):
                    if f != first and f != second and not np.isnan(values[f]):
                        total += values[f]
                        left += 1
                if left:
                    middle = total / left
                    deviations = 0.0
                    for f in range(frames):
                        if f != first and f != second and not np.isnan(values[f]):
                            deviations += (values[f] - middle) ** 2
                    mean[c, y, x], squares[c, y, x] = middle, deviations
                number[c, y, x] = left
                if first >= 0:
                    apart[0, c, y, x], origin[0, c, y, x] = values[first], first
                if second >= 0:
                    apart[1, c, y, x], origin[1, c, y, x] = values[second], second
    return number, mean, squares, apart, origin
