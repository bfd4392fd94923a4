"""How channels of two masters differ, in pixels and in the worst cell, with the warnings of it."""

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from autowisp_xr import schema
from autowisp_xr.arrays import Bools, Floats, Image, Integers
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.flags import Flag
from autowisp_xr.matching import ALLOWABLE
from autowisp_xr.steps.master_matching import reason_between

_BELOW = 0.16
"""Fraction of normal values that are below one standard deviation under their mean."""

_CLIP = 5.0
"""Standard deviations beyond which a pull is an outlier; of a normal one, 6 in 10 million are."""

_ROUNDS = 50

_CHANCE = 3.0
"""Standard deviations of the number of pixels that are beyond the threshold by chance."""

_CELL = 32
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
    """Which pixels are finite and not BAD."""

    @classmethod
    def of(cls, master: xr.Dataset, channel: int) -> "Plane":
        """Return the plane of the channel of this number."""
        # sums in another order would differ by rounding
        image, variance = (
            np.ascontiguousarray(master[name].values[channel]) for name in ("image", "variance")
        )
        usable = np.isfinite(image) & (variance >= 0) & (variance < np.inf)
        if "mask" in master:
            usable &= master["mask"].values[channel] & np.uint8(Flag.BAD) == 0
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
    number = max(1, round(size / _CELL))
    return np.arange(number + 1) * size // number


def warn_of_disagreement(
    new: xr.Dataset,
    old: xr.Dataset,
    result: xr.Dataset,
    cells: Sequence[Cell],
    *,
    threshold: float,
    most: float,
    chance: float,
) -> None:
    """Warn the caller of ``compare_masters`` of every way in which channels do not agree."""
    units = result["median_difference"].attrs["units"]
    unit = "" if units == "1" else f" {units}"
    settings = _settings(new, old)
    for i, (channel, cell) in enumerate(zip(schema.names(new, "channel"), cells, strict=True)):
        found = {str(name): float(values[i]) for name, values in result.data_vars.items()}
        lines = [*_pixels(found, unit, threshold, most, chance), *_large_scale(found, unit, cell)]
        for line in lines:
            warnings.warn(f"channel {channel!r}: {line}{settings}", AutowispWarning, stacklevel=3)


def _pixels(
    found: dict[str, float], unit: str, threshold: float, most: float, chance: float
) -> Iterator[str]:
    number = found["number"]
    if not number:
        yield "no pixel is good in both masters, nothing was compared; look at both masks"
        return
    granted = most + chance
    if found["fraction"] > granted + _CHANCE * math.sqrt(chance * (1 - chance) / number):
        scaled = "old.image" if found["ratio"] == 1 else f"{found['ratio']:.6g} * old.image"
        yield (
            f"{100 * found['fraction']:.3g} % of {number:.0f} pixels differ by more than "
            f"{threshold:g} times their uncertainty, where {100 * granted:.3g} % may (median "
            f"difference {found['median_difference']:.3g}{unit}, scatter {found['scatter']:.3g} "
            f"times the uncertainty); look at new.image - {scaled}"
        )


def _large_scale(found: dict[str, float], unit: str, cell: Cell) -> Iterator[str]:
    if not cell.exceeds:
        return
    size, most, combined = abs(cell.difference), cell.most, "-"
    if not unit:
        size, most, unit, combined = 100 * size, 100 * most, " %", "/"
    side = "lower" if cell.difference < 0 else "higher"
    yield (
        f"about y={found['large_scale_y']:g}, x={found['large_scale_x']:g} the new master is "
        f"{size:.3g}{unit} {side} than the old one in a cell of {_CELL} x {_CELL} pixels, where "
        f"{most:.3g}{unit} may be beside noise: dust, vignetting or a gradient has changed; "
        f"look at new.image {combined} old.image"
    )


def _settings(new: xr.Dataset, old: xr.Dataset) -> str:
    """Return the settings that both masters know, and that differ, in words."""
    names = [name for name in ALLOWABLE if name not in ("night", "target", "unit")]
    kind = str(new["image_type"].values) if "image_type" in new.coords else "bias"
    found = [reason_between(old, new, kind, [name]) for name in names]
    reasons = "; ".join(str(mismatch) for mismatch in found if mismatch is not None)
    return f" (they were not taken alike: the new master is {reasons})" if reasons else ""
