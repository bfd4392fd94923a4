"""Cubes at rest: Zarr format 3, written frame by frame, read band by band.

A store says in its attributes which Dataset it is of (by identity) and whether it is complete;
while it is not, ``_state/written`` holds a mark for each frame that is. A killed run is taken up
where it stopped, and nothing else may be written into its place. What replaces a group is written
beside it and swapped in when it is complete, so that what is replaced may be what is read, and is
still there when that fails. One process at a time writes to a group.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
import zarr
from zarr.errors import ContainsArrayError

from autowisp_xr import provenance, schema
from autowisp_xr.errors import BadImageError
from autowisp_xr.io import swap
from autowisp_xr.io.lock import claimed
from autowisp_xr.io.stored import as_stored
from autowisp_xr.io.tiling import encoding_of, storable

__all__ = ["groups_of", "identity_of", "open_zarr", "to_zarr"]

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
        Whether a group that holds something else may be replaced. It stays as it is until the new
        one is complete, so that ``ds`` may depend on it, and there is room needed for both.

    Returns
    -------
    The same Dataset, lazily indexed in the store. If the store has all of this very Dataset
    already, nothing is computed; if a run was killed, only the frames that it did not finish are.

    Raises
    ------
    FileExistsError
        If the group holds something else, before anything is computed; also with ``overwrite`` if
        the place is taken by what is no Zarr group. Groups below it are left alone.
    InUseError
        If somebody else is writing to the group.
    ValueError
        If the name of the group is one of those that writing needs itself.

    Notes
    -----
    What was opened from a group that is then replaced says so when more of it is to be read.
    """
    schema.check(ds, master="frame" not in ds.dims)
    path, group, place = _local(path), (group or "").strip("/"), _place(path, group)
    if swap.is_hidden(group):
        raise ValueError(f"{place}: a group of this name is used while others are written")
    state: dict[str, Any] = {
        "identity": provenance.fingerprint(ds),
        "variables": [str(name) for name in ds.variables],
        "complete": False,
    }
    folder = Path(path, group)
    found = _state(path, group)
    if not overwrite and _is_whole(found, state) and not swap.leftovers(folder):
        return open_zarr(path, group=group)
    with _claimed(path, group):
        swap.finish(folder)
        found = _state(path, group)
        if found == _FOREIGN:
            raise FileExistsError(f"{place} exists and is no Zarr group; choose another place")
        same = found.get("identity") == state["identity"]
        if found and not same and not overwrite:
            raise FileExistsError(
                f"{place} holds something else already; choose another group, or overwrite=True"
            )
        if found and overwrite and not (same and not found["complete"]):
            _replace(ds, path, group, state)
        else:
            swap.discard(folder)
            if not _is_whole(found, state):
                _fill(ds, path, group, state)
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
    The Dataset, planes lazily indexed, coordinates in memory. Pixels are read each time that they
    are asked for, and never those of what has replaced the group since it was opened: that is a
    BadImageError.

    Raises
    ------
    FileNotFoundError
        If there is no such group.
    BadImageError
        If the group is unfinished, or was not written by :func:`to_zarr`.
    InUseError
        If the group is being replaced at this moment.
    """
    path, group, place = _local(path), (group or "").strip("/"), _place(path, group)
    folder = Path(path, group)
    if swap.is_decided(folder):
        with _claimed(path, group):
            swap.finish(folder)
    state = _state(path, group)
    if not state:
        raise FileNotFoundError(
            f"{place}: there are no frames in this Zarr group{_groups_below(path, group)}"
        )
    if "complete" not in state:
        raise BadImageError(f"{place} was not written by to_zarr; open it with xarray.open_zarr")
    with _leftovers_passed_over():
        ds = xr.open_dataset(
            path,
            engine="zarr",
            group=group,
            chunks=None,
            cache=False,
            consolidated=False,
            mask_and_scale=False,
        )
    ds.attrs.pop(_STATE, None)
    for variable in ds.variables.values():
        variable.attrs.pop("_FillValue", None)
    order = {name: position for position, name in enumerate(state["variables"])}
    # what somebody has added comes last
    names = sorted(map(str, ds.variables), key=lambda name: order.get(name, len(order)))
    coords = {name: storable(ds[name].load()) for name in names if name in ds.coords}
    planes = {
        name: as_stored(ds[name].variable, None if _is_remote(path) else os.path.join(folder, name))
        for name in names
        if name in ds.data_vars
    }
    if _state(path, group).get("identity") != state["identity"]:
        raise BadImageError(f"{place} was replaced while it was opened; open it again")
    ds = xr.Dataset(planes, coords, ds.attrs)
    if state["complete"]:
        return ds
    root = zarr.open_group(path, path=group, mode="r")
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
        root = zarr.open_group(_local(path), path=group or "", mode="r")
        with _leftovers_passed_over():
            members = root.members(max_depth=None)
    except (FileNotFoundError, ContainsArrayError, NotADirectoryError):
        return []
    states = {
        name: cast(dict[str, Any], member.attrs.get(_STATE, {}))
        for name, member in members
        if not swap.is_hidden(name)
    }
    return sorted(name for name, state in states.items() if state.get("complete"))


@contextmanager
def _leftovers_passed_over() -> Iterator[None]:
    """Without Zarr's word on files that a killed run has left."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Object at .* is not recognized")
        yield


