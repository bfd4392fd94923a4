"""What every way to find outliers is: one type, from the option of a stack to its kernels.

A way is one module of this room, named as its class, and its slow obvious version bears that name
in ``tests.outliers.slow``. What users bring has a ``keep`` of its own, and goes the same way.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from autowisp_xr.arrays import Bits, Bools, Columns, Floats, Integers
from autowisp_xr.kernels.block import Block
from autowisp_xr.kernels.pixels import ANY, Digitisation, Noise, Pixels, marked
from autowisp_xr.kernels.stack import average_pixels

__all__ = [
    "Keeps",
    "RejectChoice",
    "Rejection",
    "as_rejection",
    "average_of_rest",
    "check_rounds",
    "rounds_of",
]

_PIXELS = 2**16
"""So many at a time are judged in NumPy, whose arrays would else be as large as the frames."""


@runtime_checkable
class Keeps(Protocol):
    """What users may bring to reject by."""

    def keep(self, values: Floats, mask: Bits, variance: Floats | None) -> Bools:
        """Which values of some pixels survive, (frame, pixel) bool.

        Each pixel is judged for itself: how many come at a time is not defined.

        Parameters
        ----------
        values : (frame, pixel) float64
            NaN for what is left out by its flags, or not finite; that is never kept.
        mask : (frame, pixel) uint8
            Flags of all values.
        variance : (frame, pixel) float64, or None where it is not known
            Of each value, less what the frames share.
        """


class Rejection:
    """How outliers of a pixel are found: a value of options that knows how to do it."""

    @property
    def dropped(self) -> tuple[int, int]:
        """How many of the smallest and of the largest values go, whatever they are."""
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

    def check(self, frames: int, *, of_mean: bool, has_variance: bool) -> None:
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
        frames, number = pixels.values.shape
        dropped = marked(pixels)
        below, above = np.zeros((2, number), np.int32)
        for start in range(0, number, _PIXELS):
            here = slice(start, start + _PIXELS)
            marks = dropped[:, here]
            values = np.where(marks, np.nan, pixels.values[:, here].astype(np.float64))
            flags = pixels.mask[:, here] if pixels.mask.size else np.zeros_like(marks)
            variance = _own_variance(values, noise, here) if noise.variance.size else None
            kept = self._kept(values.copy(), flags.copy(), variance)
            gone = ~kept & (marks == 0)
            marks |= gone
            number_kept = frames - marks.sum(axis=0)
            with np.errstate(invalid="ignore"):
                middle = np.where(marks, 0.0, values).sum(axis=0) / number_kept
            below[here] = (gone & (values < middle)).sum(axis=0)
            above[here] = gone.sum(axis=0) - below[here]
        return average_of_rest(pixels, dropped, quantile, below, above)

    def keep(self, values: Floats, mask: Bits, variance: Floats | None) -> Bools:
        """As :meth:`Keeps.keep`; for ways without a kernel of their own."""
        raise NotImplementedError

    def _kept(self, values: Floats, mask: Bits, variance: Floats | None) -> Bools:
        kept = np.asarray(self.keep(values, mask, variance))
        if kept.dtype != np.bool_ or kept.shape != values.shape:
            raise ValueError(
                f"{type(self).__name__}.keep makes an array of {kept.dtype} and of the shape "
                f"{kept.shape}; expected bool of {values.shape}, (frame, pixel)"
            )
        return kept


@dataclass(frozen=True)
class OfUser(Rejection):
    """What a user brings, by what it keeps."""

    way: Keeps
    takes_variance = True

    def keep(self, values: Floats, mask: Bits, variance: Floats | None) -> Bools:
        """What the user's object keeps."""
        return self.way.keep(values, mask, variance)


RejectChoice: TypeAlias = Rejection | Keeps | None
"""How a stack finds outliers; None keeps all."""


def as_rejection(reject: RejectChoice) -> Rejection | None:
    """The way that a user chose; a ValueError for what is none."""
    if reject is None or isinstance(reject, Rejection):
        return reject
    if isinstance(reject, Keeps) and not isinstance(reject, type):
        return OfUser(reject)
    raise ValueError(
        "reject is None, SigmaClip, MinMax, Percentile or NoiseClip, or has a method "
        f"keep(values, mask, variance), not {reject!r}"
    )


def average_of_rest(
    pixels: Pixels, dropped: Bits, quantile: float, below: Integers, above: Integers
) -> tuple[Block, Pixels]:
    """Averages of values of which some are dropped, (frame, pixel), so many below and above."""
    rest = pixels._replace(mask=dropped, exclude=ANY)
    return average_pixels(rest, quantile)._replace(below=below, above=above), rest


def rounds_of(max_iter: int | None) -> int:
    """Largest number of rounds for kernels, to whom a negative one says that there is none."""
    return -1 if max_iter is None else max_iter


def check_rounds(max_iter: int | None) -> None:
    """Raise ValueError for what is no number of rounds."""
    if max_iter is not None and max_iter < 0:
        raise ValueError(f"max_iter is None or at least 0, not {max_iter}")


def _own_variance(values: Columns, noise: Noise, here: slice) -> Floats:
    own: Any = noise.variance[:, here].astype(np.float64)
    if noise.shared.size:
        own -= noise.shared[:, here]
    if noise.relative.size:
        own -= values**2 * noise.relative[:, here]
    return np.maximum(own, 0.0)
