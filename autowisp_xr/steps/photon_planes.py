"""What of the variance of frames is the noise of photons, through the steps of calibration.

The noise model gives a value I the variance max(I, 0) / gain before dark and flat. In terms of what
comes out, (I - k D) / F, that is max(s (image - z), 0) with s = 1 / (gain F) and z = -k D / F. Both
are planes that all frames have in common, and they cost next to nothing; a stack needs them to
count the photons of its average in place of those of each noisy value.
"""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge import blocks
from autowisp_xr.kernels.calibrate import PHOTONS, divide_variance
from autowisp_xr.steps.noise_model import Noise
from autowisp_xr.steps.shared_noise import factor_of_dark

__all__ = ["photon_planes"]

_PLANE = schema.DIMS[1:]


def photon_planes(
    ds: xr.Dataset,
    noise: Noise | None,
    reader: xr.Variable | None,
    dark: xr.Dataset | None,
    scale: Any,
    flat: xr.Dataset | None,
    dtype: Any,
) -> dict[str, xr.Variable]:
    """Planes of the noise of photons after a pass; none where it is not max(s (image - z), 0).

    Parameters
    ----------
    ds
        Frames before the pass, perhaps with such planes.
    noise, reader
        Noise that is added in this pass, and the amplifier of each pixel.
    dark, scale, flat
        What is subtracted after it, how often (one number or one a frame), and divided by.
    dtype
        Of the planes.

    Returns
    -------
    ``photon_slope``, ``photon_zero`` where it is not 0, and ``photon_variance`` where the frames
    came with it; lazy where the frames, the dark or the flat are.
    """
    divisor = blocks.plane(flat, "image")
    slope = blocks.plane(ds, "photon_slope")
    if noise is None or noise.photons == PHOTONS["none"]:
        if slope is None:
            return {}
        zero, known = blocks.plane(ds, "photon_zero"), blocks.plane(ds, "photon_variance")
        if divisor is not None:
            (slope,) = blocks.apply(_divided, [divisor, slope], _dims(slope), [dtype])
        if divisor is not None and known is not None:
            (known,) = blocks.apply(_divided_variance, [divisor, known], _dims(known), [dtype])
    elif noise.photons == PHOTONS["positive"] and slope is None:
        slope = _slope(ds, noise, reader, divisor, dtype)
        zero, known = None, None
    else:
        return {}
    subtracted = blocks.plane(dark, "image")
    if subtracted is not None or (zero is not None and divisor is not None):
        dims, k = factor_of_dark(ds, scale)
        if zero is not None and "frame" in zero.dims:
            dims = schema.DIMS
        (zero,) = blocks.apply(_zero, [divisor, zero, subtracted, k], dims, [dtype])
    planes = dict(zip(schema.PHOTON_PLANES, (slope, zero, known), strict=True))
    return {name: plane for name, plane in planes.items() if plane is not None}


def _slope(
    ds: xr.Dataset,
    noise: Noise,
    reader: xr.Variable | None,
    divisor: xr.Variable | None,
    dtype: Any,
) -> xr.Variable:
    numbers = xr.Variable(("channel", "amplifier"), np.asarray(noise.inverse_gain, np.float64))
    if divisor is None and reader is None:
        # the same number everywhere, which needs no room
        shape = [ds.sizes[dim] for dim in _PLANE]
        own = numbers.values[:, :1, None].astype(dtype)
        plane = xr.Variable(_PLANE, np.broadcast_to(own, shape))
        chunks = blocks.pixelwise(ds["image"].variable).chunksizes
        return plane.chunk({dim: chunks[dim] for dim in _PLANE}) if chunks else plane
    (slope,) = blocks.apply(_slopes, [divisor, reader, numbers], _PLANE, [dtype])
    return slope


def _dims(plane: xr.Variable) -> tuple[str, ...]:
    return schema.DIMS if "frame" in plane.dims else _PLANE


def _slopes(flat: Any, reader: Any, inverse_gain: Any) -> tuple[Any]:
    """Slope before any flat, divided by it."""
    if reader is None:
        slope = inverse_gain[:, :1, None]
    else:
        last = inverse_gain.shape[1] - 1
        channels = np.arange(len(reader))[:, None, None]
        slope = inverse_gain[channels, np.minimum(reader, last)]
    return (slope,) if flat is None else _divided(flat, slope)


def _zero(flat: Any, zero: Any, dark: Any, k: Any) -> tuple[Any]:
    """Value without light, after ``k`` times the dark was subtracted, and divided by a flat."""
    moved = np.float64(0.0) if zero is None else zero.astype(np.float64)
    if dark is not None:
        k = np.reshape(k, (-1, 1, 1, 1) if np.ndim(k) else ())
        moved = moved - k * dark.astype(np.float64)
    return (moved,) if flat is None else _divided(flat, moved)


def _divided(flat: Any, plane: Any) -> tuple[Any]:
    """Quotient; NaN where the flat is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = np.asarray(flat, dtype=np.float64)
        return (np.where(flat > 0, plane / flat, np.nan),)


def _divided_variance(flat: Any, plane: Any) -> tuple[Any]:
    return (divide_variance(plane, flat),)
