"""One channel of two masters held against each other, pixel by pixel."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bools, Floats, Image

_BELOW = 0.16
"""Fraction of normal values that are below one standard deviation under their mean."""

_CLIP = 5.0
"""Standard deviations beyond which a pull is an outlier; of a normal one, 6 in 10 million are."""

_ROUNDS = 50


class Plane(NamedTuple):
    """A channel of a master, (y, x), in memory."""

    image: Image
    variance: Image
    usable: Bools
    """Which pixels are finite and bear no flag."""

    @classmethod
    def of(cls, master: xr.Dataset, channel: int) -> "Plane":
        """The channel of this number."""
        # sums in another order would differ by rounding
        image, variance = (
            np.ascontiguousarray(master[name].values[channel]) for name in ("image", "variance")
        )
        usable = np.isfinite(image) & (variance >= 0) & (variance < np.inf)
        if "mask" in master:
            usable &= master["mask"].values[channel] == 0
        return cls(image, variance, usable)


class PixelDifferences(NamedTuple):
    """How the pixels of a channel differ; names are those of ``compare_masters``."""

    number: int
    ratio: float
    fraction: float
    median_difference: float
    scatter: float
    newly_flagged: float
    no_longer_flagged: float


def differences(new: Plane, old: Plane, ratio: float, threshold: float) -> PixelDifferences:
    """Compare the pixels that are usable in both, the old master multiplied by ``ratio``."""
    good = new.usable & old.usable
    number = int(np.count_nonzero(good))
    lost, gained = (float(np.mean(plane.usable & ~good)) for plane in (old, new))
    if not number:
        return PixelDifferences(0, ratio, np.nan, np.nan, np.nan, lost, gained)
    values = new.image[good].astype(np.float64) - ratio * old.image[good].astype(np.float64)
    variance = new.variance[good] + ratio**2 * old.variance[good].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        pulls = values / np.sqrt(variance)
    # what is equal differs by nothing, also where there is no error
    pulls[values == 0] = 0.0
    beyond = np.count_nonzero(np.abs(pulls) > threshold) / number
    middle = _median(np.sort(values))
    return PixelDifferences(number, ratio, beyond, middle, scatter(pulls), lost, gained)


def scatter(values: Floats) -> float:
    """Standard deviation of what is within five of it, found round after round.

    A quantile or a median distance would only be where it begins: where masters are medians of
    whole numbers, these jump from one number to the next. Infinite where more than a few values
    are.
    """
    # sorted as a whole once, which takes less time than a search for a median
    ordered = np.sort(values)
    rank = int(_BELOW * ordered.size)
    low, high = ordered[rank], ordered[-1 - rank]
    if not (np.isfinite(low) and np.isfinite(high)):
        return np.inf
    center = _median(ordered)
    limit = 0.5 * _CLIP * (high - low) if high > low else np.inf
    ordered = ordered[np.isfinite(ordered)]
    before = None
    for _ in range(_ROUNDS):
        first = int(np.searchsorted(ordered, center - limit, side="left"))
        last = int(np.searchsorted(ordered, center + limit, side="right"))
        if (first, last) == before:
            break
        before = first, last
        center, width = ordered[first:last].mean(), float(ordered[first:last].std())
        if width == 0:
            break
        limit = _CLIP * width
    return width


def _median(ordered: Floats) -> float:
    return float(ordered[[(ordered.size - 1) // 2, ordered.size // 2]].mean())
