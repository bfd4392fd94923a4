"""The slope of a variance with the signal, from many tiles, some of which are wrong."""

from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Floats
from autowisp_xr.kernels.clip import MAD_TO_SIGMA

_CLIP = 3.0
"""Standard deviations beyond which a tile is wrong. Closer in, fewer stars make a variance seem
larger; what is lost of the good tiles is the same on both sides."""

_KEPT_VARIANCE = 0.973
"""The variance of a normal that is cut there."""

_ROUNDS = 50


_SURE = 10
"""The number of tiles that are assumed to scatter as expected: a few alone mean little."""


class Slope(NamedTuple):
    """The slope that tiles have in common."""

    value: float
    error: float
    weights: Floats
    """The weights of the tiles; 0 for those that are left out."""


def slope_of(variance: Floats, freedom: Floats, signal: Floats, offset: Floats) -> Slope:
    r"""Fit the slope m of variance = offset + m x signal, outliers left out.

    Parameters
    ----------
    variance, freedom
        (tile), one at least: finite variances of independent normal values, and their degrees
        of freedom.
    signal, offset
        (tile): positive, and not negative.

    Notes
    -----
    Each tile gives :math:`m_i = (v_i - o_i) / s_i`, with the uncertainty :math:`e_i = \sqrt{2 /
    f_i}\, (o_i + m s_i) / s_i` that is expected of it: weights from its own variance would favour
    low ones. By how much it is off, in standard deviations, the cube root of its variance shows,
    which is nearly normal (Wilson and Hilferty 1931). The uncertainty of the mean of n tiles is

    .. math:: \left(\frac{10 + \sum ((m_i - m) / e_i)^2}{(10 + n - 1) \sum e_i^{-2}}\right)^{1/2}

    which is that of their scatter where there are many, and what is expected of one.
    """
    each = (variance - offset) / signal
    value = float(np.median(each))
    kept = np.ones(len(each), bool)
    for number in range(_ROUNDS):
        expected = offset + max(value, 0.0) * signal
        if not (expected > 0).all():
            return Slope(value, 0.0, (each == value).astype(np.float64))
        weights = (signal / expected) ** 2 * freedom / 2
        if number < 2:
            # from a middle that outliers do not move
            value = float(np.quantile(each, 0.5, weights=weights, method="inverted_cdf"))
            continue
        third = 2 / (9 * freedom)
        pulls = (np.cbrt(variance / expected) - (1 - third)) / np.sqrt(third)
        # what scatters more than expected does so everywhere
        scale = max(1.0, MAD_TO_SIGMA * float(np.median(np.abs(pulls))))
        inside = np.abs(pulls) <= _CLIP * scale
        value = float(np.average(each[inside], weights=weights[inside]))
        if number > 2 and np.array_equal(inside, kept):
            break
        kept = inside
    weights = np.where(kept, weights, 0.0)
    deviations = (weights * (each - value) ** 2).sum() / _KEPT_VARIANCE
    scatter = (_SURE + deviations) / (_SURE + np.count_nonzero(kept) - 1)
    return Slope(value, float(np.sqrt(scatter / weights.sum())), weights)
