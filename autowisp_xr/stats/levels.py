"""The level of the pixels of an image, and how bright it is against another.

References
----------
The mode of a distribution that is skew by faint stars is 3 median - 2 mean: P. B. Stetson,
"DAOPHOT", *PASP* 99 (1987) 191, after K. Pearson. Here of what lies within 3 sigma of the median.
"""

import bottleneck
import numpy as np
from astropy.stats import sigma_clipped_stats

from autowisp_xr.arrays import Floats
from autowisp_xr.kernels.clip import MAD_TO_SIGMA

_SIGMA = 3.0

_FAR = 10.0
"""Pixels that show how bright a frame is lie farther from the level than so many times the noise:
that of either frame then makes the slope wrong by less than 1 %."""

_ROUNDS, _APART = 5, 5.0

_FEWEST = 10
_ERROR = 0.05
"""A slope that is not known better is not known."""


def level_of(values: Floats, by: str) -> float:
    """Return the median, the mean or the mode of numbers that are all finite, at least one."""
    if by == "mean":
        return float(values.mean())
    if by == "median":
        return float(bottleneck.nanmedian(values))
    mean, median, _ = sigma_clipped_stats(values, sigma=_SIGMA, stdfunc="mad_std")
    return float(3 * median - 2 * mean)


def brightness(values: Floats, others: Floats, *, from_zero: bool) -> float:
    r"""Return the slope of a robust line through pixels of one frame against those of another.

    Parameters
    ----------
    values, others : (pixel) float64
        Of both frames, all finite.
    from_zero
        Whether the line goes through zero, or through the level of each frame.

    Returns
    -------
    NaN where nothing lies far enough beyond the noise to show it.

    Notes
    -----
    Both frames are noisy: least squares would make the slope too small. With the ratio b of the
    spread of their pixels, which is that of their noise where most are sky, and of their light
    where most are lit, the noise of sum and difference of v and b u is not correlated. So the slope
    is :math:`b (1 + c) / (1 - c)`, where c is the median of difference over sum, weighted by the
    sum: the line of least absolute deviations. Only sums beyond ten times the noise count, and
    rays and stars that vary are dropped before: quotients farther from their median than five times
    the median distance, in a few rounds.
    """
    if values.size < _FEWEST:
        return np.nan
    v, u = values, others
    if not from_zero:
        v, u = v - np.median(v), u - np.median(u)
    ratio = _spread(v) / _spread(u)
    if not (np.isfinite(ratio) and ratio > 0):
        return np.nan
    total, difference = v + ratio * u, v - ratio * u
    center = difference - np.median(difference)
    noise = MAD_TO_SIGMA * np.median(np.abs(center))
    if not from_zero:
        difference = center
    far = np.abs(total) > max(_FAR * noise, 0.0)
    total, difference = total[far], difference[far]
    if total.size < _FEWEST:
        return np.nan
    quotient, weight = difference / total, np.abs(total)
    for _ in range(_ROUNDS):
        apart = np.abs(quotient - np.median(quotient))
        near = apart <= _APART * np.median(apart)
        if near.all():
            break
        quotient, weight = quotient[near], weight[near]
    order = np.argsort(quotient)
    heavy = np.cumsum(weight[order])
    c = float(quotient[order[np.searchsorted(heavy, heavy[-1] / 2)]])
    error = 2 * noise / np.sqrt((weight**2).sum()) / max(1 - c * c, 1e-12)
    return float(ratio * (1 + c) / (1 - c)) if error < _ERROR and abs(c) < 1 else np.nan


def _spread(values: Floats) -> float:
    """Median size of numbers about zero; the mean size where that is none."""
    sizes = np.abs(values)
    return float(np.median(sizes)) or float(sizes.mean())
