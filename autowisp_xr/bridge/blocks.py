"""The one bridge between Datasets and kernels: blocks of arrays in, blocks of arrays out.

Three contracts state which blocks a kernel may see: *pixelwise* (any), *framewise* (whole channels,
rows and columns), *stackwise* (whole ``frame``, bands of rows). What is in memory is worked
through at once, in threads over blocks; everything else becomes dask arrays, in the chunks that the
contract wants where nobody chose any. Both ways call the kernel on the same kind of blocks.

Decision: ``dask.array.blockwise`` with a tuple a block, not ``xarray.apply_ufunc``, which moves
core dims last (the stack kernel ran four times slower on it) and loads lazily indexed arrays in
silence.
"""

import operator
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr._compat import in_memory as in_memory
from autowisp_xr.arrays import Duck, Numbers
from autowisp_xr.bridge import planner
from autowisp_xr.bridge.memory_limit import in_force, kept, threads_of_cluster, workers
from autowisp_xr.bridge.remembering import remembered
from autowisp_xr.bridge.rows import Rows, come_by_rows
from autowisp_xr.bridge.sizes import made_of, sizes_of, stored_rows
from autowisp_xr.bridge.tasks import Kernel, Typed
from autowisp_xr.bridge.threads import in_threads
from autowisp_xr.startup import collecting_later

_CELLS = 2**21
"""Pixels of all frames in a band of what is in memory."""


def load_coordinates(ds: xr.Dataset) -> xr.Dataset:
    """Return the same Dataset with all coordinates in memory; they are small."""
    chunked = [name for name in ds.coords if not in_memory(ds.variables[name])]
    return ds.assign_coords({name: ds[name].load() for name in chunked}) if chunked else ds


def pixelwise(variable: xr.Variable) -> xr.Variable:
    """Return a variable in any chunks; lazily indexed ones by whole frames."""
    return _chunked(variable)


def plane(ds: xr.Dataset | None, name: str) -> xr.Variable | None:
    """Return a variable in any chunks; None without a Dataset that has one of the name."""
    if ds is None or name not in ds:
        return None
    return pixelwise(ds[name].variable)


def framewise(variable: xr.Variable) -> xr.Variable:
    """Return a variable with all of a frame in one chunk."""
    return _chunked(variable, *(dim for dim in variable.dims if dim != "frame"))


def whole_frames(ds: xr.Dataset, names: Sequence[str]) -> list[xr.Variable | None]:
    """Return variables with all of a frame in one chunk; None for one that there is not."""
    return [framewise(ds[name].variable) if name in ds else None for name in names]


def overlapping(variable: xr.Variable) -> xr.Variable:
    """Return a variable in chunks that can be had with rows beside them, or of whole frames."""
    return framewise(variable) if moved(variable) else pixelwise(variable)


def rowwise(variable: xr.Variable) -> xr.Variable:
    """Return a variable with whole rows in one chunk."""
    return _chunked(variable, "x")


def stackwise(variable: xr.Variable) -> xr.Variable:
    """Return a variable with all frames in one chunk, in bands of rows that fit in memory."""
    if in_memory(variable) or "frame" not in variable.dims:
        return pixelwise(variable)
    if variable.chunks is not None and len(variable.chunksizes["frame"]) == 1:
        return variable
    rows = _rows_of_bands([variable])
    return pixelwise(variable).chunk({"frame": -1, "channel": -1, "y": rows, "x": -1})


def bands(ds: xr.Dataset) -> xr.Dataset:
    """Return a frame set in bands of rows of all frames, where its planes can be made in any.

    These are those that are lazily indexed, and what verbs make of such. They are then made,
    calibrated and stacked band by band, and the cube is never whole in memory.
    """
    lazy = {
        name: pixelwise(plane.variable)
        for name, plane in ds.data_vars.items()
        if not in_memory(plane.variable)
        and (plane.chunks is None or _in_other_chunks(plane.variable))
    }
    frames = [variable for variable in lazy.values() if "frame" in variable.dims]
    if not frames:
        return ds
    rows = _rows_of_bands(list(lazy.values()))
    return ds.assign(
        {
            name: variable.chunk({dim: rows if dim == "y" else -1 for dim in variable.dims})
            for name, variable in lazy.items()
        }
    )


def _in_other_chunks(variable: xr.Variable) -> bool:
    """Return whether bands of a variable can be made from what it is made of."""
    made = made_of(variable)
    if made is None or "y" not in made.source.free:
        return False
    return "frame" not in variable.dims or len(variable.chunksizes["frame"]) > 1


