r"""Tables from which a kernel finds the noise of a median of values of unequal noise.

Of n independent normal values of one mean and of noise :math:`\sigma_i`, so many lie above x that
the numbers have a Poisson-binomial distribution, of chances :math:`Q(x / \sigma_i)`. With
:math:`T_j(x)` the chance of j or more, and both sides of the mean alike,

.. math:: E[X_{(k)}^2] = \int_0^\infty 2 x\, (T_{n-k+1} + T_k)\, dx, \quad
          E[X_{(k)}] = \int_0^\infty (T_{n-k+1} - T_k)\, dx,

and between neighbours lies, with :math:`C_k(x, y)` the chance of k values below x and all others
above y,

.. math:: E[(X_{(k+1)} - X_{(k)})^2] = 2 \int\!\!\int_{x < y} C_k(x, y)\, dx\, dy,

which takes s (1 - s) of it off the variance of what interpolates them by a share s. All are sums
over a few nodes (:mod:`autowisp_xr.kernels.order_moments`). Noise goes in steps of a logarithm:
then a chance depends on a difference of steps and a node alone, and stands in a table.

Decision: the limit of many values, by the densities at the quantile, makes 0.41 of the variance of
a median of three values whose noise differs by up to five, 0.66 of nine, 0.87 of thirty, and 0.16
to 2.5 of that of outer quantiles. These sums are right to 1.5 % for up to twelve values, and to 4 %
for more; a pixel costs about 0.1 us, and 1 to 3 us where its ratios of noise have not been met.
"""

from functools import cache
from typing import Any

import numpy as np
from scipy.special import gammaln, ndtr, ndtri

from autowisp_xr.arrays import Integers
from autowisp_xr.kernels.order_moments import FARTHEST, GAPS, NODES, STEPS, Ranks, Tables
from autowisp_xr.stats.order_statistics import position_moments

_OUTER = 0.4
_ALIKE_MEDIAN, _ALIKE, _ALIKE_OUTER = 1.04, 1.006, 1.001
"""Mean square of the noise over the square of its harmonic mean: 1 plus three times the variance of
its logarithm. Up to these the plain formulas are right to 1 % for propagated medians, other
quantiles, and those less than a tenth from either end (2 %). Noisy variances of equal frames should
mostly stay below, for a pixel is then ten times as fast."""
_BEYOND = 1e-6
"""Chance of what lies beyond the last node."""


@cache
def noise_tables() -> Tables:
    """Nodes, chances and densities, which are the same for every stack."""
    places, weights, _ = _nodes(NODES)
    few_places, few_weights, onwards = _nodes(GAPS)
    sigma = 2.0 ** (np.arange(-2 * FARTHEST, 2 * FARTHEST + 1)[:, None] / STEPS)
    rng = np.random.default_rng(0)
    return Tables(
        places=places,
        weights=weights,
        chances=ndtr(-places * sigma),
        densities=np.exp(-((places * sigma) ** 2) / 2) / np.sqrt(2 * np.pi),
        across=few_weights[:, None] * few_weights,
        onwards=few_weights[:, None] * onwards,
        gap_chances=ndtr(-few_places * sigma),
        marks=rng.integers(1, 2**63, FARTHEST + 1, dtype=np.uint64),
    )


def _nodes(number: int) -> tuple[Any, Any, Any]:
    """Places from 0 to 1, and weights of integrals from 0 to 1 and from each of them to 1."""
    legendre = np.polynomial.legendre
    x, weight = legendre.leggauss(number)
    onwards = np.empty((number, number))
    for order in range(number):
        whole = legendre.legint(np.eye(number)[order])
        onwards[:, order] = (legendre.legval(1, whole) - legendre.legval(x, whole)) / 2
    t, weight = (x + 1) / 2, weight / 2
    # places crowd about the mean, where values of little noise are
    onwards = onwards @ np.linalg.inv(legendre.legvander(x, number - 1)) * 2 * t
    return t**2, 2 * t * weight, onwards


@cache
def ranks(
    quantile: float, frames: int, low: int = 0, high: int = 0, *, scatter: bool = False
) -> Ranks:
    """Find which of n sorted values the quantile lies between, by n from 0 to ``frames``.

    ``low`` and ``high`` of them do not count, as they are going to be dropped; ``scatter`` means
    that their distances show how noisy they are.
    """
    first, share, equal = np.zeros(frames + 1, np.int64), np.zeros(frames + 1), np.ones(frames + 1)
    reach = np.zeros((frames + 1, 4), np.int64)
    for n in range(low + high + 1, frames + 1):
        position = low + quantile * (n - low - high - 1)
        first[n] = int(position) + 1
        share[n] = position - int(position)
        equal[n] = position_moments(position, n)[1]
        wanted = np.array([n - first[n] + 1, first[n], n - first[n], first[n] + 1])
        reach[n] = np.ceil(STEPS * np.log2(_farthest(n, np.clip(wanted, 1, n))))
    central = quantile == 0.5 and low == high and not scatter
    outer = abs(quantile - 0.5) > _OUTER
    alike = _ALIKE_MEDIAN if central else _ALIKE_OUTER if outer else _ALIKE
    return Ranks(first, share, reach, equal, alike)


def _farthest(n: int, wanted: Integers) -> Any:
    """Distance, in sigma, beyond which so many of n values hardly ever lie."""
    ways = gammaln(n + 1) - gammaln(wanted + 1) - gammaln(n - wanted + 1)
    chance = np.exp((np.log(_BEYOND) - ways) / wanted)
    return -ndtri(np.minimum(chance, 0.49))
