r"""The curve of linearity that makes the levels of flats agree with their light.

With I the level of zone k in flat j, t its exposure and L what the lamp had,

.. math:: I + c_2 I^2 + c_3 I^3 + ... = \rho_k (t_j + \delta) L_j

is solved for the coefficients, the brightness of the zones, the offset of the shutter, and, where
that is not steady, the lamp: by least squares of the logarithms, Gauss and Newton. What zones of
one flat miss in common (the lamp flickers) and each for itself has the variance that makes
chi^2 its expectation (Paule and Mandel 1982).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Integers
from autowisp_xr.measure.level_ladder import Zones

_ROUNDS = 30
_CONVERGED = 1e-7
_SINGULAR = 1e12
_LEAST_ERROR = 1e-7
_MOST_SCATTER = 1.0
"""Relative; nothing that is more is a flat."""


@dataclass(frozen=True)
class Model:
    """What is known of the light of flats."""

    exposure: Floats
    """(frame) seconds; NaN where that takes no part."""
    lamp: Floats
    """(frame, number): what of the logarithm of the lamp is solved for."""
    zones: Zones
    offset: bool
    """Whether the exposures have an offset in common."""
    floor: float = 0.0
    """Uncertainty of the level of a frame, in ADU."""

    @property
    def free(self) -> bool:
        """Whether each flat has a lamp of its own, so that only its zones show anything."""
        return bool(np.isnan(self.exposure).all())

    @property
    def error(self) -> Floats:
        """(frame, zone): the relative uncertainty of each level, with that of the bias."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.hypot(np.nan_to_num(self.zones.error), self.floor / self.zones.level)


class Fit(NamedTuple):
    """A curve, and how well flats agree with it."""

    coefficients: Floats
    covariance: Floats
    offset: float
    offset_error: float
    light: Floats
    """(frame, zone): the right-hand side, in ADU; NaN where the lamp is not known."""
    residual: Floats
    """(frame, zone): by how much the linear level is off, relative; NaN where there is none."""
    flicker: float
    """Relative scatter that zones of a flat have in common."""
    pattern: float
    """Relative scatter of each zone for itself."""
    freedom: int

    @property
    def scatter(self) -> float:
        """The relative scatter that is beyond the errors."""
        return math.hypot(self.flicker, self.pattern)

    def bend(self, signal: float) -> tuple[float, float]:
        """Return by how much the curve is off a straight line, relative, with its uncertainty."""
        powers = signal ** np.arange(1, self.coefficients.size + 1)
        variance = powers @ self.covariance @ powers
        return float(powers @ self.coefficients), math.sqrt(max(float(variance), 0.0))


def fit(model: Model, kept: Bools, *, flicker: float | None = None) -> Fit | None:
    """Return the best curve by the points (frame, zone) that are kept; None of too few.

    ``flicker`` is what zones have in common, where that is known.
    """
    kept = kept & np.isfinite(model.zones.level) & (model.zones.level > 0)
    kept = kept & np.isfinite(model.exposure)[:, None] if not model.free else kept
    if not kept.any():
        return None
    # what one zone misses for itself shows where each flat has a lamp of its own
    own = replace(model, exposure=np.full_like(model.exposure, np.nan), offset=False)
    pattern = _scatter(lambda scatter: _solved(own, kept, 0.0, scatter))
    apart = _solved(own, kept, 0.0, pattern)
    if flicker is None:
        flicker = 0.0
        if not model.free:
            flicker = _scatter(lambda scatter: _solved(model, kept, scatter, pattern), apart)
    found = _solved(model, kept, flicker, pattern)
    return None if found is None or found.freedom < 1 else _as_fit(model, found, flicker, pattern)


class _Solution(NamedTuple):
    parameters: Floats
    covariance: Floats
    residual: Floats
    scale: float
    chi2: float
    freedom: int


def _scatter(solved: Callable[[float], _Solution | None], apart: _Solution | None = None) -> float:
    """Return the scatter that makes chi^2 its expectation; 0 where it is not larger without.

    Of that of another solution, ``apart``, no part is looked at.
    """
    chi2, freedom = (0.0, 0) if apart is None else (apart.chi2, apart.freedom)

    def excess(scatter: float) -> float:
        found = solved(scatter)
        if found is None or found.freedom <= freedom:
            return -1.0
        return (found.chi2 - chi2) / (found.freedom - freedom) - 1

    if excess(0.0) <= 0:
        return 0.0
    # most flats need none, and it takes as long to import as all that is measured here
    from scipy.optimize import brentq

    return float(brentq(excess, 0.0, _MOST_SCATTER, xtol=1e-6, rtol=1e-2))


