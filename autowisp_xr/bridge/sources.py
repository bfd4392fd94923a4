"""What results are made of: a kernel and its operands, from which any chunks can be made."""

import pickle
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from dask.array import Array
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from dask.utils import funcname
from numpy.typing import DTypeLike

from autowisp_xr._compat import in_memory, late_token
from autowisp_xr.arrays import Numbers
from autowisp_xr.bridge.memory_limit import in_force, kept, workers
from autowisp_xr.bridge.planner import blocks
from autowisp_xr.bridge.sizes import made_of, sizes_of_source
from autowisp_xr.bridge.tasks import (
    Call,
    Cut,
    FromCall,
    Kernel,
    Others,
    Positions,
    Resting,
    Spans,
    Typed,
    index_of,
    of_positions,
    plain,
)
from autowisp_xr.provenance.content_tokens import content_token
from autowisp_xr.schema import DIMS

_LARGE = 2048
"""Bytes of a kernel with its options from which on it is a key of its own."""


class Source:
    """A kernel and its operands, from which results are made in any chunks.

    Parameters
    ----------
    kernel, operands, dims, dtypes
        As for :func:`autowisp_xr.bridge.blocks.apply`.
    free
        Dims along which the kernel gives the same in whatever blocks it is called.
    reach
        How many rows away the kernel looks at.
    alone
        Whether nothing else needs the planes that it is given, which are then made in its tasks.
    """

    def __init__(
        self,
        kernel: Kernel,
        operands: Sequence[xr.Variable | None],
        dims: tuple[str, ...],
        dtypes: Sequence[DTypeLike],
        free: Collection[str],
        reach: int = 0,
        alone: bool = False,
    ) -> None:
        self.alone = alone
        self.kernel = Typed.of(kernel, dtypes)
        self.name = funcname(kernel).strip("_")
        self.operands = [_where_it_rests(one) for one in operands]
        self.dims = dims
        self.reach = reach
        # blocks of other arrays do not overlap
        apart = any(one is not None and not _overlaps(one) for one in self.operands)
        self.free = frozenset(free) - ({"y"} if reach and apart else set())
        self.tokens = [None if one is None else _token(one) for one in self.operands]
        self.token = tokenize(kernel, self.kernel.dtypes, self.tokens, dims)
        self.sizes: dict[Hashable, int] = dict.fromkeys(dims, 1)
        for operand in operands:
            for dim, size in ({} if operand is None else operand.sizes).items():
                if dim in self.sizes and size > 1:
                    self.sizes[dim] = size

    @property
    def is_reading(self) -> bool:
        """Whether it is made by reading alone."""
        return self.kernel.kernel is as_read

    @cached_property
    def is_large(self) -> bool:
        """Whether the kernel with its options is sent once, not in each task."""
        try:
            return len(pickle.dumps(self.kernel)) > _LARGE
        except Exception:
            # what is of no module, or belongs to this process, stays in it
            return False

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the tasks that were made of it."""
        return {name: value for name, value in self.__dict__.items() if name != "_last"}

    def whole(self) -> Cut:
        """Return all of it: by whole frames where these rest, else in chunks of the operands."""
        chunks: dict[Hashable, tuple[int, ...]] = {}
        given = [operand for operand in self.operands if operand is not None]
        if any(_is_late(one) and "frame" in one.dims for one in given):
            chunks = {dim: (self.sizes[dim],) for dim in self.dims}
            if "frame" in self.dims:
                chunks["frame"] = (1,) * self.sizes["frame"]
            if {"frame", "y"} <= self.free and (rows := self._rows()) < self.sizes["y"]:
                number, rest = divmod(self.sizes["y"], rows)
                chunks["y"] = (rows,) * number + ((rest,) if rest else ())
        for operand in sorted(given, key=lambda operand: "frame" not in operand.dims):
            for dim, sizes in operand.chunksizes.items():
                # where blocks would not do, they come whole
                cuts = dim in self.free or not self.free
                if cuts and self.sizes.get(dim) == sum(sizes):
                    chunks.setdefault(dim, sizes)
        return Cut(
            tuple(range(self.sizes[dim]) for dim in self.dims),
            tuple(chunks.get(dim, (self.sizes[dim],)) for dim in self.dims),
        )

    def _rows(self) -> int:
        """Return how many rows of a frame fit into memory."""
        limit, made = in_force(), sum(dtype.itemsize for dtype in self.kernel.dtypes)
        plan = blocks(sizes_of_source(self, made), limit.for_work, workers())
        return kept(plan, f"a row of a frame in each of {workers()} threads", limit).rows

    def packed(self, spans: Spans) -> Array:
        """Return an array whose blocks are tuples: all results of the kernel for one chunk."""
        name = f"{self.name}-{tokenize(self.token, plain(spans))}"
        last: Array | None = self.__dict__.get("_last")
        if last is None or last.name != name:
            # the results are asked for theirs one after the other
            last = self.__dict__["_last"] = self._packed(name, spans)
        return last

    def _packed(self, name: str, spans: Spans) -> Array:
        tasks: dict[Any, Any] = {}
        plan = Plan(self, spans)
        for block in product(*(range(len(of_dim)) for of_dim in spans)):
            others = Others(tasks)
            call = plan.call(block, others)
            tasks[name, *block] = (call, *others.keys)
        graph = graph_of(name, tasks, plan.parents())
        plan.end()
        chunks = tuple(tuple(map(len, of_dim)) for of_dim in spans)
        return Array(graph, name, chunks=chunks, dtype=np.dtype(object))

    def can_be_cut(self, new: Spans, old: Spans) -> bool:
        """Return whether it makes new chunks of all that it makes as well as the old ones."""
        return all(
            self.reach == 0 or dim != "y" or all(map(_neighbours, one))
            if dim in self.free
            else len(one) == len(other) and all(map(np.array_equal, one, other))
            for dim, one, other in zip(self.dims, new, old, strict=True)
        )

    def with_reach(self, dim: str, spans: Sequence[Positions]) -> Sequence[Positions]:
        """Return what each chunk needs along a dim."""
        if dim != "y" or not self.reach or len(spans[0]) == self.sizes[dim]:
            return spans
        last = self.sizes[dim]
        return [
            range(max(int(span[0]) - self.reach, 0), min(int(span[-1]) + 1 + self.reach, last))
            for span in spans
        ]


class Made(NamedTuple):
    """One of the results of a source, or a part of it."""

    source: Source
    number: int
    """Which of the results."""
    cut: Cut
    """What of it, in which chunks."""
    dropped: frozenset[int] = frozenset()
    """Axes of the source that it does not have, as an integer index takes them away."""
    picked: tuple[tuple[int, Any], ...] = ()
    """Axes that the source cannot be cut along, and what is taken of its results there."""

    @property
    def is_part(self) -> bool:
        """Whether something is taken of what the source makes."""
        return bool(self.dropped or self.picked)

    def axes(self) -> list[int]:
        """Return the axes of the source that it has."""
        return [axis for axis in range(len(self.cut.chunks)) if axis not in self.dropped]

    def with_cut(self, cut: Cut) -> "Made | None":
        """Return other chunks or a part of it; None where the source cannot be cut so."""
        can_be_cut = self.source.can_be_cut(cut.spans(), self.cut.spans())
        return self._replace(cut=cut) if can_be_cut else None


class Plan:
    """How the chunks of all results of a source are made.

    Parameters
    ----------
    source
        What they are made from.
    spans
        The chunks.
    inside
        Plans of what is made in the same tasks, each once; None where these tasks are its own.
    once
        Whether nothing of it is made in two of them.
    """

    def __init__(
        self,
        source: Source,
        spans: Spans,
        inside: "dict[tuple[int, str], Plan] | None" = None,
        once: bool = True,
    ) -> None:
        self.source, self.spans = source, spans
        self.wide = [
            source.with_reach(dim, of_dim) for dim, of_dim in zip(source.dims, spans, strict=True)
        ]
        self._inside = {} if inside is None else inside
        self._once = once
        self._may_be_shared = inside is None and not source.alone
        self._made: tuple[Any, Call | None] = (), None
        self.inputs: list[Resting | _Inside | _Tasks | None] = []
        for operand, token in zip(source.operands, source.tokens, strict=True):
            if operand is None:
                self.inputs.append(None)
            elif operand.chunks is None:
                self.inputs.append(Resting(operand, str(token), source.dims, self.wide))
            else:
                self.inputs.append(self._in_tasks(operand))

    def call(self, block: Sequence[int], others: Others) -> Call:
        """Return the call that makes a chunk."""
        if self._made[0] != (block, id(others)) or self._made[1] is None:
            needed = [of_dim[n] for of_dim, n in zip(self.wide, block, strict=True)]
            wanted = [of_dim[n] for of_dim, n in zip(self.spans, block, strict=True)]
            places = [one if one is None else one.at(block, needed, others) for one in self.inputs]
            kernel: Any = self.source.kernel
            if self.source.is_large:
                others.tasks[f"kernel-{self.source.token}"] = kernel
                kernel = others.give(f"kernel-{self.source.token}")
            call = Call(kernel, tuple(places), _crop(wanted, needed))
            # operands that are results of one call share it
            self._made = (block, id(others)), call
            return call
        return self._made[1]

    def parents(self) -> list[Array]:
        """Return the arrays whose tasks are needed."""
        inputs = [one for plan in (self, *self._inside.values()) for one in plan.inputs]
        return [one.array for one in inputs if isinstance(one, _Tasks)]

    def end(self) -> None:
        """Let go of the plans inside, which hold one another, and arrays."""
        self._inside.clear()

    def _in_tasks(self, operand: xr.Variable) -> "_Inside | _Tasks":
        """Return an operand in chunks of dask, made to match."""
        array, dims, spans = operand.data, self.source.dims, self.wide
        axes = [
            dims.index(str(dim)) if dim in dims and size > 1 else None
            for dim, size in operand.sizes.items()
        ]
        made = made_of(operand)
        if made is not None and not made.is_part:
            whole, source = made.cut.positions, made.source
            own = [
                [places] if axis is None else [of_positions(places, one) for one in spans[axis]]
                for places, axis in zip(whole, axes, strict=True)
            ]
            # what was measured in each frame by itself is not measured again with each band
            of_frames = "y" not in operand.dims and operand.ndim < len(DIMS)
            other = of_frames and tuple(tuple(map(len, each)) for each in own) != made.cut.chunks
            if not other and source.can_be_cut(own, made.cut.spans()):
                once = self._once and all(
                    len(of_dim) == 1 or axis in axes for axis, of_dim in enumerate(spans)
                )
                # a band of all frames is alone in needing these rows of masters
                if of_frames or self._may_be_shared or not (self.source.alone or once):
                    return _Tasks(source.packed(own), axes, made.number)
                same = (id(source), repr(plain(own)))
                if same not in self._inside:
                    self._inside[same] = Plan(source, own, self._inside, once)
                return _Inside(self._inside[same], axes, made.number)
        chunks: list[tuple[int, ...]] = []
        for number, (axis, size) in enumerate(zip(axes, operand.shape, strict=True)):
            if axis is None:
                chunks.append((size,))
                continue
            chunks.append(tuple(map(len, spans[axis])))
            places = np.concatenate([np.asarray(span) for span in spans[axis]])
            if not np.array_equal(places, np.arange(size)):
                # dask takes one list at a time
                array = Array.__getitem__(array, (slice(None),) * number + (places,))
        return _Tasks(Array.rechunk(array, tuple(chunks)), axes, None)


@dataclass(frozen=True)
class _Tasks:
    """An operand in tasks of dask, in chunks that match those of the results."""

    array: Array
    axes: Sequence[int | None]
    """For each of its axes that of the results whose chunks it has; None for a single chunk."""
    number: int | None
    """Which of several results it is."""

    def at(self, block: Sequence[int], needed: Sequence[Positions], others: Others) -> Any:
        """Return what stands for it in the task of a block."""
        own = (0 if axis is None else block[axis] for axis in self.axes)
        return others.give((self.array.name, *own), self.number)


@dataclass(frozen=True)
class _Inside:
    """An operand that is made in the tasks of its kernel."""

    plan: Plan
    axes: Sequence[int | None]
    number: int

    def at(self, block: Sequence[int], needed: Sequence[Positions], others: Others) -> Any:
        """Return what stands for it in the task of a block."""
        own = tuple(0 if axis is None else block[axis] for axis in self.axes)
        return FromCall(self.plan.call(own, others), self.number)


def graph_of(name: str, tasks: Mapping[Any, Any], parents: Sequence[Any]) -> HighLevelGraph:
    """Return the tasks of an array after those of others."""
    return HighLevelGraph.from_collections(name, tasks, dependencies=parents)


def as_read(values: Numbers) -> tuple[Numbers]:
    """Return what is read, as it is: a kernel."""
    return (values,)


def _is_late(variable: xr.Variable) -> bool:
    """Return whether a variable is neither in memory nor in chunks: it is read when asked for."""
    return not in_memory(variable) and variable.chunks is None


def _where_it_rests(operand: xr.Variable | None) -> xr.Variable | None:
    """Return what all frames have in common as it is in its files; else the operand."""
    made = None if operand is None or "frame" in operand.dims else made_of(operand)
    if operand is None or made is None or made.is_part or not made.source.is_reading:
        return operand
    rests = made.source.operands[0]
    if rests is None:
        return operand
    where = zip(rests.dims, made.cut.positions, rests.shape, strict=True)
    part = rests.isel({dim: index_of(positions, size) for dim, positions, size in where})
    part.dims = operand.dims
    return part


def _overlaps(operand: xr.Variable) -> bool:
    """Return whether blocks of rows of an operand can be had that overlap."""
    if operand.chunks is None or "y" not in operand.dims:
        return True
    made = made_of(operand)
    return made is not None and "y" in made.source.free and not made.is_part


def _token(operand: xr.Variable) -> str:
    if operand.chunks is not None:
        return str(tokenize(operand.dims, operand.data.name))
    if in_memory(operand):
        return content_token(operand.values, operand.dims)
    return late_token(operand) or str(tokenize(operand.dims, operand.chunk().data.name))


def _crop(wanted: Sequence[Positions], needed: Sequence[Positions]) -> tuple[slice, ...] | None:
    """Return the places of what is wanted among what a kernel needs for it; None for all."""
    if all(own is all_of_it for own, all_of_it in zip(wanted, needed, strict=True)):
        return None
    return tuple(
        slice(None)
        if own is all_of_it
        else slice(own[0] - all_of_it[0], own[-1] + 1 - all_of_it[0])
        for own, all_of_it in zip(wanted, needed, strict=True)
    )


def _neighbours(positions: Positions) -> bool:
    return isinstance(positions, range) and (positions.step == 1 or len(positions) == 1)
