"""Write Datasets into a group of a Zarr store, frame by frame.

Decision: a shard is a whole frame, or some tens of megabytes of one, and its inner chunks are bands
of rows, so that one tiling serves calibration, which writes frames, and stacking, which reads a
band of all frames. A chunk is about half a megabyte: with larger ones a band of a hundred frames
would not fit in memory.
All go through lz4. Integers are shuffled by their bits, take half the room, and masks hardly any.
Floats are shuffled by their bytes, which leaves 0.75 of them in place of 0.7, with their noise: so
they are unpacked at 5.5 GB a second in place of 2, and a stack of pixels is made of little else.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Bools, Integers, Planes
from autowisp_xr.bridge import blocks, memory_limit, planner
from autowisp_xr.bridge.beside import Beside
from autowisp_xr.bridge.progress import shown
from autowisp_xr.bridge.rows import Rows, runs
from autowisp_xr.bridge.threads import Threads, by_threads
from autowisp_xr.flags import Flag
from autowisp_xr.store.array_writing import Arrays
from autowisp_xr.store.group import MARKS, PART, STATE, Group, leftovers_passed_over
from autowisp_xr.store.growing import FRAMES, take_over
from autowisp_xr.store.soundness import BARE, BARE_MARKS, CHECKSUM, bare_by
from autowisp_xr.store.variables import arrays_of, create

_OF_MASTERS = 4
"""By how much a chunk of a master is higher than one of a frame: a band of rows takes as many of
these as there are frames, and one of those."""


def storable(coord: xr.Variable) -> xr.Variable:
    """Return a coordinate in the kind of text, and of time, that every reader of Zarr knows."""
    if coord.dtype.kind == "M":
        return coord.astype("datetime64[ns]")
    if coord.dtype.kind not in "OU":
        return coord
    return coord.copy(data=np.array(coord.values.tolist(), dtype=np.dtypes.StringDType()))


def _by_frame(variable: xr.DataArray) -> bool:
    """Return whether a variable is written frame by frame."""
    return variable.dims[:2] == schema.DIMS[:2] and variable.ndim == len(schema.DIMS)


def encoding_of(ds: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return chunks, shards, compression and fill values of all planes."""
    encoding: dict[str, dict[str, Any]] = {}
    # all planes in the same bands, so that none is read twice
    planes = {
        name: variable
        for name, variable in ds.data_vars.items()
        if _by_frame(variable) or variable.dims == schema.DIMS[1:]
    }
    widest = max((variable.dtype.itemsize for variable in planes.values()), default=1)
    for name, variable in planes.items():
        channels, height, width = variable.shape[-3:]
        rows = planner.chunk_rows(height, width, widest)
        if "frame" not in ds.dims:
            rows = min(_OF_MASTERS * rows, height)
        whole = planner.shard_rows(height, channels * width, widest, rows)
        outer = (1,) if "frame" in variable.dims else ()
        shuffle: Any = "shuffle" if variable.dtype.kind == "f" else "bitshuffle"
        lz4 = BloscCodec(cname="lz4", shuffle=shuffle, typesize=variable.dtype.itemsize)
        chunks, shards = (*outer, 1, rows, width), (*outer, channels, whole, width)
        encoding[str(name)] = {
            "chunks": chunks,
            # what is one chunk anyway is written faster without
            "shards": shards if shards != chunks else None,
            "compressors": [lz4, CHECKSUM],
        }
        if name == "mask":
            # what was never written must not read as good
            encoding["mask"]["fill_value"] = int(Flag.FAULT)
    return encoding


def fill(
    ds: xr.Dataset,
    group: Group,
    identity: str,
    frames: Sequence[str] = (),
    earlier: Group | None = None,
    beside: Beside | None = None,
) -> dict[str, Planes]:
    """Write what a group lacks of a Dataset of this identity, of which it has nothing else.

    Lazy planes are computed, a few frames at a time, each frame marked once it is written. Those
    that an ``earlier`` group has are linked from there, if the identities of ``frames`` are given.
    What is ``beside`` is done for those that are computed. Of a master, the planes are returned
    that were written.
    """
    names = [str(name) for name in ds.variables]
    state: dict[str, Any] = {"identity": identity, "variables": names, "complete": False}
    if frames:
        state[FRAMES] = list(frames)
    found = group.state()
    # what an earlier version has begun stays of its kind
    if BARE in found or not found.get("created"):
        state[BARE] = {}
    if not found.get("created"):
        _create(ds, group, state, bool(found))
        if earlier is not None and frames:
            planes = [str(name) for name, one in ds.data_vars.items() if _by_frame(one)]
            take_over(earlier, group, planes, frames)
    elif group.folder:
        _discard_partial_files(group.folder, names)
    marks = [MARKS] if "frame" in ds.dims else []
    arrays = Arrays(group, arrays_of(group, [*map(str, ds.data_vars), *marks]))
    written, done = _write(ds, arrays, beside)
    if BARE in state:
        state[BARE] = bare_by(done)
    hashed = provenance.with_hashes(ds).attrs.get("history")
    ended: dict[str, Any] = {"history": hashed} if hashed else {}
    target = group.open("r+")
    target.attrs.update(ended | {STATE: state | {"created": True, "complete": True}})
    if marks:
        del target["_state"]
    return written


