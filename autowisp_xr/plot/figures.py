"""The one door to matplotlib, for something to draw on; names, colours and tables that suit it.

Those who see fewer colours can distinguish these, too: they are the eight of Okabe and Ito, "Color
universal design" (https://jfly.uni-koeln.de/color/), with grey in place of black, which vanishes in
dark pages.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr.errors import SchemaError
from autowisp_xr.flags import Flag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"

FLAGS = {
    Flag.COSMIC: ("cosmic ray", SKY),
    Flag.HOT: ("hot", YELLOW),
    Flag.OVERSATURATED: ("saturated", VERMILLION),
    Flag.LEAKED: ("leaked into", ORANGE),
    Flag.FAULT: ("fault or no number", PURPLE),
    Flag.INTERPOLATED: ("interpolated", GREEN),
    Flag.OUTER: ("outside the image", BLUE),
    Flag.NONLINEAR: ("beyond the linear range", GREY),
}
"""The name of each flag, and its colour; a pixel has that of its first flag."""

SERIES = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (PURPLE, "D"), (ORANGE, "v"), (GREY, "P"))
"""Colour and marker of each of several series in one picture: of channels, for one."""

SHADES = {"image": "gray", "error": "viridis", "count": "cividis", "number": "magma"}
"""The name of the colour map of pixels, of uncertainties, and of values averaged and rejected."""

BACKGROUND = "0.25"
"""The colour of lines that explain."""


_CHANNELS = {"R": (VERMILLION, "s"), "G1": (GREEN, "^"), "G2": (GREEN, "v"), "B": (BLUE, "o")}


def new_picture(width: float, height: float) -> "Figure":
    """Return an empty picture of so many inches, which lays out by itself what is drawn on it.

    pyplot keeps each figure it makes until it is asked to close it, and shows it at the end of the
    cell besides. A plain Figure is shown in a notebook only once pyplot was imported; this one
    always, as the value of a cell or by ``display``.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    need_matplotlib()
    from autowisp_xr.plot.pictures import Picture

    return Picture(figsize=(width, height), layout="constrained")


def need_matplotlib() -> None:
    """Raise ImportError with the remedy where there is no matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"pictures need matplotlib, which cannot be imported ({error}); it comes with "
            "pip install '.[plot]'"
        ) from error


def shown_figure() -> "Figure":
    """Return an empty figure of pyplot, as xarray draws on one: notebooks show it by themselves.

    It lays out by itself what is drawn on it.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    need_matplotlib()
    from matplotlib import pyplot

    return pyplot.figure(layout="constrained")


def given_axes(ax: Any, number: int) -> "list[Axes]":
    """Return the axes that were given to draw on, one or several in any shape.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If there are not so many of them, or if something else was given.
    """
    need_matplotlib()
    from matplotlib.axes import Axes

    given = list(np.ravel(np.asarray(ax, dtype=object)))
    if not all(isinstance(one, Axes) for one in given):
        raise ValueError(f"ax is an Axes of matplotlib, or several, not {ax!r}")
    if len(given) != number:
        raise ValueError(
            f"{number} axes are drawn on, and ax has {len(given)}; give as many, or choose one "
            "channel"
        )
    return given


def one_axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    """Return the axes that were given, else those of a new figure of so many inches."""
    if ax is not None:
        return given_axes(ax, 1)[0]
    figure = shown_figure()
    figure.set_size_inches(width, height)
    return figure.subplots()


def check_measured(measured: xr.Dataset, needed: Iterable[str], verb: str) -> None:
    """Raise SchemaError for a table that is not what a verb of ``aw.measure`` returns."""
    missing = [name for name in needed if name not in measured]
    if missing:
        raise SchemaError(
            f"{', '.join(missing)} is missing among {sorted(map(str, measured.data_vars))}; give "
            f"what aw.measure.{verb} returns"
        )


def ending(name: str, longest: int) -> str:
    """Return the end of a long name, in which frames of one night differ."""
    return name if len(name) <= longest else f"…{name[len(name) - longest + 1 :]}"


def series(number: int, name: str = "") -> tuple[str, str]:
    """Return the colour and the marker of one of several series, counted from 0.

    A series of a channel by the name of a Bayer pattern has the colour of that.

    Examples
    --------
    >>> series(0), series(6) == series(0), series(0, "R")
    (('#0072B2', 'o'), True, ('#D55E00', 's'))
    """
    return _CHANNELS.get(name, SERIES[number % len(SERIES)])
