"""The picture of how many pixels of a frame have which value."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.plot.figures import one_axes, series
from autowisp_xr.plot.frames import label, read_one
from autowisp_xr.plot.neighbours import good_values
from autowisp_xr.plot.stretches import MAD
from autowisp_xr.readable_attributes import unit_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 6.5, 4.0
"""Inches."""

_BINS = 200
_CORE = 5.0
"""Times the scatter of the values to both sides of the median, within which bins are even."""


def histogram(
    ds: xr.Dataset, frame: int | str = 0, channel: int | str | None = None, *, ax: Any = None
) -> "Axes":
    """Draw how many pixels of a frame or a master have which value, from the darkest on.

    Values count from the median, linearly near to it and in decades beyond, so that the noise of
    the sky, dead pixels, stars and saturation are seen at once.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) or a master. Only the one that is drawn is read.
    frame, channel
        Number or name; all channels if None, each with a median of its own.
    ax
        Axes to draw on; None for those of a new figure of pyplot.

    Returns
    -------
    matplotlib.axes.Axes
        Pixels that bear a flag of BAD are drawn apart, by dotted lines.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If these are no frames and no master.
    ValueError
        If there is no such frame or channel.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> raw = aw.simulate.Night(shape=(60, 80), seed=1).objects(1)
    >>> raw.autowisp.plot.histogram().get_xlabel()
    'above the median [ADU]'
    """
    schema.check(ds, master="frame" not in ds.dims)
    axes = one_axes(ax, _WIDTH, _HEIGHT)
    one = read_one(ds, frame, channel, ("image", "mask"))
    names = schema.names(one, "channel")
    core = max(
        _draw(axes, one.isel(channel=number), number, name) for number, name in enumerate(names)
    )
    if core > 0:
        # a power of ten, or the ticks beside zero cover each other
        axes.set_xscale("symlog", linthresh=10 ** np.ceil(np.log10(core)))
    unit = unit_in_words(schema.units_of(one))
    axes.set_yscale("log")
    axes.set(xlabel=f"above the median [{unit}]", ylabel=f"pixels per {unit}")
    label(axes, one)
    return axes


def _draw(axes: "Axes", plane: xr.Dataset, number: int, name: str) -> float:
    """Draw the values of a channel, and return how far from the median its bins are even."""
    good = good_values(plane)
    every = plane["image"].values.astype(np.float64)
    flagged = every[np.isnan(good) & np.isfinite(every)]
    seen = good[np.isfinite(good)]
    if not (seen.size or flagged.size):
        return 0.0
    both = np.concatenate([seen, flagged])
    median = float(np.median(seen if seen.size else flagged))
    whole = plane["image"].dtype.kind in "ui"
    median = np.floor(median) if whole else median
    core = _CORE * MAD * float(np.median(np.abs(both - median))) or 1.0
    edges = _edges(both - median, core, whole)
    for values, style, words in ((seen, "-", "median"), (flagged, ":", "flagged")):
        if values.size:
            counts, _ = np.histogram(values - median, edges)
            prefix = "" if name == schema.MONO else f"{name}: "
            label = f"{prefix}{words} {median:.6g}" if words == "median" else f"{prefix}flagged"
            density = np.where(counts > 0, counts, np.nan) / np.diff(edges)
            looks: dict[str, Any] = {"color": series(number, name)[0], "linestyle": style}
            axes.stairs(density, edges, baseline=None, **looks, label=label)
    return core


def _edges(values: Floats, core: float, whole: bool) -> Floats:
    """Return edges of bins, even near to zero and in decades beyond; of integers, between them."""
    first, last = np.arcsinh(np.array([values.min(), values.max()]) / core)
    edges = core * np.sinh(np.linspace(first, last, _BINS + 1))
    if whole:
        edges = np.unique(np.floor(edges) + 0.5)
        edges = np.concatenate([[edges[0] - 1], edges, [edges[-1] + 1]])
    return edges if np.ptp(edges) > 0 else np.array([-0.5, 0.5])
