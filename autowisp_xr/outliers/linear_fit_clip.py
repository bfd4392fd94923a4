r"""``LinearFitClip``: what lies too far from a line through the sorted values.

Decision: which line. PixInsight asks for the one with the smallest average deviation and the most
inliers, Siril takes least squares, by which one outlier tilts the line so much that among ten
values none lies more than 3.6 mean deviations off. Here the slope is the median of those between
values half of all apart (H. Theil's incomplete method), and the line has the median of the values
on either side: fewer than a quarter of them may be outliers, no end of the order is favoured, and
it costs no more than a sort.

References
----------
J. Conejero, "Linear Fit Clipping Pixel Rejection Algorithm", PixInsight Forum, topic 2169 (2010),
and Siril, *Stacking: Linear Fit Clipping*. H. Theil, *Indagationes Mathematicae* 12 (1950) 85; the
incomplete method: P. Sprent and N. C. Smeeton, *Applied Nonparametric Statistical Methods*.
"""

from dataclasses import dataclass

import numpy as np

from autowisp_xr.arrays import Columns, Integers
from autowisp_xr.kernels.clip import farthest, rounding_of
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.pixels import Digitisation
from autowisp_xr.options import upper_and_lower
from autowisp_xr.outliers.base import ByOrder, ByRounds, rounds_of, warn_of_no_rejection

FEWEST = 6
"""Of fewer values, one outlier tilts the line."""


@dataclass(frozen=True)
class LinearFitClip(ByRounds, ByOrder):
    r"""Reject what lies too far from a line through the sorted values, round after round.

    For many frames whose levels differ, by a changing sky or its gradients: sorted, their values
    lie along a line, and outliers off its ends. With the n sorted values :math:`x_0 \dots x_{n-1}`
    that are left, and h = n / 2, rounded up,

    .. math:: b = \operatorname{median}\frac{x_{i+h} - x_i}{h}, \quad a = \operatorname{median}
       (x_i - b i), \quad d = \frac{1}{n} \sum |x_i - a - b i|,

    the largest values are rejected that lie more than the threshold times d above the line, and the
    smallest that lie so far below it; what is left goes through the next round. A value between
    others that stay is no outlier. The mean deviation d of digitised frames is at least the step of
    the digitisation. Of k outliers that are equally far off, each lies n / k mean deviations away
    at most; of fewer than six values none is rejected.

    Sorted normal values are no line: their tails leave it, the more so the more there are. Of good
    values, the threshold of 5 takes 1.2 % from 10 frames, 3.5 % from 30 and 7.9 % from 100; that of
    8 takes 0.01 %, 0.6 % and 1.8 % (simulated). So many frames of one level want a threshold of 8
    (from 30 on) or 12 (of 100), see the tables of :func:`~autowisp_xr.stack`. Of few photons it
    takes more of the high values, whose tail is longer: with a read noise of 3 electrons, the mean
    of 100 frames is 0.4 % too low at 5 electrons and 0.3 % at 50, with a threshold of 8 0.1 %.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(10), camera=night.camera)
    >>> deep = lights.autowisp.stack("mean", reject=aw.LinearFitClip(5))
    """

    by_step = True

    def check(self, frames: int, *, of_mean: bool, has_variance: bool) -> None:
        """Warn if no value can be rejected: a lone outlier lies n mean deviations off the line."""
        lowest = min(map(abs, upper_and_lower(self.threshold)))
        if self.max_iter == 0 or frames < 2:
            return
        if frames < FEWEST:
            warn_of_no_rejection(
                f"LinearFitClip needs {FEWEST} values, and there are {frames} frames",
                "SigmaClip(scale='mad') can, or NoiseClip",
            )
        elif lowest >= frames:
            warn_of_no_rejection(
                f"no value among {frames} can lie {lowest:g} mean deviations off a line",
                f"a threshold below {frames} can",
            )

    def find_ends(
        self, ordered: Columns, number: Integers, digits: Digitisation, ends: Integers
    ) -> None:
        """As :meth:`ByOrder.find_ends`."""
        limits = *upper_and_lower(self.threshold), digits.step, rounding_of(ordered.dtype)
        ends_off_line(ordered, number, *limits, rounds_of(self.max_iter), ends)


@kernel
def distances_off_line(values, rises, distances):
    """Write the distances of sorted values from their line; the mean of them without their sign."""
    n = values.size
    apart = (n + 1) // 2
    for i in range(n - apart):
        rises[i] = values[i + apart] - values[i]
    slope = np.median(rises[: n - apart]) / apart
    for i in range(n):
        distances[i] = values[i] - slope * i
    intercept, total = np.median(distances[:n]), 0.0
    for i in range(n):
        distances[i] -= intercept
        total += abs(distances[i])
    return total / n


@kernel
def ends_off_line(ordered, number, upper, lower, step, rounding, rounds, ends):
    """Find values at the ends of columns that lie beyond thresholds off a line.

    Parameters
    ----------
    ordered, number, ends
        As for :meth:`autowisp_xr.outliers.base.ByOrder.find_ends`.
    upper, lower
        Thresholds above and below 0.
    step
        The least mean deviation.
    rounding
        Of the values, see :func:`autowisp_xr.kernels.clip.rounding_of`.
    rounds
        Largest number of rounds; negative for no limit.
    """
    column, rises, distances = np.empty((3, ordered.shape[0]))
    for pixel in range(number.size):
        low, high, left = 0, number[pixel], rounds
        for i in range(high):
            column[i] = ordered[i, pixel]
        while high - low >= FEWEST and left != 0:
            left -= 1
            good = column[low:high]
            unit = max(distances_off_line(good, rises, distances), step)
            size = max(abs(good[0]), abs(good[-1]))
            over = farthest(upper, unit, size, rounding)
            under = farthest(lower, unit, size, rounding)
            first, last = 0, good.size - 1
            while last >= 0 and distances[last] > over:
                last -= 1
            while first <= last and distances[first] < under:
                first += 1
            if last - first + 1 == good.size:
                break
            low, high = low + first, low + last + 1
        ends[pixel, 0], ends[pixel, 1] = low, number[pixel] - high
