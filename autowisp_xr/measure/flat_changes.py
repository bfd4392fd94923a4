"""Changes between flats that last: dust that moved, another filter, a camera that was turned.

The average of flats from before and after is right for neither, and no uncertainty shows it. A star
or a passing shadow is in one frame; what lasts parts all frames before it from all after it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from autowisp_xr.arrays import Floats, Integers, Numbers
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.measure.tile_scatter import OF_MEDIAN, cut, median

SIDE = 4
"""Columns of a box, whose median counts; its rows are those of the band that is read."""

_AROUND, _SHARE = 33, 4
"""Boxes along a band, and at most this part of them, whose median is the large-scale shape, which
is another matter."""

_NOISE = 8
"""One of so many boxes shows the noise of all."""

_LIT = 0.1
"""Of the level of the frame; where the large-scale shape has less, no light shows a change."""

_SURE = 3.0
"""Errors of a box: by so many the largest of the changes is sure."""


class Boxes(NamedTuple):
    """What the boxes of a frame show."""

    value: Floats
    """(channel, band, box)."""
    error: Floats
    """Of any of them, (channel)."""


def boxes_of(bands: Sequence[Numbers]) -> Boxes:
    """Return the median of each box of bands of rows (channel, y, x), and the noise of them."""
    across = min(SIDE, bands[0].shape[-1])
    boxes = np.stack([cut(b.astype(np.float64), b.shape[1], across)[:, 0] for b in bands], axis=1)
    middle = median(boxes)
    some, center = boxes[..., ::_NOISE, :], middle[..., ::_NOISE, None]
    spread = MAD_TO_SIGMA * median(np.abs(some - center).reshape(len(some), -1))
    return Boxes(middle, spread * np.sqrt(OF_MEDIAN / boxes.shape[-1]))


class Changes(NamedTuple):
    """The largest change of each channel that lasts, (channel)."""

    size: Floats
    """Relative, between the frames that are nearest to each other on either side; 0 for none."""
    error: Floats
    after: Integers
    """Number of the first frame after it."""
    band: Integers
    box: Integers


def lasting_changes(value: Floats, error: Floats) -> Changes:
    """Find the largest change that parts all frames before it from all after it.

    Parameters
    ----------
    value, error
        Of the boxes of frames in the order of time, (frame, channel, band, box) and (frame,
        channel), in units of the level of each frame.
    """
    around = min(_AROUND, value.shape[-1] // _SHARE // 2 * 2 + 1)
    usual = np.nanmedian(value, axis=-1, keepdims=True)
    filled = np.where(np.isfinite(value), value, usual)
    shape = ndimage.median_filter(filled, size=(1, 1, 1, around), mode="nearest")
    local = np.divide(value, shape, out=np.full_like(value, np.nan), where=shape > _LIT)
    low, high = np.minimum.accumulate(local), np.maximum.accumulate(local)
    late_low = np.minimum.accumulate(local[::-1])[::-1]
    late_high = np.maximum.accumulate(local[::-1])[::-1]
    channels = np.arange(value.shape[1])
    best = Changes(*np.zeros((5, len(channels))))
    found = -np.full(len(channels), np.inf)
    for after in range(2, len(value) - 1):
        noise = np.fmax(np.median(error[:after], axis=0), np.median(error[after:], axis=0))
        size = np.fmax(low[after - 1] - late_high[after], late_low[after] - high[after - 1])
        sure = np.nan_to_num(size - _SURE * noise[:, None, None], nan=-np.inf)
        sure = sure.reshape(len(channels), -1)
        place = sure.argmax(axis=1)
        band, box = np.divmod(place, value.shape[-1])
        largest = size[channels, band, box]
        own = Changes(largest, noise, np.full(len(channels), after), band, box)
        more = (sure[channels, place] > found) & (own.size > 0)
        found = np.where(more, sure[channels, place], found)
        best = Changes(*(np.where(more, new, old) for new, old in zip(own, best, strict=True)))
    return best._replace(**{n: getattr(best, n).astype(int) for n in ("after", "band", "box")})
