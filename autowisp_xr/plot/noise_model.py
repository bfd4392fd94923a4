"""The picture of the variance of a frame against its level, with the noise that is expected."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.errors import SchemaError
from autowisp_xr.plot.figures import BACKGROUND, one_axes, series
from autowisp_xr.plot.frames import label, read_one
from autowisp_xr.plot.neighbours import differences, good_values, scatter, some_rows
from autowisp_xr.plot.stretches import MAD
from autowisp_xr.readable_attributes import unit_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 6.5, 4.5
"""Inches."""

_RUN = 8
"""Pixels of a row that have one level, the mean of which is taken."""

_BINS = 24
_FEWEST = 20
"""Pixels or runs of a level, at least, that are drawn."""

_SPAN, _MOSTLY = 8.0, 0.5
"""Values of which the largest is so many times the smallest are drawn on a log scale, if more than
this share of them is positive."""

_BAND = (16, 84)
"""Per cent of the variances of a level that lie below the band that is drawn, and below its top."""


def noise(
    ds: xr.Dataset, frame: int | str = 0, channel: int | str | None = None, *, ax: Any = None
) -> "Axes":
    """Draw the variance of a frame against its level: as stated, as expected, and as it scatters.

    The band is the ``variance`` of its pixels. The line is the noise of the camera: read noise, and
    light divided by the gain; masters and flats raise the band above it. The points are what
    neighbouring pixels differ by. Points off the band where only sky is show noise that is not the
    stated one, as of a wrong gain, or structure that masters should have taken away; among stars
    they lie above it in any case.

    Parameters
    ----------
    ds
        Calibrated frames (frame, channel, y, x) or a master, with a ``variance``. Every n-th row of
        the one that is drawn is read. Pixels that bear a flag of BAD are left out.
    frame, channel
        Number or name; all channels if None.
    ax
        Axes to draw on; None for those of a new figure of pyplot.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If these are no frames and no master, or without a variance.
    ValueError
        If there is no such frame or channel.

    Notes
    -----
    The scatter is 1.4826 times the median of abs(d) in runs of 8 pixels along a row that have about
    the same mean, with d = sqrt(2/3) times the difference between a pixel and the mean of those two
    to its left and two to its right, from which slopes cancel (in a mosaic, they have its colour).

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(60, 80), seed=1)
    >>> science = night.objects(1).autowisp.calibrate(bias=aw.master_bias(night.bias(5)))
    >>> science.autowisp.plot.noise().get_ylabel()
    'variance [ADU²]'
    """
    schema.check(ds, master="frame" not in ds.dims)
    if "variance" not in ds:
        raise SchemaError(
            "there is no variance; calibrate() with the gain and the read noise of the camera, or "
            "add_noise(), states it"
        )
    axes = one_axes(ax, _WIDTH, _HEIGHT)
    one = read_one(some_rows(ds), frame, channel, ("image", "variance", "mask"))
    names = schema.names(one, "channel")
    for number, name in enumerate(names):
        plane = one.isel(channel=number)
        _draw(axes, plane, good_values(plane), number, name)
    for number, name in enumerate(names):
        _draw_model(axes, one, name, number)
    _scale(axes)
    unit = unit_in_words(schema.units_of(one))
    axes.set(xlabel=f"level [{unit}]", ylabel=f"variance [{unit}²]")
    label(axes, one)
    return axes


def _draw(axes: "Axes", plane: xr.Dataset, values: Floats, number: int, name: str) -> None:
    colour, marker = series(number, name)
    variance = np.where(np.isfinite(values), plane["variance"].values, np.nan)
    stated = [
        (np.median(values[chosen]), *np.percentile(variance[chosen], _BAND))
        for chosen in _bins(values, np.isfinite(variance))
    ]
    if stated:
        level, low, high = np.array(stated).T
        label = "stated" if number == 0 else "_"
        axes.fill_between(level, low, high, color=colour, alpha=0.3, linewidth=0, label=label)
    # the mean of a run does not know how its pixels differ: no level is chosen by its noise
    size = values.shape[1] // _RUN * _RUN
    shape = (*values.shape[:1], -1, _RUN)
    runs, apart = (one[:, :size].reshape(shape) for one in (values, differences(values)))
    known = np.isfinite(apart).sum(axis=2) >= _RUN // 2
    levels = np.where(known, _means(runs), np.nan)
    found = [
        (np.median(levels[chosen]), scatter(apart[chosen]) ** 2) for chosen in _bins(levels, known)
    ]
    if found:
        axes.plot(
            *np.array(found).T,
            marker,
            color=colour,
            markersize=4,
            label="scatter" if name == schema.MONO else f"{name}: scatter",
        )


def _means(runs: Floats) -> Floats:
    """Return the mean along the last axis, without NaN; 0 of nothing else."""
    known = np.isfinite(runs)
    return np.where(known, runs, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)


def _bins(levels: Floats, known: Bools) -> Iterator[Bools]:
    """Yield which are in each bin of levels: narrow ones around the most common level."""
    if not known.any():
        return
    middle = np.median(levels[known])
    width = MAD * np.median(np.abs(levels[known] - middle)) or 1.0
    place = np.where(known, np.arcsinh((levels - middle) / width), np.nan)
    edges = np.linspace(np.nanmin(place), np.nanmax(place), _BINS + 1)
    for low, high in pairwise(edges):
        chosen = (place >= low) & (place <= high)
        if np.count_nonzero(chosen) >= _FEWEST:
            yield chosen


def _draw_model(axes: "Axes", one: xr.Dataset, channel: str, number: int) -> None:
    """Draw the noise of a single exposure, if the camera is known, over what is drawn already."""
    camera = schema.camera_of(one)
    gain, read = (camera.only_number(name, channel) for name in ("gain", "read_noise"))
    drawn = _drawn(axes)[:, 0]
    if gain is None or read is None or "frame" not in one.coords or not drawn.size:
        return
    slope = 1 / gain if schema.units_of(one) == "adu" else 1.0
    level = np.sinh(np.linspace(np.arcsinh(drawn.min()), np.arcsinh(drawn.max()), 200))
    model = np.maximum(level, 0) * slope + (read * slope) ** 2
    label = "read noise and light" if number == 0 else "_"
    axes.plot(level, model, color=BACKGROUND, linewidth=1, label=label)


def _scale(axes: "Axes") -> None:
    """Choose log scales where what is drawn spans many levels."""
    axes.autoscale_view()
    for name, values in zip("xy", _drawn(axes).T, strict=True):
        positive = values[values > 0]
        if positive.size > _MOSTLY * values.size and positive.max() > _SPAN * positive.min():
            getattr(axes, f"set_{name}scale")("log")


def _drawn(axes: "Axes") -> Floats:
    """Return the places of all points of bands and lines: levels, variances."""
    places: list[Any] = [path.vertices for band in axes.collections for path in band.get_paths()]
    places += [np.column_stack(line.get_data()) for line in axes.get_lines()]
    return np.concatenate([np.empty((0, 2)), *places])
