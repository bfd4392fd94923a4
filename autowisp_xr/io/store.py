"""Cubes at rest: Zarr format 3, written frame by frame, read band by band.

A store says in its attributes which Dataset it is of (by identity) and whether it is complete;
while it is not, ``_state/written`` holds a mark for each frame that is. A killed run is taken up
where it stopped, and nothing else may be written into its place.
"""

from os import PathLike, fspath
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
import zarr
from zarr.errors import ContainsArrayError

from autowisp_xr import provenance, schema
from autowisp_xr.errors import BadImageError
from autowisp_xr.io.tiling import encoding_of, storable

__all__ = ["groups_of", "open_zarr", "to_zarr"]

_STATE = "autowisp_xr_store"
_MARKS = "_state/written"
_FOREIGN = {"foreign": True}
_UNKNOWN = {"unknown": True}


def to_zarr(
    ds: xr.Dataset,
    path: str | PathLike[str],
    *,
    group: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """Write frames or a master to Zarr, and open what was written.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) or a master; lazy ones are computed here, once, a few frames
        at a time.
    path, group
        Directory of the store, and the group in it; other groups are left alone.
    overwrite
        Whether a group that holds something else may be replaced.

    Returns
    -------
    The same Dataset, lazily indexed in the store. If the store has all of this very Dataset
    already, nothing is computed; if a run was killed, only the frames that it did not finish are.

    Raises
    ------
    FileExistsError
        If the group holds something else, before anything is computed; also with ``overwrite`` if
        the place is taken by what is no Zarr group. Groups below it are left alone.
    """
    schema.check(ds, master="frame" not in ds.dims)
    place = _place(path, group)
    state: dict[str, Any] = {
        "identity": provenance.fingerprint(ds),
        "variables": [str(name) for name in ds.variables],
        "complete": False,
    }
    found = _state(path, group)
    if found == _FOREIGN:
        raise FileExistsError(f"{place} exists and is no Zarr group; choose another place")
    same = found.get("identity") == state["identity"]
    if found and not overwrite:
        if not same:
            raise FileExistsError(
                f"{place} holds something else already; choose another group, or overwrite=True"
            )
        if found["complete"]:
            return open_zarr(path, group=group)
    if overwrite or not found.get("created"):
        _create(ds, path, group, state)
    target = zarr.open_group(path, path=group or "", mode="r+")
    _write(ds, path, group, target)
    hashed = provenance.with_hashes(ds).attrs.get("history")
    if hashed:
        target.attrs["history"] = hashed
    target.attrs[_STATE] = state | {"created": True, "complete": True}
    if "_state" in target:
        del target["_state"]
    return open_zarr(path, group=group)


def open_zarr(
    path: str | PathLike[str], *, group: str | None = None, unfinished: bool = False
) -> xr.Dataset:
    """Frames or a master that :func:`to_zarr` wrote.

    Parameters
    ----------
    path, group
        As they were written.
    unfinished
        Whether a store whose writing was interrupted gives the frames that it has, instead of
        an error.

    Returns
    -------
    The Dataset, planes lazily indexed, coordinates in memory.

    Raises
    ------
    FileNotFoundError
        If there is no such group.
    BadImageError
        If the group is unfinished, or was not written by :func:`to_zarr`.
    """
    place = _place(path, group)
    state = _state(path, group)
    if not state:
        raise FileNotFoundError(
            f"{place}: there are no frames in this Zarr group{_groups_below(path, group)}"
        )
    if "complete" not in state:
        raise BadImageError(f"{place} was not written by to_zarr; open it with xarray.open_zarr")
    ds = xr.open_zarr(
        fspath(path), group=group, chunks=None, consolidated=False, mask_and_scale=False
    )
    ds.attrs.pop(_STATE, None)
    for variable in ds.variables.values():
        variable.attrs.pop("_FillValue", None)
    order = {name: position for position, name in enumerate(state["variables"])}
    coords = {name: storable(ds[name].load()) for name in sorted(ds.coords, key=lambda n: order[n])}
    planes = sorted(ds.data_vars, key=lambda name: order[name])
    ds = xr.Dataset({name: ds[name].variable for name in planes}, coords, ds.attrs)
    if state["complete"]:
        return ds
    root = zarr.open_group(path, path=group or "", mode="r")
    if _MARKS not in root:
        raise BadImageError(f"{place} is unfinished; run what wrote it again to complete it")
    marks = np.asarray(root[_MARKS]) != 0
    if not unfinished:
        raise BadImageError(
            f"{place} is unfinished: {marks.sum()} of {marks.size} frames are written; run what "
            "wrote it again to complete it, or open it with unfinished=True"
        )
    return ds.isel(frame=np.flatnonzero(marks))


def groups_of(path: str | PathLike[str], group: str | None = None) -> list[str]:
    """Names of the groups below a group of a store that hold whole frame sets or masters."""
    try:
        members = zarr.open_group(path, path=group or "", mode="r").members(max_depth=None)
    except (FileNotFoundError, ContainsArrayError, NotADirectoryError):
        return []
    states = {name: cast(dict[str, Any], member.attrs.get(_STATE, {})) for name, member in members}
    return sorted(name for name, state in states.items() if state.get("complete"))


def _groups_below(path: str | PathLike[str], group: str | None) -> str:
    """What a user may have meant, in words."""
    names = groups_of(path, group)
    return f"; there are some in {', '.join(names)}" if names else ""


def _place(path: str | PathLike[str], group: str | None) -> str:
    return f"{fspath(path)}/{group or ''}".rstrip("/")


def _state(path: str | PathLike[str], group: str | None) -> dict[str, Any]:
    """What a group says of itself; empty where there is none, or one with nothing of its own."""
    try:
        found = zarr.open_group(path, path=group or "", mode="r")
    except FileNotFoundError:
        root = Path(path)
        taken = root.exists() and not (root.is_dir() and not any(root.iterdir()))
        # a store that has other groups has room for one more
        return _FOREIGN if taken and not (root / "zarr.json").exists() else {}
    except (ContainsArrayError, NotADirectoryError):
        return _FOREIGN
    state = found.attrs.get(_STATE)
    if state is not None:
        return cast(dict[str, Any], state)
    bare = not dict(found.attrs) and not list(found.array_keys())
    return {} if bare else _UNKNOWN


def _create(
    ds: xr.Dataset, path: str | PathLike[str], group: str | None, state: dict[str, Any]
) -> None:
    """Write coordinates and attributes, and the outlines of the planes."""
    old = zarr.open_group(path, path=group or "", mode="a")
    # what is there makes room, groups below it (other parts of a night) stay
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
    outline.attrs[_STATE] = state
    outline.to_zarr(
        fspath(path),
        group=group,
        mode="a",
        compute=False,
        consolidated=False,
        zarr_format=3,
        encoding=encoding_of(outline),
    )
    target = zarr.open_group(path, path=group or "", mode="r+")
    if "frame" in ds.dims:
        target.create_array(
            _MARKS,
            shape=(ds.sizes["frame"],),
            chunks=(1,),
            dtype="uint8",
            fill_value=0,
            dimension_names=["frame"],
        )
    target.attrs[_STATE] = state | {"created": True}


def _write(
    ds: xr.Dataset, path: str | PathLike[str], group: str | None, target: zarr.Group
) -> None:
    import dask.array as da
    from dask.base import compute

    planes = [str(name) for name in ds.data_vars if ds[name].dims == schema.DIMS]
    alone = [str(name) for name in ds.data_vars if name not in planes]
    place = (fspath(path), group or "")
    written: Any = ()
    if planes:
        missing = np.flatnonzero(np.asarray(target[_MARKS]) == 0)
        left = ds[planes].isel(frame=missing).chunk({"frame": 1, "channel": -1, "y": -1, "x": -1})
        if missing.size:
            index = da.from_array(missing.reshape(-1, 1, 1, 1), chunks=(1, 1, 1, 1))
            written = da.map_blocks(
                _write_frame,
                index,
                *(left[name].data for name in planes),
                names=planes,
                place=place,
                dtype=bool,
                chunks=index.chunks,
                meta=np.empty((0, 0, 0, 0), bool),
            )
    lazy = {name: ds[name].chunk().data for name in alone}
    _, values = compute(written, lazy)
    for name, value in values.items():
        target[name][...] = value  # type: ignore[index]


def _write_frame(index: Any, *planes: Any, names: list[str], place: tuple[str, str]) -> Any:
    """Write all planes of one frame, then its mark."""
    path, group = place
    target = zarr.open_group(path, path=group, mode="r+")
    frame = int(index.item())
    for name, plane in zip(names, planes, strict=True):
        target[name][frame : frame + 1] = plane  # type: ignore[index]
    target[_MARKS][frame] = 1  # type: ignore[index]
    return np.ones((1, 1, 1, 1), bool)
