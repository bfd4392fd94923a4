"""Measure and subtract the level of pixels that see no light."""

from dataclasses import asdict
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.kernels.overscan import median_level
from autowisp_xr.options import Overscan
from autowisp_xr.regions import Region
from autowisp_xr.transforms import _apply
from autowisp_xr.transforms._pass import Steps, one_pass
from autowisp_xr.transforms.channels import check_covers, covered

__all__ = ["overscan_level", "overscan_method", "subtract_overscan"]


def subtract_overscan(
    ds: xr.Dataset,
    overscan: Overscan | None = None,
    *,
    camera: Camera | None = None,
    dtype: Any = "float32",
) -> xr.Dataset:
    """Subtract from each frame the level of its own overscan pixels.

    Parameters
    ----------
    ds
        Untrimmed frames (frame, channel, y, x), in ADU.
    overscan
        How the level is found; by default the median with rejection at 5 standard deviations.
    camera
        Whose ``overscan`` areas are used, each pixel of their union once, all channels together; by
        default the one that travels with ``ds``.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, lazy where ``ds`` is: the level of each frame subtracted, its variance
    added. Pixels that are not finite are left out of the level, and flagged FAULT.

    Raises
    ------
    CalibrationError
        If the camera has no overscan areas.
    OutsideImageError
        If an area reaches outside the frames (they may have been trimmed already).
    ConvergenceError
        If too few pixels are left; found when the frames are computed, and naming the frame.
    """
    schema.check(ds)
    camera = camera or schema.camera_of(ds)
    if not camera.overscan:
        raise CalibrationError("the camera has no overscan areas; give Camera(overscan=...)")
    method = overscan or Overscan()
    level = overscan_level(ds, camera.overscan, method)
    result = one_pass(ds, Steps(overscan=level), dtype=dtype)
    areas = [str(area) for area in camera.overscan]
    return provenance.record(
        result, "subtract_overscan", {"areas": areas, "overscan": method}, source=ds
    )


def overscan_method(overscan: Overscan | Literal[False] | None, camera: Camera) -> Overscan | None:
    """How ``calibrate`` is to find the overscan level: None where it is not to."""
    if overscan is False or (overscan is None and not camera.overscan):
        return None
    if not camera.overscan:
        raise CalibrationError(
            "an overscan method was given, but the camera has no overscan areas; give "
            "Camera(overscan=...)"
        )
    return overscan or Overscan()


def overscan_level(
    ds: xr.Dataset, areas: tuple[Region, ...], method: Overscan
) -> tuple[xr.Variable, xr.Variable]:
    """Level of each frame and its variance, each over (frame,), float64; lazy where ``ds`` is."""
    inside = covered(ds)
    for number, area in enumerate(areas):
        check_covers(inside, area, f"overscan area {number}")
    ds = _apply.load_coordinates(ds)
    wanted = _union(ds, areas)
    rows = np.flatnonzero(wanted.any(axis=(0, 2)))
    columns = np.flatnonzero(wanted.any(axis=(0, 1)))
    box = {
        "y": slice(int(rows[0]), int(rows[-1]) + 1),
        "x": slice(int(columns[0]), int(columns[-1]) + 1),
    }
    wanted = wanted[:, box["y"], box["x"]]
    pixels = _apply.framewise(ds["image"].variable.isel(box))
    names = xr.Variable(("frame",), ds["frame"].values.astype(object))

    kernel = partial(_levels, wanted=wanted, method=method)
    value, variance = _apply.apply(kernel, [pixels, names], ("frame",), ["float64", "float64"])
    return value, variance


def _levels(image: Any, frames: Any, *, wanted: Any, method: Overscan) -> tuple[Any, Any]:
    found = [
        median_level(plane[wanted], **asdict(method), name=f"frame {name!r}")
        for plane, name in zip(image, frames, strict=True)
    ]
    values = np.array([level.value for level in found])
    return values, np.array([level.variance for level in found])


def _union(ds: xr.Dataset, areas: tuple[Region, ...]) -> Any:
    """Which pixels of the planes lie in any of the areas: (channel, y, x) bool."""
    planes = []
    for where in schema.channel_slices(ds):
        y = ds["y"].values + where.y_offset
        x = ds["x"].values + where.x_offset
        inside = np.zeros((y.size, x.size), bool)
        for area in areas:
            rows = (y >= area.ymin) & (y < area.ymax)
            columns = (x >= area.xmin) & (x < area.xmax)
            inside |= rows[:, None] & columns
        planes.append(inside)
    return np.stack(planes)
