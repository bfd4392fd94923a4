"""Biases and darks before work begins: whether values are cut off, and whether their level wanders.

Decision: a level that wanders is told, and not added to the error plane. What a light has of it is
common to all its pixels, and its sky bears the same: who measures stars on it takes it off with the
sky, and errors with it in would be too large for all that do. Who needs the level is told by how
much it is off, and that an overscan would tell it.
"""

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.stats.digits import Floor, counted, floor_of
from autowisp_xr.steps import trim

__all__ = ["UNLIT", "of_unlit"]

UNLIT = 16
"""Frames of a set whose levels are looked at, in so many rows in the middle:"""

_ROWS = 128

_WANDER = 0.25
"""Scatter of the levels in units of the noise of a pixel that is worth a word: it adds 3 % to the
error of a pixel, and is most of the error of a mean of more than 16."""

_DIGIT = 0.29
"""Noise is no less than that of digits of 1 ADU."""

_NEAR = 4.0


def of_unlit(frames: xr.Dataset, name: str) -> list[str]:
    """What is doubtful about the levels of the biases or darks of one set, a line each."""
    kind = str(frames["image_type"].values[0])
    camera, frames = schema.camera_of(frames), trim(frames)
    height = frames.sizes["y"]
    rows = slice(max(height // 2 - _ROWS // 2, 0), height // 2 + _ROWS // 2)
    levels: list[float] = []
    noises: list[float] = []
    floors: list[Floor | None] = []
    before = None
    for number in range(frames.sizes["frame"]):
        planes = frames["image"][number, :, rows].values.astype(np.float64)
        if before is not None:
            # of what differs from frame to frame: patterns are no noise
            noises.append(max(_spread(planes - before) / 2**0.5, _DIGIT))
        levels.append(_level(planes))
        if kind == "bias":
            floors.append(_floor(planes))
        before = planes
    notes = _cut_off(floors)
    if len(levels) > 1 and not camera.overscan_areas:
        notes += _wandering(np.array(levels), float(np.median(noises)), f"{kind} frames {name}")
    return notes


def _level(planes: np.ndarray) -> float:
    """Mean level of the channels: of integers, a median is too coarse."""
    middle = np.median(planes, axis=(1, 2), keepdims=True)
    near = np.abs(planes - middle) <= _NEAR * max(_spread(planes - middle), _DIGIT)
    return float(np.mean([plane[of].mean() for plane, of in zip(planes, near, strict=True)]))


def _spread(values: np.ndarray) -> float:
    """Standard deviation, by the middle two thirds of the values."""
    return float(np.diff(np.percentile(values, [15.865, 84.135]))[0]) / 2


def _floor(planes: np.ndarray) -> Floor | None:
    floors = [floor_of(counts) for counts in map(counted, planes) if counts is not None]
    return max((floor for floor in floors if floor), key=lambda f: f.share, default=None)


def _cut_off(floors: list[Floor | None]) -> list[str]:
    worst = max((floor for floor in floors if floor), key=lambda f: f.share, default=None)
    if worst is None:
        return []
    number = sum(floor is not None for floor in floors)
    return [
        f"DOUBT: in {number} of {len(floors)} biases pixels are cut off at {worst.value} ADU (up "
        f"to {100 * worst.share:.3g} % of them), so that the level is too high and the read noise "
        "too low; a higher offset of the camera mends it"
    ]


def _wandering(levels: np.ndarray, noise: float, what: str) -> list[str]:
    scatter = float(np.std(levels, ddof=1))
    if scatter <= _WANDER * noise:
        return []
    return [
        f"DOUBT: the level of the {what} wanders from {levels.min():.5g} to {levels.max():.5g} "
        f"ADU, by {scatter:.2g} ADU from frame to frame, where their noise is {noise:.2g} ADU; the "
        "level of each light may be off by as much, which is in no error plane; an overscan would "
        "tell it (overscan in a camera file, where the frames have one)"
    ]
