"""Dask arrays that are made afresh in any chunks: what a kernel makes of frames that rest.

Decision: frames are calibrated by whole frames when they are written, and by bands of rows of all
frames when they are stacked. To rechunk an array of dask from one to the other would have the whole
cube in memory. So an array that stems from frames at rest keeps what it is made of, and makes other
chunks, or a part of itself, from there: nothing is computed and then moved. All results of one
kernel in the same chunks have their tasks in common. Along a dim that cannot be cut at the source
(rows, where a kernel looks at neighbours), it is an ordinary array of dask.

A task holds the frames that it reads, and no others; what all frames have in common (masters, the
kernel with its options) is a key of its own, which each worker gets once.
"""

import operator
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import accumulate, product
from typing import Any

import numpy as np
import xarray as xr
from dask.array import Array
from dask.array.core import normalize_chunks
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from autowisp_xr._compat import CountsAsBase
from autowisp_xr.bridge.sizes import made_of
from autowisp_xr.bridge.sources import Made, Source, as_read, graph_of
from autowisp_xr.bridge.tasks import Cut, Held, Positions, is_whole


class Derived(Array, metaclass=CountsAsBase):
    """One result of a source; other chunks and parts of it are made from there, too.

    Parameters
    ----------
    made
        What it is made of.
    """

    made: Made | None
    """None once it was given other tasks by assignment, and is an ordinary array."""
    _tasks: Any

    def __new__(cls, made: Made) -> "Derived":
        """Return an array whose tasks are not made yet."""
        source, number, cut, dropped, picked = made
        sizes = dict(enumerate(cut.chunks))
        sizes |= {axis: (np.arange(sum(sizes[axis]))[one].size,) for axis, one in picked}
        chunks = tuple(of_axis for axis, of_axis in sizes.items() if axis not in dropped)
        token = tokenize(source.token, number, cut, sorted(dropped), picked)
        dtype = source.kernel.dtypes[number]
        self: Derived = Array.__new__(cls, {}, f"{source.name}-{number}-{token}", chunks, dtype)
        self.made, self._tasks = made, None
        return self

    @property
    def dask(self) -> HighLevelGraph:
        """The tasks, made when they are asked for."""
        if self._tasks is None and self.made is not None:
            source, number, cut, dropped, picked = self.made
            packed = source.packed(cut.spans())
            # one after the other: NumPy would move axes where a number and a list go together
            steps = [(*(slice(None),) * axis, one) for axis, one in picked]
            steps.append(
                tuple(0 if axis in dropped else slice(None) for axis in range(packed.ndim))
            )
            pick = (_picked, Held((number, steps)))
            tasks: dict[Any, Any] = {}
            for block in product(*map(range, packed.numblocks)):
                own = (n for axis, n in enumerate(block) if axis not in dropped)
                key = (packed.name, *block)
                tasks[self.name, *own] = (
                    (*pick, key) if self.made.is_part else (operator.getitem, key, number)
                )
            self._tasks = graph_of(self.name, tasks, [packed])
        return self._tasks

    @dask.setter
    def dask(self, graph: HighLevelGraph) -> None:
        self._tasks, self.made = graph, None

    def __reduce__(self) -> Any:
        return Array.__reduce__(self) if self.made is None else (Derived, (self.made,))

    def copy(self) -> Any:
        """Return an array of the same source."""
        return Array.copy(self) if self.made is None else Derived(self.made)

    def rechunk(
        self,
        chunks: Any = "auto",
        threshold: Any = None,
        block_size_limit: Any = None,
        balance: bool = False,
        method: Any = None,
    ) -> Any:
        """Return the same array, made in other chunks."""
        given, own = chunks, self.chunks
        if isinstance(chunks, Mapping):
            by_axis = {axis % self.ndim: sizes for axis, sizes in chunks.items()}
            chunks = tuple(by_axis.get(axis) for axis in range(self.ndim))
        if isinstance(chunks, tuple | list) and len(chunks) == self.ndim:
            chunks = tuple(
                old if new is None else new for new, old in zip(chunks, own, strict=True)
            )
        wanted = normalize_chunks(
            chunks, self.shape, limit=block_size_limit, dtype=self.dtype, previous_chunks=own
        )
        if wanted == own:
            return self
        if self.made is not None and not balance:
            cut = self.made.cut
            sizes = list(cut.chunks)
            for axis, new, old in zip(self.made.axes(), wanted, own, strict=True):
                if new != old:
                    sizes[axis] = new
            # the sizes of what is picked along an axis are no others than its own
            fits = all(sizes[axis] == cut.chunks[axis] for axis, _ in self.made.picked)
            made = self.made.with_cut(Cut(cut.positions, tuple(sizes))) if fits else None
            if made is not None:
                return Derived(made)
        return Array.rechunk(self, given, threshold, block_size_limit, balance, method)

    def __getitem__(self, index: Any) -> Any:
        found = self._part(index if isinstance(index, tuple) else (index,))
        return Array.__getitem__(self, index) if found is None else found

    def _part(self, index: tuple[Any, ...]) -> "Derived | None":
        """Return the part at an index; None where it cannot be had from the source."""
        known = (slice, int, np.integer, list, np.ndarray)
        filled = [one for one in index if one is not Ellipsis]
        if self.made is None or not all(isinstance(one, known) for one in filled):
            return None
        more = [slice(None)] * (self.ndim - len(filled))
        start = next((i for i, one in enumerate(index) if one is Ellipsis), len(filled))
        filled[start:start] = more
        lists = sum(isinstance(one, list | np.ndarray) and np.ndim(one) > 0 for one in filled)
        if len(filled) != self.ndim or lists > 1:
            return None
        source, _, cut, dropped, picked = self.made
        positions, chunks = list(cut.positions), list(cut.chunks)
        for axis, one in zip(self.made.axes(), filled, strict=True):
            if is_whole(one):
                continue
            found = _chosen(positions[axis], chunks[axis], one)
            if found is None or axis in dict(picked):
                return None
            if source.dims[axis] in source.free:
                positions[axis], chunks[axis] = found
            elif len(chunks[axis]) == 1:
                places, _ = found
                kept = np.flatnonzero(np.isin(positions[axis], places))
                if not np.array_equal(np.asarray(positions[axis])[kept], places):
                    return None
                picked = (*picked, (axis, kept))
            else:
                return None
            if not isinstance(one, slice) and not np.ndim(one):
                dropped |= {axis}
        part = self.made._replace(dropped=dropped, picked=picked)
        made = part.with_cut(Cut(tuple(positions), tuple(chunks)))
        return made and Derived(made)


