"""The base of all ways to find outliers: one type, from the option of a stack to its kernels.

A way is one module of this room, named as its class, and its slow obvious version bears that name
in ``tests.outliers.slow``. What users bring has a ``keep`` of its own, and goes the same way.
"""

from abc import ABC, abstractmethod

import numpy as np

from autowisp_xr.arrays import Columns
from autowisp_xr.kernels.pixels import (
    ANY,
    UNKNOWN,
    Block,
    Digitisation,
    Marks,
    Noise,
    Pixels,
    marked,
)
from autowisp_xr.kernels.stack import average_pixels


class Rejection(ABC):
    """A way to find the outliers of a pixel: a value of options that knows how to do it."""

    @property
    def dropped(self) -> tuple[int, int]:
        """The numbers of the smallest and of the largest values that go, whatever they are."""
        return 0, 0

    @property
    def by_noise(self) -> bool:
        """Whether values are judged by their noise, which numbers of headers do not have."""
        return False

    @property
    def by_step(self) -> bool:
        """Whether it matters how the values are digitised."""
        return False

    @property
    def takes_variance(self) -> bool:
        """Whether variances are looked at even where that of the average is of the scatter."""
        return False

    def check(self, frames: int, *, of_mean: bool, has_variance: bool) -> None:  # noqa: B027
        """Raise ImageMismatchError for frames that cannot go through, and warn if none can be hit.

        Parameters
        ----------
        frames
            How many there are.
        of_mean
            Whether the average is a mean.
        has_variance
            Whether the frames have a variance.
        """

    @abstractmethod
    def average(
        self, pixels: Pixels, noise: Noise, quantile: float, digits: Digitisation
    ) -> tuple[Block, Pixels]:
        """Average of what survives, and the pixels with what is left out from then on.

        Parameters
        ----------
        pixels, noise, digits
            The values, and what is known of them.
        quantile
            Of the survivors; ``MEAN`` for their mean.
        """


class ByValue(Rejection):
    """A rejection that marks values one by one; what survives is no range of the sorted values."""

    def average(
        self, pixels: Pixels, noise: Noise, quantile: float, digits: Digitisation
    ) -> tuple[Block, Pixels]:
        """As :meth:`Rejection.average`."""
        dropped = marked(pixels)
        marks = Marks(dropped, *np.zeros((2, dropped.shape[1]), np.int32))
        self.drop(pixels, noise, digits, marks)
        rest = pixels._replace(mask=dropped, exclude=ANY)
        block = average_pixels(rest, quantile)
        return block._replace(below=marks.below, above=marks.above), rest

    @abstractmethod
    def drop(self, pixels: Pixels, noise: Noise, digits: Digitisation, marks: Marks) -> None:
        """Mark what is rejected of the values."""


def average_columns(values: Columns, quantile: float, reject: Rejection | None) -> Block:
    """Average plain numbers, (frame, pixel), of whose flags and noise nothing is known."""
    none = np.empty((0, 0))
    pixels = Pixels(np.ascontiguousarray(values), none.astype(np.uint8), np.uint8(0))
    if reject is None:
        return average_pixels(pixels, quantile)
    return reject.average(pixels, Noise(*[none] * 6), quantile, UNKNOWN)[0]


def rounds_of(max_iter: int | None) -> int:
    """Return the largest number of rounds for kernels, negative for none."""
    return -1 if max_iter is None else max_iter


def check_rounds(max_iter: int | None) -> None:
    """Raise ValueError for what is no number of rounds."""
    if max_iter is not None and max_iter < 0:
        raise ValueError(f"max_iter is None or at least 0, not {max_iter}")
