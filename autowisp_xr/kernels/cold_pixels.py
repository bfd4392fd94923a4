"""Pixels that are far below all that is around them."""

from typing import Any

import numpy as np

from autowisp_xr.arrays import Bools
from autowisp_xr.kernels.jit import kernel

REACH = 2
"""Pixels to each side of a pixel that are its surroundings."""

_LEAST = 8
"""Usable pixels of the surroundings, without which nobody knows."""

_NEXT = 0.5
"""Of the threshold: what the pixels next to a cold one are above it, all of the eight but one."""


@kernel
def _is_far_below(image: Any, mask: Any, excluded: int, y: int, x: int, threshold: float) -> bool:
    """Return whether a pixel is below its surroundings by more than these are by themselves.

    The lowest pixel between some stars is below all others, too; but so are those next to it below
    what is around them.
    """
    height, width = image.shape
    around, beside = np.empty((2 * REACH + 1) ** 2), np.empty(8)
    usable = near = 0
    for row in range(max(y - REACH, 0), min(y + REACH + 1, height)):
        for column in range(max(x - REACH, 0), min(x + REACH + 1, width)):
            other = float(image[row, column])
            if mask[row, column] & excluded or not np.isfinite(other):
                continue
            if row == y and column == x:
                continue
            around[usable] = other
            usable += 1
            if abs(row - y) < 2 and abs(column - x) < 2:
                beside[near] = other
                near += 1
    if usable < _LEAST or near == 0:
        return False
    middle = np.median(around[:usable])
    lowest = np.sort(beside[:near])[min(near // 8, near - 1)]
    value = float(image[y, x])
    far = middle - value > threshold and lowest - value > _NEXT * threshold
    return bool(far and lowest - value > middle - lowest)


@kernel
def cold_pixels(image: Any, variance: Any, mask: Any, excluded: int, threshold: float) -> Bools:
    """Return which pixels of an image (y, x) are cold.

    Parameters
    ----------
    image, variance, mask
        (y, x); a pixel is usable that is finite and has no flag of ``excluded``.
    threshold
        Uncertainties of the pixel by which the median of its surroundings is above it.
    """
    height, width = image.shape
    found = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            value = float(image[y, x])
            if mask[y, x] & excluded or not np.isfinite(value):
                continue
            far = threshold * np.sqrt(float(variance[y, x]))
            # most pixels are not far below either of these, which is quickly seen
            row, column = y - 1 if y else y + 1, x - 1 if x else x + 1
            if row < height and column < width:
                usable = not (mask[row, x] | mask[y, column]) & excluded
                highest = max(image[row, x], image[y, column])
                if usable and highest - value <= _NEXT * far:
                    continue
            found[y, x] = _is_far_below(image, mask, excluded, y, x, far)
    return found
