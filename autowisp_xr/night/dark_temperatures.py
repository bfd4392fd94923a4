"""By how much a dark of another temperature than the frames is off.

What a dark current doubles by is what the camera states, else what darks of the night show at other
temperatures, else what is usual.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Floats
from autowisp_xr.camera import Camera
from autowisp_xr.kinds import TEMPERATURE_TOLERANCE
from autowisp_xr.night.checks_of_masters import KnownDark
from autowisp_xr.night.sentences import sentence
from autowisp_xr.stats.doubling_temperature import USUAL, doubling_of

LEAST_APART = 0.3
"""Degrees: coolers keep that, and thermometers count in steps of it."""

_WANDER = 1.0
"""ADU that levels of frames wander by, and those of masters are off."""

_KNOWN = 0.25
"""Relative uncertainty of a doubling temperature that says more than what is usual."""

_SHARE = 0.5
"""Of the noise of a frame: what a dark within the tolerance may be off by without a word."""


class Doubles(NamedTuple):
    """The degrees within which the dark current of a camera doubles."""

    least: float
    most: float
    why: str
    """Where that is from, in words."""


def doubles_by(camera: Camera | None, darks: Sequence[KnownDark]) -> Doubles:
    """Return how a dark current grows.

    Parameters
    ----------
    camera
        What is stated of it counts first.
    darks
        Of one setup; their levels count where they are of several temperatures.
    """
    if camera is not None and camera.dark_doubling is not None:
        stated = camera.dark_doubling
        return Doubles(stated, stated, sentence("doubles_stated", degrees=stated))
    known = [dark for dark in darks if math.isfinite(dark.level)]
    if known:
        seconds = np.array([dark.seconds for dark in known])
        levels = np.array([dark.level for dark in known])
        degrees = [dark.temperature for dark in known]
        found = doubling_of(degrees, levels / seconds, _WANDER / seconds)
        if found.error < _KNOWN * found.degrees:
            names = ", ".join(dark.name for dark in known if dark.level > 3 * _WANDER)
            why = sentence("doubles_measured", degrees=found.degrees, darks=names)
            return Doubles(found.degrees, found.degrees, why)
    least, most = USUAL
    return Doubles(least, most, sentence("doubles_usually", least=least, most=most))


def doubt_on_temperature(
    dark: KnownDark, frames: Floats, seconds: float, noise: float, doubles: Doubles
) -> str:
    """Report by how much a dark is off that is of another temperature; "" where it does not matter.

    Parameters
    ----------
    dark
        The one that is applied; its level may be NaN, for a bias in it that is not known.
    frames
        Their temperatures; the one farthest from the dark counts.
    seconds
        Their exposure.
    noise
        Of a pixel of a frame, in ADU; NaN where it is not known.
    doubles
        As :func:`doubles_by` gives it.
    """
    off = _off_by(dark, frames, seconds, doubles)
    if off is None or (abs(off.degrees) <= TEMPERATURE_TOLERANCE and not off.most > _SHARE * noise):
        return ""
    values = {"name": dark.name, "own": dark.temperature, "theirs": dark.temperature + off.degrees}
    words = {"less": off.less, "by": off.words, "why": doubles.why}
    return sentence("dark_of_other_temperature", **values, **words)


def price_of_allowing(dark: KnownDark, degrees: float, seconds: float, doubles: Doubles) -> str:
    """Report by how much a dark would be off that was not taken for its temperature."""
    off = _off_by(dark, np.array([degrees]), seconds, doubles)
    if off is None:
        return ""
    words = {"less": off.less, "by": off.words, "why": doubles.why}
    return sentence("dark_if_allowed", name=dark.name, **words)


class _Off(NamedTuple):
    degrees: float
    most: float
    """ADU; NaN where the level of the dark is not known."""
    less: str
    words: str


def _off_by(dark: KnownDark, frames: Floats, seconds: float, doubles: Doubles) -> _Off | None:
    """Return by how much a dark is off of the frames farthest from it; None if nobody knows."""
    apart = frames[np.isfinite(frames)] - dark.temperature
    if not apart.size or not math.isfinite(dark.temperature):
        return None
    farthest = float(apart[np.abs(apart).argmax()])
    shares = sorted({abs(2 ** (farthest / degrees) - 1) for degrees in doubles[:2]})
    words, most = f"{_two_digits([100 * share for share in shares])} % of it", math.nan
    if math.isfinite(dark.level):
        current = max(dark.level, 0.0) * seconds / dark.seconds
        most = current * shares[-1]
        words = f"about {_two_digits([current * share for share in shares])} ADU, {words}"
    return _Off(farthest, most, "too little" if farthest > 0 else "too much", words)


def _two_digits(values: Sequence[float]) -> str:
    """Write a value, or two as a range, with two digits."""
    return " to ".join(dict.fromkeys(f"{float(f'{value:.2g}'):g}" for value in values))
