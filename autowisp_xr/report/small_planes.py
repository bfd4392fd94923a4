"""Planes of masters and frames made small, read a band of rows at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bits, Bools, Floats
from autowisp_xr.flags import Flag
from autowisp_xr.plot.block_means import Blocks, factors_for
from autowisp_xr.stats.sampling import grid_step

_ROWS = 512
"""Rows that are in memory at a time, about."""

_MARKED = Flag.BAD | Flag.NONLINEAR


class SmallPlane(NamedTuple):
    """What is shown of one plane."""

    values: Floats
    """(y, x): means of blocks of good pixels."""
    good: Bools
    """Whether there is a good pixel in a block."""
    flags: Bits
    """All flags in a block."""
    counts: dict[Flag, int]
    """The number of pixels that bear each flag."""
    marked: int
    """The number of pixels that bear any."""
    pixels: int
    sample: Floats
    """Good pixels of a regular grid."""


def small_plane(ds: xr.Dataset, channel: int, most: float) -> SmallPlane:
    """Return one channel of a frame or master, with about so many blocks along its longer side.

    Parameters
    ----------
    ds
        ``image`` and, if there is one, ``mask``, over (channel, y, x).
    channel
        Its number.
    most
        Blocks along the longer side.
    """
    plane = ds[[name for name in ("image", "mask") if name in ds]].isel(channel=channel)
    height, width = plane["image"].shape
    factors = factors_for((height, width), most)
    step = grid_step(height, width)
    blocks, samples = [], []
    for start, band in _bands(plane, factors[0]):
        mask = band["mask"].values if "mask" in band else None
        image = band["image"].values
        blocks.append(Blocks.of(image, mask, _MARKED, factors))
        grid = slice(-start % step, None, step), slice(None, None, step)
        bad = 0 if mask is None else mask[grid] & np.uint8(Flag.BAD)
        values = image[grid].astype(np.float64)
        samples.append(values[np.isfinite(values) & (bad == 0)])
    return SmallPlane(
        values=np.concatenate([one.values for one in blocks]),
        good=np.concatenate([one.good for one in blocks]),
        flags=np.concatenate([one.flags for one in blocks]),
        counts={flag: sum(one.counts[flag] for one in blocks) for flag in blocks[0].counts},
        marked=sum(one.marked for one in blocks),
        pixels=height * width,
        sample=np.concatenate(samples),
    )


def _bands(plane: xr.Dataset, factor: int) -> Iterator[tuple[int, xr.Dataset]]:
    """Yield bands of whole blocks with their first rows; all of what is computed by frames."""
    height = plane.sizes["y"]
    rows = height if plane.chunks else factor * max(1, _ROWS // factor)
    for start in range(0, height, rows):
        yield start, plane.isel(y=slice(start, start + rows)).compute()
