r"""Linear regression on regressors that are noisy, robust against outliers.

Of values y, regressors x with noise of their own, and instruments z that are correlated with what
is true in x and not with any noise, the coefficients b solve

.. math:: \sum_i z_i \psi(y_i - x_i^T b) = 0

Least squares (z = x) would find a slope too small, by the share of the noise in the variance of x,
and one too large where that noise is a part of the noise of y. With instruments, neither matters.

:math:`\psi` is the biweight of Beaton and Tukey (1974, Technometrics 16, 147), which gives no
weight to what is more than 4.685 standard deviations off, and so is as good as least squares to 95
% for normal noise. The covariance is the sandwich :math:`A^{-1} B A^{-T}` with :math:`A = \sum
\psi' z x^T`, and in :math:`B = \sum_g s_g s_g^T` the sums :math:`s_g = \sum \psi z` over groups of
values (Liang and Zeger 1986, Biometrika 73, 13), so that noise which neighbours share counts.
"""

from typing import NamedTuple

import bottleneck
import numpy as np

from autowisp_xr.arrays import Bools, Floats, Integers

_REACH = 4.685
_NORMAL = 1.4826
"""Standard deviation of normal values over the median of their absolute values."""

_CALM = 3.0
_ROUNDS = 50
_SETTLED = 0.01
"""Of the uncertainty of each coefficient, by which it may still move."""


class Fit(NamedTuple):
    """The coefficients of a regression, and their covariance; NaN where it could not be made."""

    coefficients: Floats
    covariance: Floats


def instrumental_fit(
    values: Floats,
    regressors: Floats,
    instruments: Floats,
    groups: Integers,
    *,
    calm_first: bool = True,
) -> Fit:
    """Fit values by regressors of which each has an instrument.

    Parameters
    ----------
    values
        (n), all finite.
    regressors, instruments
        (terms, n), the first of them a constant.
    groups
        (n): numbers from 0 up, one for all values whose noise may be common.
    calm_first
        Whether to begin with values where the last regressor is within three standard deviations;
        not where what stands out in it is what shows its coefficient.
    """
    terms, number = regressors.shape
    unknown = Fit(np.full(terms, np.nan), np.full((terms, terms), np.nan))
    if number <= terms or len(np.unique(groups)) <= terms:
        return unknown
    start: Floats = np.zeros(terms)
    start[0] = bottleneck.median(values)
    try:
        if calm_first:
            # what stands out in a regressor itself would hold a fit that begins without it
            calm = _is_calm(regressors) & _is_calm(instruments)
            start, _ = _settled(start, values[calm], regressors[:, calm], instruments[:, calm])
        found, scale = _settled(start, values, regressors, instruments)
        off = values - found @ regressors
        return Fit(found, _covariance(off, scale, regressors, instruments, groups))
    except np.linalg.LinAlgError:
        return unknown


def _is_calm(columns: Floats) -> Bools:
    """Return where the last of some columns is within three standard deviations."""
    off = np.abs(columns[-1] - bottleneck.median(columns[-1]))
    calm: Bools = off <= _CALM * _NORMAL * bottleneck.median(off)
    return calm


def _settled(
    found: Floats, values: Floats, regressors: Floats, instruments: Floats
) -> tuple[Floats, float]:
    """Return coefficients that do not move any more, and the scatter about them."""
    least = np.finfo(np.float64).eps * np.abs(values).max(initial=0.0)
    for _ in range(_ROUNDS):
        off = values - found @ regressors
        scale = max(_NORMAL * float(bottleneck.median(np.abs(off))), least)
        ratio = off / (_REACH * scale) if scale else off
        weighted = instruments * np.maximum(1 - ratio**2, 0.0) ** 2
        products = weighted @ regressors.T
        step = np.linalg.solve(products, weighted @ off)
        found = found + step
        inverse = np.linalg.inv(products)
        near = scale * np.sqrt(np.abs(np.diag(inverse @ (weighted @ weighted.T) @ inverse.T)))
        if (np.abs(step) <= _SETTLED * near).all():
            break
    return found, scale


def _covariance(
    off: Floats, scale: float, regressors: Floats, instruments: Floats, groups: Integers
) -> Floats:
    terms, number = regressors.shape
    square = (off / (_REACH * scale)) ** 2 if scale else off**2
    inside = square < 1
    slope = np.where(inside, (1 - square) * (1 - 5 * square), 0.0)
    pull = np.where(inside, off * (1 - square) ** 2, 0.0)
    sums = np.array([np.bincount(groups, one * pull) for one in instruments])
    inverse = np.linalg.inv((instruments * slope) @ regressors.T)
    several = len(np.unique(groups))
    freedom = (number - 1) / (number - terms) * several / (several - 1)
    covariance: Floats = freedom * inverse @ (sums @ sums.T) @ inverse.T
    return covariance
