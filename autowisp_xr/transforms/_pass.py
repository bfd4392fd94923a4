"""One pass over the frames that runs any of the steps of calibration.

``calibrate`` runs all of them, a single verb one of them; both end in the same kernel.

Noise that all frames share is kept apart (``shared_variance``, ``shared_relative_variance``),
because it does not average down when they are stacked.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.headers.bunit import COUNTED
from autowisp_xr.kernels.calibrate import (
    PHOTONS,
    calibrate_planes,
    transferred,
)
from autowisp_xr.pixel_types import FRACTIONS, are_fractions
from autowisp_xr.transforms import _apply
from autowisp_xr.transforms._levels import Levels, kernel_arrays
from autowisp_xr.transforms._shared import (
    flat_variance,
    masters_variance,
    shared_planes,
    summed,
)

__all__ = ["PLANE_BYTES", "Noise", "Steps", "check_counted", "noise_of", "one_pass", "per_channel"]


_LEAST_WELL = 100.0
"""Electrons that a pixel holds at least."""

PLANE_BYTES = 9
"""Of a calibrated pixel: image and variance in float32, and mask."""


@dataclass(frozen=True)
class Noise:
    """What a frame's own noise is made from, (channel, amplifier) in the order of the frames."""

    inverse_gain: Any
    """ADU per electron; of each amplifier, then of what none reads, or one where all are equal."""
    read_variance: Any
    """ADU^2, of the same shape."""
    photons: int
    """A value of ``PHOTONS``."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Which steps a pass runs; what is left at its default is not run."""

    level: float = 0.0
    saturation: Any = None
    """(frame, channel), compared after ``level``: a pixel at it or above is saturated, none where
    it is NaN; None where flags are set elsewhere."""
    overscan: Levels | None = None
    reader: xr.Variable | None = None
    """(channel, y, x) uint8: amplifier of each pixel, for ``overscan`` and ``noise``; None where
    there is one only."""
    bias: xr.Dataset | None = None
    noise: Noise | None = None
    dark: xr.Dataset | None = None
    dark_scale: Any = 1.0
    """Factor of the dark, per frame."""
    dark_shares_bias: bool = False
    """Whether the dark was made with the bias that is (or was) subtracted from these frames."""
    flat: xr.Dataset | None = None
    shared: bool = True
    """Whether what the frames share of their variance is wanted apart, too."""
    masks: list[xr.Variable] = field(default_factory=list)
    """Further masks over (channel, y, x) or (frame, channel, y, x)."""


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


def one_pass(ds: xr.Dataset, steps: Steps, *, dtype: Any) -> xr.Dataset:
    """Frames after the steps, with variance, mask and shared variances; lazy where they are.

    The coordinates and attributes are those of ``ds``; the history is left to the caller.
    """
    ds = _apply.load_coordinates(ds).drop_encoding()
    dtype = np.dtype(dtype)
    image = ds["image"].variable
    if any("frame" in mask.dims for mask in steps.masks):
        # flags that are found in the frames share the reading of them
        image = _apply.pixelwise(image)
    overscan = steps.overscan or Levels()
    added = masters_variance(
        ds, steps.bias, steps.dark, steps.dark_scale, steps.dark_shares_bias, dtype
    )
    if overscan.shared is not None:
        added = summed([added, overscan.shared], dtype)
    relative = flat_variance(steps.flat, dtype)
    # where nobody knows it, it stays NaN, and is no fault of the pixels
    unknown = steps.noise is None and not provenance.noise_known(ds)
    operands = [
        image,
        None if unknown else _apply.plane(ds, "variance"),
        _mask(ds, steps),
        xr.Variable(("frame",), np.broadcast_to(steps.dark_scale, (ds.sizes["frame"],))),
        *(_apply.plane(master, "image") for master in (steps.bias, steps.dark, steps.flat)),
        added,
        relative,
        _masters_mask(steps),
        *overscan.operands,
        steps.reader,
        *_limits(steps, ds.sizes["frame"], ds.sizes["channel"]),
    ]
    kernel = partial(
        _run,
        dtype=dtype,
        level=float(steps.level),
        photons=steps.noise.photons if steps.noise else PHOTONS["none"],
    )
    planes = _apply.apply(kernel, operands, schema.DIMS, [dtype, dtype, np.uint8])
    variables = dict(zip(("image", "variance", "mask"), planes, strict=True))
    if unknown:
        variables["variance"] = xr.full_like(variables["variance"], np.nan)
    if steps.shared:
        variables |= shared_planes(ds, added, relative, steps.flat, dtype)
    units = ds["image"].attrs.get("units", "adu")
    result = xr.Dataset(variables, _coordinates(ds, steps), ds.attrs)
    return schema.with_attributes(result, units)


