"""``WinsorizedSigmaClip``: what lies too far from the median, in units of a winsorized scatter.

References
----------
Analytical Methods Committee, "Robust statistics: a method of coping with outliers", *AMC Technical
Brief* 6, Royal Society of Chemistry (2001): values farther than 1.5 sigma are moved there, and
1.134 makes up for what that takes off the scatter of normal values. After P. J. Huber, *Robust
Statistics*, Wiley 1981. As rejection in stacks of images: PixInsight, *ImageIntegration*, from
where the median as center and the limit of 0.0005 are.
"""

from dataclasses import dataclass

import numpy as np

from autowisp_xr.arrays import Columns, Integers
from autowisp_xr.kernels.clip import farthest, rounding_of
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.pixels import Digitisation
from autowisp_xr.options import upper_and_lower
from autowisp_xr.outliers.base import ByOrder, ByRounds, rounds_of, warn_of_no_rejection

_NEAR, _LARGER = 1.5, 1.134
_CONVERGED = 5e-4


@dataclass(frozen=True)
class WinsorizedSigmaClip(ByRounds, ByOrder):
    """Reject what lies too far from the median, in units of the winsorized scatter, by rounds.

    The scatter of what is left starts as the standard deviation. Values farther than 1.5 of it from
    the median are moved to there, and 1.134 times the standard deviation of the moved values is the
    next, until it changes by no more than 0.0005 of itself. Values beyond the threshold are
    rejected, and what is left goes through the next round. An outlier hardly makes the scatter
    larger, by which it would hide in an rms.

    The scatter of digitised frames is at least the step of the digitisation. Of two values neither
    is rejected; of three rounded ones, two of which are equal by chance, the third one often is:
    few frames are better judged by :class:`~autowisp_xr.NoiseClip`. Of good values, the threshold
    of 5 takes 0.6 % from 3 and from 5 frames, 0.08 % from 10 and 0.004 % from 30 (simulated).

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> deep = lights.autowisp.stack("mean", reject=aw.WinsorizedSigmaClip(3))
    """

    by_step = True

    def check(self, frames: int, *, of_mean: bool, has_variance: bool) -> None:
        """Warn if no value can be rejected."""
        if frames == 2 and self.max_iter != 0:
            warn_of_no_rejection(
                "WinsorizedSigmaClip rejects none of two values", "NoiseClip can, or Percentile"
            )

    def find_ends(
        self, ordered: Columns, number: Integers, digits: Digitisation, ends: Integers
    ) -> None:
        """As :meth:`ByOrder.find_ends`."""
        limits = *upper_and_lower(self.threshold), digits.step, rounding_of(ordered.dtype)
        far_ends(ordered, number, *limits, rounds_of(self.max_iter), ends)


@kernel
def deviation(values, low, high):
    """Standard deviation of values of which those beyond limits are moved to these."""
    total, squared_deviations = 0.0, 0.0
    for value in values:
        total += min(max(value, low), high)
    mean = total / values.size
    for value in values:
        distance = min(max(value, low), high) - mean
        squared_deviations += distance * distance
    return np.sqrt(squared_deviations / (values.size - 1))


@kernel
def winsorized_scatter(values, median, least):
    """Scatter of values about their median, or ``least`` where that is more."""
    scatter = deviation(values, -np.inf, np.inf)
    while scatter > 0.0:
        before, reach = scatter, _NEAR * scatter
        scatter = _LARGER * deviation(values, median - reach, median + reach)
        # it goes one way: once it falls it never rises
        if abs(scatter - before) <= _CONVERGED * before or (scatter < before and scatter < least):
            break
    return max(scatter, least)


@kernel
def far_ends(ordered, number, upper, lower, step, rounding, rounds, ends):
    """Find values beyond thresholds at the ends of columns; ``step`` is the least scatter."""
    column = np.empty(ordered.shape[0])
    for pixel in range(number.size):
        low, high, left = 0, number[pixel], rounds
        for i in range(high):
            column[i] = ordered[i, pixel]
        while high - low > 2 and left != 0:
            left -= 1
            good = column[low:high]
            n = good.size
            median = 0.5 * (good[(n - 1) // 2] + good[n // 2])
            size = max(abs(good[0]), abs(good[n - 1]))
            scatter = winsorized_scatter(good, median, max(step, rounding * size))
            over = farthest(upper, scatter, size, rounding)
            under = farthest(lower, scatter, size, rounding)
            while high > low and column[high - 1] - median > over:
                high -= 1
            while high > low and column[low] - median < under:
                low += 1
            if high - low == n:
                break
        ends[pixel, 0], ends[pixel, 1] = low, number[pixel] - high
