"""The picture of defects: where they are, and by what they stand out of the good pixels."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Image
from autowisp_xr.flags import Defect
from autowisp_xr.plot import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL, _HEIGHT = 4.6, 4.6
"""Inches."""

_COLOURS = {
    Defect.UNSTABLE: figures.VERMILLION,
    Defect.NOISY: figures.BLUE,
    Defect.DEAD: "#000000",
    Defect.SATURATED: figures.PURPLE,
    Defect.NONLINEAR: figures.GREEN,
    Defect.LINE: figures.SKY,
    Defect.CLUSTER: figures.GREY,
    Defect.HOT: figures.ORANGE,
}
"""Of Okabe and Ito; a pixel has that of its first reason."""

_MOST = 20_000
"""Pixels of a kind that are marked."""

_NUMBERS = {
    "scatter": "scatter by what is expected",
    "rate": "dark current [ADU/s]",
    "response": "response by that around",
}
_BINS = 100
_ENDS = 1e-5
"""Quantiles at which a histogram ends."""


def defects(found: xr.Dataset, *, channel: str | int = 0) -> "Figure":
    """Draw what :func:`~autowisp_xr.measure.defects` found in a channel.

    From left to right: where the defects of each kind are; and how many pixels have which scatter,
    dark current and response, as far as they are known: good pixels in grey, others in colour.

    Parameters
    ----------
    found
        What ``defects`` returns.
    channel
        Its name or number.

    Returns
    -------
    matplotlib.figure.Figure
        One that pyplot does not know of and that notebooks show: nothing is to be closed, and
        ``figure.savefig("defects.png")`` keeps it.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If these are no defects.
    ValueError
        If there is no such channel.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1)
    >>> found = aw.measure.defects(biases=night.bias(8), darks=night.dark(8), flats=night.flat(8))
    >>> figure = aw.plot.defects(found)
    >>> len(figure.axes)
    4
    """
    figures.check_measured(found, ("reason", "mask"), "defects")
    number = schema.number_of(channel, schema.names(found, "channel"), "channel")
    one = found.isel(channel=number)
    known = [name for name in _NUMBERS if name in one and np.isfinite(one[name].values).any()]
    figure = figures.new_picture(_PANEL * (1 + len(known)), _HEIGHT)
    axes = np.atleast_1d(figure.subplots(1, 1 + len(known)))
    reason = one["reason"].values
    _draw_map(axes[0], reason)
    for place, name in zip(axes[1:], known, strict=True):
        _draw_histogram(place, one[name].values, reason, _NUMBERS[name])
    figure.suptitle("Which pixels are not to be trusted?", fontweight="bold")
    return figure


def _of_first_reason(reason: Bits) -> dict[Defect, Any]:
    """Return the pixels whose first reason is each of those that there are."""
    left, found = reason != 0, {}
    for defect in _COLOURS:
        own = left & ((reason & np.uint8(defect)) != 0)
        if own.any():
            found[defect] = own
        left &= ~own
    return found


def _draw_map(axes: "Axes", reason: Bits) -> None:
    height, width = reason.shape
    for defect, own in _of_first_reason(reason).items():
        y, x = np.nonzero(own)
        step = -(-y.size // _MOST)
        label = f"{str(defect.name).lower()}: {y.size}"
        size = max(1.0, 6.0 - np.log10(y.size))
        axes.plot(x[::step], y[::step], ".", color=_COLOURS[defect], markersize=size, label=label)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5), aspect="equal")
    axes.set(xlabel="x [pixels]", ylabel="y [pixels]")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)


def _draw_histogram(axes: "Axes", values: Image, reason: Bits, label: str) -> None:
    known = values[np.isfinite(values)].astype(np.float64)
    low, high = np.quantile(known, (_ENDS, 1 - _ENDS)).tolist()
    edges = np.linspace(low, high, _BINS + 1)
    good = values[np.isfinite(values) & (reason == 0)]
    axes.hist(np.clip(good, edges[0], edges[-1]), edges.tolist(), color="0.8", label="good")
    for defect, own in _of_first_reason(reason).items():
        some = values[own & np.isfinite(values)]
        if some.size:
            clipped = np.clip(some, edges[0], edges[-1])
            axes.hist(clipped, edges.tolist(), histtype="step", color=_COLOURS[defect])
    axes.set(yscale="log", xlabel=label, ylabel="pixels")
