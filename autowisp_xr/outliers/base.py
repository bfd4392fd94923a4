"""The base of all ways to find outliers: one type, from the option of a stack to its kernels.

A way is one module of this room, named as its class, and its slow obvious version bears that name
in ``tests.outliers.slow``. What users bring has a ``keep`` of its own, and goes the same way.
"""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autowisp_xr.arrays import Columns, Integers
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.kernels.network import drop_ends, odd_even_merge_network, sort_columns
from autowisp_xr.kernels.pixels import (
    ANY,
    UNKNOWN,
    Block,
    Digitisation,
    Marks,
    Noise,
    Pixels,
    largest_of,
    marked,
)
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.options import upper_and_lower

_PIXELS = 512
"""So many are sorted at a time: of some dozen frames they stay in the cache."""
_PADDING = 16
"""A row stride of a power of two would put every frame of a pixel into one set of the cache."""


class Rejection(ABC):
    """A way to find the outliers of a pixel: a value of options that knows how to do it."""

    takes_variance: ClassVar[bool] = False
    """Whether variances are looked at even where that of the average is of the scatter."""
    in_place: ClassVar[bool] = False
    """Whether :func:`~autowisp_xr.kernels.stack.average_pixels` alone looks at the values."""

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


@dataclass(frozen=True)
class ByRounds:
    """What ways have in common that reject what lies beyond thresholds, round after round."""

    threshold: float | tuple[float, float] = 5.0
    """A number for both sides, or (plus, minus) of opposite signs."""

    max_iter: int | None = None
    """Largest number of rounds that reject; None for as many as it takes."""

    def __post_init__(self) -> None:
        upper_and_lower(self.threshold)
        check_rounds(self.max_iter)


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


class ByOrder(ByValue):
    """A rejection that takes values off the two ends of the sorted ones.

    A value between others that stay is no outlier.
    """

    def drop(self, pixels: Pixels, noise: Noise, digits: Digitisation, marks: Marks) -> None:
        """As :meth:`ByValue.drop`; of equal values at an end the first frames go first."""
        rest = pixels._replace(mask=marks.dropped, exclude=ANY)
        frames, number = pixels.values.shape
        ordered = np.empty((frames, min(number, _PIXELS) + _PADDING), pixels.values.dtype)
        bits = np.zeros((2, _PIXELS), np.uint8)
        network, blank = odd_even_merge_network(frames), largest_of(ordered.dtype)
        for start in range(0, number, _PIXELS):
            left = np.empty(min(number - start, _PIXELS), np.int32)
            ends = np.zeros((left.size, 2), np.int32)
            sort_columns(rest, start, blank, network, bits, ordered, left)
            self.find_ends(ordered, left, digits, ends)
            drop_ends(pixels.values, start, ordered, left, ends, marks)

    @abstractmethod
    def find_ends(
        self, ordered: Columns, number: Integers, digits: Digitisation, ends: Integers
    ) -> None:
        """Find how many values of each pixel go.

        Parameters
        ----------
        ordered : (frame, at least pixel)
            Values, smallest first.
        number : (pixel) int32
            How many there are of each pixel; what follows them is left out.
        digits
            How they are digitised.
        ends : (pixel, 2) int32, written
            How many of the smallest go, and of the largest.
        """


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


def warn_of_no_rejection(reason: str, remedy: str) -> None:
    """Warn the user of a stack that no value can be rejected: called in :meth:`Rejection.check`."""
    text = f"{reason}, so nothing will be rejected; {remedy}"
    warnings.warn(text, AutowispWarning, stacklevel=5)
