"""``NoiseClip``: what lies too far from the median, in units of its own noise."""

from dataclasses import dataclass

import numpy as np

from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.kernels.clip import MEDIAN, farthest, rounding_of
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.noise_of_frames import WIDTH, own_variance
from autowisp_xr.kernels.pixels import ANY, Digitisation, Marks, Noise, Pixels
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.options import upper_and_lower
from autowisp_xr.outliers.base import ByRounds, ByValue, rounds_of

_A_STEP = 1.01
"""As far as a step may be, which is known to a part of a per cent."""


@dataclass(frozen=True)
class NoiseClip(ByRounds, ByValue):
    """Reject what lies too far from the median, in units of its own noise, round after round.

    The noise of a value is the square root of its ``variance`` (less what the frames share), not
    the scatter of the frames: outliers cannot hide each other, and few frames are enough. It is as
    good as gain and read noise are. Distances are from the median also where the average is a mean,
    which one far outlier would draw away from all the others. A value without noise of its own
    stays, as does one that is no farther off than a step of the digitisation.

    Photons are those of the median, where frames state what they make of the variance; frames from
    files of pixels alone count those of each value, too few where it happens to be low: at few
    electrons more is then rejected below than above, and the average is too high.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> deep = lights.autowisp.stack("mean", reject=aw.NoiseClip(4))
    """

    by_noise = by_step = takes_variance = True

    def check(self, frames: int, *, of_mean: bool, has_variance: bool) -> None:
        """Raise ImageMismatchError where the noise is not known."""
        if not has_variance:
            raise ImageMismatchError(
                "NoiseClip needs the variance of the frames, which these do not have; calibrate "
                "them with a camera whose gain and read noise are known, or reject by SigmaClip"
            )

    def drop(self, pixels: Pixels, noise: Noise, digits: Digitisation, marks: Marks) -> None:
        """As :meth:`ByValue.drop`.

        About the median: a mean lies far from all values once one of them is far enough.
        """
        rest = pixels._replace(mask=marks.dropped, exclude=ANY)
        limits = *upper_and_lower(self.threshold), _A_STEP * digits.step
        rounding, left = rounding_of(noise.variance.dtype), rounds_of(self.max_iter)
        while left != 0:
            middle = average_pixels(rest, MEDIAN).about
            if not drop_noisy(rest, noise, middle, *limits, rounding, marks.below, marks.above):
                break
            left -= 1


@kernel
def drop_noisy(pixels, noise, about, upper, lower, least, rounding, below, above):
    """Mark values farther from the average than thresholds times their own noise; whether any is.

    Parameters
    ----------
    pixels
        What is marked in their mask, which is changed, does not count.
    noise
        Of their values, whose variance is known.
    about : (pixel) float64
        Average of each pixel, whose photons count where the noise holds those of the values.
    upper, lower
        Thresholds above and below 0.
    least
        No value is farther off than allowed that is not farther than this.
    rounding
        Relative error of values and noise, see :func:`autowisp_xr.kernels.clip.rounding_of`.
    below, above : (pixel) int32, changed
        Raised by how many are marked on either side.
    """
    found = False
    side, own = np.empty(WIDTH, np.int32), np.empty(WIDTH)
    for start in range(0, about.size, WIDTH):
        stop = min(about.size, start + WIDTH)
        center = about[start:stop]
        mine = own[: center.size]
        for frame in range(pixels.values.shape[0]):
            source, marks = pixels.values[frame, start:stop], pixels.mask[frame, start:stop]
            own_variance(pixels.values, noise, center, frame, start, mine)
            for pixel in range(source.size):
                sigma = np.sqrt(mine[pixel])
                distance = np.float64(source[pixel]) - center[pixel]
                size = abs(np.float64(source[pixel]))
                over = distance > max(farthest(upper, sigma, size, rounding), least)
                under = distance < min(farthest(lower, sigma, size, rounding), -least)
                far = np.int32(over) - np.int32(under)
                # by a noise that is not known nothing can be judged
                known = mine[pixel] > 0.0
                side[pixel] = far if known & (marks[pixel] == 0) else np.int32(0)
            for pixel in range(source.size):
                above[start + pixel] += np.int32(side[pixel] > 0)
            for pixel in range(source.size):
                below[start + pixel] += np.int32(side[pixel] < 0)
            for pixel in range(source.size):
                marks[pixel] |= np.uint8(side[pixel] != 0)
                found |= side[pixel] != 0
    return found