def apply(
    kernel: Kernel,
    operands: Sequence[xr.Variable | None],
    dims: tuple[str, ...],
    dtypes: Sequence[DTypeLike],
    *,
    free: Collection[str] = (),
    reach: int = 0,
    alone: bool = False,
) -> tuple[xr.Variable, ...]:
    """Call a kernel on matching blocks of the operands.

    Parameters
    ----------
    kernel
        Called with one array an operand (None where the operand is None); returns one array an
        entry of ``dtypes``. Dims of operands that are not in ``dims`` come whole. A function of a
        module, or a ``partial`` of one: dask then names its results after what they are, and the
        same work has the same names in every session.
    operands
        Variables over (some of) frame, channel, y, x; in the chunks of a contract, or in memory, or
        lazily indexed: what has frames is then read by whole frames, in the tasks of the kernel.
    dims
        Dims of every result.
    dtypes
        Type of each result.
    free
        Dims along which the kernel gives the same in whatever blocks it is called. Lazy results can
        be made afresh in other chunks along these (:mod:`autowisp_xr.bridge.derived`).
    reach
        How many rows away the kernel looks at; blocks of frames that are not :func:`moved` get
        so many more.
    alone
        Whether nothing else needs planes of frames that can be made afresh: they are then made in
        the tasks of this kernel.

    Returns
    -------
    Variables over ``dims``: NumPy arrays where all operands are in memory, else dask arrays.
    """
    if all(operand is None or in_memory(operand) for operand in operands):
        typed = Typed.of(kernel, dtypes)
        work = partial(at_once, kernel, operands, dims, dtypes, reach=reach)
        results = remembered(work, typed, dims, operands)
    else:
        if any(operand is not None and moved(operand) for operand in operands):
            results = _blockwise(Typed.of(kernel, dtypes), operands, dims, dtypes)
        else:
            from autowisp_xr.bridge.derived import results_of
            from autowisp_xr.bridge.sources import Source

            results = results_of(Source(kernel, operands, dims, dtypes, free, reach, alone))
    return tuple(xr.Variable(dims, result) for result in results)


def at_once(
    kernel: Kernel,
    operands: Sequence[xr.Variable | None],
    dims: tuple[str, ...],
    dtypes: Sequence[DTypeLike],
    *,
    reach: int = 0,
) -> Sequence[Any]:
    """Call a kernel now, in threads over blocks, and return its results in memory.

    Parameters
    ----------
    kernel, operands, dims, dtypes, reach
        As for :func:`apply`; operands are in memory or lazily indexed. Of these, a block is read
        where it is worked on, and nothing else of them is in memory.
    """
    typed = Typed.of(kernel, dtypes)
    given = [operand for operand in operands if operand is not None]
    sizes: dict[Hashable, int] = {}
    for operand in given:
        sizes.update({dim: size for dim, size in operand.sizes.items() if size > 1})
    shape = tuple(sizes.get(dim, 1) for dim in dims)
    late = [operand for operand in given if not in_memory(operand)]
    largest = max(1, *(operand.size for operand in given))
    rows = _rows_of_bands(late) if late else sizes.get("y", 1) * _CELLS // largest
    blocks = _frames_or_bands(dict(zip(dims, shape, strict=True)), rows)
    if len(blocks) == 1:
        whole = typed(*(None if operand is None else operand.values for operand in operands))
        # a result that is whole is the kernel's own
        return [out if out.shape == shape else np.broadcast_to(out, shape).copy() for out in whole]
    results = [np.empty(shape, dtype) for dtype in typed.dtypes]

    def work(block: Mapping[str, slice]) -> None:
        # whole frames have all their neighbours
        wide, inside, is_band = dict(block), dict(block), reach > 0 and "y" in block
        if is_band:
            rows = block["y"]
            first = max(rows.start - reach, 0)
            wide["y"] = slice(first, rows.stop + reach)
            inside["y"] = slice(rows.start - first, rows.stop - first)
        parts = typed(*(one if one is None else _part(one, wide) for one in operands))
        for result, part in zip(results, parts, strict=True):
            result[_index(dims, block)] = part[_index(dims, inside)] if is_band else part

    in_threads(work, blocks)
    return results


def _part(variable: xr.Variable, block: Mapping[str, slice]) -> Numbers:
    """Return the values of a block."""
    index = _index(variable.dims, block)
    # of what is in memory, xarray would take longer than a kernel
    values: Numbers = variable.values[index] if in_memory(variable) else variable[index].values
    return values


def _index(dims: Sequence[Hashable], block: Mapping[str, slice]) -> tuple[slice, ...]:
    """Return where in an array with these dims a block is."""
    return tuple(block.get(str(dim), slice(None)) for dim in dims)


