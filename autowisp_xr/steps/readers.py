"""Where the pixels of planes lie in the raw frame, and which amplifier has read each."""

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Integers
from autowisp_xr.camera import Camera
from autowisp_xr.overscan_fits.plan import amplifier_of


def raw_lines(ds: xr.Dataset, dim: str) -> Integers:
    """Raw-frame rows or columns of the planes, (channel, y) or (channel, x) int64."""
    offsets = [getattr(where, f"{dim}_offset") for where in schema.channel_slices(ds)]
    return np.asarray(ds[dim].values, dtype=np.int64) + np.array(offsets, np.int64)[:, None]


def readers(ds: xr.Dataset, camera: Camera) -> xr.Variable | None:
    """Number of the amplifier that reads each pixel, (channel, y, x) uint8; None without any.

    What no amplifier reads has the number behind the last.
    """
    if not camera.amplifiers:
        return None
    numbers = [
        amplifier_of(y[:, None], x, camera.amplifiers)
        for y, x in zip(raw_lines(ds, "y"), raw_lines(ds, "x"), strict=True)
    ]
    return xr.Variable(schema.DIMS[1:], np.stack(numbers).astype(np.uint8))
