"""Pixels that take part in what is measured: the good ones, or those of a regular grid."""

import numpy as np

from autowisp_xr.arrays import Mask, Numbers
from autowisp_xr.flags import Flag

_PIXELS = 2**16
"""Of a plane, about."""


def good_only(image: Numbers, mask: Mask | None) -> Numbers:
    """The pixels of an image, NaN where its mask has a flag; as they are where there is no mask."""
    return image if mask is None else np.where(mask & np.uint8(Flag.BAD), np.nan, image)


def grid_step(height: int, width: int, pixels: int = _PIXELS) -> int:
    """Pixels from one of the grid to the next, along rows and columns.

    The grid has about so many ``pixels``. The step is odd, so that no pattern of even and odd
    columns is seen with one eye only.

    Examples
    --------
    >>> grid_step(256, 256), grid_step(4096, 4096)
    (1, 17)
    """
    return max(1, int((height * width / pixels) ** 0.5)) | 1
