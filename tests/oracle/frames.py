"""Frame sets of plain arrays, for cases that come without a file."""

from typing import Any

import xarray as xr

from autowisp_xr import schema
from autowisp_xr.regions import ChannelSlice


def one_frame(image: Any) -> xr.Dataset:
    """Frame set of one monochrome frame, of an array (y, x)."""
    height, width = image.shape
    ds = xr.Dataset(
        {"image": (schema.DIMS, image[None, None])},
        {**schema.place({schema.MONO: ChannelSlice()}, height, width), "frame": ["case"]},
    )
    return schema.with_attributes(ds, "adu")


def one_master(image: Any, mask: Any) -> xr.Dataset:
    """Master of an image and a mask (y, x), without a variance."""
    return one_frame(image).isel(frame=0, drop=True).assign(mask=(schema.DIMS[1:], mask[None]))
