"""How far up a curve of linearity holds, and which flats do not belong to it."""

from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.errors import CalibrationError
from autowisp_xr.measure.response_fit import Fit, Model, fit
from autowisp_xr.response import Linearity

_SURE = 4.0
"""Uncertainties that a level is off at least, to be none of the curve."""

_FAR = 6.0
"""The same of a flat that is left out for itself."""

_SUSPECTS = 4
"""Flats that are farthest off the curve of all; a bad one is among them."""

_BAD_SHARE = 5
"""One flat of so many may be bad."""

_SAFE = 0.6
"""The share of the highest level that is below any saturation."""

_SAME = 0.02
"""Levels that differ by less are one."""

LEAST = 0.01
"""The share of the highest level that a flat has at least: below, the level of the bias counts."""


class Curve(NamedTuple):
    """A curve of linearity with its range."""

    fit: Fit
    level: Floats
    """(frame, zone): in ADU above the bias; NaN where tiles are saturated."""
    error: Floats
    """(frame, zone): relative uncertainty of the level."""
    limit: float
    """The highest level that it holds at, in ADU above the bias."""
    used: Bools
    """(frame, zone)."""
    bad: tuple[int, ...]
    """Numbers of the flats that were left out, which no other flat bears out."""

    @property
    def linearity(self) -> Linearity:
        """The curve, as a camera has it."""
        return Linearity(
            coefficients=self.fit.coefficients.tolist(),
            covariance=self.fit.covariance.tolist(),
            limit=self.limit,
        )


def curve_of(model: Model, tolerance: float) -> Curve | None:
    """Return the curve that reaches highest with no level off by more than the tolerance.

    Parameters
    ----------
    model
        What is known of the light.
    tolerance
        Relative; levels may be off by four times their uncertainties, too.

    Returns
    -------
    None where levels are too few, or nothing fits.
    """
    level = model.zones.level
    known = np.isfinite(level) & (level > 0)
    if not known.any():
        return None
    top = float(level[known].max())
    known &= level >= LEAST * top
    low = _without_bad(model, known & (level <= _SAFE * top), tolerance)
    scatter = 0.0 if low is None else low.fit.scatter
    ceiling = top
    while known.any() and ceiling > _SAME * top:
        inside = known & (level <= ceiling)
        found = _without_bad(model, inside, tolerance)
        if found is not None and _holds(found, tolerance, scatter):
            return found
        below = level[known & (level < ceiling * (1 - _SAME))]
        if not below.size:
            break
        ceiling = float(below.max())
    return None


def _holds(curve: Curve, tolerance: float, scatter: float) -> bool:
    off = np.abs(curve.fit.residual)
    allowed = np.maximum(tolerance, _SURE * np.hypot(curve.error, scatter))
    if not (off[curve.used] <= allowed[curve.used]).all():
        return False
    try:
        return bool(curve.linearity)
    except CalibrationError:
        return False


def _without_bad(model: Model, kept: Bools, tolerance: float) -> Curve | None:
    """Return the curve of the flats that agree, and which were left out."""
    found = fit(model, kept)
    bad: list[int] = []
    while found is not None:
        used = kept & np.isfinite(found.residual)
        level, error = model.zones.level, model.error
        limit = float(level[used].max())
        curve = Curve(found, level, error, limit, used, tuple(sorted(bad)))
        frames = np.flatnonzero(used.any(axis=1))
        off = np.nanmax(np.abs(np.where(used, found.residual, np.nan)))
        few = len(bad) >= (len(frames) + len(bad)) // _BAD_SHARE
        if few or off <= tolerance:
            return curve
        worst = _worst(model, used, frames, tolerance, found)
        if worst is None:
            return curve
        number, found = worst
        bad.append(number)
        kept = kept.copy()
        kept[number] = False
    return None


def _worst(
    model: Model, used: Bools, frames: Integers, tolerance: float, whole: Fit
) -> tuple[int, Fit] | None:
    """Return the flat that all others contradict, and their fit; None where there is none.

    The brightest is never it: that the curve ends below is as likely.
    """
    highest = np.nanmax(np.where(used, model.zones.level, np.nan)[frames], axis=1)
    largest = np.nanmax(np.abs(np.where(used, whole.residual, np.nan)[frames]), axis=1)
    below = highest < (1 - _SAME) * highest.max()
    suspects = frames[below][np.argsort(largest[below])][-_SUSPECTS:]
    best: tuple[int, Fit] | None = None
    for number in suspects:
        others = used.copy()
        others[number] = False
        found = fit(model, others)
        if found is None:
            continue
        if best is None or found.scatter < best[1].scatter:
            best = int(number), found
    if best is None:
        return None
    number, found = best
    off = np.nanmax(np.abs(np.where(used, whole.residual, np.nan)[number]))
    # what one flat alone adds to the scatter is its own
    far = off > max(_FAR * found.scatter, tolerance) and found.scatter < whole.scatter / 2
    return (number, found) if far else None
