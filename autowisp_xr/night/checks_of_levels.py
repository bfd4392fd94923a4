"""Level and noise of frames without light, and whether those of several nights agree."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr import frames
from autowisp_xr.arrays import Planes
from autowisp_xr.errors import AutowispError
from autowisp_xr.frames import FileRecord

_LOOKED_AT = 5
_BANDS = (0.25, 0.5, 0.75)
_ROWS = 8

_NEAR = 4.0
"""Times its noise a pixel is at most off the level that it counts for."""

_DIGIT = 0.29
"""Noise is no less than that of digits of 1 ADU."""

_SURE = 3.0
"""Times the scatter of the levels of frames of one night."""
_NOISE = 0.2
"""Of the noise of a pixel: a difference that the mean of 25 frames shows, at one of its errors."""
_NOISE_RATIO = 1.25


class Level(NamedTuple):
    """Level of frames without light, and what it varies by."""

    mean: float
    """ADU."""
    wander: float
    """Standard deviation of the means of frames."""
    noise: float
    """Of a pixel."""


def level_of(planes: Planes) -> float:
    """Mean level of the channels of some rows: of integers, a median is too coarse."""
    off = planes - np.median(planes, axis=(1, 2), keepdims=True)
    near = np.abs(off) <= _NEAR * _noise(off)
    return float(np.mean([plane[of].mean() for plane, of in zip(planes, near, strict=True)]))


def noise_between(planes: Planes, others: Planes) -> float:
    """Noise of a pixel, of what differs from frame to frame: patterns are no noise."""
    return max(_noise(planes - others) / 2**0.5, _DIGIT)


def _noise(values: Planes) -> float:
    """Standard deviation, by the middle two thirds of the values."""
    return max(float(np.diff(np.percentile(values, [15.865, 84.135]))[0]) / 2, _DIGIT)


def level_of_frames(records: Sequence[FileRecord]) -> Level | None:
    """Level and noise of some rows of a few frames; None where they cannot be read."""
    samples = []
    for record in records[:: max(len(records) // _LOOKED_AT, 1)][:_LOOKED_AT]:
        try:
            image = frames.open_records([record])["image"][0]
        except (AutowispError, OSError):
            continue
        height = image.sizes["y"]
        rows = {min(int(part * height) + i, height - 1) for part in _BANDS for i in range(_ROWS)}
        samples.append(image.isel(y=sorted(rows)).values.astype(np.float64))
    if not samples:
        return None
    means = [level_of(sample) for sample in samples]
    if len(samples) == 1:
        return Level(means[0], 0.0, _noise(samples[0]))
    noise = noise_between(samples[0], samples[1])
    return Level(float(np.mean(means)), float(np.std(means, ddof=1)), noise)


def levels_differ(one: Level | None, other: Level | None) -> str:
    """How levels of two nights differ, in words; "" where they agree, or one is not known."""
    if one is None or other is None:
        return ""
    apart = abs(one.mean - other.mean)
    less, more = sorted((one.noise, other.noise))
    if apart > max(_SURE * max(one.wander, other.wander), _NOISE * more):
        return f"their levels are {one.mean:.1f} and {other.mean:.1f} ADU"
    if more > _NOISE_RATIO * less:
        return f"their noise is {one.noise:.1f} and {other.noise:.1f} ADU"
    return ""