def _discard_partial_files(folder: Path, arrays: list[str]) -> None:
    """Remove the files that Zarr had not renamed yet when the run before was killed."""
    for name in arrays:
        for file in (folder / name).rglob(f"*{PART}"):
            file.unlink()


def _create(ds: xr.Dataset, group: Group, state: dict[str, Any], there: bool) -> None:
    """Write coordinates and attributes, and the outlines of the planes."""
    if there:
        old = group.open("a")
        # what a killed run left makes room, groups below it (other parts of a night) stay
        with leftovers_passed_over():
            members = [*old.array_keys(), *(["_state"] if "_state" in old else [])]
        for member in members:
            del old[member]
    coords = {name: storable(ds.variables[name].compute()) for name in ds.coords}
    for coord in coords.values():
        coord.encoding = {}
    outline = xr.Dataset(dict(ds.drop_encoding().data_vars), coords, {**ds.attrs, STATE: state})
    if "time" in outline.coords and outline["time"].dtype.kind == "M":
        outline["time"].encoding = {"units": "nanoseconds since 1970-01-01", "dtype": "int64"}
    # once they are there, what is in the place of arrays is this
    then, planes = {STATE: state | {"created": True}}, [*map(str, outline.data_vars)]
    create(group, outline, encoding_of(outline), then, outlined=planes)


def _write(ds: xr.Dataset, arrays: Arrays, beside: Beside | None) -> tuple[dict[str, Planes], Bits]:
    """Write all planes, and return those of a master, or the marks of all frames."""
    import dask.array as da
    from dask.delayed import delayed

    planes = [str(name) for name, variable in ds.data_vars.items() if _by_frame(variable)]
    alone = [str(name) for name in ds.data_vars if name not in planes]
    unit = max(map(arrays.shard_rows, planes or alone), default=1)
    if not planes:
        return _write_master(ds, arrays, alone, unit, beside), np.empty(0, np.uint8)
    lazy = [ds[name].chunk().data for name in alone]
    written: Any = True
    together = None
    if alone:
        # with the frames, so that what both are made of is made once, and before the first mark
        written = da.from_delayed(delayed(_write_whole)(alone, lazy, arrays), (1,), bool)
    marks = arrays.marks()
    missing = np.flatnonzero(marks == 0)
    left = [blocks.framewise(ds[name].variable[missing]) for name in planes]
    if missing.size:
        more = [blocks.framewise(one[missing]) for one in beside.operands] if beside else []
        of_frames = [*left, *(one for one in more if one.dims == schema.DIMS)]
        plan = blocks.frames_at_once(of_frames, gathered=left, together=unit)
        if plan.rows < max(plane.shape[2] for plane in left):
            if alone:
                written.compute()
            _write_frames_by_rows(
                arrays, dict(zip(planes, left, strict=True)), missing, plan, unit, beside
            )
            return {}, marks
        shared = xr.Variable(("once",), written) if alone else None
        index = xr.Variable(("frame",), missing)
        if not any(one.chunks for one in left) or any(map(blocks.moved, left)):
            index = index.chunk(frame=1)
        operands = [index, shared, *left, *map(_beside, more)]
        work = beside.work if beside else None
        kernel = partial(_write_frame, names=planes, arrays=arrays, work=work)
        # else dask makes the planes of all frames first, if they share masters
        (done,) = blocks.apply(kernel, operands, ("frame",), [np.uint8], alone=True)
        written, together = done.data, plan.at_once
    if written is not True:
        number = ds.sizes.get("frame", 1)
        title, threads = f"Zarr: {arrays.group.name}", together or memory_limit.workers()
        with shown(title, number), memory_limit.at_once(threads), Threads(threads) as pool:
            found = written.compute(**pool.of(written))
        if missing.size:
            marks[missing] = found
    return {}, marks


def _beside(variable: xr.Variable) -> xr.Variable:
    """Return a variable whose dims are its own: raw frames have edges that others are without."""
    variable = variable.copy(deep=False)
    variable.dims = (variable.dims[0], *(f"{dim}_beside" for dim in variable.dims[1:]))
    return variable


