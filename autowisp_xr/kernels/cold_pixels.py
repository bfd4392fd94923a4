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
    value = float(image[y, x])
    # first those next to it, which are few, and hardly ever so far above it
    lowest, second, near = np.inf, np.inf, 0
    for row in range(max(y - 1, 0), min(y + 2, height)):
        for column in range(max(x - 1, 0), min(x + 2, width)):
            other = float(image[row, column])
            if mask[row, column] & excluded or not np.isfinite(other):
                continue
            if row == y and column == x:
                continue
            near += 1
            if other < lowest:
                lowest, second = other, lowest
            elif other < second:
                second = other
    if near == 8:
        lowest = second
    if near == 0 or not lowest - value > _NEXT * threshold:
        return False
    around, usable = np.empty((2 * REACH + 1) ** 2), 0
    for row in range(max(y - REACH, 0), min(y + REACH + 1, height)):
        for column in range(max(x - REACH, 0), min(x + REACH + 1, width)):
            other = float(image[row, column])
            if mask[row, column] & excluded or not np.isfinite(other):
                continue
            if row == y and column == x:
                continue
            around[usable] = other
            usable += 1
    if usable < _LEAST:
        return False
    middle = np.median(around[:usable])
    return bool(middle - value > threshold and lowest - value > middle - lowest)


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
    unsure = np.ones(width, np.bool_)
    for y in range(height):
        if height > 1:
            above = y - 1 if y else y + 1
            _find_unsure(image[y], image[above], variance[y], mask[y], mask[above], excluded,
                         _NEXT * threshold, unsure)  # fmt: skip
        for x in range(width):
            if unsure[x] and not mask[y, x] & excluded and np.isfinite(image[y, x]):
                far = threshold * np.sqrt(float(variance[y, x]))
                found[y, x] = _is_far_below(image, mask, excluded, y, x, far)
    return found


@kernel
def _find_unsure(
    row: Any, above: Any, variance: Any, mask: Any, mask_above: Any, excluded: int, far: float,
    unsure: Bools,
) -> None:  # fmt: skip
    """Find the pixels of a row that may be ``far`` below those above and to the left.

    Most are not, which is quickly seen. No root, and no jump: compilers make one instruction of
    several pixels.
    """
    unsure[0] = True
    # by squares that are rounded otherwise, none is taken for sure that is not
    square = far * far * (1.0 - 1e-9)
    for x in range(1, row.size):
        value = np.float64(row[x])
        up, left = np.float64(above[x]) - value, np.float64(row[x - 1]) - value
        most = square * np.float64(variance[x])
        usable = (mask_above[x] | mask[x - 1]) & excluded == 0
        low = (up <= 0.0) | (up * up <= most)
        unsure[x] = not (usable & low & ((left <= 0.0) | (left * left <= most)))
