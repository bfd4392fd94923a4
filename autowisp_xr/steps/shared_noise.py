"""Noise that masters lend to all frames alike, which does not average down in a stack.

What steps add to the variance of all frames is one plane: the kernel adds it, and
``shared_variance`` keeps it apart, in the same bits. The relative variance of a flat is another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr.arrays import Cube, Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.schema import DIMS, SHARED
from autowisp_xr.steps.base import Step, Term, absent, over_frames
from autowisp_xr.steps.flat import DivideFlat, quotient
from autowisp_xr.steps.shared_noise_names import lenders_of


class LentOperands(NamedTuple):
    """What the masters of a pass add to the variance of every frame."""

    variance: Cube = absent(4, "f4")
    """(frame, channel, y, x), or of one frame: before any flat."""
    relative: Planes = absent(3, "f4")
    """(channel, y, x): variance of the flat over its square."""


@dataclass(frozen=True)
class Lent:
    """The planes of :class:`LentOperands`, and the flat; None where there is none."""

    variance: xr.Variable | None
    relative: xr.Variable | None
    flat: xr.Dataset | None


def lent_by(ds: xr.Dataset, steps: Sequence[Step], dtype: DTypeLike) -> Lent:
    """What steps lend to frames."""
    variance = _summed([term for step in steps for term in step.shares(ds)], dtype)
    flat = next((step.lit for step in steps if isinstance(step, DivideFlat)), None)
    if flat is None or "variance" not in flat:
        return Lent(variance, None, flat)
    planes = [blocks.plane(flat, name) for name in ("variance", "image")]
    (relative,) = blocks.apply(_relative, planes, DIMS[1:], [dtype])
    return Lent(variance, relative, flat)


def with_what_was_shared(ds: xr.Dataset, lent: Lent, dtype: DTypeLike) -> dict[str, xr.Variable]:
    """What frames share after a pass: with what they shared before, and divided by the flat."""
    added = ((lent.variance, lent.flat), (lent.relative, None))
    found = {}
    for name, (plane, flat) in zip(SHARED, added, strict=True):
        parts = [one for one in (blocks.plane(ds, name), plane) if one is not None]
        found[name] = _summed([Term(one) for one in parts], dtype, flat)
    return {name: total for name, total in found.items() if total is not None}


def lender_names(ds: xr.Dataset, steps: Sequence[Step]) -> dict[str, tuple[str, Floats]]:
    """Coordinates that say which masters lend frames their noise after some steps."""
    sets = {plane: [set(text.split()) for text in lenders_of(ds, plane)] for plane in SHARED}
    for step in steps:
        step.name_lenders(sets["shared_variance"], sets["shared_relative_variance"])
    texts = {plane: [" ".join(sorted(names)) for names in own] for plane, own in sets.items()}
    return {
        SHARED[plane]: ("frame", np.array(own, dtype=np.dtypes.StringDType()))
        for plane, own in texts.items()
        if any(own)
    }


def _summed(
    terms: Sequence[Term], dtype: DTypeLike, flat: xr.Dataset | None = None
) -> xr.Variable | None:
    """Sum of terms, divided by the square of a flat; None of none.

    Over (channel, y, x), with ``frame`` in front where one of them has it.
    """
    if not terms:
        return None
    given = [operand for term in terms for operand in term]
    several = any("frame" in operand.dims for operand in given if operand is not None)
    operands = [blocks.plane(flat, "image"), *given]
    (total,) = blocks.apply(_sum, operands, DIMS if several else DIMS[1:], [dtype])
    return total


def _sum(flat: Planes | None, *given: Any) -> tuple[Floats]:
    total = reduce(add, map(_product, given[::2], given[1::2]))
    return (total if flat is None else quotient(total, flat, 2),)


def _product(plane: Cube, factor: Floats | None) -> Any:
    product = plane.astype(np.float64)
    return product if factor is None else over_frames(factor) * product


def _relative(variance: Planes, flat: Planes) -> tuple[Floats]:
    return (quotient(variance, flat, 2),)
