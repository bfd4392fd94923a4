"""Frames brought to a common level and a common large-scale shape."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats, Numbers
from autowisp_xr.bridge import blocks


def scaled(
    ds: xr.Dataset, level: xr.DataArray, shape: xr.Variable | None = None, **options: Any
) -> xr.Dataset:
    """Frames divided by a level, and multiplied by a shape, which are taken as free of noise.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x).
    level
        Of each frame and channel, (frame, channel).
    shape
        Smooth images with a method ``rows``, or None, over (frame, channel).
    options
        What the level is, and the like, for the history.

    Returns
    -------
    Dimensionless frames, lazy where ``ds`` is; ``variance`` and ``shared_variance`` (which then
    differs between frames) are scaled by the square. The planes of the noise of photons, which
    would be as many as frames, are left out: flats are bright enough to do without.
    """
    # band by band through all frames, as they will be stacked; levels in chunks of their own would
    # cut the bands into frames
    ds = blocks.bands(ds)
    levels = level.variable if level.chunks is None else level.variable.chunk(frame=-1)
    given = [name for name in ("image", "variance", "shared_variance") if name in ds]
    results = blocks.apply(
        partial(_scaled, powers=tuple(1 if name == "image" else 2 for name in given)),
        [
            levels,
            shape,
            xr.Variable(("y",), np.arange(ds.sizes["y"])),
            *(blocks.rowwise(ds[name].variable) for name in given),
        ],
        schema.DIMS,
        [np.result_type(ds[name].dtype, np.float32) for name in given],
        free=("y",),
        alone=True,
    )
    result = ds.drop_vars(schema.PHOTON_PLANES, errors="ignore")
    result = result.assign(dict(zip(given, results, strict=True)))
    return provenance.record(schema.with_attributes(result, "1"), "normalise", options, source=ds)


def _scaled(
    level: Floats,
    shape: np.ndarray[Any, Any] | None,
    y: Numbers,
    *planes: Numbers,
    powers: tuple[int, ...],
) -> list[Floats]:
    results = [
        np.empty(
            np.broadcast_shapes((*level.shape, 1, 1), p.shape), np.result_type(p.dtype, np.float32)
        )
        for p in planes
    ]
    first, end = int(y.min()), int(y.max()) + 1
    # rows that follow each other are no copy
    inside = slice(None) if (np.diff(y) == 1).all() else y - first
    for place in np.ndindex(*level.shape):
        factor = 1.0 / level[place]
        smooth: Any = None if shape is None else shape[place]
        if smooth is not None:
            factor = smooth.rows(first, end)[inside] * factor
        for result, plane, power in zip(results, planes, powers, strict=True):
            # planes that all frames share have no dim frame, or one of size one
            own = plane[place if plane.ndim == 4 else place[1:]]
            np.multiply(own, factor if power == 1 else factor * factor, out=result[place])
    return results
