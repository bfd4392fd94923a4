"""The picture of a photon transfer curve: whether the noise of flats is that of their light."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import SchemaError
from autowisp_xr.plot.figures import new_picture, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_WIDTH, _HEIGHT = 6.5, 6.0
"""Inches."""

_NEEDED = (
    *("gain", "gain_error", "read_noise", "read_noise_error", "read_noise_adu"),
    *("signal", "signal_variance", "signal_variance_error"),
)

_BELOW = 10.0
"""So many times fainter than where both noises are equal, or than all points, the fit begins."""


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
    missing = [name for name in _NEEDED if name not in measured]
    if missing:
        raise SchemaError(
            f"{', '.join(missing)} is missing among {sorted(map(str, measured.data_vars))}; give "
            "what aw.measure.gain_and_read_noise returns"
        )
    names = schema.names(measured, "channel")
    chosen = None if channel is None else schema.number_of(channel, names, "channel")
    figure = new_picture(_WIDTH, _HEIGHT)
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1.5))
    for number, name in enumerate(names):
        if chosen in (None, number):
            one = {key: measured[key].values[number] for key in _NEEDED}
            _draw(above, below, one, "" if len(names) == 1 else f"{name}: ", number)
    above.set(xscale="log", yscale="log", ylabel="variance of a frame [ADU$^2$]")
    below.axhline(0, color="0.25", linewidth=1)
    below.margins(y=0.25)
    below.set(xlabel="signal [ADU]", ylabel="above the fit [%]")
    above.legend(fontsize="small", frameon=False, loc="upper left")
    figure.suptitle("Is the noise of flats that of their light?", fontweight="bold")
    return figure


def _draw(above: "Axes", below: "Axes", one: dict[str, Any], prefix: str, number: int) -> None:
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
