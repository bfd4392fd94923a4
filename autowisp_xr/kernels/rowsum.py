"""Sums of good pixels, row by row, so that a total never depends on how a frame is cut."""

from typing import Any

import numpy as np

from autowisp_xr.kernels._jit import kernel

__all__ = ["row_sums"]


@kernel
def _row_sums(image: Any, mask: Any, exclude: Any, total: Any, number: Any) -> None:
    for row in range(image.shape[0]):
        sum_of_row = 0.0
        count = 0
        for x in range(image.shape[1]):
            value = image[row, x]
            if np.isfinite(value) and (mask[row, x] & exclude) == 0:
                sum_of_row += np.float64(value)
                count += 1
        total[row] = sum_of_row
        number[row] = count


def row_sums(image: Any, mask: Any, exclude: int) -> tuple[Any, Any]:
    """Sum and number of the good pixels of each row.

    Parameters
    ----------
    image, mask : (..., x) arrays
        Pixels that are not finite or bear any of the flags ``exclude`` are left out.

    Returns
    -------
    Two arrays without the axis x: float64 sums and int64 numbers.
    """
    shape = image.shape[:-1]
    total = np.empty(shape, np.float64)
    number = np.empty(shape, np.int64)
    _row_sums(
        np.ascontiguousarray(image).reshape(-1, image.shape[-1]),
        np.ascontiguousarray(mask).reshape(-1, image.shape[-1]),
        np.uint8(exclude),
        total.reshape(-1),
        number.reshape(-1),
    )
    return total, number
