"""One channel of two masters compared, pixel by pixel and in the cell that differs most."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Bools, Floats, Image, Integers

_BELOW = 0.16
"""Fraction of normal values that are below one standard deviation under their mean."""

_CLIP = 5.0
"""Standard deviations beyond which a pull is an outlier; of a normal one, 6 in 10 million are."""

_ROUNDS = 50

CELL = 32
"""Pixels a side of what counts as large-scale, about: cells divide a master evenly."""

_FLAT_LIMIT = 0.01
"""Relative: what is wrong with the shape of a flat is wrong with photometry."""

_NOISE = 5.0
"""Uncertainties of its mean that a cell is granted, since the largest of thousands is taken."""


class Plane(NamedTuple):
    """A channel of a master, (y, x), in memory."""

    image: Image
    variance: Image
    usable: Bools
    """Which pixels are finite and bear no flag."""

    @classmethod
    def of(cls, master: xr.Dataset, channel: int) -> "Plane":
        """Return the plane of the channel of this number."""
        # sums in another order would differ by rounding
        image, variance = (
            np.ascontiguousarray(master[name].values[channel]) for name in ("image", "variance")
        )
        usable = np.isfinite(image) & (variance >= 0) & (variance < np.inf)
        if "mask" in master:
            usable &= master["mask"].values[channel] == 0
        return cls(image, variance, usable)


class PixelDifferences(NamedTuple):
    """The differences of the pixels of a channel, with the names of ``compare_masters``."""

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
    # what is equal differs by nothing, also where there is no uncertainty
    pulls[values == 0] = 0.0
    beyond = np.count_nonzero(np.abs(pulls) > threshold) / number
    middle = float(np.median(values))
    return PixelDifferences(number, ratio, beyond, middle, scatter(pulls), lost, gained)


def scatter(values: Floats) -> float:
    """Return the standard deviation of what is within five of it, found round after round.

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
    center = np.median(ordered)
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


class Cell(NamedTuple):
    """The cell of a channel that stands out most; NaN where no cell is half good."""

    difference: float
    """New less old: relative for flats."""
    y: float
    """Index of the row in its middle."""
    x: float
    """Index of the column in its middle."""
    most: float
    """The difference that cells may have over their noise."""
    exceeds: bool
    """Whether this one differs by more."""


def outstanding_cell(
    new: Plane, old: Plane, ratio: float, *, relative: bool, most: float | None
) -> Cell:
    """Find the cell, of those of about 32 x 32 pixels, that differs most over its noise.

    Parameters
    ----------
    new, old
        The channel of both masters.
    ratio
        By which the old master is multiplied.
    relative
        Whether cells are divided; else their means are subtracted.
    most
        What cells may differ by, over five times the uncertainty of their mean. None: 0.01 where
        they are divided, else the uncertainty of the difference of one pixel (root of the mean
        variance).
    """
    good = new.usable & old.usable
    edges = [_edges(size) for size in good.shape]

    def sums(plane: ArrayLike) -> Floats:
        """Return the sums of the good pixels of each cell, float64."""
        rows = np.add.reduceat(np.where(good, plane, np.float64(0)), edges[1][:-1], axis=1)
        return np.add.reduceat(rows, edges[0][:-1], axis=0)

    number, light, scaled = sums(1.0), sums(new.image), ratio * sums(old.image)
    variance = sums(new.variance) + ratio**2 * sums(old.variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        base = np.where(scaled > 0, scaled, np.nan) if relative else number
        difference = (light - scaled) / base
        noise = _NOISE * np.sqrt(variance) / base
        pixel = float(np.sqrt(variance.sum() / number.sum()))
    if most is None:
        most = _FLAT_LIMIT if relative else pixel
    known = np.isfinite(difference) & (2 * number >= np.outer(*map(np.diff, edges)))
    if not known.any():
        return Cell(np.nan, np.nan, np.nan, most, False)
    excess = np.where(known, np.abs(difference) - noise, -np.inf)
    place = np.unravel_index(excess.argmax(), excess.shape)
    y, x = (float(edge[i : i + 2].sum() // 2) for edge, i in zip(edges, place, strict=True))
    return Cell(float(difference[place]), y, x, most, bool(excess[place] > most))


def _edges(size: int) -> Integers:
    """Return the first pixels of cells along an axis, and the end of the last."""
    number = max(1, round(size / CELL))
    return np.arange(number + 1) * size // number
