"""Ways to find outliers that users bring: objects that choose which values they keep."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from autowisp_xr.arrays import Bits, Bools, Floats
from autowisp_xr.kernels.clip import MEDIAN
from autowisp_xr.kernels.pixels import Digitisation, Marks, Noise, Pixels
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.outliers.base import ByValue, Rejection

_PIXELS = 2**16
"""So many at a time are judged in NumPy, whose arrays would else be as large as the frames."""


@runtime_checkable
class Keeps(Protocol):
    """An object that users may bring to reject by."""

    def keep(self, values: Floats, mask: Bits, variance: Floats | None) -> Bools:
        """Return which values of some pixels survive, (frame, pixel) bool.

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


@dataclass(frozen=True)
class OfUser(ByValue):
    """A rejection by an object that a user brings."""

    way: Keeps

    takes_variance = True

    def drop(self, pixels: Pixels, noise: Noise, digits: Digitisation, marks: Marks) -> None:
        """As :meth:`ByValue.drop`; below and above the median of all."""
        middle = average_pixels(pixels, MEDIAN).about
        for start in range(0, middle.size, _PIXELS):
            here = slice(start, start + _PIXELS)
            dropped = marks.dropped[:, here]
            values = np.where(dropped, np.nan, pixels.values[:, here].astype(np.float64))
            flags = pixels.mask[:, here] if pixels.mask.size else np.zeros_like(dropped)
            variance = _own_variance(values, noise, here) if noise.variance.size else None
            kept = self._kept(values.copy(), flags.copy(), variance)
            gone = ~kept & (dropped == 0)
            dropped |= gone
            marks.below[here] = (gone & (values < middle[here])).sum(axis=0)
            marks.above[here] = gone.sum(axis=0) - marks.below[here]

    def _kept(self, values: Floats, mask: Bits, variance: Floats | None) -> Bools:
        kept = np.asarray(self.way.keep(values, mask, variance))
        if kept.dtype != np.bool_ or kept.shape != values.shape:
            raise ValueError(
                f"{type(self.way).__name__}.keep makes an array of {kept.dtype} and of the shape "
                f"{kept.shape}; expected bool of {values.shape}, (frame, pixel)"
            )
        return kept


def _own_variance(values: Floats, noise: Noise, here: slice) -> Floats:
    own: Any = noise.variance[:, here].astype(np.float64)
    if noise.shared.size:
        own -= noise.shared[:, here]
    if noise.relative.size:
        own -= values**2 * noise.relative[:, here]
    return np.maximum(own, 0.0)


RejectChoice: TypeAlias = Rejection | Keeps | None
"""How a stack finds outliers; None keeps all."""


def as_rejection(reject: RejectChoice) -> Rejection | None:
    """Return the rejection that a user chose; raise ValueError for what is none."""
    if reject is None or isinstance(reject, Rejection):
        return reject
    if isinstance(reject, Keeps) and not isinstance(reject, type):
        return OfUser(reject)
    raise ValueError(
        "reject is None, SigmaClip, WinsorizedSigmaClip, LinearFitClip, GeneralizedESD, MinMax, "
        f"Percentile or NoiseClip, or has a method keep(values, mask, variance), not {reject!r}"
    )
