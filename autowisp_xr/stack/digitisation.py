"""How the frames of a stack are digitised: read off a few rows of three of them, as late as all.

Decision: found where frames are stacked, from their values. So raw and calibrated frames, of files,
a store or memory, in ADU or electrons, say it alike, and nothing has to be carried along. Frames
that were divided by a flat, or scaled each by a number of its own, have no step in common.
"""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bits, Cube
from autowisp_xr.bridge import blocks
from autowisp_xr.stats.quantisation import digitisation_of, frames_to_look_at, rows_to_look_at


def digits_of(
    image: xr.Variable, mask: xr.Variable | None, exclude: int
) -> tuple[xr.Variable, ...]:
    """Step, noise and noise before rounding: :class:`autowisp_xr.stats.quantisation.Digitisation`.

    Variables without dims, lazy where the image is. Values with any of the flags ``exclude`` are
    not looked at.
    """
    sizes = image.sizes
    rows = rows_to_look_at(sizes["y"], sizes["channel"] * sizes["x"])
    number = frames_to_look_at(sizes["frame"], sizes["channel"] * sizes["x"] * rows)
    start = (sizes["y"] - rows) // 2
    # neighbours may be copies of each other
    frames = np.linspace(0, sizes["frame"] - 1, number).round().astype(int)
    planes = [image] if mask is None else [image, mask]
    samples = [plane.isel(frame=frames, y=slice(start, start + rows)) for plane in planes]
    samples = [
        sample if blocks.in_memory(sample) else sample.chunk(dict.fromkeys(sample.dims, -1))
        for sample in samples
    ]
    return blocks.apply(partial(_digits, exclude=exclude), samples, (), [np.float64] * 3)


def _digits(image: Cube, mask: Bits | None = None, *, exclude: int) -> list[Any]:
    return list(digitisation_of(image, None if mask is None else (mask & exclude) != 0))
