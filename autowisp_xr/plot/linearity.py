"""The picture of a linearity: how the signal of flats grows with their light."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import SchemaError
from autowisp_xr.plot.figures import new_picture, series
from autowisp_xr.response import Linearity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 6.5, 8.0
"""Inches."""

_NEEDED = (
    *("coefficients", "covariance", "limit", "full_well", "bend", "bend_error"),
    *("signal", "light", "residual", "residual_error", "used"),
)

_ROOM = 1.6
"""So many times what the curve and its points need is shown; saturated flats are far beyond."""


def linearity(measured: xr.Dataset, *, channel: str | None = None) -> "Figure":
    """Draw what :func:`~autowisp_xr.measure.linearity` found.

    Above, the signal of flats against their light, with the limit up to which the curve holds and
    the full well. In the middle, by how much the signal is off a straight line, with the curve and
    its uncertainty. Below, what is left of that once the signal is made linear. Open circles took
    no part.

    Parameters
    ----------
    measured
        What ``linearity`` returns.
    channel
        Name; None for all.

    Returns
    -------
    matplotlib.figure.Figure
        One that pyplot does not know of and that notebooks show: nothing is to be closed, and
        ``figure.savefig("linearity.png")`` keeps it.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If the table is none of a linearity.
    ValueError
        If there is no such channel.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1, bend=0.02)
    >>> seconds = [4, 1, 8, 4, 12, 2, 4, 16, 20, 4]
    >>> flats = night.flat(10, level=[2000 * second for second in seconds], exposure=seconds)
    >>> measured = aw.measure.linearity(flats, camera=night.camera, lamp="steady")
    >>> figure = aw.plot.linearity(measured)
    >>> len(figure.axes)
    3
    """
    missing = [name for name in _NEEDED if name not in measured]
    if missing:
        raise SchemaError(
            f"{', '.join(missing)} is missing among {sorted(map(str, measured.data_vars))}; give "
            "what aw.measure.linearity returns"
        )
    names = schema.names(measured, "channel")
    chosen = None if channel is None else schema.number_of(channel, names, "channel")
    figure = new_picture(_WIDTH, _HEIGHT)
    axes = figure.subplots(3, sharex=True, height_ratios=(3, 2, 1.5))
    for number, name in enumerate(names):
        if chosen in (None, number):
            one = {key: measured[key].values[number] for key in _NEEDED}
            label = "" if len(names) == 1 else f"{name}: "
            _draw(axes, one, label, series(number, name)[0])
    ylabels = ("signal [ADU]", "signal off the light [%]", "made linear [%]")
    for one_axes, ylabel in zip(axes, ylabels, strict=True):
        one_axes.set(ylabel=ylabel)
    for below in axes[1:]:
        below.axhline(0, color="0.25", linewidth=1)
    axes[-1].set(xlabel="light, as the ADU of faint signals")
    axes[0].legend(fontsize="small", frameon=False, loc="lower right")
    figure.suptitle("Is the signal proportional to the light?", fontweight="bold")
    return figure


def _draw(axes: "list[Axes]", one: dict[str, Any], prefix: str, colour: str) -> None:
    curve = Linearity(coefficients=one["coefficients"].tolist(), limit=float(one["limit"]))
    signal = np.linspace(0, float(one["limit"]), 200)[1:]
    light = curve.linear(signal)
    powers = signal[:, None] ** np.arange(1, one["coefficients"].size + 1)
    error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", powers, one["covariance"], powers), 0.0))
    label = (
        f"{prefix}bends by {100 * one['bend']:.2f} ± {100 * one['bend_error']:.2f} % up to "
        f"{one['limit']:.0f} ADU"
    )
    known = np.isfinite(one["light"]) & np.isfinite(one["signal"])
    used = one["used"] & known
    off = one["signal"] / np.where(known, one["light"], np.nan) - 1
    above, middle, below = axes
    for which, filled in ((used, True), (known & ~used, False)):
        looks: dict[str, Any] = {"color": colour, "linestyle": "", "marker": "o", "markersize": 4}
        looks["markerfacecolor"] = colour if filled else "none"
        x, bars = one["light"][which], 100 * one["residual_error"][which]
        above.plot(x, one["signal"][which], **looks, label=label if filled else None)
        middle.plot(x, 100 * off[which], **looks)
        below.errorbar(x, 100 * one["residual"][which], bars, **looks, elinewidth=0.7)
    above.plot(light, signal, color=colour, linewidth=1)
    for panel in axes:
        panel.axvline(light[-1], color=colour, linewidth=0.8, linestyle=":")
    if np.isfinite(one["full_well"]):
        text = f"{prefix}full well {one['full_well']:.0f} ADU"
        above.axhline(one["full_well"], color=colour, linewidth=1, linestyle="--", label=text)
    bend = 100 * (signal / light - 1)
    middle.plot(light, bend, color=colour, linewidth=1)
    middle.fill_between(light, bend - 100 * error, bend + 100 * error, color=colour, alpha=0.2)
    _show(middle, np.concatenate([bend, 100 * off[used]]))
    _show(below, 100 * one["residual"][used])


def _show(axes: "Axes", values: Any) -> None:
    """Set the limits of an axis so that it shows values, and others that were drawn before."""
    reach = _ROOM * max(float(np.nanmax(np.abs(values))), 1e-3)
    before = axes.get_ylim() if axes.get_autoscaley_on() is False else (0.0, 0.0)
    axes.set_ylim(min(-reach, before[0]), max(reach, before[1]))
