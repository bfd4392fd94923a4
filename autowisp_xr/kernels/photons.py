"""The noise of photons in the variance of an average, which knows their number better than a frame.

A frame takes the photons of a value x from the value: s max(x - z, 0), with slope s and z the value
without light. Where there is little light that is too much (0.4 sigma of the read noise where there
is none), and it does not average down. So an average m takes those of m, with the slope and the
zero of the average.

Where image and variance do not fit slope and zero any more (a sky was subtracted from the image
alone, or both were scaled, by other means than the verbs), the photons of m cannot be known, and
the mean of those of the values counts. They fit where what else there is of the variance, rest /
s^2, is the same for all values: a value below z has lost nothing then.
"""

import numpy as np

from autowisp_xr.kernels.jit import kernel

_MOST, _HALF, _LAST, _FAR = 3.1, 2.5, 150.0, 3.0
"""Numbers of the formula in :func:`photon_noise`."""

_EQUAL = 0.04


@kernel
def fit_the_line(number: float, rests: float, squares: float) -> bool:
    """Return whether what is not photons is the same for so many values.

    What a sky adds that is taken off the image alone differs by 0.6 sigma of the sky between values
    above and below 0. A scatter of less than 4 % of the whole makes the variance wrong by no more.
    """
    mean = rests / number
    return squares / number - mean * mean <= (_EQUAL * mean) ** 2


@kernel
def photon_noise(
    total: float, other: float, signal: float, slope: float, alone: bool
) -> tuple[float, float]:
    """Return the variance of an average, and how much of it is the noise of photons.

    Below no light the line s (m - z) goes on: cut off there, it would be too large on average. Yet
    an average that is low by chance then claims less noise than one that is high, which makes
    pulls too wide. In y = variance / s^2, of which r are not the photons', the variance of y is y
    itself, as of counts; and pulls have a width of 1 within 0.025 from r = 4 on, within 0.01 from
    r = 7 on, if y becomes

        max(y, 0) + (3.1 - p) r / (r + 2.5) (1 - (y / 150)^2),    p = max(y - r, 0) / y,

    and stays as it is from 150 on, where they are too wide by 0.01 at most. The numbers are those
    that fit (``python -m tests.kernels.photon_noise`` shows how well); to first order in 1 / y
    it would be 2.75 - p that is added. What lies below no light by more than three times its noise
    came there by something else, and keeps the noise of no light. Where the share f of all noise
    is that of the average alone, (f + 2 f^2) / 3 of what is added is enough.

    Parameters
    ----------
    total
        Variance with the photons of max(signal, 0), without what the frames share.
    other
        What they share.
    signal
        Average less the value without light.
    slope
        Of the variance in the average.
    alone
        Whether it is the average of one value, which shows no more of its light than its frame did.
    """
    line = slope * signal
    # rounding can take it below
    rest = max(total - max(line, 0.0), 0.0)
    if alone or not slope > 0.0:
        return total, total - rest
    unit = slope * slope
    y, r = (rest + line) / unit, rest / unit
    share = (y - r) / y if y > r else 0.0
    if y < r - _FAR * np.sqrt(r):
        return rest, 0.0
    y = max(y, 0.0)
    more = unit * (_MOST - share) * r / (r + _HALF) * max(1.0 - (y / _LAST) ** 2, 0.0)
    total = unit * y
    part = (total + more) / (total + more + other)
    total += more * part * (1.0 + 2.0 * part) / 3.0
    return total, total - rest
