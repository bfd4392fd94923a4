"""What tasks of dask hold of a kernel and its operands, so that each is small and is done once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr._compat import compact, in_memory
from autowisp_xr.allocation import keep_planes
from autowisp_xr.arrays import Numbers
from autowisp_xr.stats.floats import native

Kernel = Callable[..., Sequence[Any]]

Positions: TypeAlias = "range | np.ndarray[Any, np.dtype[np.int64]]"
"""Which places along a dim, and in which order."""

_SMALL = 1024
"""Bytes of an operand that each task may hold for itself."""


Spans: TypeAlias = "Sequence[Sequence[Positions]]"
"""For each dim, the places that each chunk has; those of neighbours may overlap."""


@dataclass(frozen=True)
class Cut:
    """A part of results, and the chunks that it is in; an entry for each dim."""

    positions: tuple[Positions, ...]
    chunks: tuple[tuple[int, ...], ...]

    def spans(self) -> Spans:
        """Return the positions of each chunk."""
        return [
            [positions[end - n : end] for n, end in zip(sizes, accumulate(sizes), strict=True)]
            for positions, sizes in zip(self.positions, self.chunks, strict=True)
        ]

    def __dask_tokenize__(self) -> Any:
        return plain([self.positions]), self.chunks


def plain(spans: Spans) -> Any:
    """Return positions for a token: ranges as text, which dask would pickle."""
    return [[repr(one) if isinstance(one, range) else one for one in each] for each in spans]


def of_positions(positions: Positions, span: Positions) -> Positions:
    """Return the positions at places among them."""
    if not isinstance(span, range):
        return np.asarray(positions)[span]
    return positions[span.start : span.stop : span.step]


def index_of(positions: Positions, size: int) -> Any:
    """Return the index that gives positions along an axis of a size."""
    if not isinstance(positions, range):
        return positions
    if positions == range(size):
        return slice(None)
    return slice(positions.start, positions.stop, positions.step)


def is_whole(index: Any) -> bool:
    """Return whether an index along an axis changes nothing."""
    return isinstance(index, slice) and index == slice(None)


@dataclass(frozen=True)
class Held:
    """A value as it is, which dask does not look into."""

    value: Any


@dataclass(frozen=True)
class Typed:
    """A kernel that is given numbers it knows; its results have the types that were declared."""

    kernel: Kernel
    dtypes: tuple[np.dtype[Any], ...]

    @classmethod
    def of(cls, kernel: Kernel, dtypes: Sequence[DTypeLike]) -> "Typed":
        """Return a kernel with the types of its results."""
        return cls(kernel, tuple(np.dtype(dtype) for dtype in dtypes))

    def __call__(self, *blocks: Numbers | None) -> tuple[Numbers, ...]:
        """Return the results of blocks of the operands."""
        given = (block if block is None else native(block) for block in blocks)
        results = zip(self.kernel(*given), self.dtypes, strict=True)
        return tuple(np.asarray(result, dtype=dtype) for result, dtype in results)


@dataclass(frozen=True)
class Late:
    """Frames at rest, or some rows of them."""

    variable: xr.Variable

    def read(self, where: Mapping[Hashable, Any] | None = None) -> Numbers:
        """Return their values, or those of a part."""
        values: Numbers = (self.variable.isel(where) if where else self.variable).values
        return values


@dataclass(frozen=True)
class FromTask:
    """What stands for an operand that another task gives."""

    number: int
    """Of the other task among those that a task depends on."""
    part: Any = None
    """One of several results, or where to read frames at rest; None for all."""


@dataclass(frozen=True)
class FromCall:
    """What stands for an operand that is made in the same task."""

    call: "Call"
    number: int
    """Which of its results."""


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a kernel, given what is in its task and what other tasks gave."""

    kernel: Typed | FromTask
    places: tuple[Any, ...]
    """For each operand None, an array, frames at rest, ``FromTask`` or ``FromCall``."""
    crop: tuple[slice, ...] | None = None
    """What to keep of the results."""

    def __call__(self, *others: Any) -> tuple[Numbers, ...]:
        """Return the results of the kernel, given the results of other tasks."""
        keep_planes()
        return self._results(others, {})

    def _results(self, others: Sequence[Any], done: "dict[Call, Any]") -> tuple[Numbers, ...]:
        if self not in done:
            kernel = self.kernel if isinstance(self.kernel, Typed) else others[self.kernel.number]
            results = kernel(*(_taken(place, others, done) for place in self.places))
            if self.crop is not None:
                # a view would keep what is cropped in memory
                results = tuple(np.ascontiguousarray(result[self.crop]) for result in results)
            done[self] = results
        made: tuple[Numbers, ...] = done[self]
        return made


