"""The picture of a dark current: its growth with exposure and temperature, and where it is high."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.plot.figures import BLUE, check_measured, new_picture
from autowisp_xr.stats.doubling_temperature import Doubling

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL, _HEIGHT = 4.4, 4.2
"""Inches."""

_NEEDED = (
    "current",
    "current_error",
    "darks",
    "level",
    "image",
    "doubling",
    "energy",
    "doubling_at",
)

_BINS = 120
_HIGHEST = 0.9999
"""Quantile of the rates at which the histogram ends."""

_NARROWEST = 1e-6
_BEYOND = 0.05


def dark_current(measured: xr.Dataset, *, channel: str | int = 0) -> "Figure":
    """Draw what :func:`~autowisp_xr.measure.dark_current` found of a channel.

    From left to right: the level of each dark above that of no exposure, with the line whose slope
    is the rate; how many pixels have which rate, of which those far to the right are hot; and,
    where there are several temperatures, the rate at each, with the doubling temperature.

    Parameters
    ----------
    measured
        What ``dark_current`` returns.
    channel
        Its name or number.

    Returns
    -------
    matplotlib.figure.Figure
        One that pyplot does not know of and that notebooks show: nothing is to be closed, and
        ``figure.savefig("dark.png")`` keeps it.

    Raises
    ------
    ImportError
        Without matplotlib.
    SchemaError
        If the table is none of a dark current.
    ValueError
        If there is no such channel.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1, dark_current=0.5)
    >>> measured = aw.measure.dark_current(night.dark(4), night.bias(4), camera=night.camera)
    >>> figure = aw.plot.dark_current(measured)
    >>> len(figure.axes)
    2
    """
    check_measured(measured, _NEEDED, "dark_current")
    number = schema.number_of(channel, schema.names(measured, "channel"), "channel")
    one = measured.isel(channel=number)
    several = one.sizes["temperature"] > 1
    figure = new_picture(_PANEL * (2 + several), _HEIGHT)
    axes = figure.subplots(1, 2 + several)
    units = str(measured["current"].attrs["units"])
    _draw_ladder(axes[0], one, units)
    _draw_pixels(axes[1], one, units)
    if several:
        _draw_growth(axes[2], one, units)
    figure.suptitle("How fast do pixels fill in the dark?", fontweight="bold")
    return figure


def _colours(number: int) -> Any:
    """Return colours from cold to warm."""
    from matplotlib import colormaps

    return colormaps["plasma"](np.linspace(0.1, 0.75, number))


def _degrees(one: xr.Dataset) -> list[str]:
    known = one["temperature"].values.tolist()
    return [f"{value:.1f} °C: " if np.isfinite(value) else "" for value in known]


def _draw_ladder(axes: "Axes", one: xr.Dataset, units: str) -> None:
    """Draw levels against exposures, and the lines."""
    exposure, level = one["exposure"].values, one["level"].values
    ends = np.cumsum(one["darks"].values)
    seconds = np.array([0.0, exposure.max()])
    columns = zip(_colours(len(ends)), _degrees(one), one["current"].values, strict=True)
    for (colour, at, rate), end, number in zip(columns, ends, one["darks"].values, strict=True):
        own = slice(end - number, end)
        axes.plot(exposure[own], level[own], "o", color=colour, markersize=4)
        axes.plot(seconds, rate * seconds, color=colour, linewidth=1, label=f"{at}{rate:.3g}")
    charge = units.removesuffix("/s")
    axes.set(xlabel="exposure [s]", ylabel=f"level above no exposure [{charge}]")
    axes.legend(title=f"rate [{units}]", fontsize="small", frameon=False)


def _draw_pixels(axes: "Axes", one: xr.Dataset, units: str) -> None:
    """Draw how many pixels have which rate."""
    planes: list[Floats] = [
        image[np.isfinite(image)] for image in one["image"].values.astype(np.float64)
    ]
    known = np.concatenate(planes) if planes else np.empty(0)
    if not known.size:
        return
    # good pixels and hot ones side by side: linear over the width of the good ones
    middle, *ends = np.quantile(known, (0.5, 1 - _HIGHEST, _HIGHEST))
    width = float(max(np.quantile(known, 0.84) - middle, _NARROWEST * abs(middle), _NARROWEST))
    low, high = np.arcsinh(np.array(ends) / width)
    edges = width * np.sinh(np.linspace(low - _BEYOND, high + _BEYOND, _BINS + 1))
    for plane, colour in zip(planes, _colours(len(planes)), strict=True):
        axes.hist(plane, edges.tolist(), histtype="step", color=colour)
    axes.set_xscale("asinh", linear_width=width)
    axes.set(yscale="log", xlabel=f"rate [{units}]", ylabel="pixels")


def _draw_growth(axes: "Axes", one: xr.Dataset, units: str) -> None:
    """Draw rates against temperatures, and how they double."""
    degrees, rate, error = (
        one[name].values for name in ("temperature", "current", "current_error")
    )
    axes.errorbar(degrees, rate, np.nan_to_num(error), color=BLUE, marker="o", linestyle="")
    names = ("doubling", "doubling_error", "energy", "energy_error", "doubling_at")
    found = Doubling(*(float(one[name]) for name in names))
    if np.isfinite(found.degrees):
        places = np.linspace(degrees.min(), degrees.max(), 100)
        # through the middle of the rates that have a logarithm
        known = rate > 0
        weights = (rate / error)[known] ** 2 if np.isfinite(error).all() else None
        above = np.log(rate[known] / found.grown(degrees[known]))
        scale = np.exp(np.average(above, weights=weights))
        label = f"doubles within {found.degrees:.2f} ± {found.error:.2f} K"
        axes.plot(places, scale * found.grown(places), color=BLUE, linewidth=1, label=label)
        axes.legend(fontsize="small", frameon=False)
        axes.set_yscale("log")
    axes.set(xlabel="temperature [°C]", ylabel=f"rate [{units}]")
