"""What of the variance of frames is the noise of photons, through the steps of calibration.

The noise model gives a value I the variance max(I, 0) / gain before dark and flat. In terms of what
comes out, (I - k D) / F, that is max(s (image - z), 0) with s = 1 / (gain F) and z = -k D / F. Both
are planes that all frames have in common, and they cost next to nothing; a stack needs them to
count the photons of its average in place of those of each noisy value.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Cube, Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.steps.base import Step, over_frames
from autowisp_xr.steps.dark import SubtractDark
from autowisp_xr.steps.flat import DivideFlat, quotient
from autowisp_xr.steps.noise import AddNoise

_PLANE = schema.DIMS[1:]


def photon_planes(
    ds: xr.Dataset, steps: Sequence[Step], dtype: DTypeLike
) -> dict[str, xr.Variable]:
    """Planes of the noise of photons after a pass; none where it is not max(s (image - z), 0).

    Parameters
    ----------
    ds
        Frames before the pass, perhaps with such planes.
    steps
        Of the pass. A level that is subtracted after the noise was added is none of the steps of
        calibration.
    dtype
        Of the planes.

    Returns
    -------
    ``photon_slope``, ``photon_zero`` where it is not 0, and ``photon_variance`` where the frames
    came with it; lazy where the frames, the dark or the flat are.
    """
    of = {step.place: step for step in steps}
    noise, dark, flat = (of.get(place) for place in ("noise", "dark", "flat"))
    divisor = blocks.plane(flat.lit, "image") if isinstance(flat, DivideFlat) else None
    slope, zero, known = (blocks.plane(ds, name) for name in schema.PHOTON_PLANES)
    if slope is not None and any(step.before_noise for step in steps):
        return {}
    if not isinstance(noise, AddNoise) or noise.photons == "none":
        if slope is None:
            return {}
        if divisor is not None:
            slope = _divided(divisor, slope, 1, dtype)
            known = None if known is None else _divided(divisor, known, 2, dtype)
    elif noise.photons == "positive" and slope is None:
        slope, zero, known = _slope(ds, noise, divisor, dtype), None, None
    else:
        return {}
    if isinstance(dark, SubtractDark) or (zero is not None and divisor is not None):
        image, k = None, None
        if isinstance(dark, SubtractDark):
            image, k = blocks.plane(dark.master, "image"), dark.factors(ds)
        framed = any("frame" in one.dims for one in (zero, k) if one is not None)
        dims = schema.DIMS if framed else _PLANE
        (zero,) = blocks.apply(_zero, [divisor, zero, image, k], dims, [dtype])
    planes = dict(zip(schema.PHOTON_PLANES, (slope, zero, known), strict=True))
    return {name: plane for name, plane in planes.items() if plane is not None}


def _slope(
    ds: xr.Dataset, noise: AddNoise, divisor: xr.Variable | None, dtype: DTypeLike
) -> xr.Variable:
    numbers = noise.limits[0]
    if divisor is None and noise.reader is None:
        # the same number everywhere, which needs no room
        shape = [ds.sizes[dim] for dim in _PLANE]
        own = numbers.values[:, :1, None].astype(dtype)
        plane = xr.Variable(_PLANE, np.broadcast_to(own, shape))
        chunks = blocks.pixelwise(ds["image"].variable).chunksizes
        return plane.chunk({dim: chunks[dim] for dim in _PLANE}) if chunks else plane
    (slope,) = blocks.apply(_slopes, [divisor, noise.reader, numbers], _PLANE, [dtype])
    return slope


def _divided(divisor: xr.Variable, plane: xr.Variable, power: int, dtype: DTypeLike) -> xr.Variable:
    dims = schema.DIMS if "frame" in plane.dims else _PLANE
    (result,) = blocks.apply(partial(_quotient, power=power), [plane, divisor], dims, [dtype])
    return result


def _quotient(plane: Cube, flat: Planes, power: int) -> tuple[Floats]:
    return (quotient(plane, flat, power),)


def _slopes(flat: Planes | None, reader: Bits | None, inverse_gain: Floats) -> tuple[Floats]:
    """Slope before any flat, divided by it."""
    if reader is None:
        slope = inverse_gain[:, :1, None]
    else:
        last = inverse_gain.shape[1] - 1
        channels = np.arange(len(reader))[:, None, None]
        slope = inverse_gain[channels, np.minimum(reader, last)]
    return (slope if flat is None else quotient(slope, flat),)


def _zero(
    flat: Planes | None, zero: Cube | None, dark: Planes | None, k: Floats | None
) -> tuple[Floats]:
    """Value without light, after ``k`` times the dark was subtracted, and divided by a flat."""
    moved: Any = np.float64(0.0) if zero is None else zero.astype(np.float64)
    if dark is not None and k is not None:
        moved = moved - over_frames(k) * dark.astype(np.float64)
    return (moved if flat is None else quotient(moved, flat),)
