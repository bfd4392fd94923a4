"""Traces of the camera in the values of an image: where they stop, and in which steps."""

from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.kernels.counting import count_each
from autowisp_xr.stats.floats import native

_RANGE = 1 << 16
"""Values below the largest one that are counted."""

_LEAST = 10
"""So many pixels of one frame that share a value are no matter of chance."""

_WINDOW = 64
"""Steps below it, whose mean number of pixels it is held against."""

_TIMES = 20.0
_ABOVE = 0.05
"""So many times as many pixels as that are at it at least, and such a share of them above it."""

_LOOKED_AT = 256
"""Values from the top on that may be a plateau: few pixels lie above one."""

_EQUAL = 0.4
"""Of neighbours below a plateau: where more are equal, the noise is less than a step, and that many
pixels share a value means nothing."""

_FEW_NEIGHBOURS = 100

_LINES = 3
"""Rows and columns that it takes up, at least: a bad column is none."""

_FULL_BITS = 10
"""The largest number of a converter of so many bits or more is known by its bits alone."""

_CLIPPED = 5e-3
_TAIL = 0.3
"""Share of pixels at the lowest value that is worth a word, and how many, in these, are further
above the median than any pixel is below."""

_LEAST_BEYOND = 20
"""So many are further above by no matter of chance: noise leaves none of as many below with a
probability of exp(-20)."""

_SPREAD = 3
_SPREAD_SHARE = 0.05
"""Where most pixels are at the lowest value, so many of all are so many steps above it."""


class Counts(NamedTuple):
    """The number of pixels that have each value, of the upper 65536 values."""

    base: int
    """Value of the first count."""
    numbers: Any
    """(value) int64; the last is not 0."""
    below: int
    """Pixels with smaller values than these."""

    @property
    def largest(self) -> int:
        """The largest value."""
        return self.base + len(self.numbers) - 1

    @property
    def reached(self) -> int:
        """The largest value that is no matter of a few pixels: ten are at it or above."""
        from_top = np.cumsum(self.numbers[::-1])
        return self.largest - int(np.searchsorted(from_top, min(_LEAST, from_top[-1])))


class Floor(NamedTuple):
    """A value at which lower ones are cut off."""

    value: int
    share: float
    """Of all pixels."""


def counted(plane: Image) -> Counts | None:
    """Count the pixels of a plane by value; None where these are no whole numbers.

    Parameters
    ----------
    plane : (y, x) array
        Integers, or floats that hold them; what is not finite is left out.
    """
    values = _whole(plane)
    if values is None or values.size == 0:
        return None
    largest = int(values.max())
    base = max(int(values.min()), largest - _RANGE + 1)
    numbers = np.zeros(largest - base + 1, np.int64)
    count_each(values, base, numbers)
    return Counts(base, numbers, int(values.size - numbers.sum()))


def _whole(plane: Image) -> Any:
    values = native(np.asarray(plane)).ravel()
    if values.dtype.kind in "iu":
        return values
    values = values[np.isfinite(values)]
    if np.abs(values).max(initial=0.0) >= 2.0**53 or (values != np.rint(values)).any():
        return None
    return values.astype(np.int64)


def step_of(counts: Counts) -> int:
    """Greatest common divisor of the differences between the values: 16 of 12 bits in 16."""
    steps = np.diff(np.flatnonzero(counts.numbers))
    return int(np.gcd.reduce(steps)) if steps.size else 1


def plateau_of(plane: Image, counts: Counts | None = None) -> int | None:
    """The value at which a plane stops, where many pixels share one far above what is below.

    Parameters
    ----------
    plane : (y, x) array
        One channel of a raw frame.
    counts
        Of it, where they are known.

    Returns
    -------
    The value; None where there is no such, as in all frames that do not saturate. A few pixels may
    lie above it. A bad row or column, hot pixels, a coarse digitisation or a frame of one value
    without noise are no plateau.
    """
    counts = counted(plane) if counts is None else counts
    if counts is None:
        return None
    step = step_of(counts)
    above = 0
    for place in np.flatnonzero(counts.numbers)[::-1][:_LOOKED_AT].tolist():
        number = int(counts.numbers[place])
        window = counts.numbers[max(place - _WINDOW * step, 0) : place]
        piled = number >= max(_LEAST, _TIMES * window.sum() / _WINDOW)
        if piled and above <= _ABOVE * number:
            value = counts.base + place
            return value if _holds(np.asarray(plane), value) else None
        above += number
    return None


def _holds(plane: Image, value: int) -> bool:
    """Return whether a plateau is more than a bad column, or a coarse digitisation."""
    rows, columns = np.nonzero(plane >= value)
    if min(len(np.unique(rows)), len(np.unique(columns))) < _LINES:
        return False
    # two pixels on, so that both are of one colour where a mosaic was not split
    first, second = plane[:, :-2], plane[:, 2:]
    below = (first < value) & (second < value)
    neighbours = np.count_nonzero(below)
    if neighbours < _FEW_NEIGHBOURS:
        return _is_full(value)
    return bool(np.count_nonzero((first == second) & below) <= _EQUAL * neighbours)


def _is_full(value: int) -> bool:
    """Return whether a value is all ones in binary, but for zeros behind: 4095, 65520."""
    last = value & -value
    return value > 0 and (value + last).bit_count() == 1 and value.bit_count() >= _FULL_BITS


def floor_of(counts: Counts, *, noise_alone: bool = True) -> Floor | None:
    """The lowest value of frames without light, where many are cut off there; else None.

    Values that scatter go as far down as they go up. Where they do not, and more pixels than
    noise leaves there share the lowest value, what is missing has been set to it. Dark current
    adds to pixels that go up, so that the lowest value of darks is a floor where it is 0 alone.

    Parameters
    ----------
    counts
        As :func:`counted` gives them.
    noise_alone
        Whether pixels differ by noise alone, as those of biases.
    """
    total = int(counts.numbers.sum()) + counts.below
    if counts.below or not total:
        return None
    lowest = int(np.flatnonzero(counts.numbers)[0])
    if not noise_alone and counts.base + lowest != 0:
        return None
    number = int(counts.numbers[lowest])
    up_to = np.cumsum(counts.numbers)
    median = int(np.searchsorted(up_to, total / 2))
    step = step_of(counts)
    if median == lowest:
        far = counts.numbers[lowest + _SPREAD * step :].sum()
        clipped = far >= _SPREAD_SHARE * total
    else:
        # of few distinct values the median is somewhere in the step that half of them reach
        within = (total / 2 - up_to[median - 1]) / counts.numbers[median] - 0.5
        mirrored = 2 * (median + step * within) - (lowest - step / 2)
        beyond = counts.numbers[int(np.floor(mirrored)) + 1 :].sum()
        many = number >= max(_LEAST, _CLIPPED * total)
        clipped = many and beyond >= max(_LEAST_BEYOND, _TAIL * number)
    return Floor(counts.base + lowest, number / total) if clipped else None
