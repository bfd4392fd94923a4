"""Levels of biases and darks: cut off or wandering in a set, agreeing or not between nights.

Decision: a level that wanders is reported, and not added to the error plane. What a light has of it
is common to all its pixels, and its sky bears the same: who measures stars on it takes it off with
the sky, and errors with it in would be too large for all that do. Who needs the level reads by how
much it is off, and that an overscan would show it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import frames, schema
from autowisp_xr.arrays import Bools, Floats, Planes
from autowisp_xr.bridge.threads import in_threads
from autowisp_xr.errors import AutowispError
from autowisp_xr.frames import FileRecord
from autowisp_xr.night.sentences import sentence, some_of
from autowisp_xr.stats.digits import Floor, counted, floor_of
from autowisp_xr.stats.sampling import scatter_of_neighbours
from autowisp_xr.steps import trim

UNLIT = 16
"""Frames of a set whose levels are looked at, in so many rows in the middle:"""

_ROWS = 128

FAR_BELOW = -1000
"""So far below zero are no pixels that were written as they were read, but a few."""

_WANDER = 0.25
"""Scatter of the levels in units of the noise of a pixel that is worth a word: it adds 3 % to the
error of a pixel, and is most of the error of a mean of more than 16."""

_FEW = 1 / 3
_CLEAR = 5.0
"""Of the frames, which may be odd, and how many times the scatter of the others they are off."""

_PER_NIGHT = 5
_BANDS = (0.25, 0.5, 0.75)
_ROWS_OF_BAND = 8
"""Frames of a night that are compared with another night, in so many rows at these heights."""

_NEAR = 4.0
"""Times its noise a pixel is at most off the level that it counts for."""

_DIGIT = 0.29
"""Noise is no less than that of digits of 1 ADU."""

_SURE = 3.0
"""Times the scatter of the levels of frames of one night."""
_NOISE = 0.2
"""Of the noise of a pixel: a difference that the mean of 25 frames shows, at one of its errors."""
_NOISE_RATIO = 1.25


def doubts_on_levels(raw: xr.Dataset, name: str) -> list[str]:
    """List what is doubtful about the levels of the biases or darks of one set, a line each."""
    kind = str(raw["image_type"].values[0])
    camera, image = schema.camera_of(raw), _middle_of(raw)

    def look_at(number: int) -> tuple[float, float | None, Floor | None]:
        planes = image[number].values.astype(np.float64)
        noise = None
        if number:
            # rows are read twice sooner than those of all frames are kept
            noise = _noise_between(image[number - 1].values.astype(np.float64), planes)
        return _level_of(planes), noise, _floor(planes, noise_alone=kind == "bias")

    seen = in_threads(look_at, range(raw.sizes["frame"]))
    levels, between, floors = zip(*seen, strict=True)
    noises = [noise for noise in between if noise is not None]
    notes = []
    lowest = int(np.argmin(levels))
    if image.dtype.kind == "i" and levels[lowest] < FAR_BELOW:
        file = Path(str(raw["path"].values[lowest])).name
        notes.append(sentence("shifted", file=file, median=round(levels[lowest])))
    if found := [floor for floor in floors if floor]:
        worst = max(found, key=lambda floor: floor.share)
        values = {"name": name, "value": worst.value, "share": 100 * worst.share}
        notes.append(sentence("cut_off", kind=kind, number=len(found), of=len(floors), **values))
    scatter = float(np.std(levels, ddof=1)) if len(levels) > 1 else 0.0
    noise = float(np.median(noises or 0.0))
    if scatter > _WANDER * noise and not camera.overscan_areas:
        means = np.array(levels)
        odd = _odd(means, _WANDER * noise)
        about = {"kind": kind, "name": name, "noise": noise, "scatter": scatter}
        if odd.any():
            files = [Path(path).name for path in raw["path"].values[odd].tolist()]
            usual = float(np.median(means[~odd]))
            about |= {"usual": usual, "level": max(means[odd], key=lambda one: abs(one - usual))}
            notes.append(
                sentence("odd_levels", files=some_of(files, len(means)), file=files[0], **about)
            )
        else:
            notes.append(sentence("wandering", lowest=means.min(), highest=means.max(), **about))
    return notes


def _middle_of(raw: xr.Dataset) -> xr.DataArray:
    """Return the rows in the middle of raw frames."""
    image = trim(raw)["image"]
    middle = image.sizes["y"] // 2
    return image[:, :, max(middle - _ROWS // 2, 0) : middle + _ROWS // 2]


def noise_of_frames(raw: xr.Dataset) -> Floats:
    """Measure the noise of a pixel of a few raw frames, (channel), by what differs between them."""
    image, squares = _middle_of(raw)[:_PER_NIGHT], []
    for number in range(1, image.sizes["frame"]):
        one, other = (image[frame].values for frame in (number - 1, number))
        apart = one.astype(np.float64) - other
        apart -= np.median(apart, axis=(1, 2), keepdims=True)
        # percentiles of whole numbers are too coarse
        near = (plane[np.abs(plane) <= _NEAR * _noise(plane)] for plane in apart)
        squares.append([np.mean(plane**2) for plane in near])
    return np.sqrt(np.mean(squares, axis=0) / 2)


def _odd(levels: Floats, apart: float) -> Bools:
    """Select the few frames whose level is off where all others agree; none where they do not."""
    off = np.abs(levels - np.quantile(levels, 0.5, method="lower"))
    odd = off > apart
    # levels that drift lie as near to the last of the others as these to each other
    clear = 0 < odd.mean() <= _FEW and off[odd].min() > _CLEAR * np.std(levels[~odd], ddof=1)
    return odd & clear


def _floor(planes: Planes, *, noise_alone: bool) -> Floor | None:
    """Return the floor of the channel in which most is cut off."""
    found = filter(None, map(counted, planes))
    floors = [floor_of(counts, noise_alone=noise_alone) for counts in found]
    return max(filter(None, floors), key=lambda floor: floor.share, default=None)


class FrameLevel(NamedTuple):
    """The level of frames without light, and what it varies by."""

    mean: float
    """ADU."""
    wander: float
    """Standard deviation of the means of frames."""
    noise: float
    """Of a pixel."""


def level_of_frames(records: Sequence[FileRecord]) -> FrameLevel | None:
    """Measure level and noise in some rows of a few frames; None where they cannot be read."""
    samples = []
    for record in records[:: max(len(records) // _PER_NIGHT, 1)][:_PER_NIGHT]:
        try:
            image = frames.open_records([record])["image"][0]
        except (AutowispError, OSError):
            continue
        rows = _rows_of_bands(image.sizes["y"])
        samples.append(image.isel(y=rows).values.astype(np.float64))
    if not samples:
        return None
    means = [_level_of(sample) for sample in samples]
    if len(samples) == 1:
        return FrameLevel(means[0], 0.0, _noise(samples[0]))
    noise = _noise_between(samples[0], samples[1])
    return FrameLevel(float(np.mean(means)), float(np.std(means, ddof=1)), noise)


def levels_of(raw: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Measure level and noise of each raw frame in some of its rows, by the path of its file.

    Means of the channels, in ADU; the level has that of the bias in it.
    """
    trimmed = trim(raw)["image"]
    chosen = trimmed.isel(y=_rows_of_bands(trimmed.sizes["y"]))

    def look_at(number: int) -> tuple[float, float] | None:
        planes = chosen[number].values.astype(np.float64)
        good = np.isfinite(planes)
        pairs = list(zip(planes, good, strict=True))
        levels = [_level_of(plane[known][None, None]) for plane, known in pairs if known.any()]
        scatter = [scatter_of_neighbours(plane, known) for plane, known in pairs if known.any()]
        return (float(np.mean(levels)), float(np.mean(scatter))) if levels else None

    seen = in_threads(look_at, range(raw.sizes["frame"]))
    paths = raw["path"].values.tolist()
    return {path: one for path, one in zip(paths, seen, strict=True) if one is not None}


