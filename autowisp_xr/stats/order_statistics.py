r"""The noise of a median or quantile of n normal values, compared with that of their mean.

The quantile q of n sorted values interpolates between the order statistics k and k + 1 around the
position q (n - 1). Its mean and variance are integrals over their joint density

.. math:: \frac{n!}{(k-1)!\,(n-k-1)!} F(x)^{k-1} (1-F(y))^{n-k-1} f(x) f(y),\quad x < y

(H. A. David and H. N. Nagaraja, *Order Statistics*, 3rd ed., Wiley 2003, section 2.2). For the
median the ratio r(n) of variances goes from 1 at n = 2 to pi / 2 only in the limit.
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
