"""The value at which the pixels of a camera stop, measured from frames that reach it."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge.threads import in_two_threads
from autowisp_xr.camera import Camera
from autowisp_xr.measure.frame_pairs import by_channel, check_raw, unflagged
from autowisp_xr.stats.digits import counted, plateau_of, step_of
from autowisp_xr.stats.sampling import spread

_SAME = 0.02
"""Plateaus of several frames that differ by less are one, the lowest of them."""


def saturation(
    ds: xr.Dataset, *, camera: Camera | None = None, max_frames: int | None = None
) -> xr.Dataset:
    """Measure the value at which pixels stop, in each channel: one that many share, far up.

    Cameras of 12 or 14 bits write 16, and seldom state where theirs end: at 4095 or 16383, or at
    these times 16 or 4.

    Parameters
    ----------
    ds
        Raw frames (frame, channel, y, x) in ADU, as ``open_fits`` gives them, of which some are
        bright: flats, or lights with stars.
    camera
        Its bias level; by default the one that travels with ``ds``.
    max_frames
        So many frames are looked at, spread evenly over those that there are; None for all.

    Returns
    -------
    Dataset over ``channel``, in memory:

    ``saturation``
        In ADU above the bias level, as :class:`~autowisp_xr.Camera` takes it; NaN where no frame
        has a plateau.
    ``share``
        Of the pixels of the frames that have one, how many are at it or above.
    ``brightest``
        Largest value in any frame, in ADU as stored; NaN where values are no whole numbers.
    ``step``
        What all differences between the values are multiples of: 16 where 12 bits were shifted.
    ``frames``
        Number of frames with a plateau, which its history names.

    Pixels with a flag take no part. Each frame is read once, two at a time, or one where
    a memory limit is stated.

    Raises
    ------
    SchemaError, CalibrationError
        For what are no frames, or no raw ones.

    See Also
    --------
    autowisp_xr.plot.saturation : a picture of it.

    Notes
    -----
    A plateau is the largest value of a frame, but for a few pixels above it, that at least 10
    pixels share, of three rows and columns and more, and 20 times as many as have each of the 64
    values below it, on average. Where neighbouring pixels below it are mostly equal, values are too
    coarse to show one. Pixels that saturate softly, at a full well, have none.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> found = aw.measure.saturation(night.flat(3))
    """
    schema.check(ds)
    check_raw(ds, "frames")
    camera = camera or schema.camera_of(ds)
    numbers = spread(ds.sizes["frame"], max_frames)
    names, channels = schema.names(ds, "frame"), schema.names(ds, "channel")
    seen = [_Plateaus() for _ in channels]
    of_frames = in_two_threads(partial(_ends, ds), numbers)
    for number, ends in zip(numbers, of_frames, strict=True):
        for one, of_channel in zip(seen, ends, strict=True):
            one.add(names[number], of_channel)
    levels = np.array([one.level() for one in seen])
    known = np.isfinite(levels)
    columns = {
        "saturation": (levels - camera.bias_level, {"units": "adu"}),
        "share": (
            [np.mean(one.shares) if ok else 0.0 for one, ok in zip(seen, known, strict=True)],
        ),
        "brightest": ([one.brightest for one in seen], {"units": "adu"}),
        "step": ([one.step for one in seen], {"units": "adu"}),
        "frames": ([len(one.shares) if ok else 0 for one, ok in zip(seen, known, strict=True)],),
    }
    result = xr.Dataset(
        {name: ("channel", *column) for name, column in columns.items()},
        {"channel": ds["channel"].variable},
    )
    options = {
        "bias_level": camera.bias_level,
        "max_frames": max_frames,
        "looked_at": [names[number] for number in numbers],
        "plateaus": {name: one.values for name, one in zip(channels, seen, strict=True)},
    }
    return provenance.record(result, "saturation", options, source=ds)


class _Ends(NamedTuple):
    """Where the values of one channel of a frame stop."""

    largest: int
    step: int
    reached: int
    plateau: int | None
    share: float
    """Of the pixels, at the plateau or above."""


def _ends(ds: xr.Dataset, number: int) -> list[_Ends | None]:
    """Look at the channels of one frame; None for what are no whole numbers."""
    found: list[_Ends | None] = []
    for plane in unflagged(ds.isel(frame=number)):
        counts = counted(plane)
        if counts is None:
            found.append(None)
            continue
        value = plateau_of(plane, counts)
        share = 0.0 if value is None else float((plane >= value).mean())
        found.append(_Ends(counts.largest, step_of(counts), counts.reached, value, share))
    return found


@dataclass
class _Plateaus:
    """The plateaus of one channel, frame by frame."""

    values: dict[str, int] = field(default_factory=dict)
    """The value of the plateau by the name of the frame."""
    shares: list[float] = field(default_factory=list)
    """The share of the pixels of these frames that are there."""
    reached: float = -np.inf
    """Value that other frames reach."""
    brightest: float = np.nan
    step: int = 0

    def add(self, name: str, ends: _Ends | None) -> None:
        """Take in one frame."""
        if ends is None:
            return
        self.brightest = np.fmax(self.brightest, ends.largest)
        self.step = np.gcd(self.step, ends.step)
        if ends.plateau is None:
            self.reached = max(self.reached, ends.reached)
        else:
            self.values[name] = ends.plateau
            self.shares.append(ends.share)

    def level(self) -> float:
        """Return the lowest plateau that is about the highest; NaN where others go well beyond."""
        highest = max(self.values.values(), default=np.nan)
        if not highest * (1 + _SAME) >= self.reached:
            return np.nan
        return float(min(one for one in self.values.values() if one >= highest * (1 - _SAME)))


def with_saturation(camera: Camera, measured: xr.Dataset) -> Camera:
    """Return the same camera, with a saturation that was measured in place of its own.

    A channel that has no plateau takes the highest of the others.
    """
    levels = measured["saturation"].values
    if not np.isfinite(levels).any():
        return camera
    levels = np.where(np.isfinite(levels), levels, np.nanmax(levels))
    channels = schema.names(measured, "channel")
    if len(set(levels.tolist())) == 1:
        channels, levels = channels[:1], levels[:1]
    return replace(camera, saturation=by_channel(channels, levels))
