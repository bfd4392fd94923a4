"""Results of kernels that are remembered while their operands are the same arrays as before.

Frames that are calibrated one at a time have masters in common. What a pass makes of masters alone
(their noise, their flags) is then made for the first of them, and holds for all.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import xarray as xr

from autowisp_xr.arrays import Duck
from autowisp_xr.bridge.tasks import Kernel, Typed
from autowisp_xr.provenance.content_tokens import unchanged

Remembered = dict[Hashable, tuple[Any, Any]]
"""Operands, which must not change meanwhile, and results, by what stands for the work."""

_ACTIVE: ContextVar[Remembered | None] = ContextVar("remembered", default=None)
_SMALL = 64


@contextmanager
def remembering(results: Remembered) -> Iterator[None]:
    """Take results of operands without frames from here within the context, or add them."""
    token = _ACTIVE.set(results)
    try:
        with unchanged():
            yield
    finally:
        _ACTIVE.reset(token)


def remembered(
    work: Callable[[], Sequence[Duck]],
    typed: Typed,
    dims: tuple[str, ...],
    operands: Sequence[xr.Variable | None],
) -> Sequence[Duck]:
    """Return what a kernel makes of operands in memory, or has made of the same ones before.

    Parameters
    ----------
    work
        Makes the results.
    typed, dims, operands
        What it makes them by, and of; where any has the dim ``frame``, nothing is remembered.
    """
    known = _ACTIVE.get()
    given = [operand for operand in operands if operand is not None]
    if known is None or any("frame" in operand.dims for operand in given):
        return work()
    key = (_named(typed.kernel), typed.dtypes, dims, *map(_token, operands))
    try:
        hash(key)
    except TypeError:
        # options of a kernel that are arrays
        return work()
    if key not in known:
        # with the operands, so that nothing else comes to lie in their places
        known[key] = (given, work())
    results: Sequence[Duck] = known[key][1]
    return results


def _named(kernel: Kernel) -> Hashable:
    """Return what stands for a kernel: two partial ones of the same function are not equal."""
    if isinstance(kernel, partial):
        return kernel.func, kernel.args, tuple(kernel.keywords.items())
    return kernel


def _token(operand: xr.Variable | None) -> Hashable:
    """Return what stands for an operand: its place in memory, or its content where it is small."""
    if operand is None:
        return None
    values = operand.values
    kind = (operand.dims, values.dtype.str, values.shape, values.strides)
    if values.size <= _SMALL:
        return kind, values.tobytes()
    return kind, values.__array_interface__["data"][0]