def _taken(place: Any, others: Sequence[Any], done: "dict[Call, Any]") -> Any:
    if isinstance(place, Late):
        return place.read()
    if isinstance(place, FromCall):
        return place.call._results(others, done)[place.number]
    if not isinstance(place, FromTask):
        return place
    other = others[place.number]
    if isinstance(other, Late):
        return other.read(place.part)
    return other if place.part is None else other[place.part]


class Others:
    """The other tasks that a task depends on.

    Parameters
    ----------
    tasks
        All tasks, to which those are added that are not there yet.
    """

    def __init__(self, tasks: dict[Any, Any]) -> None:
        self.tasks = tasks
        self.keys: dict[Any, int] = {}

    def give(self, key: Any, part: Any = None) -> FromTask:
        """Return what stands for the result of a key, or for a part of it."""
        return FromTask(self.keys.setdefault(key, len(self.keys)), part)


class Resting:
    """An operand that is in memory or at rest, of which each block takes its part.

    Parameters
    ----------
    variable
        The operand.
    token
        Of its values.
    dims, spans
        Dims of the results, and what of them each chunk needs.
    """

    def __init__(
        self, variable: xr.Variable, token: str, dims: Sequence[str], spans: Spans
    ) -> None:
        # only who has dask loaded makes tasks
        from dask.base import tokenize

        self.variable = variable
        self.dims = dims
        self.own = [dim in variable.dims and variable.sizes[dim] > 1 for dim in dims]
        several = [len(of_dim) > 1 for of_dim in spans]
        shared = any(many and not mine for many, mine in zip(several, self.own, strict=True))
        here = in_memory(variable)
        # one for all frames, by rows where they are: read or sent once
        self.is_common = shared and not (here and variable.nbytes <= _SMALL)
        # many blocks of the same frames: which files they are is sent once
        self.by_frames = not here and any(
            many and mine and dim != "frame"
            for many, mine, dim in zip(several, self.own, dims, strict=True)
        )
        parts = plain(
            [
                of_dim
                for of_dim, mine, dim in zip(spans, self.own, dims, strict=True)
                if mine and (self.is_common or dim == "frame")
            ]
        )
        self.name = f"{'common' if self.is_common else 'frames'}-{tokenize(token, parts)}"

    def at(self, block: Sequence[int], needed: Sequence[Positions], others: "Others") -> Any:
        """Return what stands for it in the task of a block."""
        where: dict[Hashable, Any] = {}
        numbers: dict[Hashable, int] = {}
        for dim, number, positions, mine in zip(self.dims, block, needed, self.own, strict=True):
            if mine:
                where[dim] = index_of(positions, self.variable.sizes[dim])
                numbers[dim] = number
        if self.is_common:
            key = (self.name, *numbers.values())
            if key not in others.tasks:
                part = self.variable.isel(where)
                others.tasks[key] = part.values if in_memory(part) else (Late(part).read,)
            return others.give(key)
        if in_memory(self.variable):
            return self.variable.isel(where).values
        if not self.by_frames:
            return Late(compact(self.variable.isel(where)))
        frames = {dim: index for dim, index in where.items() if dim == "frame"}
        key = (self.name, *(numbers[dim] for dim in frames))
        if key not in others.tasks:
            others.tasks[key] = Late(compact(self.variable.isel(frames)))
        return others.give(key, {dim: index for dim, index in where.items() if dim != "frame"})
