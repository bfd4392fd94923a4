r"""The noise of a mean or quantile of n normal values whose smallest and largest were dropped.

Of n sorted values, l below and h above are dropped. Given the largest dropped below, a, and the
smallest dropped above, b, the m = n - l - h survivors are independent values of a normal
distribution cut to (a, b), of mean :math:`\mu(a, b)` and variance :math:`\sigma^2(a, b)`. So for
their mean, and for the sum of their squared distances from it,

.. math:: V = E[\sigma^2] / m + \mathrm{Var}[\mu], \qquad S = (m - 1)\, E[\sigma^2],

over the joint density of a and b (H. A. David and H. N. Nagaraja, *Order Statistics*, 3rd ed.,
Wiley 2003, sections 2.2 and 2.4). That is exact, and one integral whatever n is. A quantile of the
survivors is another quantile of the n values; the distances from it, on either side, are likewise
those of values that are cut, between it and what was dropped.
"""

from functools import cache
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from autowisp_xr.arrays import Floats
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.stats.order_statistics import (
    nodes,
    normal_mass,
    one_order,
    order_range,
    position_moments,
    two_orders,
    variance_factors,
)

_MANY = 100
_NARROW = 1e-3
"""Cut so narrowly, a normal distribution is a uniform one to six digits."""


@cache
def trimmed_factors(quantile: float, frames: int, low: int, high: int) -> tuple[Any, Any, Any]:
    """Tables as ``variance_factors`` gives them, where ``low`` and ``high`` values were dropped.

    They are indexed by the number m of survivors, of m + ``low`` + ``high`` values; ``ratio`` is
    the variance of their average over that of the mean of m values of which none was dropped.
    """
    if low == high == 0:
        return variance_factors(quantile, frames)
    scatter, ratio, share = np.full(frames + 1, np.nan), np.ones(frames + 1), np.ones(frames + 1)
    most = frames - low - high
    if most < 1:
        return scatter, ratio, share
    m = np.arange(1, most + 1)
    # the mean of many goes smoothly with their number, a quantile jumps between odd and even ones
    known = _sizes(most) if quantile == MEAN else m
    moments = [trimmed_moments(quantile, int(k) + low + high, low, high) for k in known]
    variances, squares = np.transpose(moments)
    ratio[m] = np.interp(m, known, known * variances)
    with np.errstate(divide="ignore"):
        scatter[m] = ratio[m] / m**2 / np.interp(m, known, squares / known)
    scatter[1] = np.nan  # a single value has no scatter
    if quantile != MEAN:
        n = m + low + high
        share[m] = np.where(n % 2 == 0, (2 / n) ** 2, 0.0)
        if low != high:
            # what is left of both sides is in the middle of all; of two of one side, it is the mean
            share[2:3] = 1.0
    return scatter, ratio, share


def _sizes(most: int) -> Any:
    """Numbers up to the largest: all small ones, then steps of a twentieth."""
    steps = int(20 * np.log(max(most / _MANY, 1.0))) + 1
    many = np.geomspace(_MANY, max(most, _MANY), steps + 1).round()
    return np.unique(np.minimum(np.r_[1 : _MANY + 1, many], most))


def trimmed_moments(quantile: float, n: int, low: int, high: int) -> tuple[float, float]:
    """Return the variance of the average of what is left of n normal values, and their scatter.

    Parameters
    ----------
    quantile
        Of the survivors; ``MEAN`` for their mean.
    n, low, high
        Number of values, and how many of the smallest and largest are dropped; some are left.

    Returns
    -------
    The variance, and what is expected of the sum of the squared distances from the average.

    Examples
    --------
    >>> variance, _ = trimmed_moments(MEAN, 3, 1, 1)  # the median of three
    >>> round(3 * variance, 4)
    1.346
    """
    m = n - low - high
    if quantile == MEAN:
        density, a, b = _ends(n, low, high)
        mean, variance = _cut(a, b)
        inside = float((density * variance).sum())
        center = float((density * mean).sum())
        return inside / m + float((density * (mean - center) ** 2).sum()), (m - 1) * inside
    position = low + quantile * (m - 1)
    k = min(int(position), n - 2) + 1
    step = position - (k - 1)
    squares = _side_squared_deviations(n, k, low, step) + _side_squared_deviations(
        n, n - k, high, 1 - step
    )
    return position_moments(position, n)[1], squares


def _ends(n: int, low: int, high: int) -> tuple[Any, Any, Any]:
    """The values between which nothing was dropped, and how likely they are."""
    if not low and not high:
        return np.ones(1), np.array([-np.inf]), np.array([np.inf])
    if not low:
        density, b = one_order(n - high + 1, n)
        return density, np.full_like(b, -np.inf), b
    if not high:
        density, a = one_order(low, n)
        return density, a, np.full_like(a, np.inf)
    return two_orders(low, n - high + 1, n)


@cache
def _side_squared_deviations(n: int, k: int, dropped: int, step: float) -> float:
    """Sum of the squared distances of X(dropped + 1) to X(k) from X(k) + step (X(k+1) - X(k)).

    With u = X(k), v = X(k + 1): given u, the values between what was dropped and u do not depend on
    v. The side above is the side below of the values with their signs changed.
    """
    if k <= dropped:
        return 0.0
    density, u, v = two_orders(k, k + 1, n)
    ahead = step * (v - u)
    squares = ahead**2
    inner = k - 1 - dropped
    if inner:
        distance, square = _below(u, k, dropped)
        squares = squares + inner * (square + 2 * ahead * distance + ahead**2)
    return float((density * squares).sum())


def _below(u: Floats, k: int, dropped: int) -> tuple[Any, Any]:
    """Mean distance, and its square, of values below u = X(k) (node, 1) that were not dropped."""
    given: Any = np.float64(1.0)
    a: Any = -np.inf
    if dropped:
        low, high = order_range(dropped, k)
        a, weight = nodes(np.minimum(low, u - 1), np.minimum(high, u))
        log_density = (
            (dropped - 1) * log_ndtr(a) + (k - 1 - dropped) * np.log(normal_mass(a, u)) - a * a / 2
        )
        given = weight * np.exp(log_density - log_density.max(axis=1, keepdims=True))
        given = given / given.sum(axis=1, keepdims=True)
    mean, variance = _cut(a, u)
    distance = u - mean
    mean_distance = (given * distance).sum(axis=1, keepdims=True)
    return mean_distance, (given * (variance + distance**2)).sum(axis=1, keepdims=True)


def _cut(a: Floats | float, b: Floats | float) -> tuple[Any, Any]:
    """Mean and variance of a standard normal value that lies between a and b."""
    low, high = (np.where(np.isinf(end), 0.0, end) for end in (a, b))
    at_low, at_high = (np.exp(-end * end / 2) / np.sqrt(2 * np.pi) for end in (a, b))
    mass = normal_mass(a, b)
    mean = (at_low - at_high) / mass
    variance = 1 + (low * at_low - high * at_high) / mass - mean**2
    narrow = b - a < _NARROW
    width = high - low
    return np.where(narrow, low + width / 2, mean), np.where(narrow, width**2 / 12, variance)
