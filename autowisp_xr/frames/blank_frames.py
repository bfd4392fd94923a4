"""Find files in which all pixels, or whole rows, have one value: the camera sent no image."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.errors import AutowispError
from autowisp_xr.fits.pixels import read_rows
from autowisp_xr.fits.planes import Hdu
from autowisp_xr.frames.scanning import FileRecord

_ROWS = 9
"""Rows that are looked at, evenly spread; all are only if each of these is of one value."""

_NEARLY = 0.999
"""Of the pixels of one value: the rest may be hot, or what a program has written over them."""

_PACKED = 0.05
"""Of its size, to which a file of noise is never compressed: it need not be unpacked for that."""


class Emptiness(NamedTuple):
    """The part of a frame that is of one value."""

    value: float
    others: int
    """Pixels with another value, of a frame that is empty as a whole."""
    rows: float
    """Part of the rows that are of one value; 1 of a frame that is empty as a whole."""
    full: bool
    """Whether that is the largest value that its integers can have."""


def emptiness(record: FileRecord) -> Emptiness | None:
    """Return how much of a raw frame is of one value; None where it is not, or cannot be read.

    Some rows are read; all only where these are of one value, and of compressed files only where
    they are very small.
    """
    plane = record.layout.planes.get("image")
    if plane is None:
        return None
    try:
        found = [_of_plane(hdu) for hdu in plane.hdus]
    except (AutowispError, OSError, ValueError):
        # the reason is given by what reads it
        return None
    known = [one for one in found if one is not None]
    if len(known) < len(found) or not known or not _same([one.value for one in known]):
        return None
    return Emptiness(
        known[0].value,
        sum(one.others for one in known),
        min(one.rows for one in known),
        all(one.full for one in known),
    )


def _of_plane(plane: Hdu) -> Emptiness | None:
    if plane.storage == "packed" and plane.size > _PACKED * plane.length:
        return None
    starts = np.unique((2 * np.arange(_ROWS) + 1) * plane.height // (2 * _ROWS)).tolist()
    sample = [read_rows(plane, row, row + 1) for row in starts]
    values = [_common(row) for row in sample]
    uniform = [value for value, share in values if share >= _NEARLY]
    if not uniform or not _same(uniform):
        return None
    if len(uniform) < len(sample):
        return Emptiness(uniform[0], 0, len(uniform) / len(sample), uniform[0] >= plane.ceiling)
    whole = read_rows(plane, 0, plane.height)
    value, share = _common(whole)
    if share < _NEARLY:
        return None
    return Emptiness(value, round((1 - share) * whole.size), 1.0, value >= plane.ceiling)


def _common(pixels: Image) -> tuple[float, float]:
    """The value in the middle, and the share of the pixels that have it."""
    middle = np.sort(pixels, axis=None)[pixels.size // 2]
    same = np.isnan(pixels) if middle != middle else pixels == middle
    return float(middle), float(np.mean(same))


def _same(values: Sequence[float]) -> bool:
    return bool(np.array_equal(values, [values[0]] * len(values), equal_nan=True))
