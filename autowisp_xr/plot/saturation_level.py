"""The picture of a saturation: how many pixels have which value, and where they stop."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import SchemaError
from autowisp_xr.plot.figures import BLUE, VERMILLION, check_measured, new_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL, _HEIGHT = 4.4, 3.4
"""Inches; a row for each channel."""

_BINS = 200
_NEAR = 40
"""Steps of the values to either side of the one at which pixels stop."""

_COLOUR, _MARK = BLUE, VERMILLION


def saturation(measured: xr.Dataset, frames: xr.Dataset) -> "Figure":
    """Draw what :func:`~autowisp_xr.measure.saturation` found, in frames that it looked at.

    Left, how many pixels have which value; right, the values next to the one at which pixels stop.
    A row for each channel.

    Parameters
    ----------
    measured
        What ``saturation`` returns.
    frames
        Raw frames (frame, channel, y, x) of the same camera, whose pixels are read and counted as
        far as they are finite, whatever their flags. One in which pixels stop is enough.

    Returns
    -------
    matplotlib.figure.Figure
        One that pyplot does not know of and that notebooks show: nothing is to be closed, and
        ``figure.savefig("saturation.png")`` keeps it.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If the table is none of a saturation, or of other channels; for frames that are not raw.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1)
    >>> flats = night.flat(2, level=80_000)
    >>> figure = aw.plot.saturation(aw.measure.saturation(flats), flats)
    >>> len(figure.axes)
    2
    """
    check_measured(measured, ("saturation", "step"), "saturation")
    names = schema.names(measured, "channel")
    if names != schema.names(frames, "channel"):
        raise SchemaError(
            f"the saturation is of the channels {names}, and the frames have "
            f"{schema.names(frames, 'channel')}"
        )
    if not schema.is_raw(frames):
        raise SchemaError("the frames are calibrated already; give the raw ones")
    figure = new_picture(2 * _PANEL, _HEIGHT * len(names))
    rows = figure.subplots(len(names), 2, squeeze=False)
    level = schema.camera_of(frames).bias_level
    for number, (name, (whole, near)) in enumerate(zip(names, rows, strict=True)):
        values = frames["image"].isel(channel=number).values
        values = values[np.isfinite(values)]
        stop = float(measured["saturation"][number]) + level
        known = np.isfinite(stop)
        step = max(int(measured["step"][number]), 1)
        of = "" if len(names) == 1 else f"{name}: "
        for axes in (whole, near):
            # there may be no pixel at all
            axes.set_yscale("symlog", linthresh=1)
            axes.set(xlabel="value as stored [ADU]", ylabel="pixels")
        whole.hist(values, _BINS, histtype="step", color=_COLOUR)
        if known:
            counted = stop + step * (np.arange(-_NEAR, _NEAR + 2) - 0.5)
            near.hist(values, counted.tolist(), histtype="step", color=_COLOUR)
            label = f"{of}pixels stop at {stop:g} ADU"
            for axes in (whole, near):
                axes.axvline(stop, color=_MARK, linewidth=1, linestyle="--", label=label)
            whole.legend(fontsize="small", frameon=False)
        else:
            text = f"{of}no value at which pixels stop"
            near.text(0.5, 0.5, text, ha="center", va="center", transform=near.transAxes)
    figure.suptitle("Where do pixels stop?", fontweight="bold")
    return figure
