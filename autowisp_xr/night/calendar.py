"""Frames of several nights in one folder: of which night each is, and whether levels agree."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr import frames
from autowisp_xr.errors import AutowispError
from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import KINDS

__all__ = ["Level", "level_of_frames", "levels_differ", "nights_of"]

_DAY = np.timedelta64(1, "D")
_SHORTEST_DAY = np.timedelta64(5, "h")

_LOOKED_AT = 5
_BANDS = (0.25, 0.5, 0.75)
_ROWS = 8

_SURE = 3.0
"""Times the scatter of the levels of frames of one night."""
_NOISE = 0.2
"""Of the noise of a pixel: a difference that the mean of 25 frames shows, at one of its errors."""
_NOISE_RATIO = 1.25


def nights_of(records: Sequence[FileRecord]) -> dict[str, str]:
    """Date of the evening of each frame, by path; frames whose time is not known have none.

    A day ends in the middle of the longest stretch of the 24 hours in which no frame sees light,
    since headers seldom say reliably where on Earth they are. Where there is no such stretch of
    five hours, no night is told from the next.
    """
    times = {
        record.path: np.datetime64(record.coordinates["time"], "ns")
        for record in records
        if record.coordinates
        and not np.isnat(record.coordinates.get("time", np.datetime64("NaT", "ns")))
    }
    lit = {name for name, kind in KINDS.items() if kind.sees_light}
    seen = [
        times[r.path] for r in records if r.path in times and r.coordinates["image_type"] in lit
    ]
    if not times:
        return {}
    hours = np.sort([time - time.astype("datetime64[D]") for time in seen or times.values()])
    gaps = np.diff(np.append(hours, hours[0] + _DAY.astype("timedelta64[ns]")))
    longest = int(np.argmax(gaps))
    if gaps[longest] < _SHORTEST_DAY:
        return {}
    noon = (hours[longest] + gaps[longest] / 2) % _DAY.astype("timedelta64[ns]")
    return {path: str((time - noon).astype("datetime64[D]")) for path, time in times.items()}


class Level(NamedTuple):
    """Of frames without light."""

    mean: float
    """ADU."""
    wander: float
    """Standard deviation of the means of frames."""
    noise: float
    """Of a pixel."""


def level_of_frames(records: Sequence[FileRecord]) -> Level | None:
    """Level and noise of some rows of a few frames; None where they cannot be read."""
    samples = []
    for record in records[:: max(len(records) // _LOOKED_AT, 1)][:_LOOKED_AT]:
        try:
            image = frames.open_records([record])["image"]
        except (AutowispError, OSError):
            continue
        height = image.sizes["y"]
        rows = sorted(
            {min(int(part * height) + i, height - 1) for part in _BANDS for i in range(_ROWS)}
        )
        samples.append(image.isel(y=rows).values.astype(np.float64).ravel())
    if not samples:
        return None
    means = [_clipped_mean(sample) for sample in samples]
    if len(samples) > 1:
        noise = _spread(samples[0] - samples[1]) / math.sqrt(2)
    else:
        noise = _spread(samples[0])
    wander = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    return Level(float(np.mean(means)), wander, noise)


def levels_differ(one: Level, other: Level) -> str:
    """How levels of two nights differ, in words; "" where they agree."""
    apart = abs(one.mean - other.mean)
    noise = max(one.noise, other.noise)
    if apart > max(_SURE * max(one.wander, other.wander), _NOISE * noise):
        return f"their levels are {one.mean:.1f} and {other.mean:.1f} ADU"
    if noise > _NOISE_RATIO * max(min(one.noise, other.noise), 0.3):
        return f"their noise is {one.noise:.1f} and {other.noise:.1f} ADU"
    return ""


def _clipped_mean(values: np.ndarray) -> float:
    middle = float(np.median(values))
    near = np.abs(values - middle) <= 5 * max(_spread(values), 1.0)
    return float(values[near].mean())


def _spread(values: np.ndarray) -> float:
    """Standard deviation by the median absolute deviation; of integers at least their step's."""
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), 0.29)
