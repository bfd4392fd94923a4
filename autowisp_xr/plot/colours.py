"""The colours of all pictures, which those who see fewer colours can distinguish, too.

They are the eight of Okabe and Ito, "Color universal design" (https://jfly.uni-koeln.de/color/),
with grey in place of black, which vanishes in dark pages.
"""

from autowisp_xr.flags import Flag

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


def series(number: int, name: str = "") -> tuple[str, str]:
    """Return the colour and the marker of one of several series, counted from 0.

    A series of a channel by the name of a Bayer pattern has the colour of that.

    Examples
    --------
    >>> series(0), series(6) == series(0), series(0, "R")
    (('#0072B2', 'o'), True, ('#D55E00', 's'))
    """
    return _CHANNELS.get(name, SERIES[number % len(SERIES)])
