"""The large-scale shapes of flats of one set, changes between them, and the glow of a dark."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import bottleneck
import numpy as np
import xarray as xr
from scipy import ndimage

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats, Integers, Numbers
from autowisp_xr.bridge.rows import pieces
from autowisp_xr.errors import CalibrationError
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.measure.tile_scatter import OF_MEDIAN, cut, median, ranked
from autowisp_xr.stats.sampling import good_only
from autowisp_xr.steps.geometry import trim

_SIDE = 4
"""Columns of a box, whose median counts; its rows are those of the band that is read."""

_AROUND, _SHARE = 33, 4
"""Boxes along a band, and at most this part of them, whose median is the large-scale shape, which
is another matter."""

_NOISE = 8
"""One of so many boxes shows the noise of all."""

_LIT = 0.1
"""Of the level of the frame; where the large-scale shape has less, no light shows a change."""

_SURE = 3.0
"""Errors of a box: by so many the largest of the changes is sure."""

_CELLS = 16
"""Along an axis of a frame."""

_ROWS = 8
"""Rows of each cell that are read."""

_OVERSCAN_ROWS = 64
"""On either side of the middle, whose level stands for that of the frame."""

_INNER = (0.05, 0.95)
"""Quantiles of the cells between which shapes are compared: a shadow on one is another matter."""

_BRIGHT = 0.25
"""Of the usual level of flats: what is fainter is not asked for changes."""

REGION = 32
"""Pixels a side of the regions among which glow is looked for."""


class _Boxes(NamedTuple):
    """What the boxes of a frame show."""

    value: Floats
    """(channel, band, box)."""
    error: Floats
    """Of any of them, (channel)."""


def _boxes_of(bands: Sequence[Numbers]) -> _Boxes:
    """Return the median of each box of bands of rows (channel, y, x), and the noise of them."""
    across = min(_SIDE, bands[0].shape[-1])
    boxes = np.stack([cut(b.astype(np.float64), b.shape[1], across)[:, 0] for b in bands], axis=1)
    middle = median(boxes)
    some, center = boxes[..., ::_NOISE, :], middle[..., ::_NOISE, None]
    spread = MAD_TO_SIGMA * median(np.abs(some - center).reshape(len(some), -1))
    return _Boxes(middle, spread * np.sqrt(OF_MEDIAN / boxes.shape[-1]))


class _Changes(NamedTuple):
    """The largest change of each channel that lasts, (channel)."""

    size: Floats
    """Relative, between the frames that are nearest to each other on either side; 0 for none."""
    error: Floats
    after: Integers
    """Number of the first frame after it."""
    band: Integers
    box: Integers


def _lasting_changes(value: Floats, error: Floats) -> _Changes:
    """Find the largest change that parts all frames before it from all after it.

    That is dust that moved, another filter, a camera that was turned. The average of flats from
    before and after is right for neither, and no uncertainty shows it. A star or a passing shadow
    is in one frame; what lasts parts all frames before it from all after it.

    Parameters
    ----------
    value, error
        Of the boxes of frames in the order of time, (frame, channel, band, box) and (frame,
        channel), in units of the level of each frame.
    """
    around = min(_AROUND, value.shape[-1] // _SHARE // 2 * 2 + 1)
    usual = np.nanmedian(value, axis=-1, keepdims=True)
    filled = np.where(np.isfinite(value), value, usual)
    shape = ndimage.median_filter(filled, size=(1, 1, 1, around), mode="nearest")
    local = np.divide(value, shape, out=np.full_like(value, np.nan), where=shape > _LIT)
    low, high = np.minimum.accumulate(local), np.maximum.accumulate(local)
    late_low = np.minimum.accumulate(local[::-1])[::-1]
    late_high = np.maximum.accumulate(local[::-1])[::-1]
    channels = np.arange(value.shape[1])
    best = _Changes(*np.zeros((5, len(channels))))
    found = -np.full(len(channels), np.inf)
    for after in range(2, len(value) - 1):
        noise = np.fmax(np.median(error[:after], axis=0), np.median(error[after:], axis=0))
        size = np.fmax(low[after - 1] - late_high[after], late_low[after] - high[after - 1])
        sure = np.nan_to_num(size - _SURE * noise[:, None, None], nan=-np.inf)
        sure = sure.reshape(len(channels), -1)
        place = sure.argmax(axis=1)
        band, box = np.divmod(place, value.shape[-1])
        largest = size[channels, band, box]
        own = _Changes(largest, noise, np.full(len(channels), after), band, box)
        more = (sure[channels, place] > found) & (own.size > 0)
        found = np.where(more, sure[channels, place], found)
        best = _Changes(*(np.where(more, new, old) for new, old in zip(own, best, strict=True)))
    return best._replace(**{n: getattr(best, n).astype(int) for n in ("after", "band", "box")})


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
        16 x 16 grid that are lit, each brought to a median of one, and 5 % of these left out at
        either end: 0.1 where one side is 10 % brighter than it should be. NaN for a single frame.
    ``deviation_error``
        Of it, by the noise of the cells.

    and over ``channel``, of four frames and more of about one level:

    ``change``
        Largest relative change, on a small scale, by which all frames before it differ from all
        after it in the order of time: dust that moved, another filter.
    ``change_error``, ``change_y``, ``change_x``, ``change_frame``
        Of it by the noise of some 32 pixels; the raw pixel in their middle; the name of the first
        frame after it.

    A few rows of each frame are read. Flagged pixels take no part.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(128, 128), seed=1)
    >>> shapes = aw.measure.flat_shapes(night.flat(4), bias=aw.master_bias(night.bias(4)))
    >>> bool((shapes.deviation < 0.01).all())
    True
    """
    schema.check(flats)
    raw = schema.is_raw(flats)
    levels = _levels(flats) if raw else np.zeros(flats.sizes["frame"])
    frames = trim(flats) if raw else flats
    width = frames.sizes["x"]
    cells, boxes = [], []
    for number in range(flats.sizes["frame"]):
        bands = _bands(frames.isel(frame=number))
        cells.append(_cells(bands, width))
        boxes.append(_boxes_of(bands))
    medians, errors = (np.stack(part) for part in zip(*cells, strict=True))
    values = medians - levels[:, None, None]
    small = np.stack([each.value for each in boxes]) - levels[:, None, None, None]
    if bias is not None:
        bands = _bands(bias)
        values = values - _cells(bands, width)[0]
        small = small - _boxes_of(bands).value
    level = median(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        shapes = values / level[..., None]
        noise = errors / np.abs(level)[..., None]
        reference = shapes[::-1] if len(shapes) == 2 else bottleneck.nanmedian(shapes, axis=0)
        # of cells without light, noise would be divided by noise
        ratios = np.where(reference > _LIT, shapes / reference, np.nan)
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
    # what is in all frames alike, such as a dark current, shows more in the faint ones
    bright = np.flatnonzero((level > _BRIGHT * bottleneck.nanmedian(level, axis=0)).all(axis=1))
    if len(bright) > 3:
        scale = np.abs(level)[bright]
        error = np.stack([boxes[number].error for number in bright]) / scale
        value = small[bright] / scale[..., None, None]
        result = result.assign(_changes(frames.isel(frame=bright), value, error))
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


def _changes(frames: xr.Dataset, value: Floats, error: Floats) -> dict[str, Any]:
    """Return the change that lasts, by the boxes of the frames, as variables."""
    times = frames["time"].values if "time" in frames.coords else np.arange(len(value))
    order = np.argsort(times, kind="stable")
    found = _lasting_changes(value[order], error[order])
    starts, rows = _starts(frames)
    places = {"y": np.array(starts)[found.band] + rows // 2, "x": found.box * _SIDE + _SIDE // 2}
    for dim, index in places.items():
        inside = np.minimum(index, frames.sizes[dim] - 1)
        places[dim] = frames[dim].values[inside] if dim in frames.coords else inside
    names = frames["frame"].values[order][found.after]
    return {
        "change": ("channel", found.size),
        "change_error": ("channel", found.error),
        "change_y": ("channel", places["y"]),
        "change_x": ("channel", places["x"]),
        "change_frame": ("channel", names),
    }


def _starts(frame: xr.Dataset) -> tuple[list[int], int]:
    """Return the first row of each band that is read, and how many rows a band has."""
    height = frame.sizes["y"]
    down = min(_CELLS, height)
    rows = min(_ROWS, height // down)
    starts = (height * (2 * np.arange(down) + 1) // (2 * down)) - rows // 2
    return np.maximum(starts, 0).tolist(), rows


def _bands(frame: xr.Dataset) -> list[Numbers]:
    """Read the good pixels of bands of a frame, (channel, y, x) each."""
    starts, rows = _starts(frame)
    # without coordinates, of which each band would be a copy
    planes = {name: frame[name].variable for name in ("image", "mask") if name in frame}
    alone = xr.Dataset(planes)
    return [_good_pixels(alone.isel(y=slice(start, start + rows)).compute()) for start in starts]


def _cells(bands: list[Numbers], width: int) -> tuple[Floats, Floats]:
    """Return the median of each cell of a frame, and its uncertainty, (channel, cell)."""
    across = min(_CELLS, width)
    cells = np.concatenate(
        [cut(band.astype(np.float64), band.shape[1], width // across) for band in bands], axis=1
    )
    cells = cells[:, :, :across]
    middle = median(cells)
    spread = MAD_TO_SIGMA * median(np.abs(cells - middle[..., None]))
    number = np.maximum(np.isfinite(cells).sum(axis=-1), 1)
    error = spread * np.sqrt(OF_MEDIAN / number)
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

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(128, 128), seed=1)
    >>> dark = aw.master_dark(night.dark(4), bias=aw.master_bias(night.bias(4)))
    >>> measured = aw.measure.glow(dark)
    >>> bool((measured.glow < 5 * measured.glow_error).all())
    True
    """
    schema.check(dark, master=True)
    sizes = [dark.sizes[dim] // REGION for dim in ("y", "x")]
    if not all(sizes):
        raise CalibrationError(
            f"the dark has {dark.sizes['y']} x {dark.sizes['x']} pixels; glow is looked for in "
            f"regions of {REGION} x {REGION}"
        )
    names = [name for name in ("image", "variance", "mask") if name in dark]
    held = dark[names].isel(y=slice(sizes[0] * REGION), x=slice(sizes[1] * REGION))
    looked_at = [held[name].variable for name in ("image", "mask") if name in held]
    regions = [
        median(cut(good_only(image, *mask or (None,)), REGION, REGION))
        for _, (image, *mask) in pieces(looked_at, REGION)
    ]
    medians = np.concatenate(regions, axis=1).reshape(held.sizes["channel"], -1)
    current = median(medians)
    brightest = np.where(np.isfinite(medians), medians, -np.inf).argmax(axis=1)
    error = np.full(len(medians), np.nan)
    if "variance" in held:
        typical = median(held["variance"].values.reshape(len(medians), -1))
        error = np.sqrt(OF_MEDIAN * typical) / REGION
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