def _frames_or_bands(sizes: Mapping[str, int], rows: int) -> list[dict[str, slice]]:
    """Return blocks to work through: frames where the results have them, else bands of rows."""
    if "frame" in sizes:
        return [{"frame": slice(i, i + 1)} for i in range(sizes["frame"])]
    if "y" not in sizes:
        return [{}]
    rows = max(1, min(-(-sizes["y"] // 4), rows))
    return [{"y": slice(y, y + rows)} for y in range(0, sizes["y"], rows)]


def moved(variable: xr.Variable) -> bool:
    """Return whether planes of frames are in chunks of dask which cannot be made afresh."""
    of_frames = variable.chunks is not None and {"frame", "y"} <= set(variable.dims)
    return of_frames and made_of(variable) is None


def _blockwise(
    kernel: Kernel,
    operands: Sequence[xr.Variable | None],
    dims: tuple[str, ...],
    dtypes: Sequence[DTypeLike],
) -> Sequence[Duck]:
    """Call a kernel on frames that are in chunks, whoever made them."""
    from dask.array import Array, blockwise
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph

    arguments: list[Any] = []
    for operand in operands:
        if operand is None:
            arguments += [None, None]
        else:
            chunked = operand.chunk() if in_memory(operand) else pixelwise(operand)
            arguments += [chunked.data, operand.dims]
    packed = blockwise(
        kernel,
        dims,
        *arguments,
        concatenate=True,
        meta=np.empty((0,) * len(dims), dtype=object),
    )
    name = packed.name
    keys = list(flatten(packed.__dask_keys__()))
    results = []
    for number, dtype in enumerate(dtypes):
        leaf = f"{name}-{number}"
        tasks: dict[Any, Any] = {(leaf, *key[1:]): (operator.getitem, key, number) for key in keys}
        graph = HighLevelGraph.from_collections(leaf, tasks, dependencies=[packed])
        results.append(Array(graph, leaf, chunks=packed.chunks, dtype=np.dtype(dtype)))
    return results


def _chunked(variable: xr.Variable, *whole: Hashable) -> xr.Variable:
    """Return a variable with some dims in one chunk; by whole frames where it has no chunks."""
    if in_memory(variable):
        return variable
    if variable.chunks is None:
        # and dask with it
        with collecting_later():
            from autowisp_xr.bridge.derived import at_rest

        return at_rest(variable)
    split = {dim: -1 for dim in whole if len(variable.chunksizes.get(dim, (1,))) > 1}
    return variable.chunk(split) if split else variable


def frames_at_once(
    planes: Sequence[xr.Variable],
    most: int | None = None,
    unit: int = 1,
    gathered: Sequence[xr.Variable] = (),
    together: int = 0,
) -> planner.Plan:
    """Return how many frames may be in memory together while they are written, and their rows.

    Parameters
    ----------
    planes
        What is written, (frame, channel, y, x) each.
    most
        As many as is fast; None for one in each thread of dask.
    unit
        Rows that are made together where not all of a frame are, as one frame takes more than the
        limit; 0 where it has to be whole.
    gathered, together
        Planes of which so many rows are then in memory until they are written.

    Raises
    ------
    MemoryLimitError
        Where one frame, or so many rows of it, takes more than the limit.
    """
    limit, frames = in_force(), sizes_of(planes)
    # what is written is copied once more
    frames = replace(frames, made=max(frames.made, frames.read))
    most = most or workers()
    plan, what = planner.whole_frames(frames, limit.for_work, most), "a whole frame"
    if plan.least > limit.for_work and unit and come_by_rows(planes):
        frames = replace(frames, unit=-(-frames.unit // unit) * unit)
        row = sum(plane.nbytes // plane.shape[0] // frames.height for plane in gathered)
        held = planner.COPIES * min(together, frames.height) * row
        plan = planner.parts(frames, limit.for_work, planner.PARTS_TOGETHER, held)
        what = "a part of a frame"
    return kept(plan, f"{what} of {frames.height} x {frames.width}", limit)


def by_rows(planes: Sequence[xr.Variable], unit: int, **how: Any) -> Rows | None:
    """Return a master some rows of which are in memory at a time, while it is written.

    None where all of it may be, or where its rows cannot be had apart: what is made of all pixels,
    as the mean of a flat, is made first then, and the rows again, which takes twice as long as in
    one go where there is room for that.

    Parameters
    ----------
    planes
        What is written, (channel, y, x) each.
    unit
        As for :func:`frames_at_once`.
    how
        As for :class:`~autowisp_xr.bridge.rows.Rows`.
    """
    late = [plane for plane in planes if not in_memory(plane)]
    if not unit or not late or may_be_whole(planes) or not come_by_rows(planes):
        return None
    unit = -(-max(map(stored_rows, late)) // unit) * unit
    row = planner.COPIES * sum(plane.nbytes for plane in planes) // planes[0].sizes["y"]
    if any(plane.chunks for plane in late):
        from autowisp_xr.bridge.derived import numbers_below, settled

        numbers = numbers_below(planes)
        again = any(made_of(one) is None for one in numbers.values())
        if again and row * planes[0].sizes["y"] <= in_force().bytes:
            return None
        planes = settled(planes, numbers)
    return Rows(planes, max(_room() // row // unit, 1) * unit, **how)


def may_be_whole(planes: Sequence[xr.Variable]) -> bool:
    """Return whether planes of a master may be in memory, twice, while it is written."""
    return planner.COPIES * sum(plane.nbytes for plane in planes) <= _room()


def _room() -> int:
    """Return what planes of a master may take, beside what they are made of."""
    return in_force().for_work // 4


def _rows_of_bands(planes: Sequence[xr.Variable]) -> int:
    """Return the rows of a band of all frames of planes that go together."""
    limit, frames = in_force(), sizes_of(planes)
    plan = planner.bands(frames, limit.for_work, workers(), threads_of_cluster())
    return kept(plan, f"a row of {frames.number} frames in each of {workers()} threads", limit).rows
