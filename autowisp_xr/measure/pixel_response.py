"""The response of each pixel to light, and its change from faint to bright flats."""

from dataclasses import dataclass

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.measure.frame_moments import LeveledFrames, frame_moments, of_pixels, variance_of
from autowisp_xr.measure.pixel_neighbours import surroundings
from autowisp_xr.measure.pixel_scatter import REGION, median_ratio

_LEVELS = 1.5
"""Ratio of the levels of flats between which a change of the response is looked for."""

_LIT = 10.0
"""Noise of a value above which there is light that a pixel responds to."""

_NONLINEAR, _SURE = 0.05, 6.0
"""What the response of a pixel changes by, and how many of its uncertainties that is as well: less
is in its flat."""

_SIDE = 16
"""Pixels a side of the surroundings of a pixel."""


@dataclass(frozen=True)
class Response:
    """The response of pixels in flats of about one level, (channel, y, x)."""

    value: Floats
    """By that of the surroundings; NaN where there is hardly any light."""
    error: Floats
    """Its uncertainty."""
    exposure: float
    """Of the frames, in seconds; 0 where it is not known."""


def responses(flats: LeveledFrames) -> list[Response]:
    """Return the response in flats free of bias: in the faint ones and in the bright ones.

    Where the levels of all are alike, there is one; none where no frame is lit.
    """
    return [_response(flats.some(which)) for which in _by_brightness(flats.level)]


def is_nonlinear(faint: Response, bright: Response, *, dark_known: bool) -> Bools:
    """Return which pixels respond otherwise to much light than to little."""
    change = bright.value - faint.value
    far = np.abs(change) > np.maximum(_NONLINEAR, _SURE * np.hypot(faint.error, bright.error))
    if not dark_known:
        # dark current makes a pixel brighter where the exposure is longer
        far &= change * (bright.exposure - faint.exposure) <= 0
    return np.asarray(far)


def _response(flats: LeveledFrames) -> Response:
    moments = frame_moments(flats)
    # of each number once: a plane of them would take longer than the frames
    usual = median_ratio(np.arange(moments.usable.max() + 1))
    around = surroundings(moments.normal_variance(usual), REGION)
    # where nothing is known of the noise, nothing is a hit
    moments = moments.without_hits(around)
    middle = surroundings(moments.mean, _SIDE)
    planes = [moments.number, moments.mean, moments.squares, around, middle]
    value, error = of_pixels(_by_surroundings, planes, [np.float64] * 2)
    return Response(value, error, flats.exposure)


def _by_surroundings(
    number: Integers, mean: Floats, squares: Floats, around: Floats, middle: Floats
) -> list[Floats]:
    level = np.where(middle > _LIT * np.sqrt(around), middle, np.nan)
    own = np.fmax(variance_of(number, squares), around) / np.maximum(number, 1)
    return [mean / level, np.sqrt(own) / level]


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