def _rows_of_bands(height: int) -> list[int]:
    """Return the numbers of some rows at several heights."""
    starts = (int(part * height) for part in _BANDS)
    return sorted({min(start + i, height - 1) for start in starts for i in range(_ROWS_OF_BAND)})


def levels_differ(one: FrameLevel | None, other: FrameLevel | None) -> str:
    """Describe how the levels of two nights differ; "" where they agree, or one is not known."""
    if one is None or other is None:
        return ""
    apart = abs(one.mean - other.mean)
    less, more = sorted((one.noise, other.noise))
    if apart > max(_SURE * max(one.wander, other.wander), _NOISE * more):
        return f"their levels are {one.mean:.1f} and {other.mean:.1f} ADU"
    if more > _NOISE_RATIO * less:
        return f"their noise is {one.noise:.1f} and {other.noise:.1f} ADU"
    return ""


def _level_of(planes: Planes) -> float:
    """Return the mean level of the channels of some rows: of integers, a median is too coarse."""
    off = planes - np.median(planes, axis=(1, 2), keepdims=True)
    near = np.abs(off) <= _NEAR * _noise(off)
    return float(np.mean([plane[of].mean() for plane, of in zip(planes, near, strict=True)]))


def _noise_between(planes: Planes, others: Planes) -> float:
    """Return the noise of a pixel by what differs between frames: patterns are no noise."""
    return max(_noise(planes - others) / 2**0.5, _DIGIT)


def _noise(values: Planes) -> float:
    """Return the standard deviation of values by their middle two thirds."""
    return max(float(np.diff(np.percentile(values, [15.865, 84.135]))[0]) / 2, _DIGIT)
