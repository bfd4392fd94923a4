"""The picture of where a stack has rejected values, and of how many."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import SchemaError
from autowisp_xr.flags import Flag
from autowisp_xr.plot.frames import description, draw_rows, read_one, whole_name
from autowisp_xr.plot.image_panels import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAPS = {"rejected_low": "below", "rejected_high": "above"}


def rejection_maps(
    ds: xr.Dataset, channel: int | str | None = None, *, size: float | None = None
) -> "Figure":
    """Draw how many values of each pixel a stack has rejected, below the others and above.

    Tracks of satellites and cosmic rays are seen above, what a moving edge or a bad column left
    out below; rejection that follows the stars, or a gradient of the sky, takes good values.

    Parameters
    ----------
    ds
        A stack with ``rejected_low`` and ``rejected_high``, made by :func:`autowisp_xr.stack` with
        ``rejected=True``, or opened from its file. Only these planes are read.
    channel
        Number or name; None for all, a row each.
    size
        As for :func:`autowisp_xr.plot.frame`.

    Returns
    -------
    matplotlib.figure.Figure
        One that pyplot does not know of and that notebooks show: nothing is to be closed, and
        ``figure.savefig("rejected.png")`` keeps it. Above each map stands how many values were
        rejected, and in how many of the pixels. In blocks of pixels, the largest number is drawn.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If this is no stack, or one without these planes.
    ValueError
        If there is no such channel.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(40, 60), seed=1)
    >>> stack = night.bias(9).autowisp.stack("mean", reject=aw.SigmaClip(2.5), rejected=True)
    >>> figure = aw.plot.rejection_maps(stack)
    >>> len(figure.axes)
    2
    """
    schema.check(ds, master="frame" not in ds.dims)
    missing = [name for name in _MAPS if name not in ds]
    if missing:
        raise SchemaError(
            f"{' and '.join(missing)} is missing; stack with rejected=True (--rejection-maps)"
        )
    one = read_one(ds, 0, channel, tuple(_MAPS))
    names = schema.names(one, "channel")
    rows = [
        [_panel(one, plane, number, name if len(names) > 1 else "") for plane in _MAPS]
        for number, name in enumerate(names)
    ]
    heading = "\n".join(filter(None, (f"{whole_name(one)}: rejected values", description(one))))
    return draw_rows(rows, heading, size)


def _panel(one: xr.Dataset, name: str, channel: int, label: str) -> Panel:
    plane = one[name].isel(channel=channel)
    numbers = plane.values
    rejected, pixels = int(numbers.sum(dtype=np.int64)), np.count_nonzero(numbers)
    title = ": ".join(filter(None, (label, _MAPS[name])))
    title += f"\n{rejected} values, in {100 * pixels / numbers.size:.2g} % of the pixels"
    limits = 0.0, max(1.0, float(numbers.max(initial=0)))
    return Panel("number", title, plane.to_dataset(name="image"), None, Flag(0), limits)
