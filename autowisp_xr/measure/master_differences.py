"""How channels of two masters differ, in pixels and in the worst cell, with the warnings of it."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bools, Floats, Image, Integers
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.matching import ALLOWABLE
from autowisp_xr.stats.sampling import is_good
from autowisp_xr.steps.master_matching import reason_between

_BELOW = 0.16
"""Fraction of normal values that are below one standard deviation under their mean."""

_CLIP = 5.0
"""Standard deviations beyond which a pull is an outlier; of a normal one, 6 in 10 million are."""

_ROUNDING = 1e-9

_ROUNDS = 50

_CHANCE = 3.0
"""Standard deviations of the number of pixels that are beyond the threshold by chance."""

_CELL = 32
"""Pixels a side of what counts as large-scale, about: cells divide a master evenly."""

_PIXELS = 2**19
"""Pixels that are worked on at once."""

_FLAT_LIMIT = 0.01
"""Relative: what is wrong with the shape of a flat is wrong with photometry."""

_NOISE = 5.0
"""Uncertainties of its mean that a cell is granted, since the largest of thousands is taken."""


class Plane(NamedTuple):
    """Rows of a channel of a master, (y, x), in memory."""

    image: Image
    variance: Image
    usable: Bools
    """Which pixels are finite and not BAD."""

    @classmethod
    def of(cls, channel: xr.Dataset) -> "Plane":
        """Read what there is of a channel (y, x) of a master."""
        channel = channel.compute()
        # sums in another order would differ by rounding
        image, variance = (
            np.ascontiguousarray(channel[name].values) for name in ("image", "variance")
        )
        usable = is_good(image, channel["mask"].values if "mask" in channel else None)
        usable &= (variance >= 0) & (variance < np.inf)
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


class Pair:
    """A channel of two masters (y, x), which is read in bands of whole rows of cells."""

    def __init__(self, new: xr.Dataset, old: xr.Dataset) -> None:
        self._masters = new, old
        self.shape = new.sizes["y"], new.sizes["x"]
        self.edges = [_edges(size) for size in self.shape]

    def bands(self) -> Iterator[tuple[slice, Plane, Plane]]:
        """Yield which rows of cells these are, and the pixels of both masters in them."""
        rows, width = self.edges[0], self.shape[1]
        number, step = len(rows) - 1, max(1, _PIXELS // (_CELL * width))
        for first in range(0, number, step):
            cells = slice(first, min(first + step, number))
            part = slice(int(rows[cells.start]), int(rows[cells.stop]))
            new, old = (Plane.of(one.isel(y=part)) for one in self._masters)
            yield cells, new, old

    def levels(self) -> tuple[int, float, float]:
        """Return how many pixels are usable in both masters, and the sums of these in each."""
        number, light, other = 0, 0.0, 0.0
        for _, new, old in self.bands():
            good = new.usable & old.usable
            number += int(np.count_nonzero(good))
            light += float(new.image[good].sum(dtype=np.float64))
            other += float(old.image[good].sum(dtype=np.float64))
        return number, light, other


def compared(
    pair: Pair, ratio: float, threshold: float, *, relative: bool, most: float | None
) -> tuple[PixelDifferences, Cell]:
    """Compare the pixels that are usable in both masters, and their cells of about 32 x 32 pixels.

    Parameters
    ----------
    pair
        The channel of both masters.
    ratio
        By which the old master is multiplied.
    threshold
        Uncertainties that a pixel may differ by.
    relative
        Whether cells are divided; else their means are subtracted.
    most
        What cells may differ by, over five times the uncertainty of their mean. None: 0.01 where
        they are divided, else the uncertainty of the difference of one pixel (root of the mean
        variance).
    """
    size = pair.shape[0] * pair.shape[1]
    # of all pixels there are two numbers at a time, however large the masters are
    values, pulls = np.empty(size), np.empty(size)
    sums = _Sums.of(pair)
    number, lost, gained = 0, 0, 0
    for cells, new, old in pair.bands():
        good = new.usable & old.usable
        lost += int(np.count_nonzero(old.usable & ~good))
        gained += int(np.count_nonzero(new.usable & ~good))
        sums.add(cells, good, new, old)
        stop = number + int(np.count_nonzero(good))
        difference = new.image[good].astype(np.float64) - ratio * old.image[good].astype(np.float64)
        variance = new.variance[good] + ratio**2 * old.variance[good].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            # what is equal differs by nothing, also where there is no uncertainty
            pulls[number:stop] = np.where(difference == 0, 0.0, difference / np.sqrt(variance))
        values[number:stop] = difference
        number = stop
    cell, flagged = sums.outstanding(ratio, relative, most), (lost / size, gained / size)
    if not number:
        return PixelDifferences(0, ratio, np.nan, np.nan, np.nan, *flagged), cell
    values, pulls = values[:number], pulls[:number]
    beyond = sum(np.count_nonzero(np.abs(part) > threshold) for part in _parts(pulls)) / number
    middle = float(np.median(values, overwrite_input=True))
    return PixelDifferences(number, ratio, beyond, middle, scatter(pulls), *flagged), cell


def scatter(values: Floats) -> float:
    """Return the standard deviation of what is within five of it, found round after round.

    A quantile or a median distance would only be where it begins: where masters are medians of
    whole numbers, these jump from one number to the next. Infinite where more than a few values
    are. The values are sorted in place.
    """
    # as a whole once, which takes less time than a search for a median
    values.sort()
    rank = int(_BELOW * values.size)
    low, high = values[rank], values[-1 - rank]
    if not (np.isfinite(low) and np.isfinite(high)):
        return np.inf
    center = 0.5 * (values[(values.size - 1) // 2] + values[values.size // 2])
    # what is infinite stays beyond
    limit = 0.5 * _CLIP * (high - low) if high > low else np.finfo(np.float64).max
    before = None
    for _ in range(_ROUNDS):
        first = int(np.searchsorted(values, center - limit, side="left"))
        last = int(np.searchsorted(values, center + limit, side="right"))
        if (first, last) == before:
            break
        before = first, last
        center, width = _moments(values[first:last])
        if width == 0:
            break
        # a value at the limit stays, on either side: one of 26, all others equal, is there
        limit = _CLIP * width * (1 + _ROUNDING)
    return width


def _moments(values: Floats) -> tuple[float, float]:
    """Return mean and standard deviation."""
    mean = sum(float(part.sum()) for part in _parts(values)) / values.size
    moment = sum(float(np.square(part - mean).sum()) for part in _parts(values))
    return mean, math.sqrt(moment / values.size)


def _parts(values: Floats) -> Iterator[Floats]:
    """Cut values in parts, of which temporary arrays are small."""
    return (values[start : start + _PIXELS] for start in range(0, values.size, _PIXELS))


@dataclass(frozen=True)
class _Sums:
    """Sums of the good pixels of each cell, float64 (down, across)."""

    edges: Sequence[Integers]
    number: Floats
    new: Floats
    old: Floats
    new_variance: Floats
    old_variance: Floats

    @classmethod
    def of(cls, pair: Pair) -> "_Sums":
        shape = tuple(len(edge) - 1 for edge in pair.edges)
        return cls(pair.edges, *(np.zeros(shape) for _ in range(5)))

    def add(self, cells: slice, good: Bools, new: Plane, old: Plane) -> None:
        """Sum up the cells of a band."""
        starts = self.edges[0][cells] - self.edges[0][cells.start]
        for total, plane in (
            (self.number, 1.0),
            (self.new, new.image),
            (self.old, old.image),
            (self.new_variance, new.variance),
            (self.old_variance, old.variance),
        ):
            rows = np.where(good, plane, np.float64(0))
            across = np.add.reduceat(rows, self.edges[1][:-1], axis=1)
            total[cells] = np.add.reduceat(across, starts, axis=0)

    def outstanding(self, ratio: float, relative: bool, most: float | None) -> Cell:
        """Return the cell that differs most over its noise."""
        scaled, variance = ratio * self.old, self.new_variance + ratio**2 * self.old_variance
        with np.errstate(divide="ignore", invalid="ignore"):
            base = np.where(scaled > 0, scaled, np.nan) if relative else self.number
            difference = (self.new - scaled) / base
            noise = _NOISE * np.sqrt(variance) / base
            pixel = float(np.sqrt(variance.sum() / self.number.sum()))
        if most is None:
            most = _FLAT_LIMIT if relative else pixel
        known = np.isfinite(difference) & (2 * self.number >= np.outer(*map(np.diff, self.edges)))
        if not known.any():
            return Cell(np.nan, np.nan, np.nan, most, False)
        excess = np.where(known, np.abs(difference) - noise, -np.inf)
        place = np.unravel_index(excess.argmax(), excess.shape)
        y, x = (
            float(edge[i : i + 2].sum() // 2) for edge, i in zip(self.edges, place, strict=True)
        )
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
