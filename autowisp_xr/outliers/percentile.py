"""``Percentile``: what lies too far from the median, as a fraction of it."""

from dataclasses import dataclass
from typing import Any

from autowisp_xr.checked_numbers import is_positive
from autowisp_xr.kernels.clip import PERCENTILE, Clipping, rounding_of
from autowisp_xr.kernels.pixels import Block, Digitisation, Noise, Pixels
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.outliers.base import Rejection


@dataclass(frozen=True)
class Percentile(Rejection):
    """Reject what lies too far from the median, in units of the median, once.

    For up to six frames, which are too few to know their scatter. Nothing is rejected where the
    median is not positive: take no sky level off the frames before. Distances are from the median,
    whatever the average.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> deep = lights.autowisp.stack("mean", reject=aw.Percentile(0.2, 0.1))
    """

    low: float = 0.2
    """Largest distance below the median, as a fraction of it."""

    high: float = 0.1
    """Largest distance above the median, as a fraction of it."""

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            share: Any = getattr(self, name)
            if not is_positive(share):
                raise ValueError(f"{name} is a positive fraction of the median, not {share!r}")

    in_place = True

    def average(
        self, pixels: Pixels, noise: Noise, quantile: float, digits: Digitisation
    ) -> tuple[Block, Pixels]:
        """As :meth:`Rejection.average`, by the ends of the sorted values."""
        rounding = rounding_of(pixels.values.dtype)
        ends = float(self.high), -float(self.low)
        clipping = Clipping(PERCENTILE, *ends, rounds=1, origin=quantile, rounding=rounding)
        return average_pixels(pixels, quantile, clipping), pixels
