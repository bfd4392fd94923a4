"""Biases and darks before work begins: whether values are cut off, and whether their level wanders.

Decision: a level that wanders is told, and not added to the error plane. What a light has of it is
common to all its pixels, and its sky bears the same: who measures stars on it takes it off with the
sky, and errors with it in would be too large for all that do. Who needs the level is told by how
much it is off, and that an overscan would tell it.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Planes
from autowisp_xr.night.checks_of_levels import level_of, noise_between
from autowisp_xr.night.sentences import sentence
from autowisp_xr.stats.digits import Floor, counted, floor_of
from autowisp_xr.steps import trim

UNLIT = 16
"""Frames of a set whose levels are looked at, in so many rows in the middle:"""

_ROWS = 128

_WANDER = 0.25
"""Scatter of the levels in units of the noise of a pixel that is worth a word: it adds 3 % to the
error of a pixel, and is most of the error of a mean of more than 16."""


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
            noises.append(noise_between(before, planes))
        levels.append(level_of(planes))
        if kind == "bias":
            floors.append(_floor(planes))
        before = planes
    notes = _cut_off(floors)
    scatter = np.std(levels, ddof=1) if len(levels) > 1 else 0.0
    if scatter > _WANDER * np.median(noises or 0.0) and not camera.overscan_areas:
        noise, lowest, highest = np.median(noises), min(levels), max(levels)
        values = {"scatter": scatter, "noise": noise, "lowest": lowest, "highest": highest}
        notes.append(sentence("wandering", kind=kind, name=name, **values))
    return notes


def _floor(planes: Planes) -> Floor | None:
    """The floor of the channel in which most is cut off."""
    floors = [floor_of(counts) for counts in map(counted, planes) if counts is not None]
    return max(filter(None, floors), key=lambda floor: floor.share, default=None)


def _cut_off(floors: Sequence[Floor | None]) -> list[str]:
    found = [floor for floor in floors if floor]
    if not found:
        return []
    worst = max(found, key=lambda floor: floor.share)
    values = {"value": worst.value, "share": 100 * worst.share}
    return [sentence("cut_off", number=len(found), of=len(floors), **values)]
