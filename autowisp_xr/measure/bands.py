"""Some rows of frames that stand for the whole: as few as tell what is looked for."""

from typing import Any

import numpy as np
import xarray as xr

__all__ = ["bands_of", "rows_of", "spread"]

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


def rows_of(height: int) -> list[slice]:
    """Bands of rows, evenly spread; of a low frame all rows."""
    if height <= _BANDS * _ROWS:
        return [slice(0, height)]
    starts = (height * (2 * np.arange(_BANDS) + 1) // (2 * _BANDS) - _ROWS // 2).tolist()
    return [slice(start, start + _ROWS) for start in starts]


def bands_of(ds: xr.Dataset, *, middle: bool = False) -> list[dict[str, Any]]:
    """Bands of a frame, or a master, without ``frame``: for each channel its planes, in memory.

    By the name of the plane an array (band, y, x): ``image``, ``variance`` (NaN where there is
    none) and ``mask``. Of several bands, only that in the ``middle`` is read if so wanted. What is
    lazy of other rows is not computed.
    """
    names = [name for name in ("image", "variance", "mask") if name in ds]
    rows = list(enumerate(rows_of(ds.sizes["y"])))
    parts = [
        ds[names].isel(y=band, x=_columns(ds.sizes["x"], number, len(rows))).compute()
        for number, band in (rows[len(rows) // 2 :][:1] if middle else rows)
    ]
    stacked = {name: np.stack([part[name].values for part in parts], axis=1) for name in names}
    image = stacked["image"]
    stacked.setdefault("variance", np.full(image.shape, np.nan))
    stacked.setdefault("mask", np.zeros(image.shape, np.uint8))
    return [{name: planes[c] for name, planes in stacked.items()} for c in range(len(image))]


def _columns(width: int, number: int, bands: int) -> slice:
    room = max(width - _COLUMNS, 0)
    start = room * number // max(bands - 1, 1)
    return slice(start, start + _COLUMNS)
