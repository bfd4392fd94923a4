"""A flat against the reference: ratios and deviations of whole frames, one pass each."""

from typing import Any

import numpy as np

from autowisp_xr.kernels.jit import kernel


@kernel
def ratio_of(reference: Any, image: Any, out: Any) -> None:
    """Reference over image, pixel by pixel; not finite where there is none."""
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            out[y, x] = np.float64(reference[y, x]) / np.float64(image[y, x])


@kernel
def total_of(image: Any, shape: Any) -> tuple[float, int]:
    """Sum of image times shape over the pixels where that is finite, and their number.

    ``shape`` may be of size 0, for one everywhere. Row after row, so that the sum never depends on
    how the frame is cut.
    """
    total = 0.0
    number = 0
    for y in range(image.shape[0]):
        of_row = 0.0
        for x in range(image.shape[1]):
            value = np.float64(image[y, x])
            if shape.size:
                value *= shape[y, x]
            if np.isfinite(value):
                of_row += value
                number += 1
        total += of_row
    return total, number


@kernel
def deviation_of(image: Any, shape: Any, level: float, reference: Any, out: Any) -> None:
    """Write how far image times shape and level is off the reference, relative to it."""
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            value = np.float64(image[y, x]) * level
            if shape.size:
                value *= shape[y, x]
            out[y, x] = value / np.float64(reference[y, x]) - 1.0
