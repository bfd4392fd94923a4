"""Large-scale shapes: how flats of one set differ in theirs, and glow in a corner of a dark."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.errors import CalibrationError
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.measure.tiles import ranked
from autowisp_xr.steps.channels import trim

__all__ = ["flat_shapes", "glow"]

_CELLS = 16
"""Along an axis of a frame."""

_ROWS = 8
"""Of each cell that are read."""

_OVERSCAN_ROWS = 64
"""On either side of the middle, whose level stands for that of the frame."""

_INNER = (0.05, 0.95)
"""Quantiles of the cells between which shapes are compared: a shadow on one is another matter."""

_MEDIAN = np.pi / 2

_REGION = 32
"""Pixels a side of the regions among which glow is looked for."""


def flat_shapes(flats: xr.Dataset, *, bias: xr.Dataset | None = None) -> xr.Dataset:
    """How the large-scale shape of each flat differs from that of the others.

    Parameters
    ----------
    flats
        Frames (frame, channel, y, x). Of raw ones the level of the overscan is taken off, or the
        bias level of their camera, and the image area is looked at.
    bias
        Master that is in them as well.

    Returns
    -------
    Dataset over (frame, channel), in memory:

    ``level``
        Median of the cells.
    ``deviation``
        Range of frame / median of all frames (of two frames, the other one) over the cells of a
        16 x 16 grid, each brought to a median of one, and 5 % of the cells left out at either end:
        0.1 where one side is 10 % brighter than it should be. NaN for a single frame.
    ``deviation_error``
        Of it, by the noise of the cells.

    A few rows of each frame are read. Flagged pixels take no part.
    """
    schema.check(flats)
    levels = _levels(flats) if schema.is_raw(flats) else np.zeros(flats.sizes["frame"])
    frames = trim(flats) if schema.is_raw(flats) else flats
    cells = [_cells(frames.isel(frame=number)) for number in range(flats.sizes["frame"])]
    values: Any = np.stack([medians for medians, _ in cells]) - levels[:, None, None, None]
    if bias is not None:
        values = values - _cells(bias)[0]
    level = ranked(values.reshape(-1, values[0, 0].size), 0.5).reshape(values.shape[:2])
    with np.errstate(invalid="ignore", divide="ignore"):
        shapes: Any = values / level[..., None, None]
        noise: Any = np.stack([errors for _, errors in cells]) / np.abs(level)[..., None, None]
        reference = shapes[::-1] if len(shapes) == 2 else np.median(shapes, axis=0)
        ratios = (shapes / reference).reshape(*level.shape, -1)
        deviation: Any = ranked(ratios.reshape(-1, ratios.shape[-1]), _INNER[1])
        deviation -= ranked(ratios.reshape(-1, ratios.shape[-1]), _INNER[0])
    deviation = deviation.reshape(level.shape)
    if len(shapes) == 1:
        deviation[:] = np.nan
    # of normal noise, these quantiles are 3.3 standard deviations apart
    error = 3.3 * np.nanmedian(noise.reshape(*level.shape, -1), axis=-1)
    dims = schema.DIMS[:2]
    result = xr.Dataset(
        {
            "level": (dims, level, {"units": flats["image"].attrs.get("units", "adu")}),
            "deviation": (dims, deviation),
            "deviation_error": (dims, error),
        },
        schema.frame_and_channel(flats),
    )
    return provenance.record(result, "flat_shapes", source=flats, masters={"bias": bias})


def _levels(raw: xr.Dataset) -> Any:
    """Level without light of each frame, (frame): of some rows of the overscan, or as said."""
    camera = schema.camera_of(raw)
    if not camera.overscan_areas:
        return np.full(raw.sizes["frame"], camera.bias_level)
    found = []
    for area in camera.overscan_areas:
        rows, columns = (
            np.flatnonzero((raw[dim].values >= low) & (raw[dim].values < high))
            for dim, low, high in (("y", area.ymin, area.ymax), ("x", area.xmin, area.xmax))
        )
        rows = rows[max(len(rows) // 2 - _OVERSCAN_ROWS, 0) :][: 2 * _OVERSCAN_ROWS]
        pixels = raw["image"].isel(y=rows, x=columns).values
        found.append(np.median(pixels, axis=(1, 2, 3)))
    return np.mean(found, axis=0)


def _cells(frame: xr.Dataset) -> tuple[Any, Any]:
    """Median of each cell of a frame, and its error, (channel, down, across)."""
    height, width = frame.sizes["y"], frame.sizes["x"]
    down, across = min(_CELLS, height), min(_CELLS, width)
    rows = min(_ROWS, height // down)
    starts = (height * (2 * np.arange(down) + 1) // (2 * down)) - rows // 2
    columns = width // across
    medians: list[Any] = []
    errors: list[Any] = []
    for start in np.maximum(starts, 0).tolist():
        band = frame.isel(y=slice(start, start + rows)).compute()
        pixels = band["image"].values.astype(np.float64)
        if "mask" in band:
            pixels[band["mask"].values & np.uint8(Flag.BAD) != 0] = np.nan
        apart = pixels[..., : columns * across].reshape(len(pixels), rows, across, columns)
        cells = apart.swapaxes(1, 2).reshape(len(pixels) * across, -1)
        middle = ranked(cells, 0.5)
        spread = MAD_TO_SIGMA * ranked(np.abs(cells - middle[:, None]), 0.5)
        number = np.maximum(np.isfinite(cells).sum(axis=1), 1)
        medians.append(middle.reshape(len(pixels), across))
        errors.append((spread * np.sqrt(_MEDIAN / number)).reshape(len(pixels), across))
    return np.stack(medians, axis=1), np.stack(errors, axis=1)


def glow(dark: xr.Dataset) -> xr.Dataset:
    """Where a master dark glows: in the region of 32 x 32 pixels that is brightest.

    Parameters
    ----------
    dark
        Master (channel, y, x), free of bias.

    Returns
    -------
    Dataset over ``channel``, in memory:

    ``current``
        Median of the regions, in the unit of ``dark``.
    ``glow``
        How far the brightest region is above it.
    ``glow_error``
        Of that, by the noise of the pixels; NaN without a variance.
    ``glow_y``, ``glow_x``
        Raw pixel at the middle of that region.

    Regions whose median is not known, since no pixel is good, take no part.

    Raises
    ------
    SchemaError, CalibrationError
        For what is no master, or smaller than a region.
    """
    schema.check(dark, master=True)
    sizes = [dark.sizes[dim] // _REGION for dim in ("y", "x")]
    if not all(sizes):
        raise CalibrationError(
            f"the dark has {dark.sizes['y']} x {dark.sizes['x']} pixels; glow is looked for in "
            f"regions of {_REGION} x {_REGION}"
        )
    names = [name for name in ("image", "variance", "mask") if name in dark]
    cut = dark[names].isel(y=slice(sizes[0] * _REGION), x=slice(sizes[1] * _REGION)).compute()
    pixels = np.where(
        cut["mask"].values & np.uint8(Flag.BAD) == 0 if "mask" in cut else True,
        cut["image"].values,
        np.nan,
    )
    apart = pixels.reshape(len(pixels), sizes[0], _REGION, sizes[1], _REGION).swapaxes(2, 3)
    medians = ranked(apart.reshape(-1, _REGION**2), 0.5).reshape(len(pixels), -1)
    current = ranked(medians, 0.5)
    brightest = np.where(np.isfinite(medians), medians, -np.inf).argmax(axis=1)
    error = np.full(len(pixels), np.nan)
    if "variance" in cut:
        typical = ranked(cut["variance"].values.reshape(len(pixels), -1), 0.5)
        error = np.sqrt(_MEDIAN * typical) / _REGION
    places = [
        (index * _REGION + _REGION // 2, dim)
        for index, dim in zip(np.divmod(brightest, sizes[1]), ("y", "x"), strict=True)
    ]
    units = {"units": dark["image"].attrs.get("units", "adu")}
    result = xr.Dataset(
        {
            "current": ("channel", current, units),
            "glow": ("channel", medians[np.arange(len(pixels)), brightest] - current, units),
            "glow_error": ("channel", error, units),
        }
        | {
            f"glow_{dim}": ("channel", dark[dim].values[index] if dim in dark.coords else index)
            for index, dim in places
        },
        {"channel": dark["channel"].variable} if "channel" in dark.coords else {},
    )
    return provenance.record(result, "glow", source=dark)