def _write_master(
    ds: xr.Dataset, arrays: Arrays, names: list[str], unit: int, beside: Beside | None
) -> dict[str, Planes]:
    planes = [ds[name].variable for name in names]
    of_pixels = all(plane.dims == schema.DIMS[1:] for plane in planes)
    by_rows = blocks.by_rows(planes, unit, scheduler=None) if of_pixels else None
    if by_rows is not None:
        _write_rows(arrays, names, by_rows, unit)
        return {}
    if of_pixels and all(plane.chunks for plane in planes) and not blocks.may_be_whole(planes):
        _write_as_made(arrays, names, planes, unit)
        return {}
    more = {f"beside_{i}": one for i, one in enumerate(beside.operands if beside else ())}
    made = xr.Dataset({name: ds[name].variable for name in names} | more).compute()
    whole = {name: made[name].values for name in names}
    # what is compressed is there as well
    rows = unit if of_pixels and not blocks.may_be_whole(planes) else 0
    with ThreadPoolExecutor(1) as pool:
        if rows:
            computed = Rows([made[name].variable for name in names], rows)
            stored = pool.submit(_write_rows, arrays, names, computed, unit)
        else:
            stored = pool.submit(arrays.write, whole)
        if beside is not None:
            beside.work(*(made[name].values for name in more))
        stored.result()
    return whole


def _write_as_made(
    arrays: Arrays, names: Sequence[str], planes: Sequence[xr.Variable], unit: int
) -> None:
    """Write what is made in one go, such as flats of one mean, and never is in memory twice."""
    import dask.array as da

    # other bands could be had as well, but would be made of more rows of all frames at a time
    made = [plane.data.map_blocks(np.asarray, dtype=plane.dtype) for plane in planes]
    targets: list[Any] = [_Target(arrays, name) for name in names]
    da.store([one.rechunk({0: -1, 1: unit, 2: -1}) for one in made], targets, lock=False)


@dataclass(frozen=True)
class _Target:
    """What dask stores into."""

    arrays: Arrays
    name: str

    def __setitem__(self, where: Any, values: Planes) -> None:
        self.arrays.write({self.name: values}, where)


def _write_frames_by_rows(
    arrays: Arrays,
    planes: Mapping[str, xr.Variable],
    missing: Integers,
    plan: planner.Plan,
    unit: int,
    beside: Beside | None,
) -> None:
    """Write frames of which a whole one takes more than the limit, some of them together."""
    title, done = f"Zarr: {arrays.group.name}", 0
    with by_threads(memory_limit.workers()) as scheduler, shown(title, missing.size) as advance:
        for numbers in runs(missing.tolist(), plan.at_once):
            place, size = slice(numbers[0], numbers[-1] + 1), len(numbers)
            of_frames = [plane[done : done + size] for plane in planes.values()]
            rows = Rows(of_frames, plan.rows, scheduler)
            _write_rows(arrays, list(planes), rows, unit, place)
            if beside is not None:
                given, *others = (one[place] for one in beside.operands)
                beside.by_rows(given.values, replace(rows, planes=others))
            arrays.write({MARKS: np.ones(size, np.uint8)}, place)
            done += size
            advance(size)


def _write_rows(arrays: Arrays, names: Sequence[str], rows: Rows, unit: int, *frame: slice) -> None:
    for where, values in rows.bands(unit):
        place = (*frame, slice(None), where)
        arrays.write(dict(zip(names, values, strict=True)), place, in_turn=True)
        # the next ones are made without them
        values.clear()


def _write_whole(names: list[str], planes: list[Planes], arrays: Arrays) -> Bools:
    """Write what the frames share."""
    arrays.write(dict(zip(names, planes, strict=True)))
    return np.ones(1, bool)


def _write_frame(
    index: Integers,
    shared: Bools | None,
    *operands: Any,
    names: list[str],
    arrays: Arrays,
    work: Callable[..., object] | None,
) -> tuple[Bits]:
    """Write all planes of one frame, then its mark; what the frames share is ``shared`` already."""
    frame, number = int(index.item()), len(names)
    planes = dict(zip(names, operands[:number], strict=True))
    bare = arrays.bare(planes)
    written = {n: one for n, one in planes.items() if not bare & BARE_MARKS.get(n, np.uint8(0))}
    arrays.write(written, slice(frame, frame + 1))
    if work is not None:
        work(*operands[number:])
    mark: Bits = np.array([1 | bare], np.uint8)
    arrays.write({MARKS: mark}, slice(frame, frame + 1))
    return (mark,)
