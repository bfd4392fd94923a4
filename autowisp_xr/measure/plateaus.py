"""``saturation``: the value at which the pixels of a camera stop, from frames that reach it."""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.measure.bands import spread
from autowisp_xr.stats.digits import counted, plateau_of, step_of

__all__ = ["saturation", "with_saturation"]

_SAME = 0.02
"""Plateaus of several frames that differ by less are one, the lowest of them."""


def saturation(
    ds: xr.Dataset, *, camera: Camera | None = None, max_frames: int | None = None
) -> xr.Dataset:
    """The value at which pixels stop, in each channel: where many share one far above the rest.

    Cameras of 12 or 14 bits write 16, and seldom say where theirs end: at 4095 or 16383, or at
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

    Pixels with a flag take no part. Each frame is read once, one at a time.

    Raises
    ------
    SchemaError, CalibrationError
        For what are no frames, or no raw ones.

    Notes
    -----
    A plateau is the largest value of a frame, but for a few pixels above it, that at least 10
    pixels share, of three rows and columns and more, and 20 times as many as have each of the 64
    values below it, on average. Where neighbouring pixels below it are mostly equal, values are too
    coarse to tell. Pixels that saturate softly, at a full well, have none.
    """
    schema.check(ds)
    if not schema.is_raw(ds):
        raise CalibrationError(
            "the frames have a variance, so they have been calibrated; give raw frames, as "
            "open_fits reads them"
        )
    camera = camera or schema.camera_of(ds)
    numbers = spread(ds.sizes["frame"], max_frames)
    names, channels = schema.names(ds, "frame"), schema.names(ds, "channel")
    found: list[dict[str, int]] = [{} for _ in channels]
    shares: list[list[float]] = [[] for _ in channels]
    others = np.full(len(channels), -np.inf)
    brightest = np.full(len(channels), np.nan)
    steps = np.zeros(len(channels), np.int64)
    for number in numbers:
        planes = ds["image"][number].values
        if "mask" in ds:
            planes = np.where(ds["mask"][number].values == 0, planes, planes.min())
        for channel, plane in enumerate(planes):
            counts = counted(plane)
            if counts is None:
                continue
            brightest[channel] = np.fmax(brightest[channel], counts.largest)
            steps[channel] = np.gcd(steps[channel], step_of(counts))
            value = plateau_of(plane, counts)
            if value is None:
                others[channel] = max(others[channel], counts.reached)
            else:
                found[channel][names[number]] = value
                shares[channel].append(float((plane >= value).mean()))
    levels = [_one_level(of.values(), top) for of, top in zip(found, others, strict=True)]
    known = np.isfinite(levels)
    result = xr.Dataset(
        {
            "saturation": ("channel", np.array(levels) - camera.bias_level, {"units": "adu"}),
            "share": (
                "channel",
                [float(np.mean(of)) if ok else 0.0 for of, ok in zip(shares, known, strict=True)],
            ),
            "brightest": ("channel", brightest, {"units": "adu"}),
            "step": ("channel", steps, {"units": "adu"}),
            "frames": (
                "channel",
                [len(of) if ok else 0 for of, ok in zip(found, known, strict=True)],
            ),
        },
        {"channel": ds["channel"].variable},
    )
    options: dict[str, Any] = {
        "bias_level": camera.bias_level,
        "max_frames": max_frames,
        "looked_at": [names[number] for number in numbers],
        "plateaus": dict(zip(channels, found, strict=True)),
    }
    return provenance.record(result, "saturation", options, source=ds)


def _one_level(plateaus: Any, others: float) -> float:
    """The lowest plateau that is about the highest; NaN where frames without one go well beyond."""
    highest = max(plateaus, default=np.nan)
    if not highest * (1 + _SAME) >= others:
        return np.nan
    return float(min(value for value in plateaus if value >= highest * (1 - _SAME)))


def with_saturation(camera: Camera, measured: xr.Dataset) -> Camera:
    """The same camera, with a saturation that was measured in place of what it says.

    A channel that has no plateau takes the highest of the others.
    """
    levels = measured["saturation"].values
    if not np.isfinite(levels).any():
        return camera
    levels = np.where(np.isfinite(levels), levels, np.nanmax(levels)).tolist()
    channels = schema.names(measured, "channel")
    apart = len(set(levels)) > 1
    given = dict(zip(channels, levels, strict=True)) if apart else levels[0]
    return replace(camera, saturation=given)
