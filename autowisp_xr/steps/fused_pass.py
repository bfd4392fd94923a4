"""One pass over the frames that runs any of the steps of calibration.

``calibrate`` runs all of them, a single verb one of them; both end in the same kernel.

Noise that all frames share is kept apart (``shared_variance``, ``shared_relative_variance``),
because it does not average down when they are stacked. What of the variance is the noise of photons
is told beside it (``photon_slope``, ``photon_zero``; see ``transforms._photons``).
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.kernels.calibrate import (
    PHOTONS,
    calibrate_planes,
    transferred,
)
from autowisp_xr.steps.lenders import lent
from autowisp_xr.steps.level_planes import Levels, kernel_arrays
from autowisp_xr.steps.noise_model import Noise
from autowisp_xr.steps.photon_planes import photon_planes
from autowisp_xr.steps.shared_noise import flat_variance, masters_variance, shared_planes, summed

__all__ = ["PLANE_BYTES", "Steps", "one_pass"]


PLANE_BYTES = 9
"""Of a calibrated pixel: image and variance in float32, and mask."""


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
    """Whether what the frames share of their variance is wanted apart, too, and their photons."""
    errors: bool = True
    """Whether a variance is wanted; if not, it is NaN, and that is no fault of the pixels."""
    masks: list[xr.Variable] = field(default_factory=list)
    """Further masks over (channel, y, x) or (frame, channel, y, x)."""


def one_pass(ds: xr.Dataset, steps: Steps, *, dtype: Any) -> xr.Dataset:
    """Frames after the steps, with variance, mask and shared variances; lazy where they are.

    The coordinates and attributes are those of ``ds``; the history is left to the caller.
    """
    ds = blocks.load_coordinates(ds).drop_encoding()
    dtype = np.dtype(dtype)
    image = ds["image"].variable
    if any("frame" in mask.dims for mask in steps.masks):
        # flags that are found in the frames share the reading of them
        image = blocks.pixelwise(image)
    overscan = steps.overscan or Levels()
    added = masters_variance(
        ds, steps.bias, steps.dark, steps.dark_scale, steps.dark_shares_bias, dtype
    )
    if overscan.shared is not None:
        added = summed([added, overscan.shared], dtype)
    relative = flat_variance(steps.flat, dtype)
    # where nobody knows it, it stays NaN, and is no fault of the pixels
    unknown = not steps.errors or (steps.noise is None and not provenance.noise_known(ds))
    operands = [
        image,
        None if unknown else blocks.plane(ds, "variance"),
        _mask(ds, steps),
        xr.Variable(("frame",), np.broadcast_to(steps.dark_scale, (ds.sizes["frame"],))),
        *(blocks.plane(master, "image") for master in (steps.bias, steps.dark, steps.flat)),
        *((None, None) if unknown else (added, relative)),
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
    planes = blocks.apply(kernel, operands, schema.DIMS, [dtype, dtype, np.uint8])
    variables = dict(zip(("image", "variance", "mask"), planes, strict=True))
    if unknown:
        variables["variance"] = xr.full_like(variables["variance"], np.nan)
    if steps.shared:
        variables |= shared_planes(ds, added, relative, steps.flat, dtype)
        variables |= _photons(ds, steps, dtype)
    units = ds["image"].attrs.get("units", "adu")
    result = xr.Dataset(variables, _coordinates(ds, steps), ds.attrs)
    if steps.shared:
        whole = None if overscan.shared is None else xr.Dataset({"variance": overscan.shared})
        of_dark = (steps.dark, steps.dark_scale, steps.dark_shares_bias)
        result = result.assign_coords(lent(ds, [steps.bias, whole], *of_dark, steps.flat))
    return schema.with_attributes(result, units)


def _photons(ds: xr.Dataset, steps: Steps, dtype: Any) -> dict[str, xr.Variable]:
    """Planes of the noise of photons; none where the variance is not known.

    A level that is subtracted after the noise was added is none of the steps of calibration.
    """
    late = "photon_slope" in ds and (
        steps.level != 0 or steps.overscan is not None or steps.bias is not None
    )
    if late or not steps.errors:
        return {}
    return photon_planes(
        ds, steps.noise, steps.reader, steps.dark, steps.dark_scale, steps.flat, dtype
    )


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
    # what is too large for its type is infinite there, which the kernel flags
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(given, dtype=dtype)


def _mask(ds: xr.Dataset, steps: Steps) -> xr.Variable | None:
    """Mask that the frames come with, and further ones that differ between frames."""
    masks = [blocks.plane(ds, "mask"), *(mask for mask in steps.masks if "frame" in mask.dims)]
    return _united([mask for mask in masks if mask is not None], schema.DIMS)


def _masters_mask(steps: Steps) -> xr.Variable | None:
    """What frames inherit from the masks of their masters, and further masks of all frames."""
    masks = [mask for mask in steps.masks if "frame" not in mask.dims]
    for master in (steps.bias, steps.dark, steps.flat):
        plane = blocks.plane(master, "mask")
        if plane is not None:
            (inherited,) = blocks.apply(_inherited, [plane], schema.DIMS[1:], [np.uint8])
            masks.append(inherited)
    return _united(masks, schema.DIMS[1:])


def _united(masks: list[xr.Variable], dims: tuple[str, ...]) -> xr.Variable | None:
    if len(masks) < 2:
        return masks[0] if masks else None
    (union,) = blocks.apply(_union, masks, dims, [np.uint8])
    return union


def _inherited(mask: Any) -> tuple[Any]:
    return (transferred(mask),)


def _union(*masks: Any) -> tuple[Any]:
    return (np.bitwise_or.reduce(np.broadcast_arrays(*masks)),)
