"""Pixels that take part in what is measured."""

import numpy as np

from autowisp_xr.arrays import Mask, Numbers
from autowisp_xr.flags import Flag


def good_only(image: Numbers, mask: Mask | None) -> Numbers:
    """The pixels of an image, NaN where its mask has a flag; as they are where there is no mask."""
    return image if mask is None else np.where(mask & np.uint8(Flag.BAD), np.nan, image)
