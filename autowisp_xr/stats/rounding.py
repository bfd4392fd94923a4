r"""Rounding in averages of digitised values: of each value for itself, or in common.

Values of normal noise s about a truth anywhere within a step (all in steps) are rounded to whole
numbers. Averaged over where the truth lies, the rounding errors of two values whose difference was
d before have the covariance

.. math:: c(d) = \tfrac{1}{12} - \tfrac{1}{2} f (1 - f) = \sum_{k>0} \frac{\cos 2 \pi k d}{2 \pi^2
   k^2}, \qquad f = d \bmod 1,

and none with the values themselves (B. Widrow and I. Kollar, *Quantization Noise*, Cambridge 2008,
chapters 4 and 5). So the error of an average is that of the values before, and a mean of c over
their distances. Two values of independent noise share :math:`b(s) = \sum_k \exp(-4 \pi^2 k^2 s^2) /
(2 \pi^2 k^2)`: 1/12 without noise, and nothing from half a step on. The median of n values is one
of them, whose 1/12 no number of frames averages down; of even n, the two in the middle are often
rounded alike.
"""

from functools import cache
from typing import Any

import numpy as np

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.stats.order_statistics import (
    nodes,
    one_order,
    position_moments,
    trimmed_factors,
    two_orders,
)

_ROUNDED = 1 / 12
"""Variance of what rounding adds, in squared steps."""

_HARMONICS = 200
_SMOOTH = 1.0
"""Of more noise than this no two values that are not neighbours round alike."""
_REACH = 9.0
"""No normal value is farther out."""


def covariance(distance: Floats) -> Any:
    """Return the covariance of the rounding of two values, by their difference in steps."""
    share = np.abs(distance) % 1.0
    return _ROUNDED - share * (1 - share) / 2


def common_rounding(noise: Floats | float) -> Any:
    """Return the variance of rounding that all values of one pixel share, by their noise.

    Examples
    --------
    >>> [round(float(common_rounding(noise)), 4) for noise in (0.0, 0.3, 0.5)]
    [0.0831, 0.0015, 0.0]
    """
    k = np.arange(1, _HARMONICS + 1) ** 2
    return (np.exp(-4 * np.pi**2 * k * np.square(noise)[..., None]) / (2 * np.pi**2 * k)).sum(-1)


def noise_before(variance: float) -> float:
    """Noise of values before they were rounded, by their variance about their own mean, in steps.

    Rounded values of one pixel scatter by :math:`s^2 + 1/12 - b(s)`.
    """
    if variance > _SMOOTH**2 + _ROUNDED:
        return float(np.sqrt(variance - _ROUNDED))
    noise, scatter = _scatter_of_rounded()
    return float(np.interp(variance, scatter, noise))


@cache
def _scatter_of_rounded() -> tuple[Any, Any]:
    noise = np.linspace(0.0, _SMOOTH, 2001)
    scatter = noise**2 + _ROUNDED - common_rounding(noise)
    scatter[0] = 0.0
    return noise, np.maximum.accumulate(scatter)


def rounding_variances(
    counts: Integers,
    frames: int,
    quantile: float,
    noise: float,
    propagate: bool,
    low: int = 0,
    high: int = 0,
) -> tuple[Any, Any, Any]:
    """Correct the variance of averages, which takes rounding for noise of each value.

    Parameters
    ----------
    counts
        Numbers of survivors that there are.
    frames
        How many there are at most.
    quantile, noise, low, high
        As for :func:`rounding_factors`.
    propagate
        Whether the variance is from that of the values, which has a twelfth of rounding in it, or
        from their scatter.

    Returns
    -------
    For each number: what the variance is to be multiplied by where it has too much (the scatter of
    what is left of values whose extremes were dropped), what it lacks, in squared steps, and what
    of it is common to all averages of other frames of the same pixel.
    """
    scatter, ratio, _ = trimmed_factors(quantile, frames, low, high)
    times, lacks, common = np.ones(len(counts)), np.zeros(len(counts)), np.zeros(len(counts))
    for place, n in enumerate(counts):
        if n == 0 or (n == 1 and not propagate):
            continue
        own, with_each = rounding_factors(quantile, int(n), noise, low, high)
        known = ratio[n] / n * _ROUNDED
        if not propagate:
            known = scatter[n] * n * (_ROUNDED + own - 2 * with_each)
        if own < known:
            smooth = ratio[n] / n * noise**2
            times[place] = (smooth + own) / (smooth + known)
        else:
            lacks[place] = own - known
        left = noise if quantile == MEAN else noise * np.sqrt(ratio[n] / n)
        common[place] = min(float(common_rounding(left)), own)
    return times, lacks, common


@cache
def rounding_factors(
    quantile: float, n: int, noise: float, low: int = 0, high: int = 0
) -> tuple[float, float]:
    r"""Rounding in an average of n values, and what each of them has in common with it.

    Parameters
    ----------
    quantile
        Of the values; ``MEAN`` for their mean.
    n, low, high
        Number of values, and how many smaller and larger ones were dropped before.
    noise
        Standard deviation of the values before they were rounded, in steps.

    Returns
    -------
    Variance R of the rounding of the average, and mean Q of its covariance with that of each value,
    in squared steps; so that :math:`n (1/12 + R - 2 Q)` is what rounding adds to the sum of the
    squared distances from the average.
    """
    total = n + low + high
    if quantile == MEAN or n == 1:
        own = _ROUNDED / n + (1 - 1 / n) * _between_ends(total, low, high, noise)
        return own, own
    position = low + quantile * (n - 1)
    k = min(int(position), total - 2) + 1
    share = position - (k - 1)
    alike = 0.0
    if 0.0 < share < 1.0:
        density, x, y = two_orders(k, k + 1, total)
        alike = float((density * covariance(noise * (y - x))).sum())
    rounding = ((1 - share) ** 2 + share**2) * _ROUNDED + 2 * share * (1 - share) * alike
    with_all = (1 - share) * _with_all(k, total, noise) if share < 1.0 else 0.0
    with_all += share * _with_all(k + 1, total, noise) if share > 0.0 else 0.0
    return rounding, with_all / n


def _between_ends(n: int, low: int, high: int, noise: float) -> float:
    """Covariance of two of n values of which the smallest and largest were dropped.

    The ends count as where they are on average.
    """
    if not low and not high:
        return float(common_rounding(noise))
    smallest = position_moments(low - 1, n)[0] if low else -_REACH
    largest = position_moments(n - high, n)[0] if high else _REACH
    y, weight = nodes(smallest, largest)
    weight = weight * np.exp(-y * y / 2)
    weight /= weight.sum()
    return float(weight @ covariance(noise * (y[:, None] - y)) @ weight)


def _with_all(k: int, n: int, noise: float) -> float:
    """Sum of the covariances of the k-th of n sorted values with all of them, itself too."""
    if noise > _SMOOTH:
        return _ROUNDED
    density, x = one_order(k, n)
    others = (k - 1) * _with_one_side(x, -_REACH, noise)
    others = others + (n - k) * _with_one_side(x, _REACH, noise)
    return _ROUNDED + float((density * others).sum())


def _with_one_side(x: Floats, end: float, noise: float) -> Any:
    """Covariance with a normal value between each x and one end."""
    y, weight = nodes(x[:, None], end)
    weight = np.abs(weight) * np.exp(-y * y / 2)
    return (weight * covariance(noise * (x[:, None] - y))).sum(axis=1) / weight.sum(axis=1)
