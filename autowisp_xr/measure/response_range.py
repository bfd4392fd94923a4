"""How far up a curve of linearity holds, and which flats do not belong to it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.camera.response import Linearity
from autowisp_xr.errors import CalibrationError
from autowisp_xr.measure.response_fit import Fit, Model, fit

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
    """Return the curve of the flats that agree, and which were left out; None where nothing fits.

    Some are left out where what all others scatter is then less than half.
    """
    whole = fit(model, kept)
    if whole is None:
        return None
    number = np.count_nonzero((kept & np.isfinite(whole.residual)).any(axis=1))
    bad: list[int] = []
    found, some = whole, kept
    while len(bad) < number // _BAD_SHARE and _largest(whole).max() > tolerance:
        worst = _worst(model, some, found)
        if worst is None:
            break
        found, some = worst[1], _but(some, worst[0])
        bad.append(worst[0])
        far = max(_FAR * found.scatter, tolerance)
        if found.scatter < whole.scatter / 2 and (_largest(whole)[bad] > far).all():
            return _curve(model, found, some, bad)
    return _curve(model, whole, kept, [])


def _curve(model: Model, found: Fit, kept: Bools, bad: Sequence[int]) -> Curve:
    level, used = model.zones.level, kept & np.isfinite(found.residual)
    limit = float(level[used].max())
    return Curve(found, level, model.error, limit, used, tuple(sorted(bad)))


def _largest(found: Fit) -> Floats:
    """Return by how much each flat is off the curve, at most; 0 where it took no part."""
    return np.nan_to_num(np.abs(found.residual)).max(axis=1)


def _but(kept: Bools, number: int) -> Bools:
    others = kept.copy()
    others[number] = False
    return others


def _worst(model: Model, kept: Bools, whole: Fit) -> tuple[int, Fit] | None:
    """Return the flat without which all others scatter least, and their fit; None of no flat.

    The brightest is never it: that the curve ends below is as likely.
    """
    highest = np.nan_to_num(model.zones.level).max(axis=1)
    off = np.where(highest < (1 - _SAME) * highest.max(), _largest(whole), 0.0)
    suspects = [int(number) for number in np.argsort(off)[-_SUSPECTS:] if off[number] > 0]
    fits = [(number, fit(model, _but(kept, number))) for number in suspects]
    known = [(number, found) for number, found in fits if found is not None]
    return min(known, key=lambda one: one[1].scatter, default=None)
