"""Write Datasets into a group of a Zarr store, frame by frame.

Decision: a shard is a whole frame and its inner chunks are bands of rows, so that one tiling
serves calibration, which writes frames, and stacking, which reads a band of all frames. A chunk
is about half a megabyte: with larger ones a band of a hundred frames would not fit in memory.
Integers go through lz4 with bit-shuffle (half the size); the noise of floats does not compress, so
they are left as they are.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bools, Cube, Integers, Planes
from autowisp_xr.flags import Flag
from autowisp_xr.store.group import MARKS, STATE, Group

_CHUNK_BYTES = 2**19


def storable(coord: xr.DataArray) -> xr.DataArray:
    """Return a coordinate in the kind of text, and of time, that every reader of Zarr knows."""
    if coord.dtype.kind == "M":
        return coord.astype("datetime64[ns]")
    if coord.dtype.kind not in "OU":
        return coord
    return coord.copy(data=np.array(coord.values.tolist(), dtype=np.dtypes.StringDType()))


def encoding_of(ds: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return chunks, shards, compression and fill values of all planes, and the unit of times."""
    encoding: dict[str, dict[str, Any]] = {}
    # all planes in the same bands, so that none is read twice
    planes = {
        name: variable
        for name, variable in ds.data_vars.items()
        if variable.dims in (schema.DIMS, schema.DIMS[1:])
    }
    widest = max(variable.dtype.itemsize for variable in planes.values())
    rows = max(1, min(ds.sizes["y"], _CHUNK_BYTES // (ds.sizes["x"] * widest)))
    whole = -(-ds.sizes["y"] // rows) * rows
    for name, variable in planes.items():
        outer = (1,) if "frame" in variable.dims else ()
        lz4 = BloscCodec(cname="lz4", shuffle="bitshuffle", typesize=variable.dtype.itemsize)
        encoding[str(name)] = {
            "chunks": (*outer, 1, rows, variable.sizes["x"]),
            "shards": (*outer, variable.sizes["channel"], whole, variable.sizes["x"]),
            "compressors": [lz4] if variable.dtype.kind in "ui" else None,
        }
        if name == "mask":
            # what was never written must not read as good
            encoding["mask"]["fill_value"] = int(Flag.FAULT)
    if "time" in ds.coords and ds["time"].dtype.kind == "M":
        encoding["time"] = {"units": "nanoseconds since 1970-01-01", "dtype": "int64"}
    return encoding


def fill(ds: xr.Dataset, group: Group, identity: str) -> None:
    """Write what a group lacks of a Dataset of this identity, of which it has nothing else.

    Lazy planes are computed, a few frames at a time, each frame marked once it is written.
    """
    names = [str(name) for name in ds.variables]
    state: dict[str, Any] = {"identity": identity, "variables": names, "complete": False}
    if not group.state().get("created"):
        _create(ds, group, state)
    elif group.folder:
        _discard_partial_files(group.folder, names)
    target = group.open("r+")
    _write(ds, group, target)
    if hashed := provenance.with_hashes(ds).attrs.get("history"):
        target.attrs["history"] = hashed
    target.attrs[STATE] = state | {"created": True, "complete": True}
    if "_state" in target:
        del target["_state"]


def _discard_partial_files(folder: Path, arrays: list[str]) -> None:
    """Remove the files that Zarr had not renamed yet when the run before was killed."""
    for name in arrays:
        for file in (folder / name).rglob("*.partial"):
            file.unlink()


def _create(ds: xr.Dataset, group: Group, state: dict[str, Any]) -> None:
    """Write coordinates and attributes, and the outlines of the planes."""
    old = group.open("a")
    # what a killed run left makes room, groups below it (other parts of a night) stay
    for member in [*old.array_keys(), *(["_state"] if "_state" in old else [])]:
        del old[member]
    old.attrs.clear()
    outline = ds.drop_encoding()
    outline = outline.assign_coords(
        {name: storable(coord.compute()) for name, coord in outline.coords.items()}
    )
    for name in outline.data_vars:
        whole = dict.fromkeys(outline[name].dims, -1)
        chunks = whole | {"frame": 1} if outline[name].dims == schema.DIMS else whole
        outline[name] = outline[name].variable.chunk(chunks)
    outline.attrs[STATE] = state
    outline.to_zarr(
        group.store,
        group=group.name,
        mode="a",
        compute=False,
        consolidated=False,
        zarr_format=3,
        encoding=encoding_of(outline),
    )
    target = group.open("r+")
    if "frame" in ds.dims:
        target.create_array(
            MARKS,
            shape=(ds.sizes["frame"],),
            chunks=(1,),
            dtype="uint8",
            fill_value=0,
            dimension_names=["frame"],
        )
    target.attrs[STATE] = state | {"created": True}


def _write(ds: xr.Dataset, group: Group, target: zarr.Group) -> None:
    import dask.array as da
    from dask.delayed import delayed

    planes = [str(name) for name in ds.data_vars if ds[name].dims == schema.DIMS]
    alone = [str(name) for name in ds.data_vars if name not in planes]
    lazy = [ds[name].chunk().data for name in alone]
    # with the frames, so that what both are made of is made once, and before the first mark
    written = da.from_delayed(delayed(_write_whole)(alone, lazy, group), (1, 1, 1, 1), bool)
    if planes:
        missing = np.flatnonzero(np.asarray(target[MARKS]) == 0)
        left = ds[planes].isel(frame=missing).chunk({"frame": 1, "channel": -1, "y": -1, "x": -1})
        if missing.size:
            index = da.from_array(missing.reshape(-1, 1, 1, 1), chunks=(1, 1, 1, 1))
            written = da.map_blocks(
                _write_frame,
                index,
                written,
                *(left[name].data for name in planes),
                names=planes,
                group=group,
                dtype=bool,
                chunks=index.chunks,
                meta=np.empty((0, 0, 0, 0), bool),
            )
    written.compute()


def _write_whole(names: list[str], planes: list[Planes], group: Group) -> Bools:
    """Write what the frames share, or all of a master."""
    target = group.open("r+")
    for name, plane in zip(names, planes, strict=True):
        target[name][...] = plane  # type: ignore[index]
    return np.ones((1, 1, 1, 1), bool)


def _write_frame(
    index: Integers, shared: Bools, *planes: Cube, names: list[str], group: Group
) -> Bools:
    """Write all planes of one frame, then its mark; what the frames share is ``shared`` already."""
    target = group.open("r+")
    frame = int(index.item())
    for name, plane in zip(names, planes, strict=True):
        target[name][frame : frame + 1] = plane  # type: ignore[index]
    target[MARKS][frame] = 1  # type: ignore[index]
    return np.ones((1, 1, 1, 1), bool)