def results_of(source: Source) -> list[Derived]:
    """Return all results of a source, in the chunks that it comes in."""
    cut = source.whole()
    return [Derived(Made(source, number, cut)) for number in range(len(source.kernel.dtypes))]


def at_rest(variable: xr.Variable) -> xr.Variable:
    """Return a lazily indexed variable by whole frames, or in other chunks that are asked for."""
    if not variable.size:
        return variable.chunk()
    dims = tuple(map(str, variable.dims))
    (result,) = results_of(Source(as_read, [variable], dims, [variable.dtype], dims))
    return xr.Variable(variable.dims, result, variable.attrs, variable.encoding)


def numbers_below(planes: Sequence[xr.Variable]) -> dict[str, xr.Variable]:
    """Return what is to be made for all rows of planes alike, such as levels, by its name."""
    found: dict[str, xr.Variable] = {}
    seen: dict[int, Source] = {}

    def look(plane: xr.Variable) -> None:
        made = made_of(plane)
        if made is None or id(made.source) in seen:
            return
        seen[id(made.source)] = made.source
        for operand in made.source.operands:
            if operand is not None and operand.chunks is not None:
                if "y" in operand.dims:
                    look(operand)
                else:
                    found[operand.data.name] = operand

    for plane in planes:
        look(plane)
    return found


def settled(planes: Sequence[xr.Variable], numbers: Mapping[str, xr.Variable]) -> list[xr.Variable]:
    """Return planes with the numbers in memory that they need for all of their rows.

    What these are made of is read in this call, and not once more with each part of the planes.

    Parameters
    ----------
    planes
        What is to be made.
    numbers
        As :func:`numbers_below` gives them.
    """
    from dask.base import compute

    found = compute(*(one.data for one in numbers.values()))
    values = {name: np.asarray(of) for name, of in zip(numbers, found, strict=True)}
    done: dict[int, Source] = {}

    def known(operand: xr.Variable) -> xr.Variable:
        if operand.chunks is None:
            return operand
        if "y" not in operand.dims:
            return operand.copy(deep=False, data=values[operand.data.name])
        made = made_of(operand)
        if made is None:
            return operand
        if id(made.source) not in done:
            # its results keep their names, as their values are the same
            source = done[id(made.source)] = copy(made.source)
            source.operands = [None if one is None else known(one) for one in source.operands]
        derived: Any = Derived(made._replace(source=done[id(made.source)]))
        return operand.copy(deep=False, data=derived)

    return list(map(known, planes))


def _picked(pick: Held, results: Sequence[Any]) -> Any:
    number, steps = pick.value
    found = results[number]
    for step in steps:
        found = found[step]
    return found


def _chosen(
    positions: Positions, chunks: tuple[int, ...], index: Any
) -> tuple[Positions, tuple[int, ...]] | None:
    """Return positions at an index along an axis, and their chunks; None where it has none."""
    number = len(positions)
    if isinstance(index, slice):
        places = range(number)[index]
        if not places or places.step < 0:
            return None
        chunk = np.searchsorted(list(accumulate(chunks)), np.array(places), side="right")
        return positions[index], tuple(int(n) for n in np.bincount(chunk) if n)
    given = np.asarray(index)
    if given.dtype == bool:
        given = np.flatnonzero(given) if given.shape == (number,) else np.empty(0)
    fits = given.dtype.kind in "iu" and given.ndim < 2 and given.size > 0
    if not fits or given.min() < -number or given.max() >= number:
        return None
    found = np.asarray(positions)[np.atleast_1d(given)]
    size = max(chunks)
    sizes = tuple(min(size, found.size - start) for start in range(0, found.size, size))
    steps = set(np.diff(found).tolist()) or {1}
    step = steps.pop()
    if not steps and step > 0:
        return range(int(found[0]), int(found[-1]) + 1, step), sizes
    return found, sizes
