"""Planes that have one value in each channel: lazy ones, which take no room in any chunks."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr._compat import LateArray, OuterKey, late_variable
from autowisp_xr.arrays import Planes
from autowisp_xr.bridge.blocks import pixelwise
from autowisp_xr.schema import DIMS


def constant_planes(values: Any, like: xr.Variable) -> xr.Variable:
    """Return planes (channel, y, x) of one value a channel, lazy and in chunks like frames are.

    Parameters
    ----------
    values
        One for each channel, or one for all.
    like
        Frames (frame, channel, y, x).
    """
    shape = tuple(like.sizes[dim] for dim in DIMS[1:])
    plane = xr.Variable(DIMS[1:], np.broadcast_to(np.reshape(values, (-1, 1, 1)), shape))
    chunks = pixelwise(like).chunksizes
    if not chunks:
        return plane
    late = late_variable(_Constant(plane.values[:, 0, 0].copy(), shape), DIMS[1:])
    return pixelwise(late).chunk({dim: chunks[dim] for dim in DIMS[1:]})


class _Constant(LateArray):
    """Planes at rest that need not be read.

    Parameters
    ----------
    values
        Of each channel.
    shape
        (channel, y, x).
    """

    def __init__(self, values: Planes, shape: tuple[int, ...]) -> None:
        self.values, self.shape, self.dtype = values, shape, values.dtype

    def __dask_tokenize__(self) -> Any:
        from dask.base import normalize_token

        return normalize_token((type(self).__name__, self.values, self.shape))

    def read(self, key: OuterKey) -> Planes:
        """Return the planes at a key."""
        channels, *inside = (
            np.arange(size)[index] for size, index in zip(self.shape, key, strict=True)
        )
        part = self.values[channels]
        sizes = [one.size for one in inside if one.ndim]
        shape = (*part.shape, *sizes)
        return np.broadcast_to(part.reshape(*part.shape, *(1 for _ in sizes)), shape)
