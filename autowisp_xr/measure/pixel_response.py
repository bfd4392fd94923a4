"""The response of each pixel to light, and its change from faint to bright flats."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.measure.frame_moments import exposure_of, frame_moments, levels
from autowisp_xr.measure.pixel_neighbours import surroundings
from autowisp_xr.measure.pixel_scatter import median_ratio

_LEVELS = 1.5
"""Ratio of the levels of flats between which a change of the response is looked for."""

_LIT = 10.0
"""Noise of a value above which there is light that a pixel responds to."""

_NONLINEAR, _SURE = 0.05, 6.0
"""What the response of a pixel changes by, and how many of its uncertainties that is as well: less
is in its flat."""

_SIDE, _REGION = 16, 64
"""Pixels a side of the surroundings of a pixel: those of its level, those of its noise."""


@dataclass(frozen=True)
class Response:
    """The response of pixels in flats of about one level, (channel, y, x)."""

    value: Floats
    """By that of the surroundings; NaN where there is hardly any light."""
    error: Floats
    """Its uncertainty."""
    exposure: float
    """Of the frames, in seconds; 0 where it is not known."""


def responses(frames: xr.Dataset) -> list[Response]:
    """Return the response in flats free of bias: in the faint ones and in the bright ones.

    Where the levels of all are alike, there is one; none where no frame is lit.
    """
    level = levels(frames, lit=True)
    return [_response(frames, level, which) for which in _by_brightness(level)]


def is_nonlinear(faint: Response, bright: Response, *, dark_known: bool) -> Bools:
    """Return which pixels respond otherwise to much light than to little."""
    change = bright.value - faint.value
    far = np.abs(change) > np.maximum(_NONLINEAR, _SURE * np.hypot(faint.error, bright.error))
    if not dark_known:
        # dark current makes a pixel brighter where the exposure is longer
        far &= change * (bright.exposure - faint.exposure) <= 0
    return np.asarray(far)


def _response(frames: xr.Dataset, level: Floats, which: Bools) -> Response:
    frames = frames.isel(frame=np.flatnonzero(which))
    moments = frame_moments(frames, level[which], lit=True)
    every = moments.complete()
    around = surroundings(every.variance / median_ratio(every.number), _REGION)
    moments = moments.without_hits(np.nan_to_num(around, nan=np.inf))
    middle = surroundings(moments.mean, _SIDE)
    middle[~(middle > _LIT * np.sqrt(around))] = np.nan
    own = np.fmax(moments.variance, around) / np.maximum(moments.number, 1)
    return Response(moments.mean / middle, np.sqrt(own) / middle, exposure_of(frames))


def _by_brightness(level: Floats) -> list[Bools]:
    """Return which frames (frame) are faint and which are bright, or all that are lit."""
    means = level.mean(axis=1)
    lit: Bools = np.all(level > 0, axis=1)
    if not lit.any():
        return []
    least, most = means[lit].min(), means[lit].max()
    middle = np.sqrt(least * most)
    parts = [lit & (means < middle), lit & (means >= middle)]
    apart = most > _LEVELS * least and min(int(part.sum()) for part in parts) > 1
    return parts if apart else [lit]
