"""The noise of frames: of photons and of reading, from gain and read noise of the camera."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.headers.bunit import COUNTED
from autowisp_xr.kernels.calibrate import PHOTONS
from autowisp_xr.pixel_types import FRACTIONS, are_fractions

__all__ = ["Noise", "check_counted", "noise_of", "per_channel"]

_LEAST_WELL = 100.0
"""Electrons that a pixel holds at least."""


@dataclass(frozen=True)
class Noise:
    """What a frame's own noise is made from, (channel, amplifier) in the order of the frames."""

    inverse_gain: Any
    """ADU per electron; of each amplifier, then of what none reads, or one where all are equal."""
    read_variance: Any
    """ADU^2, of the same shape."""
    photons: int
    """A value of ``PHOTONS``."""


def per_channel(given: Any, channels: list[str], what: str) -> Any:
    """One number for each channel, (channel) float64, from a number or {channel: number}."""
    if isinstance(given, dict):
        missing = [channel for channel in channels if channel not in given]
        if missing:
            raise CalibrationError(f"the camera has no {what} for the channels {missing}")
        return np.array([given[channel] for channel in channels], dtype=np.float64)
    return np.full(len(channels), given, dtype=np.float64)


def check_counted(ds: xr.Dataset) -> None:
    """Raise CalibrationError for frames in a unit that counts nothing, with the remedy."""
    units = ds["image"].attrs.get("units", "adu")
    if units in COUNTED:
        return
    remedy = f"bring them to {' or '.join(COUNTED)}"
    if units.endswith("/s"):
        remedy = (
            "multiply them by their exposure (ds.assign(image=(ds.image * ds.exposure)"
            f'.assign_attrs(units="{units[:-2]}")))'
        )
    raise CalibrationError(
        f"the frames are in units of {units!r} (BUNIT), whose noise does not follow from their "
        f"values: {remedy} and calibrate them then; if BUNIT is wrong, set "
        'ds.image.attrs["units"] = "adu"'
    )


def _check_no_fractions(ds: xr.Dataset, gain: float) -> None:
    """Raise CalibrationError for floats from 0 to 1 beside a gain that can only be one of counts.

    Three rows of the first frame are looked at, unless they would have to be computed. Where 1 is
    the full well, the gain is that well in electrons.
    """
    image = ds["image"].variable
    if image.dtype.kind != "f" or image.chunks is not None or not gain < _LEAST_WELL:
        return
    rows = sorted({ds.sizes["y"] * quarter // 4 for quarter in (1, 2, 3)})
    if are_fractions(image[0, :, rows].values):
        raise CalibrationError(
            f"the frames are in {FRACTIONS}, whose noise does not follow from a gain of {gain:g} "
            "e/ADU; multiply them by what 1 stands for (often 65535)"
        )


def noise_of(ds: xr.Dataset, camera: Camera, photons: str) -> Noise:
    """Noise model of the frames.

    Raises
    ------
    CalibrationError
        Where gain or read noise is not known, or the frames are in a unit that counts nothing, or
        are counts divided by the largest, with the remedy.
    """
    if photons not in PHOTONS:
        raise ValueError(f"photons is one of {', '.join(PHOTONS)}, not {photons!r}")
    check_counted(ds)
    unknown = camera.unknown_noise
    if unknown:
        each = " (or those of each amplifier)" if camera.amplifiers else ""
        raise CalibrationError(
            f"the {' and the '.join(unknown).replace('_', ' ')} of the camera must be known to "
            f"give a variance; say Camera(gain=..., read_noise=...){each}, or gain and read_noise "
            "in a camera file, in electrons per ADU and in electrons "
            "(aw.measure.gain_and_read_noise measures them from raw flats and biases)"
        )
    channels = schema.names(ds, "channel")
    gain = _per_amplifier(camera, "gain", channels)
    if ds["image"].attrs.get("units") == "electron":
        gain = np.ones_like(gain)
    elif photons == "positive":
        _check_no_fractions(ds, float(np.nanmin(gain)))
    read_variance = (_per_amplifier(camera, "read_noise", channels) / gain) ** 2
    gain, read_variance = np.broadcast_arrays(gain, read_variance)
    return Noise(1.0 / gain, read_variance, PHOTONS[photons])


def _per_amplifier(camera: Camera, name: str, channels: list[str]) -> Any:
    """Gain or read noise, (channel, amplifier) float64 as ``Noise`` has them; NaN if not known."""
    per_channel(getattr(camera, name), channels, name.replace("_", " "))
    return np.array([camera.numbers_of(name, channel) for channel in channels], dtype=np.float64)
