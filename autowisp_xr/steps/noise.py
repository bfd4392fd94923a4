"""The step that adds noise of photons and of reading, from gain and read noise of the camera."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Floats, Integers
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.headers.bunit import COUNTED
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.matching.pixel_types import FRACTIONS, are_fractions
from autowisp_xr.steps.base import Along, RowIndex, Step, absent, per_channel
from autowisp_xr.steps.geometry import amplifier_map

PHOTONS = {"none": 0, "positive": 1, "absolute": 2}
"""How the photon signal is read off a pixel: not at all, max(I, 0), or |I|."""

_LEAST_WELL = 100.0
"""Electrons that a pixel holds at least."""


class NoiseOperands(NamedTuple):
    """Gain and read noise, of one or each amplifier, and which of them reads a pixel."""

    inverse_gain: Floats = absent(2)
    """(channel, amplifier) ADU per electron."""
    read_variance: Floats = absent(2)
    """(channel, amplifier) ADU^2."""
    photons: Integers = absent(1, np.int64)
    """(1): a value of ``PHOTONS``."""
    reader: Bits = absent(3, np.uint8)
    """(channel, y, x): number of the amplifier that reads each pixel."""


@kernel
def photon_signal(signal: float, photons: int) -> float:
    """Return the photons of a pixel, in ADU, as far as its value shows them."""
    if photons == 0:
        return 0.0
    if photons == 1:
        return max(signal, 0.0)
    return abs(signal)


@kernel
def noise_row(noise: NoiseOperands, at: RowIndex, along: Along) -> tuple[float, float]:
    """Return variance of reading and 1 / gain of a row, or put them into ``along``."""
    number = noise.inverse_gain.shape[1]
    if number == 0:
        return 0.0, 0.0
    if number == 1:
        return noise.read_variance[at.channel, 0], noise.inverse_gain[at.channel, 0]
    for x in range(along.inverse_gain.size):
        amplifier = min(noise.reader[at.channel, at.y, x], number - 1)
        along.inverse_gain[x] = noise.inverse_gain[at.channel, amplifier]
        along.variance[x] += noise.read_variance[at.channel, amplifier]
    return 0.0, 0.0


@dataclass(frozen=True, kw_only=True)
class AddNoise(Step):
    """V += photons(I) / gain + (read_noise / gain)^2, of each frame for itself."""

    operand = "noise"
    inverse_gain: xr.Variable
    """(channel, noise_amplifier) as among the operands."""
    read_variance: xr.Variable
    photons: str
    """A key of ``PHOTONS``."""
    camera: Camera
    reader: xr.Variable | None = None
    """(channel, y, x): amplifier of each pixel; None where there is one only."""

    @property
    def line(self) -> dict[str, Any]:
        """Gain and read noise of the camera, and the signal that counted as photons."""
        return {
            "gain": self.camera.gain,
            "read_noise": self.camera.read_noise,
            "amplifiers": [amplifier.record() for amplifier in self.camera.amplifiers],
            "photons": self.photons,
        }

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable | None]:
        """Return gain and read noise, what counts as photons, and the map of amplifiers."""
        return {
            "inverse_gain": self.inverse_gain,
            "read_variance": self.read_variance,
            "photons": xr.Variable(("number",), np.array([PHOTONS[self.photons]])),
            "reader": self.reader,
        }

    def in_place(self, signal: Floats) -> Floats:
        """Make the variance of its pixels of a signal (channel, y, x), which is as none where NaN.

        It is what a pass adds for positive signals, of one frame.
        """
        gain, reading = self.inverse_gain.values[..., None], self.read_variance.values[..., None]
        if self.reader is not None:
            which = np.minimum(self.reader.values, gain.shape[1] - 1)
            gain, reading = (
                np.stack([of[which_of] for of, which_of in zip(each[..., 0], which, strict=True)])
                for each in (gain, reading)
            )
        np.fmax(signal, 0.0, out=signal)
        signal *= gain
        signal += reading
        return signal


def check_counted(ds: xr.Dataset) -> None:
    """Raise CalibrationError for frames in a unit that counts nothing, with the remedy."""
    units = schema.units_of(ds)
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


def noise_of(ds: xr.Dataset, camera: Camera, photons: str) -> AddNoise:
    """Return the step that adds the noise of frames.

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
            f"the {' and the '.join(unknown).replace('_', ' ')} of the camera must be known for "
            f"a variance; give Camera(gain=..., read_noise=...){each}, or gain and read_noise "
            "in a camera file, in electrons per ADU and in electrons "
            "(aw.measure.gain_and_read_noise measures them from raw flats and biases)"
        )
    channels = schema.names(ds, "channel")
    gain = _per_amplifier(camera, "gain", channels)
    if schema.units_of(ds) == "electron":
        gain = np.ones_like(gain)
    elif photons == "positive":
        _check_no_fractions(ds, float(np.nanmin(gain)))
    read_variance = (_per_amplifier(camera, "read_noise", channels) / gain) ** 2
    dims = ("channel", "noise_amplifier")
    inverse_gain, read_variance = np.broadcast_arrays(1.0 / gain, read_variance)
    return AddNoise(
        inverse_gain=xr.Variable(dims, inverse_gain),
        read_variance=xr.Variable(dims, read_variance),
        photons=photons,
        camera=camera,
        reader=amplifier_map(ds, camera),
    )


def _per_amplifier(camera: Camera, name: str, channels: list[str]) -> Floats:
    """Return gain or read noise, (channel, amplifier) float64; NaN where not known."""
    per_channel(getattr(camera, name), channels, name.replace("_", " "))
    return np.array([camera.numbers_of(name, channel) for channel in channels], dtype=np.float64)
