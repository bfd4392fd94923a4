"""Some rows of frames that stand for the whole: as few as tell what is looked for."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.stats.sampling import good_only

_BANDS = 3
_ROWS = 64
"""Rows of a band: those of a region that is blank or not as a whole."""

_COLUMNS = 1024
"""So many of a band are looked at: of the first band at the left, of the last at the right."""


def spread(number: int, most: int | None) -> list[int]:
    """Numbers of frames, evenly spread, the first and the last among them; all of few."""
    if most is None or most >= number:
        return list(range(number))
    return np.unique(np.linspace(0, number - 1, max(most, 1)).round().astype(int)).tolist()


class Bands(NamedTuple):
    """Bands of a channel, (band, y, x), in memory."""

    image: Floats
    variance: Floats
    """NaN where there is none."""
    good: Bools
    """Whether a pixel is finite, and not flagged as bad."""


def bands_of(ds: xr.Dataset, *, middle: bool = False) -> list[Bands]:
    """Bands of a frame, or a master, without ``frame``, for each channel.

    They are evenly spread; of a low frame all rows are one. Of several bands, only that in the
    ``middle`` is read if so wanted. What is lazy of other rows is not computed.
    """
    height, width = ds.sizes["y"], ds.sizes["x"]
    rows = [slice(0, height)]
    if height > _BANDS * _ROWS:
        starts = height * (2 * np.arange(_BANDS) + 1) // (2 * _BANDS) - _ROWS // 2
        rows = [slice(start, start + _ROWS) for start in starts.tolist()]
    room = max(width - _COLUMNS, 0)
    names = [name for name in ("image", "variance", "mask") if name in ds]
    parts = []
    for number, band in enumerate(rows):
        if middle and number != len(rows) // 2:
            continue
        start = room * number // max(len(rows) - 1, 1)
        parts.append(ds[names].isel(y=band, x=slice(start, start + _COLUMNS)).compute())
    planes = {name: np.stack([part[name].values for part in parts], axis=1) for name in names}
    image = planes["image"]
    good = np.isfinite(good_only(image, planes.get("mask")))
    variance = planes.get("variance", np.full(image.shape, np.nan))
    return [Bands(*channel) for channel in zip(image, variance, good, strict=True)]
