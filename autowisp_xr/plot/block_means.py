"""Large planes made small enough for a screen, without losing a single flag."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from autowisp_xr.arrays import Bits, Bools, Floats, Image, Integers, Mask
from autowisp_xr.flags import Flag

_BEYOND = 0.05
"""The share of pixels of the screen that may be missing: matplotlib mixes neighbours, and a flag
keeps half of its colour. Where twice as many are missing it keeps a quarter, and is overlooked."""

_ELONGATED = 8.0
"""Sides so many times as long as the other are drawn apart from it."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """A plane as it is drawn: one value and one set of flags for each block of pixels.

    With blocks of one pixel these are the pixels themselves.
    """

    values: Floats
    """(y, x) float64: the mean of the pixels of a block that bear no flag; of those that are
    numbers if all are flagged, and NaN if none is."""

    good: Bools
    """(y, x) bool: whether a pixel of the block is a number without a flag."""

    flags: Bits
    """(y, x) uint8: all flags in the block, FAULT for what is no number among them."""

    counts: dict[Flag, int]
    """The number of pixels that bear each flag, in whole."""

    marked: int
    """The number of pixels that bear any of them."""

    pixels: int
    """The number of pixels."""

    @classmethod
    def of(cls, image: Image, mask: Mask | None, flags: Flag, factors: tuple[int, int]) -> "Blocks":
        """Make the blocks of an image.

        Parameters
        ----------
        image
            (y, x), of any real type.
        mask
            (y, x) uint8; None where there is none.
        flags
            Which flags are kept.
        factors
            Size of a block (y, x); blocks at the end may be smaller.
        """
        finite = np.isfinite(image)
        bits = np.zeros(image.shape, np.uint8) if mask is None else mask
        good = finite & ((bits & np.uint8(Flag.BAD)) == 0)
        if not finite.all():
            bits = bits | np.where(finite, np.uint8(0), np.uint8(Flag.FAULT))
        bits = bits & np.uint8(flags)
        values, number = _means(image, good, factors)
        if not number.all():
            others, _ = _means(image, finite, factors)
            values = np.where(number > 0, values, others)
        found = np.bincount(bits[bits != 0], minlength=256)
        kinds = np.arange(found.size)
        return cls(
            values=values,
            good=number > 0,
            flags=reduced(np.bitwise_or, bits, factors),
            counts={
                flag: int(found[(kinds & flag) != 0].sum())
                for flag in Flag
                if flag & flags and flag.bit_count() == 1
            },
            marked=int(found.sum()),
            pixels=image.size,
        )


def factors_for(shape: tuple[int, ...], most: float) -> tuple[int, int]:
    """Return the size of blocks (y, x) of which about ``most`` lie along the longer side.

    The blocks are squares, but for planes so elongated that each side is drawn on its own scale.
    """
    height, width = shape
    along_y, along_x = (max(1, ceil(size / most - _BEYOND)) for size in shape)
    if is_elongated(height, width):
        return along_y, along_x
    return max(along_y, along_x), max(along_y, along_x)


def is_elongated(height: int, width: int) -> bool:
    """Return whether a plane is so long that square pixels would leave nothing to see."""
    return max(height, width) > _ELONGATED * min(height, width)


def _means(image: Image, chosen: Bools, factors: tuple[int, int]) -> tuple[Floats, Integers]:
    """Return the mean of the chosen pixels of each block, NaN without any, and their number."""
    kept = image if chosen.all() else np.where(chosen, image, image.dtype.type(0))
    number = reduced(np.add, chosen, factors, dtype=np.int32)
    sums = reduced(np.add, kept, factors, dtype=np.float64)
    means = np.full(sums.shape, np.nan)
    np.divide(sums, number, out=means, where=number > 0)
    return means, number


def reduced(
    ufunc: np.ufunc, plane: Any, factors: tuple[int, int], dtype: DTypeLike | None = None
) -> Any:
    """Add up the blocks of a plane, or combine them otherwise."""
    along_y, along_x = factors
    if along_y > 1:
        # reduceat takes six times as long
        starts = range(0, plane.shape[0], along_y)
        rows = [ufunc.reduce(plane[y : y + along_y], axis=0, dtype=dtype) for y in starts]
        plane = np.stack(rows)
    if along_x > 1:
        plane = ufunc.reduceat(plane, np.arange(0, plane.shape[1], along_x), axis=1, dtype=dtype)
    return plane if dtype is None else plane.astype(dtype, copy=False)
