"""Noise that masters lend to all frames alike, which does not average down in a stack.

A dark made with the bias that is subtracted here shares its noise: I - B - k D with D = d - B is
I - (1-k) B - k d, so that of the variance of the bias (1-k)^2 is left: with var(D) = var(d) +
var(B), bias and dark add var(B) + k^2 var(D) - 2 k var(B).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge import blocks
from autowisp_xr.kernels.calibrate import divide_variance

__all__ = ["factor_of_dark", "flat_variance", "masters_variance", "shared_planes", "summed"]

_PLANE = schema.DIMS[1:]


def masters_variance(
    ds: xr.Dataset,
    bias: xr.Dataset | None,
    dark: xr.Dataset | None,
    scale: Any,
    shares_bias: bool,
    dtype: Any,
) -> xr.Variable | None:
    """Variance that bias and ``scale`` times dark add to the frames, before any flat.

    Over (channel, y, x), with ``frame`` in front where the scale differs between frames; None
    where there is neither master.
    """
    own, other = blocks.plane(bias, "variance"), blocks.plane(dark, "variance")
    if own is None and other is None:
        return None
    common = None
    if shares_bias and other is not None:
        # where the bias was subtracted in a step before, its noise is in the frames already
        common = own if own is not None else blocks.plane(ds, "shared_variance")
    dims, k = factor_of_dark(ds, scale)
    (total,) = blocks.apply(_sum_of_masters, [own, other, common, k], dims, [dtype])
    return total


def factor_of_dark(ds: xr.Dataset, scale: Any) -> tuple[tuple[str, ...], xr.Variable]:
    """Dims of what a scaled dark adds to the frames, and its factor: a number, or one a frame."""
    factors = np.unique(np.atleast_1d(scale))
    if factors.size == 1:
        return _PLANE, xr.Variable((), factors[0])
    k = xr.Variable(("frame",), np.asarray(scale))
    frames = blocks.pixelwise(ds["image"].variable)
    if frames.chunks is not None:
        # a plane for each frame, as large as the cube: as lazy as that
        k = k.chunk({"frame": frames.chunksizes["frame"]})
    return schema.DIMS, k


def flat_variance(flat: xr.Dataset | None, dtype: Any) -> xr.Variable | None:
    """Variance of a flat over its square, (channel, y, x)."""
    if flat is None or "variance" not in flat:
        return None
    planes = [blocks.plane(flat, "variance"), blocks.plane(flat, "image")]
    (relative,) = blocks.apply(_divided, planes, _PLANE, [dtype])
    return relative


def shared_planes(
    ds: xr.Dataset,
    added: xr.Variable | None,
    relative: xr.Variable | None,
    flat: xr.Dataset | None,
    dtype: Any,
) -> dict[str, xr.Variable]:
    """What frames share after a pass: with what they shared before, and divided by the flat."""
    common = summed([blocks.plane(ds, "shared_variance"), added], dtype, flat)
    relative = summed([blocks.plane(ds, "shared_relative_variance"), relative], dtype)
    planes = {"shared_variance": common, "shared_relative_variance": relative}
    return {name: plane for name, plane in planes.items() if plane is not None}


def summed(
    planes: Sequence[xr.Variable | None], dtype: Any, flat: xr.Dataset | None = None
) -> xr.Variable | None:
    """Sum of the variances that are there, divided by the square of a flat; None of none.

    Over (channel, y, x), with ``frame`` in front where one of them has it.
    """
    parts = [plane for plane in planes if plane is not None]
    if not parts:
        return None
    dims = schema.DIMS if any("frame" in part.dims for part in parts) else _PLANE
    divisor = [] if flat is None else [blocks.plane(flat, "image")]
    kernel = _sum if flat is None else _divided_sum
    (total,) = blocks.apply(kernel, [*divisor, *parts], dims, [dtype])
    return total


def _sum_of_masters(bias: Any, dark: Any, common: Any, k: Any) -> tuple[Any]:
    k = np.reshape(k, (-1, 1, 1, 1) if np.ndim(k) else ())
    total = np.float64(0.0) if bias is None else bias.astype(np.float64)
    if dark is not None:
        total = total + k**2 * dark
    if common is not None:
        total = total - 2 * k * common.astype(np.float64)
    return (total,)


def _sum(*planes: Any) -> tuple[Any]:
    return (sum(plane.astype(np.float64) for plane in planes),)


def _divided(variance: Any, flat: Any) -> tuple[Any]:
    return (divide_variance(variance, flat),)


def _divided_sum(flat: Any, *planes: Any) -> tuple[Any]:
    return _divided(_sum(*planes)[0], flat)
