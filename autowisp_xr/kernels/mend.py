"""Sums of blocks of pixels of which some are not finite."""

from typing import Any

import numpy as np

from autowisp_xr.kernels.jit import kernel

__all__ = ["mend_blocks"]


@kernel
def mend_blocks(image: Any, height: int, width: int, sums: Any) -> None:
    """Replace sums of blocks that are not finite by those of the finite pixels, scaled up.

    Parameters
    ----------
    image : (y, x) array of floats
    height, width
        Size of a block.
    sums : (y // height, x // width) float64, written
        NaN where no pixel of a block is finite. Sums that are finite stay as they are.
    """
    for y in range(sums.shape[0]):
        for x in range(sums.shape[1]):
            if np.isfinite(sums[y, x]):
                continue
            total = 0.0
            number = 0
            for row in range(y * height, (y + 1) * height):
                for value in image[row, x * width : (x + 1) * width]:
                    if np.isfinite(value):
                        total += np.float64(value)
                        number += 1
            sums[y, x] = total * (height * width) / number if number else np.nan
