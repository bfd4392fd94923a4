r"""The noise of a median or quantile of n normal values, compared with that of their mean.

The quantile q of n sorted values interpolates between the order statistics k and k + 1 around the
position q (n - 1). Its mean and variance are integrals over their joint density

.. math:: \frac{n!}{(k-1)!\,(n-k-1)!} F(x)^{k-1} (1-F(y))^{n-k-1} f(x) f(y),\quad x < y

(H. A. David and H. N. Nagaraja, *Order Statistics*, 3rd ed., Wiley 2003, section 2.2). For the
median the ratio r(n) of variances goes from 1 at n = 2 to pi / 2 only in the limit.

Where l values below and h above are dropped, the noise of what is left follows, too. Given the
largest dropped below, a, and the smallest dropped above, b, the m = n - l - h survivors are
independent values of a normal distribution cut to (a, b), of mean :math:`\mu(a, b)` and variance
:math:`\sigma^2(a, b)`. So for their mean, and for the sum of their squared distances from it,

.. math:: V = E[\sigma^2] / m + \mathrm{Var}[\mu], \qquad S = (m - 1)\, E[\sigma^2],

over the joint density of a and b (David and Nagaraja, section 2.4). That is exact, and one integral
whatever n is. A quantile of the survivors is another quantile of the n values; the distances from
it, on either side, are likewise those of values that are cut, between it and what was dropped.
"""

from functools import cache
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from autowisp_xr.arrays import Floats
from autowisp_xr.kernels.clip import MEAN

_NODES = 64
_REACH = 9.0
_TINY = 1e-300
_MANY = 100
_NARROW = 1e-3
"""Cut so narrowly, a normal distribution is a uniform one to six digits."""


def quantile_moments(quantile: float, n: int) -> tuple[float, float]:
    """Return the mean and variance of a quantile of n standard normal values.

    Examples
    --------
    >>> mean, variance = quantile_moments(0.5, 3)
    >>> round(3 * variance, 4)
    1.346
    """
    return position_moments(quantile * (n - 1), n)


@cache
def position_moments(position: float, n: int) -> tuple[float, float]:
    """Return the mean and variance at a place, from 0 to n - 1, among n sorted values."""
    if n == 1:
        return 0.0, 1.0
    k = min(int(position), n - 2) + 1
    share = position - (k - 1)
    if share in (0.0, 1.0):
        order = k if share == 0.0 else k + 1
        density, value = one_order(order, n)
    else:
        density, x, y = two_orders(k, k + 1, n)
        value = (1 - share) * x + share * y
    mean = float((density * value).sum())
    return mean, float((density * value**2).sum() - mean**2)


def one_order(k: int, n: int) -> tuple[Any, Any]:
    """Values that the k-th of n sorted normal values takes, and how likely; a sum of 1."""
    x, weight = nodes(*order_range(k, n))
    log_density = (k - 1) * log_ndtr(x) + (n - k) * log_ndtr(-x) - x * x / 2
    return _normalised(weight, log_density), x


def two_orders(j: int, k: int, n: int) -> tuple[Any, Any, Any]:
    """Values x (node, 1) of the j-th and y (node, node) of the k-th, and how likely; j < k."""
    x, x_weight = (part[:, None] for part in nodes(*order_range(j, n)))
    # y from x upwards, as a fraction of what is left of its range
    low, high = order_range(k, n)
    low, high = np.maximum(x, low), np.maximum(x + 1 / n, high)
    t, t_weight = nodes(0.0, 1.0)
    y = low + t * (high - low)
    log_density = (
        (j - 1) * log_ndtr(x)
        + (k - j - 1) * np.log(normal_mass(x, y))
        + (n - k) * log_ndtr(-y)
        - (x * x + y * y) / 2
    )
    return _normalised(x_weight * t_weight * (high - low), log_density), x, y


def normal_mass(low: Floats | float, high: Floats | float) -> Any:
    """Probability of a normal value between two, in the tails as well."""
    upper = low > 0
    mass = ndtr(np.where(upper, -low, high)) - ndtr(np.where(upper, -high, low))
    return np.maximum(mass, _TINY)


@cache
def variance_factors(quantile: float, frames: int) -> tuple[Any, Any, Any]:
    r"""Tables by the number n of survivors, from 0 to ``frames``, that a stack needs.

    Returns
    -------
    scatter
        Variance of the average over the sum of squared distances from it. The mean:
        1 / (n (n - 1)). A quantile with variance r / n and mean m (in sigma): the expected sum is
        sigma^2 (n - 2 + r + n m^2), so r / (n (n - 2 + r + n m^2)). NaN for n = 1.
    ratio
        Variance of the average over that of the mean of equally noisy values, r.
    arithmetic_share
        For values of unequal noise the variance of a median goes to
        :math:`(\pi / 2)\, n / (\sum 1/\sigma_i)^2`, from the densities at the median; of two
        values it is that of their mean. A share (2 / n)^2 of the latter, for even n, is within 6 %
        of simulations for noise that differs by factors of up to three.
    """
    n = np.arange(frames + 1, dtype=np.float64)
    ratio = np.ones(frames + 1)
    mean = np.zeros(frames + 1)
    arithmetic_share = np.ones(frames + 1)
    if quantile != MEAN:
        for number in range(1, frames + 1):
            mean[number], variance = quantile_moments(quantile, number)
            ratio[number] = number * variance
        arithmetic_share[1:] = np.where(n[1:] % 2 == 0, (2 / n[1:]) ** 2, 0.0)
        arithmetic_share[:3] = 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        scatter = ratio / (n * (n - 2 + ratio + n * mean**2))
    scatter[:2] = np.nan
    return scatter, ratio, arithmetic_share


def nodes(low: Floats | float, high: Floats | float) -> tuple[Any, Any]:
    """Points and weights of an integral; with ends (node, 1), one for each of them."""
    x, weight = _legendre()
    half = (high - low) / 2
    return low + half * (x + 1), half * weight


@cache
def _legendre() -> tuple[Any, Any]:
    return np.polynomial.legendre.leggauss(_NODES)


def order_range(k: int, n: int) -> tuple[float, float]:
    """Return the range in which the k-th of n sorted normal values can be found."""
    p = k / (n + 1)
    z = float(ndtri(p))
    width = np.sqrt(p * (1 - p) / n) * np.sqrt(2 * np.pi) * np.exp(z * z / 2)
    reach = _REACH * width + 9 / n
    return max(z - reach, -12.0), min(z + reach, 12.0)


def _normalised(weight: Floats, log_density: Floats) -> Any:
    density = weight * np.exp(log_density - log_density.max())
    return density / density.sum()


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
