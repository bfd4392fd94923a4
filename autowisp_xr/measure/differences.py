"""Two masters taken apart: sums of cells of pixels, and histograms of their differences.

Sums are of rows within cells of fixed places, and histograms hold whole numbers: neither depends on
how the masters are cut, and both are small, so that no plane of differences is ever kept.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.bridge import blocks

__all__ = ["CELL", "Differences", "Histogram", "differences", "sums_of_cells"]

CELL = 32
"""Pixels a side of what counts as large-scale, about: cells divide a master evenly."""

_BAND_PIXELS = 2**20
"""Pixels of a band of rows that is read at once."""

_PART_PIXELS = 2**18
"""Pixels that are worked on at once: temporary arrays stay in the cache."""

_SHIFT = 13
_BINS = 2**32 >> _SHIFT
"""Bins are numbers of the same sign, exponent and first 10 bits of the mantissa."""

_SIGN = np.uint32(2**31)

_MIDDLE = (0.16, 0.84)
"""Quantiles about one standard deviation from the middle."""

_CLIP = 5.0
"""Standard deviations beyond which a pull is an outlier; of a normal one, 6 in 10 million are."""

_ROUNDS = 50

_PLANES = ("image", "variance", "mask")
_SUMS = ("new", "old", "new_variance", "old_variance")


class Differences(NamedTuple):
    """What a block of a channel holds."""

    only_new: int
    """Pixels that are good in the new master only."""
    only_old: int
    """Pixels that are good in the old master only."""
    beyond: int
    """Pixels beyond the threshold."""
    pulls: tuple[Any, Any]
    """Bins and how many pixels are in them, of differences in units of their error."""
    values: tuple[Any, Any]
    """The same of differences in the unit of the masters."""


class Histogram:
    """How many values there are of every size: bins a thousandth of their value wide."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)

    def add(self, bins: Any, counts: Any) -> None:
        """Count more values, as :class:`Differences` holds them."""
        self._counts[bins] += counts

    def median(self) -> float:
        """Median, right to 0.05 % of its value; NaN where nothing was counted."""
        bins, middles, counts = self._occupied()
        if not bins.size:
            return np.nan
        number = int(counts.sum())
        return float(_ranked(middles, counts, [(number - 1) // 2, number // 2]).mean())

    def scatter(self) -> float:
        """Standard deviation of what is within five of it, found round after round.

        A quantile or a median distance would only be where it begins: where masters are medians of
        whole numbers, these jump from one number to the next.
        """
        bins, middles, counts = self._occupied()
        if not bins.size:
            return np.nan
        number = counts.sum()
        low, high = _ranked(middles, counts, (number * np.array(_MIDDLE)).astype(np.int64))
        kept = np.isfinite(middles)
        if not np.isfinite(low) or not np.isfinite(high):
            return np.inf
        if high > low:
            kept &= np.abs(middles - self.median()) <= _CLIP * 0.5 * (high - low)
        for _ in range(_ROUNDS):
            weights = counts[kept] / counts[kept].sum()
            centre = (weights * middles[kept]).sum()
            width = np.sqrt((weights * (middles[kept] - centre) ** 2).sum())
            inside = np.abs(middles - centre) <= _CLIP * width
            if width == 0 or np.array_equal(inside, kept):
                break
            kept = inside
        return float(width)

    def _occupied(self) -> tuple[Any, Any, Any]:
        """Bins that hold something, their middles, and how much they hold."""
        bins = np.flatnonzero(self._counts)
        return bins, _middles(bins), self._counts[bins]


def sums_of_cells(new: xr.Dataset, old: xr.Dataset) -> xr.Dataset:
    """Rows of cells of two masters, (channel, y, cell), lazy where they are.

    Returns
    -------
    ``number`` of pixels that are good in both, and float64 sums over them: ``new``, ``old``,
    ``new_variance`` and ``old_variance``.
    """
    results = blocks.apply(
        _sums,
        [*_operands(new), *_operands(old), xr.Variable("cell", cell_starts(new.sizes["x"]))],
        ("channel", "y", "cell"),
        [np.int32] + [np.float64] * len(_SUMS),
    )
    return xr.Dataset(dict(zip(("number", *_SUMS), results, strict=True)))


def differences(new: xr.Dataset, old: xr.Dataset, ratio: Any, threshold: float) -> xr.Variable:
    """:class:`Differences` of each block, (channel, y); None but in the first row of a block."""
    (found,) = blocks.apply(
        partial(_differences, threshold=threshold),
        [*_operands(new), *_operands(old), xr.Variable("channel", ratio)],
        ("channel", "y"),
        [object],
    )
    return found


def cell_starts(size: int) -> Any:
    """First pixels of cells along an axis."""
    number = max(1, round(size / CELL))
    return np.arange(number) * size // number


def _operands(master: xr.Dataset) -> list[xr.Variable | None]:
    return [_in_bands(master[name].variable) if name in master else None for name in _PLANES]


def _in_bands(variable: xr.Variable) -> xr.Variable:
    """A variable as it is; where it is lazily indexed, in bands of rows of what is stored."""
    if blocks.in_memory(variable) or variable.chunks is not None:
        return variable
    stored = variable.encoding.get("chunks")
    unit = stored[-2] if stored else 1
    rows = _BAND_PIXELS // (variable.sizes["channel"] * variable.sizes["x"])
    return variable.chunk({"channel": -1, "y": max(unit, rows // unit * unit, 1), "x": -1})


def _parts(shape: tuple[int, ...]) -> Iterator[tuple[int, slice]]:
    """Channels and rows to be worked on at once."""
    rows = max(1, _PART_PIXELS // shape[2])
    for channel in range(shape[0]):
        for y in range(0, shape[1], rows):
            yield channel, slice(y, y + rows)


def _usable(part: tuple[int, slice], image: Any, variance: Any, mask: Any) -> Any:
    good = np.isfinite(image[part]) & (variance[part] >= 0) & (variance[part] < np.inf)
    return good if mask is None else good & (mask[part] == 0)


def _sums(
    new: Any,
    new_variance: Any,
    new_mask: Any,
    old: Any,
    old_variance: Any,
    old_mask: Any,
    cells: Any,
) -> list[Any]:
    shape = (*new.shape[:2], cells.size)
    number = np.empty(shape, np.int32)
    sums = [np.empty(shape, np.float64) for _ in _SUMS]
    for part in _parts(new.shape):
        good = _usable(part, new, new_variance, new_mask)
        good &= _usable(part, old, old_variance, old_mask)
        number[part] = np.add.reduceat(good, cells, axis=-1, dtype=np.int32)
        for total, plane in zip(sums, (new, old, new_variance, old_variance), strict=True):
            # float64 before it is summed: reduceat would cast piece by piece
            values = np.where(good, plane[part], np.float64(0))
            total[part] = np.add.reduceat(values, cells, axis=-1)
    return [number, *sums]


def _differences(
    new: Any,
    new_variance: Any,
    new_mask: Any,
    old: Any,
    old_variance: Any,
    old_mask: Any,
    ratio: Any,
    *,
    threshold: float,
) -> list[Any]:
    found = np.full(new.shape[:2], None, dtype=object)
    numbers = np.zeros((new.shape[0], 3), np.int64)
    counts = np.zeros((new.shape[0], 2, _BINS), np.int64)
    for part in _parts(new.shape):
        channel, factor = part[0], np.float64(ratio[part[0]])
        usable = _usable(part, new, new_variance, new_mask)
        usable_old = _usable(part, old, old_variance, old_mask)
        good = usable & usable_old
        values = new[part][good] - factor * old[part][good]
        error = np.sqrt(new_variance[part][good] + factor**2 * old_variance[part][good])
        with np.errstate(divide="ignore", invalid="ignore"):
            # what is equal differs by nothing, also where there is no error
            pulls = np.where(values == 0, 0.0, values / error)
        beyond = np.abs(pulls) > threshold
        numbers[channel] += [
            np.count_nonzero(which) for which in (usable & ~good, usable_old & ~good, beyond)
        ]
        for histogram, sample in zip(counts[channel], (pulls, values), strict=True):
            histogram += np.bincount(_bins(sample), minlength=_BINS)
    for channel, histograms in enumerate(counts):
        occupied = [np.flatnonzero(histogram) for histogram in histograms]
        pairs = [(bins, each[bins]) for bins, each in zip(occupied, histograms, strict=True)]
        found[channel, 0] = Differences(*numbers[channel].tolist(), *pairs)
    return [found]


def _bins(values: Any) -> Any:
    """Bins of values: the leading bits of float32, in the order of the numbers."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    single += np.float32(0)  # there is one zero only
    bits = single.view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN) >> np.uint32(_SHIFT)


def _ranked(middles: Any, counts: Any, ranks: Any) -> Any:
    """Middles of the bins that hold the values of these ranks, counted from 0."""
    return middles[np.searchsorted(np.cumsum(counts), ranks, side="right")]


def _middles(bins: Any) -> Any:
    """Middles of bins, float64; infinite numbers have a bin of their own."""
    first = bins.astype(np.uint32) << np.uint32(_SHIFT)
    edges = [first, first | np.uint32(2**_SHIFT - 1)]
    # beyond the infinite ones lie those that are no numbers
    with np.errstate(invalid="ignore"):
        low, high = (
            np.where(edge & _SIGN, edge ^ _SIGN, ~edge).view(np.float32).astype(np.float64)
            for edge in edges
        )
        middles = 0.5 * (low + high)
    middles[np.abs(middles) < np.finfo(np.float32).tiny] = 0.0
    return np.where(np.isfinite(middles), middles, np.where(first & _SIGN, low, high))
