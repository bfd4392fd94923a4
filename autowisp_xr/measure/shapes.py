"""The large-scale shapes of flats of one set, and the glow in a corner of a dark."""

from typing import Any

import bottleneck
import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats, Numbers
from autowisp_xr.errors import CalibrationError
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.measure.tile_scatter import cut, median, ranked
from autowisp_xr.stats.sampling import good_only
from autowisp_xr.steps.geometry import trim

_CELLS = 16
"""Along an axis of a frame."""

_ROWS = 8
"""Rows of each cell that are read."""

_OVERSCAN_ROWS = 64
"""On either side of the middle, whose level stands for that of the frame."""

_INNER = (0.05, 0.95)
"""Quantiles of the cells between which shapes are compared: a shadow on one is another matter."""

_MEDIAN = np.pi / 2

REGION = 32
"""Pixels a side of the regions among which glow is looked for."""


def flat_shapes(flats: xr.Dataset, *, bias: xr.Dataset | None = None) -> xr.Dataset:
    """Measure how the large-scale shape of each flat differs from that of the others.

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
    raw = schema.is_raw(flats)
    levels = _levels(flats) if raw else np.zeros(flats.sizes["frame"])
    frames = trim(flats) if raw else flats
    cells = [_cells(frames.isel(frame=number)) for number in range(flats.sizes["frame"])]
    medians, errors = (np.stack(part) for part in zip(*cells, strict=True))
    values = medians - levels[:, None, None]
    if bias is not None:
        values = values - _cells(bias)[0]
    level = median(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        shapes = values / level[..., None]
        noise = errors / np.abs(level)[..., None]
        reference = shapes[::-1] if len(shapes) == 2 else bottleneck.nanmedian(shapes, axis=0)
        ratios = shapes / reference
        deviation = ranked(ratios, _INNER[1]) - ranked(ratios, _INNER[0])
    if len(shapes) == 1:
        deviation[:] = np.nan
    dims = schema.DIMS[:2]
    result = xr.Dataset(
        {
            "level": (dims, level, {"units": schema.units_of(flats)}),
            "deviation": (dims, deviation),
            # of normal noise, these quantiles are 3.3 standard deviations apart
            "deviation_error": (dims, 3.3 * bottleneck.nanmedian(noise, axis=-1)),
        },
        schema.frame_and_channel(flats),
    )
    return provenance.record(result, "flat_shapes", source=flats, masters={"bias": bias})


def _levels(raw: xr.Dataset) -> Floats:
    """Return the level without light, (frame), of some rows of the overscan or of the camera."""
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


def _cells(frame: xr.Dataset) -> tuple[Floats, Floats]:
    """Return the median of each cell of a frame, and its uncertainty, (channel, cell)."""
    height, width = frame.sizes["y"], frame.sizes["x"]
    down, across = min(_CELLS, height), min(_CELLS, width)
    rows = min(_ROWS, height // down)
    starts = (height * (2 * np.arange(down) + 1) // (2 * down)) - rows // 2
    bands = [
        _good_pixels(frame.isel(y=slice(start, start + rows)).compute())
        for start in np.maximum(starts, 0).tolist()
    ]
    cells = np.concatenate(
        [cut(band.astype(np.float64), rows, width // across) for band in bands], axis=1
    )
    cells = cells[:, :, :across]
    middle = median(cells)
    spread = MAD_TO_SIGMA * median(np.abs(cells - middle[..., None]))
    number = np.maximum(np.isfinite(cells).sum(axis=-1), 1)
    error = spread * np.sqrt(_MEDIAN / number)
    return middle.reshape(len(cells), -1), error.reshape(len(cells), -1)


def _good_pixels(frame: xr.Dataset) -> Numbers:
    """Return pixels (channel, y, x), NaN where they are flagged as bad."""
    return good_only(frame["image"].values, frame["mask"].values if "mask" in frame else None)


def glow(dark: xr.Dataset) -> xr.Dataset:
    """Measure the glow of a master dark: its brightest region of 32 x 32 pixels.

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
    sizes = [dark.sizes[dim] // REGION for dim in ("y", "x")]
    if not all(sizes):
        raise CalibrationError(
            f"the dark has {dark.sizes['y']} x {dark.sizes['x']} pixels; glow is looked for in "
            f"regions of {REGION} x {REGION}"
        )
    names = [name for name in ("image", "variance", "mask") if name in dark]
    held = dark[names].isel(y=slice(sizes[0] * REGION), x=slice(sizes[1] * REGION)).compute()
    regions = median(cut(_good_pixels(held), REGION, REGION))
    medians = regions.reshape(len(regions), -1)
    current = median(medians)
    brightest = np.where(np.isfinite(medians), medians, -np.inf).argmax(axis=1)
    error = np.full(len(medians), np.nan)
    if "variance" in held:
        typical = median(held["variance"].values.reshape(len(medians), -1))
        error = np.sqrt(_MEDIAN * typical) / REGION
    units = {"units": schema.units_of(dark)}
    columns: dict[str, Any] = {
        "current": ("channel", current, units),
        "glow": ("channel", medians[np.arange(len(medians)), brightest] - current, units),
        "glow_error": ("channel", error, units),
    }
    for dim, region in zip(("y", "x"), np.divmod(brightest, sizes[1]), strict=True):
        index = region * REGION + REGION // 2
        place = dark[dim].values[index] if dim in dark.coords else index
        columns[f"glow_{dim}"] = ("channel", place)
    channels = {"channel": dark["channel"].variable} if "channel" in dark.coords else {}
    return provenance.record(xr.Dataset(columns, channels), "glow", source=dark)
