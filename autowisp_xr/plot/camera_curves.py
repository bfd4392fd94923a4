"""Pictures of curves that were measured of a camera: photon transfer, and linearity.

They show whether the noise of flats is that of their light, and how the signal of flats grows with
their light.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.camera.response import Linearity
from autowisp_xr.plot.figures import check_measured, new_picture, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 6.5
_HEIGHT_OF_TWO, _HEIGHT_OF_THREE = 6.0, 8.0
"""Inches, by how many panels there are."""

_OF_TRANSFER = (
    *("gain", "gain_error", "read_noise", "read_noise_error", "read_noise_adu"),
    *("signal", "signal_variance", "signal_variance_error"),
)
_OF_LINEARITY = (
    *("coefficients", "covariance", "limit", "full_well", "bend", "bend_error"),
    *("signal", "light", "residual", "residual_error", "used"),
)
"""What is drawn of a table."""

_BELOW = 10.0
"""So many times fainter than where both noises are equal, or than all points, the fit begins."""

_ROOM = 1.6
"""So many times what the curve and its points need is shown; saturated flats are far beyond."""


def photon_transfer_curve(measured: xr.Dataset, *, channel: str | None = None) -> "Figure":
    """Draw what :func:`~autowisp_xr.measure.gain_and_read_noise` found.

    Above, the variance of a frame against its signal, in the tiles of all pairs of flats, with the
    fit: read noise, and light divided by the gain. Below, by how much the points are off. Points
    that lie below the fit the brighter they are belong to a camera whose bright pixels lose
    electrons to their neighbours, or saturate.

    Parameters
    ----------
    measured
        What ``gain_and_read_noise`` returns.
    channel
        Name; None for all.

    Returns
    -------
    matplotlib.figure.Figure
        One that pyplot does not know of and that notebooks show: nothing is to be closed, and
        ``figure.savefig("gain.png")`` keeps it.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If the table is none of a photon transfer curve.
    ValueError
        If there is no such channel.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(256, 256), seed=1)
    >>> measured = aw.measure.gain_and_read_noise(night.flat(4), night.bias(4))
    >>> figure = aw.plot.photon_transfer_curve(measured)
    >>> len(figure.axes)
    2
    """
    curves = _of_channels(measured, _OF_TRANSFER, "gain_and_read_noise", channel)
    figure = new_picture(_WIDTH, _HEIGHT_OF_TWO)
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1.5))
    for number, name, one in curves:
        _draw_transfer(above, below, one, _prefix(measured, name), number)
    above.set(xscale="log", yscale="log", ylabel="variance of a frame [ADU$^2$]")
    below.axhline(0, color="0.25", linewidth=1)
    below.margins(y=0.25)
    below.set(xlabel="signal [ADU]", ylabel="above the fit [%]")
    above.legend(fontsize="small", frameon=False, loc="upper left")
    figure.suptitle("Is the noise of flats that of their light?", fontweight="bold")
    return figure


def _draw_transfer(
    above: "Axes", below: "Axes", one: dict[str, Any], prefix: str, number: int
) -> None:
    colour, marker = series(number, prefix.rstrip(": "))
    known = np.isfinite(one["signal"])
    keys = ("signal", "signal_variance", "signal_variance_error")
    signal, variance, error = (one[key][known] for key in keys)
    floor, gain = float(one["read_noise_adu"]) ** 2, float(one["gain"])
    first = min(signal.min(), floor * gain) if floor > 0 else signal.min()
    light = np.geomspace(first / _BELOW, signal.max(), 200)
    label = (
        f"{prefix}gain {_with_error(gain, one['gain_error'])} e/ADU, "
        f"read noise {_with_error(one['read_noise'], one['read_noise_error'])} e"
    )
    looks: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "", "markersize": 5}
    above.errorbar(signal, variance, error, **looks, label=label)
    above.plot(light, floor + light / gain, color=colour, linewidth=1)
    if floor > 0:
        above.axhline(floor, color=colour, linewidth=1, linestyle="--")
    fit = floor + signal / gain
    below.errorbar(signal, 100 * (variance / fit - 1), 100 * error / fit, **looks)


def _with_error(value: float, error: float) -> str:
    """Return a number and its uncertainty, with two digits of that."""
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 3
    return f"{value:.{digits}f} ± {error:.{digits}f}"


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
    curves = _of_channels(measured, _OF_LINEARITY, "linearity", channel)
    figure = new_picture(_WIDTH, _HEIGHT_OF_THREE)
    axes = figure.subplots(3, sharex=True, height_ratios=(3, 2, 1.5))
    for number, name, one in curves:
        _draw_linearity(axes, one, _prefix(measured, name), series(number, name)[0])
    ylabels = ("signal [ADU]", "signal off the light [%]", "made linear [%]")
    for one_axes, ylabel in zip(axes, ylabels, strict=True):
        one_axes.set(ylabel=ylabel)
    for below in axes[1:]:
        below.axhline(0, color="0.25", linewidth=1)
    axes[-1].set(xlabel="light, as the ADU of faint signals")
    axes[0].legend(fontsize="small", frameon=False, loc="lower right")
    figure.suptitle("Is the signal proportional to the light?", fontweight="bold")
    return figure


def _draw_linearity(axes: "list[Axes]", one: dict[str, Any], prefix: str, colour: str) -> None:
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


def _of_channels(
    measured: xr.Dataset, needed: Sequence[str], verb: str, channel: str | None
) -> list[tuple[int, str, dict[str, Any]]]:
    """Return number, name and what is needed of each channel that is drawn."""
    check_measured(measured, needed, verb)
    names = schema.names(measured, "channel")
    chosen = None if channel is None else schema.number_of(channel, names, "channel")
    return [
        (number, name, {key: measured[key].values[number] for key in needed})
        for number, name in enumerate(names)
        if chosen in (None, number)
    ]


def _prefix(measured: xr.Dataset, name: str) -> str:
    """Return how labels of a channel begin: with its name, where there are several."""
    return "" if measured.sizes["channel"] == 1 else f"{name}: "
