"""Pixels that are far below all that is around them."""

from typing import Any

import numpy as np

from autowisp_xr.arrays import Bools
from autowisp_xr.kernels.jit import kernel

REACH = 2
"""Pixels to each side of a pixel that are its surroundings."""

_ABOVE = 0.5
"""The share of the surroundings that a cold pixel is far below."""

_LEAST = 8
"""Usable pixels of the surroundings, without which nobody knows."""

_NEXT = 0.5
"""Of the threshold: what the pixels next to a cold one are above it, all of them but one."""


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
            sigma = np.sqrt(float(variance[y, x]))
            far, near = value + threshold * sigma, value + _NEXT * threshold * sigma
            usable, above, beside, higher = 0, 0, 0, 0
            for row in range(max(y - REACH, 0), min(y + REACH + 1, height)):
                for column in range(max(x - REACH, 0), min(x + REACH + 1, width)):
                    if mask[row, column] & excluded or (row == y and column == x):
                        continue
                    other = float(image[row, column])
                    if not np.isfinite(other):
                        continue
                    usable += 1
                    above += other > far
                    if abs(row - y) < 2 and abs(column - x) < 2:
                        beside += 1
                        higher += other > near
                if row == y - 1 and higher + 1 < beside:
                    break
            else:
                found[y, x] = (
                    usable >= _LEAST and above > _ABOVE * usable and higher + 1 >= beside > 0
                )
    return found
