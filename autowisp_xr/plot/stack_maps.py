"""The picture of how many values a stack has averaged and rejected, pixel by pixel."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import SchemaError
from autowisp_xr.flags import Flag
from autowisp_xr.plot.frames import description, draw_rows, read_one, whole_name
from autowisp_xr.plot.image_panels import Limits, Panel

_TITLES = {"count": "averaged", "rejected_low": "rejected below", "rejected_high": "rejected above"}


def stack(
    ds: xr.Dataset, channel: int | str | None = None, *, size: float | None = None, ax: Any = None
) -> Any:
    """Draw how many values a stack has averaged in each pixel, and how many it has rejected.

    Tracks of satellites and cosmic rays are seen among those rejected above, what a moving edge or
    a bad column left out below; rejection that follows the stars, or a gradient of the sky, takes
    good values.

    Parameters
    ----------
    ds
        A stack with ``count``, and with ``rejected_low`` and ``rejected_high`` if it was made by
        :func:`autowisp_xr.stack` with ``rejected=True``, or opened from its file. Only these planes
        are read.
    channel
        Number or name; None for all, a row each.
    size, ax
        As for :func:`autowisp_xr.plot.frame`.

    Returns
    -------
    matplotlib.axes.Axes
        Of several maps an array of them. Above each map of rejected values stands how many there
        are, and in how many of the pixels. In blocks of pixels, the largest number of them is
        drawn, and of averaged values the smallest.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If this is no stack, or one without these planes.
    ValueError
        If there is no such channel, or for another number of axes.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> deep = night.bias(9).autowisp.stack("mean", reject=aw.SigmaClip(2.5), rejected=True)
    >>> axes = deep.autowisp.plot.stack()
    >>> [one.get_title().split()[0] for one in axes]
    ['averaged', 'rejected', 'rejected']
    """
    schema.check(ds, master="frame" not in ds.dims)
    there = tuple(name for name in _TITLES if name in ds)
    if not there:
        raise SchemaError(
            "there is no count of values; give a stack, made with rejected=True (--rejection-maps) "
            "for what it rejected"
        )
    one = read_one(ds, 0, channel, there)
    names = schema.names(one, "channel")
    rows = [
        [_panel(one, plane, number, name if len(names) > 1 else "") for plane in there]
        for number, name in enumerate(names)
    ]
    heading = "\n".join(filter(None, (f"{whole_name(one)}: values of a pixel", description(one))))
    return draw_rows(rows, heading, size, ax)


def _panel(one: xr.Dataset, name: str, channel: int, label: str) -> Panel:
    plane = one[name].isel(channel=channel)
    numbers = plane.values
    title = ": ".join(filter(None, (label, _TITLES[name])))
    largest = float(numbers.max(initial=0))
    limits: Limits = (0, max(1.0, largest))
    if name == "count":
        limits = (float(numbers.min(initial=largest)), largest)
        title += f"\n{_range(*limits)} in a pixel"
        limits = limits if limits[0] < limits[1] else (0, max(1.0, largest))
    else:
        rejected, pixels = int(numbers.sum(dtype=np.int64)), np.count_nonzero(numbers)
        title += f"\n{rejected} values, in {100 * pixels / numbers.size:.2g} % of the pixels"
    kind = "count" if name == "count" else "number"
    return Panel(kind, title, plane.to_dataset(name="image"), None, Flag(0), limits)


def _range(least: float, most: float) -> str:
    return f"{most:.0f}" if least == most else f"{least:.0f} to {most:.0f}"
