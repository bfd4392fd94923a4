"""How strong the pattern of a master fringe frame is in each frame."""

from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bits, Cube, Floats, Image, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.sampled_rows import grid_of
from autowisp_xr.stats.instrumental import instrumental_fit
from autowisp_xr.stats.sampling import good_only, grid_step

_PIXELS = 2**18
_BLOCK = 32
"""Side in pixels of a block whose noise may be common: wider than stars, and than fringes are."""
_BLOCKS = 8
"""Least number of blocks a side; the fewer there are, the less is known of how they scatter."""


class Scale(NamedTuple):
    """The scale of a pattern in each frame and channel, and its uncertainty."""

    value: Floats
    """(frame, channel), in the unit of the frames; NaN where it could not be measured."""
    uncertainty: Floats


def measured_scale(ds: xr.Dataset, fringe: xr.Dataset) -> Scale:
    """Measure the scale of a fringe frame in each channel of frames, which are read for it.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x).
    fringe
        Master (channel, y, x) in the same place.
    """
    step = grid_step(ds.sizes["y"], ds.sizes["x"], _PIXELS)
    grid = grid_of(ds, ("image", "mask"), step)
    mask = fringe["mask"].values if "mask" in fringe else None
    good = good_only(fringe["image"].values, mask).astype(np.float64)
    pattern, instrument = good[:, ::step, ::step], _of_neighbours(good, step)
    dims = ("channel", "y", "x")
    found = blocks.apply(
        partial(_fitted, step=step),
        [
            blocks.framewise(grid["image"].variable),
            blocks.framewise(grid["mask"].variable) if "mask" in grid else None,
            xr.Variable(dims, pattern),
            xr.Variable(dims, instrument),
        ],
        ("frame", "channel"),
        [np.float64, np.float64],
    )
    return Scale(*(one.values for one in found))


def _of_neighbours(good: Planes, step: int) -> Planes:
    """Return the mean of the eight neighbours of the pixels of a grid, as far as they are good."""
    height, width = good.shape[1:]
    wide = np.pad(good, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    shifts = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    near = np.array([wide[:, y : y + height : step, x : x + width : step] for y, x in shifts])
    with np.errstate(invalid="ignore"):
        mean: Planes = np.nansum(near, axis=0) / np.isfinite(near).sum(axis=0)
    return mean


def _fitted(
    image: Cube, mask: Bits | None, pattern: Planes, instrument: Planes, *, step: int
) -> tuple[Floats, Floats]:
    value = np.full(image.shape[:2], np.nan)
    uncertainty = value.copy()
    for place in np.ndindex(*value.shape):
        channel = place[1]
        values = good_only(image[place], None if mask is None else mask[place])
        value[place], uncertainty[place] = _scale_of(
            values.astype(np.float64), pattern[channel], instrument[channel], step
        )
    return value, uncertainty


def _scale_of(values: Image, pattern: Image, instrument: Image, step: int) -> tuple[float, float]:
    good = np.isfinite(values + pattern + instrument)
    if not good.any():
        return np.nan, np.nan
    shape = values.shape
    rows, columns = np.nonzero(good)
    # along an axis with one pixel there is no slope
    slopes = [
        2.0 * along / (size - 1) - 1.0
        for along, size in zip((rows, columns), shape, strict=True)
        if size > 1
    ]
    sky = [np.ones(rows.size), *slopes]
    side = [max(1, min(_BLOCK // step, size // _BLOCKS)) for size in shape]
    across = -(-shape[1] // side[1])
    groups = rows // side[0] * across + columns // side[1]
    fit = instrumental_fit(
        values[good],
        np.array([*sky, pattern[good]]),
        np.array([*sky, instrument[good]]),
        groups,
    )
    return float(fit.coefficients[-1]), float(np.sqrt(fit.covariance[-1, -1]))