def _coordinates(ds: xr.Dataset, steps: Steps) -> Any:
    """Coordinates of the frames; their ceiling moves with a constant level, and ends with masters.

    Where something is subtracted that differs between pixels, they have no ceiling in common.
    """
    if "ceiling" not in ds.coords:
        return ds.coords
    coords = ds.coords.to_dataset()
    if any(step is not None for step in (steps.overscan, steps.bias, steps.dark, steps.flat)):
        return coords.drop_vars("ceiling").coords
    return coords.assign_coords(ceiling=coords["ceiling"] - steps.level).coords


def _limits(steps: Steps, frames: int, channels: int) -> list[xr.Variable]:
    """Saturation threshold, 1 / gain and read noise variance of each channel (and amplifier)."""
    saturation = np.nan if steps.saturation is None else steps.saturation
    none = np.zeros((channels, 1))
    noise = steps.noise or Noise(none, none, PHOTONS["none"])
    return [
        xr.Variable(("frame", "channel"), np.broadcast_to(saturation, (frames, channels))),
        *(
            xr.Variable(("channel", "noise_amplifier"), given)
            for given in (noise.inverse_gain, noise.read_variance)
        ),
    ]


def _run(
    raw: Any, variance: Any, mask: Any, scale: Any, bias: Any, dark: Any, flat: Any, added: Any,
    relative: Any, masters_mask: Any, *rest: Any, dtype: Any, level: float, photons: int,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Run the kernel on blocks of the operands of :func:`one_pass`, in their order."""
    *overscan, reader, saturation, inverse_gain, noise = rest
    limits = tuple(np.array(limit, dtype=np.float64) for limit in (saturation, inverse_gain, noise))
    kind = np.result_type(dtype, *(m.dtype for m in (bias, dark, flat) if m is not None))
    if added is not None and added.ndim == 3:
        added = added[None]
    out = (np.empty(raw.shape, dtype), np.empty(raw.shape, dtype), np.empty(raw.shape, np.uint8))
    calibrate_planes(
        np.ascontiguousarray(raw),
        _array(variance, 4, kind),
        _array(mask, 4, np.uint8),
        kernel_arrays(*overscan),
        _array(reader, 3, np.uint8),
        np.array(scale, dtype=np.float64),
        level,
        limits,
        photons,
        (
            _array(bias, 3, kind),
            _array(dark, 3, kind),
            _array(flat, 3, kind),
            _array(added, 4, kind),
            _array(relative, 3, kind),
            _array(masters_mask, 3, np.uint8),
        ),
        out,
    )
    return out


def _array(given: Any, ndim: int, dtype: Any) -> Any:
    """A contiguous array for the kernel; of size 0 where there is none."""
    if given is None:
        return np.empty((0,) * ndim, dtype)
    return np.ascontiguousarray(given, dtype=dtype)


def _mask(ds: xr.Dataset, steps: Steps) -> xr.Variable | None:
    """Mask that the frames come with, and further ones that differ between frames."""
    masks = [_apply.plane(ds, "mask"), *(mask for mask in steps.masks if "frame" in mask.dims)]
    return _united([mask for mask in masks if mask is not None], schema.DIMS)


def _masters_mask(steps: Steps) -> xr.Variable | None:
    """What frames inherit from the masks of their masters, and further masks of all frames."""
    masks = [mask for mask in steps.masks if "frame" not in mask.dims]
    for master in (steps.bias, steps.dark, steps.flat):
        plane = _apply.plane(master, "mask")
        if plane is not None:
            (inherited,) = _apply.apply(_inherited, [plane], schema.DIMS[1:], [np.uint8])
            masks.append(inherited)
    return _united(masks, schema.DIMS[1:])


def _united(masks: list[xr.Variable], dims: tuple[str, ...]) -> xr.Variable | None:
    if len(masks) < 2:
        return masks[0] if masks else None
    (union,) = _apply.apply(_union, masks, dims, [np.uint8])
    return union


def _inherited(mask: Any) -> tuple[Any]:
    return (transferred(mask),)


def _union(*masks: Any) -> tuple[Any]:
    return (np.bitwise_or.reduce(np.broadcast_arrays(*masks)),)
