"""``MinMax``: the smallest and the largest values of each pixel, whatever they are."""

from dataclasses import dataclass

import numpy as np

from autowisp_xr.checked_numbers import is_whole_number
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.noise_of_frames import WIDTH
from autowisp_xr.kernels.pixels import Digitisation, Marks, Noise, Pixels
from autowisp_xr.outliers.base import ByValue


@dataclass(frozen=True)
class MinMax(ByValue):
    """Reject the smallest and the largest values of each pixel, once, whatever they are.

    Of equal values the first frames go first. A pixel that has no more values than that keeps none.
    The variance of what is left (a trimmed mean) takes that into account: within 1 % of the truth
    for normal noise that is the same in all frames, else see :func:`~autowisp_xr.stack`.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> deep = lights.autowisp.stack("mean", reject=aw.MinMax(1, 1))
    >>> int(deep["count"].max())
    1
    """

    low: int = 1
    """How many of the smallest."""

    high: int = 1
    """How many of the largest."""

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            number = getattr(self, name)
            if not is_whole_number(number) or number < 0:
                raise ValueError(f"{name} is a whole number from 0, not {number!r}")
            object.__setattr__(self, name, int(number))
        if self.low + self.high == 0:
            raise ValueError("low and high are both 0; to reject nothing, give reject=None")

    @property
    def dropped(self) -> tuple[int, int]:
        """The numbers that were chosen."""
        return self.low, self.high

    def check(self, frames: int, *, of_mean: bool, has_variance: bool) -> None:
        """Raise ImageMismatchError where nothing would be left."""
        if frames <= self.low + self.high:
            raise ImageMismatchError(
                f"MinMax(low={self.low}, high={self.high}) leaves nothing of {frames} frames; "
                f"stack at least {self.low + self.high + 1}, or reject fewer values"
            )

    def drop(self, pixels: Pixels, noise: Noise, digits: Digitisation, marks: Marks) -> None:
        """As :meth:`ByValue.drop`."""
        drop_extremes(pixels.values, self.low, self.high, marks)


@kernel
def drop_extremes(values, smallest, largest, marks):
    """Mark the smallest and the largest values of each pixel, the first of equal ones.

    Parameters
    ----------
    values : (frame, pixel) array
    smallest, largest
        How many; a pixel that has no more loses all.
    marks
        A :class:`autowisp_xr.kernels.pixels.Marks`, changed.
    """
    dropped, below, above = marks
    extreme, place = np.empty(WIDTH), np.empty(WIDTH, np.int32)
    for start in range(0, values.shape[1], WIDTH):
        stop = min(values.shape[1], start + WIDTH)
        for turn in range(smallest + largest):
            sign = 1.0 if turn < smallest else -1.0
            extreme[:] = np.inf
            place[:] = -1
            for frame in range(values.shape[0]):
                source, gone = values[frame, start:stop], dropped[frame, start:stop]
                for pixel in range(source.size):
                    value = sign * np.float64(source[pixel])
                    less = (value < extreme[pixel]) & (gone[pixel] == 0)
                    place[pixel] = np.int32(frame) if less else place[pixel]
                for pixel in range(source.size):
                    value = sign * np.float64(source[pixel])
                    less = (value < extreme[pixel]) & (gone[pixel] == 0)
                    extreme[pixel] = value if less else extreme[pixel]
            for pixel in range(stop - start):
                if place[pixel] >= 0:
                    dropped[place[pixel], start + pixel] = 1
                    below[start + pixel] += turn < smallest
                    above[start + pixel] += turn >= smallest