def identity_of(path: str | PathLike[str], group: str) -> str | None:
    """Identity of what a group holds, in whole or in part; None where there is nothing.

    "" is that of a group that :func:`to_zarr` has not written, or that has got more arrays since.
    """
    path, group = _local(path), group.strip("/")
    state = _state(path, group)
    if not state:
        return None
    if "identity" not in state:
        return ""
    with _leftovers_passed_over():
        arrays = set(zarr.open_group(path, path=group, mode="r").array_keys())
    return str(state["identity"]) if arrays <= set(state["variables"]) else ""


def _groups_below(path: str, group: str) -> str:
    """What a user may have meant, in words."""
    names = groups_of(path, group)
    return f"; there are some in {', '.join(names)}" if names else ""


def _place(path: str | PathLike[str], group: str | None) -> str:
    return f"{fspath(path)}/{group or ''}".rstrip("/")


def _local(path: str | PathLike[str]) -> str:
    """The place that a path means from here, wherever the process may go to."""
    text = fspath(path)
    return text if _is_remote(text) else os.path.abspath(os.path.expanduser(text))


def _is_remote(path: str) -> bool:
    return "://" in path


@contextmanager
def _claimed(path: str, group: str) -> Iterator[None]:
    """Keep others from writing to a group; what is no directory is left to its users."""
    if _is_remote(path):
        yield
        return
    # beside the store: in it, what is no array and no group is a warning for others
    parent, name = os.path.split(os.path.realpath(path))
    if os.path.isdir(path) and not os.access(parent, os.W_OK):
        parent = path
    file = os.path.join(parent, f".{'~'.join([name, *group.split('/')])}.lock")
    with claimed(file, _place(path, group)):
        yield


def _is_whole(found: dict[str, Any], state: dict[str, Any]) -> bool:
    """Whether a group has all of the Dataset that is to be written."""
    return bool(found.get("complete")) and found["identity"] == state["identity"]


def _state(path: str, group: str) -> dict[str, Any]:
    """What a group says of itself; empty where there is none, or one with nothing of its own."""
    try:
        found = zarr.open_group(path, path=group, mode="r")
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


def _replace(ds: xr.Dataset, path: str, group: str, state: dict[str, Any]) -> None:
    """Write what takes the place of a group, or the rest of it, and swap it in."""
    if _is_remote(path):
        raise FileExistsError(
            f"{_place(path, group)} exists; only what is in a directory can be replaced"
        )
    folder, beside = Path(path, group), f"{group}/{swap.NEXT}".strip("/")
    if _state(path, beside).get("identity") != state["identity"]:
        swap.discard(folder)
    if not _is_whole(_state(path, beside), state):
        _fill(ds, path, beside, state)
    swap.swap(folder)


def _fill(ds: xr.Dataset, path: str, group: str, state: dict[str, Any]) -> None:
    """Write a group that has nothing, or a part, of a Dataset."""
    if not _state(path, group).get("created"):
        _create(ds, path, group, state)
    target = zarr.open_group(path, path=group, mode="r+")
    _write(ds, path, group, target)
    hashed = provenance.with_hashes(ds).attrs.get("history")
    if hashed:
        target.attrs["history"] = hashed
    target.attrs[_STATE] = state | {"created": True, "complete": True}
    if "_state" in target:
        del target["_state"]


def _create(ds: xr.Dataset, path: str, group: str, state: dict[str, Any]) -> None:
    """Write coordinates and attributes, and the outlines of the planes."""
    old = zarr.open_group(path, path=group, mode="a")
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
    outline.attrs[_STATE] = state
    outline.to_zarr(
        path,
        group=group,
        mode="a",
        compute=False,
        consolidated=False,
        zarr_format=3,
        encoding=encoding_of(outline),
    )
    target = zarr.open_group(path, path=group, mode="r+")
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


def _write(ds: xr.Dataset, path: str, group: str, target: zarr.Group) -> None:
    import dask.array as da
    from dask.base import compute

    planes = [str(name) for name in ds.data_vars if ds[name].dims == schema.DIMS]
    alone = [str(name) for name in ds.data_vars if name not in planes]
    place = (path, group)
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