def _solved(model: Model, kept: Bools, flicker: float, pattern: float) -> _Solution | None:
    """Return the best parameters (zones, lamp, offset, terms); None where they are not known."""
    frames, zones = np.nonzero(kept)
    powers = model.zones.powers[frames, zones]
    number, terms = kept.shape[1], powers.shape[1] - 1
    scale = float(powers[:, 0].max())
    # the powers of the level over the level itself, of about one at the top
    bends = powers[:, 1:] / powers[:, :1] / scale ** np.arange(1, terms + 1)
    lamp = np.eye(len(kept)) if model.free else model.lamp
    offset = int(model.offset and not model.free)
    fixed = np.hstack([np.eye(number)[zones], lamp[frames]])
    design = np.hstack([fixed, np.zeros((len(frames), offset)), bends])
    # what no point shows stays zero; of lamps of their own, so does the first
    asked = (design != 0).any(axis=0)
    asked[fixed.shape[1] : fixed.shape[1] + offset] = True
    if model.free:
        asked[number + frames[0]] = False
    if asked.sum() > len(frames):
        return None
    exposure = np.ones(len(frames)) if model.free else model.exposure[frames]
    error = np.hypot(np.nan_to_num(model.zones.error[frames, zones]), pattern)
    error = np.maximum(error, _LEAST_ERROR)
    whiten = _whitening(frames, error, flicker, model.floor / powers[:, 0])
    parameters = np.zeros(design.shape[1])
    logarithm = np.log(powers[:, 0])
    parameters[0] = logarithm[0] - np.log(exposure[0])
    for _ in range(_ROUNDS):
        curve = 1 + bends @ parameters[-terms:]
        time = exposure + (parameters[-terms - 1] if offset else 0.0)
        off = logarithm + np.log(curve / time) - fixed @ parameters[: fixed.shape[1]]
        design[:, -terms:] = -bends / curve[:, None]
        if offset:
            design[:, -terms - 1] = 1 / time
        white = whiten @ design[:, asked]
        normal = white.T @ white
        try:
            step = np.zeros(parameters.size)
            step[asked] = np.linalg.solve(normal, white.T @ (whiten @ off))
        except np.linalg.LinAlgError:
            return None
        size = 1.0
        while not _possible(parameters + size * step, bends, exposure, offset):
            size /= 2
        parameters += size * step
        if np.abs(step).max() < _CONVERGED:
            break
    else:
        return None
    off = off - design @ step
    own = np.sqrt(np.diagonal(normal))
    if np.linalg.cond(normal / np.outer(own, own)) > _SINGULAR:
        return None
    covariance = np.zeros((parameters.size,) * 2)
    covariance[np.ix_(asked, asked)] = np.linalg.inv(normal)
    residual = np.full(kept.shape, np.nan)
    residual[frames, zones] = off
    chi2 = float(np.square(whiten @ off).sum())
    freedom = int(len(frames) - asked.sum())
    return _Solution(parameters, covariance, residual, scale, chi2, freedom)


def _possible(parameters: Floats, bends: Floats, exposure: Floats, offset: int) -> bool:
    terms = bends.shape[1]
    time = exposure + (parameters[-terms - 1] if offset else 0.0)
    return bool((1 + bends @ parameters[-terms:] > 0).all() and (time > 0).all())


def _whitening(frames: Integers, error: Floats, flicker: float, floor: Floats) -> Floats:
    """Return what makes points of independent errors that have parts in common in each frame."""
    common = (frames[:, None] == frames) * (flicker**2 + np.outer(floor, floor))
    return np.linalg.inv(np.linalg.cholesky(np.diag(error**2) + common))


def _as_fit(model: Model, found: _Solution, flicker: float, pattern: float) -> Fit:
    terms = model.zones.powers.shape[2] - 1
    number = model.zones.level.shape[1]
    offset = model.offset and not model.free
    scales = found.scale ** np.arange(1, terms + 1)
    shutter = float(found.parameters[-terms - 1]) if offset else 0.0
    shutter_error = float(np.sqrt(found.covariance[-terms - 1, -terms - 1])) if offset else 0.0
    zones = found.parameters[:number]
    lamp = found.parameters[number : len(found.parameters) - terms - offset]
    if model.free:
        seen = np.isfinite(found.residual).any(axis=1)
        of_frame = np.where(seen, lamp, np.nan)
    else:
        time = model.exposure + shutter
        # that of a flat which took no part may come out as none
        of_frame = np.log(np.where(time > 0, time, np.nan)) + model.lamp @ lamp
    return Fit(
        coefficients=found.parameters[-terms:] / scales,
        covariance=found.covariance[-terms:, -terms:] / np.outer(scales, scales),
        offset=shutter,
        offset_error=shutter_error,
        light=np.exp(of_frame[:, None] + zones),
        residual=found.residual,
        flicker=flicker,
        pattern=pattern,
        freedom=found.freedom,
    )
