"""Write and open Zarr stores (format 3): written frame by frame, read band by band.

A store has in its attributes which Dataset it is of (by identity) and whether it is complete;
while it is not, ``_state/written`` holds a mark for each frame that is. A killed run is taken up
where it stopped, and nothing else may be written into its place. What replaces a group is written
beside it and swapped in when it is complete, so that what is replaced may be what is read, and is
still there when that fails. One process at a time writes to a group. Both need a directory: in any
other store of Zarr (memory, objects, a zip file), groups are not replaced, and who writes to one
sees to it that nobody else does.
"""

import shutil
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any, cast

import numpy as np
import xarray as xr
from zarr.errors import ContainsArrayError

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Integers, Planes
from autowisp_xr.bridge.beside import Beside
from autowisp_xr.bridge.memory_limit import MemoryLimit, limited
from autowisp_xr.errors import BadImageError, DamagedStoreError
from autowisp_xr.filesystem.full_disks import writing_to
from autowisp_xr.store import swap
from autowisp_xr.store.filling import fill, storable
from autowisp_xr.store.group import (
    DAMAGED,
    FOREIGN,
    MARKS,
    STATE,
    STUMBLED,
    Group,
    StoreLike,
    leftovers_passed_over,
    store_at,
)
from autowisp_xr.store.soundness import BARE, bare_by, damage, damage_stated, damaged
from autowisp_xr.store.variables import as_stored, create, read


def to_zarr(
    ds: xr.Dataset,
    store: StoreLike,
    *,
    group: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    memory_limit: MemoryLimit = None,
) -> xr.Dataset:
    """Write frames or a master to Zarr, and open what was written.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) or a master; lazy ones are computed here, once, a few frames
        at a time.
    store
        The directory of a store, or any store of Zarr (``zarr.storage.MemoryStore()``, that of a
        session of icechunk, ``zarr.storage.ObjectStore`` of one of obstore), or the address of one
        ("s3://bucket/night.zarr", "file:///data/night.zarr") as fsspec knows it.
    group
        The group in it; other groups are left alone.
    overwrite
        Whether a group that holds something else may be replaced, which only those in a directory
        can be. It stays as it is until the new one is complete, so that ``ds`` may depend on it,
        and there is room needed for both.
    storage_options
        Of an address, for fsspec, as ``{"anon": True}``.
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`.

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
    NotWrittenError
        Where the disk is full or read-only, naming room and remedy; the same again goes on.
    ValueError
        If the name of the group is one of those that writing needs itself; for options of what is
        no address, or an address of no known kind.
    MissingPackageError
        If the package that knows the kind of address is not installed.

    Notes
    -----
    What was opened from a group that is then replaced raises when more of it is to be read.

    Requests to a store that is no directory, of calibrated frames (``python -m
    tests.benchmarks.requests``): 5 to write a frame, some 150 for all else of a set; 58 to open it,
    however many its frames; 5 to read a frame, and 3 a frame to read a band of rows of all.

    Examples
    --------
    >>> import tempfile
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> folder = tempfile.mkdtemp()
    >>> lights = aw.calibrate(night.objects(2), camera=night.camera)
    >>> stored = lights.autowisp.to_zarr(f"{folder}/night.zarr", group="calibrated/V")
    >>> bool((stored.image == lights.image).all())
    True
    """
    schema.check(ds, master="frame" not in ds.dims)
    store, identity = store_at(store, storage_options), provenance.fingerprint(ds)
    with limited(memory_limit):
        write_group(ds, store, group=group, identity=identity, overwrite=overwrite)
    return open_zarr(store, group=group)


def write_group(
    ds: xr.Dataset,
    store: StoreLike,
    *,
    group: str | None,
    identity: str,
    overwrite: bool,
    frames: Sequence[str] = (),
    keep: bool = False,
    beside: Beside | None = None,
) -> dict[str, Planes]:
    """Write a Dataset to a group, as :func:`to_zarr` does, by an identity of its own.

    Parameters
    ----------
    ds
        Its planes are over frame and three others, or without frame.
    store, group, overwrite
        As for :func:`to_zarr`.
    identity
        What there is in the group when it has all of this.
    frames
        The identity of each frame: what is the same has the same pixels.
    keep
        Whether a group that holds something else is replaced, but for the frames that it has.
    beside
        What else is done with those frames that are written.

    Returns
    -------
    The planes of a master, where they were written; nothing of frames.
    """
    place = Group.at(store, group)
    if swap.is_hidden(place.name):
        raise ValueError(f"{place}: a group of this name is used while others are written")
    whole = not overwrite and place.is_whole(identity) and not damage(place)
    if not whole or swap.leftovers(place.folder):
        with writing_to(str(place)), place.sole_writer():
            over = overwrite or keep
            return _write(ds, place, identity, over, frames, beside, keep=keep)
    return {}


def damage_of(store: StoreLike, group: str) -> str:
    """State what is lost or damaged of a group, as far as that shows at a glance; "" for nothing.

    That is all but chunks that have changed while their times have not.
    """
    return damage(Group.at(store, group))


def remove(store: StoreLike, group: str) -> None:
    """Remove a group of a store in a directory, with all that is in it."""
    place = Group.at(store, group)
    if place.folder is not None:
        with place.sole_writer():
            shutil.rmtree(place.folder)


def write_table(ds: xr.Dataset, store: StoreLike, *, group: str) -> None:
    """Write a few columns into a group, in place of what it held; ``xarray.open_zarr`` opens it.

    Parameters
    ----------
    ds
        In memory.
    store, group
        Where to.
    """
    place = Group.at(store, group)
    if place.folder is not None and place.folder.exists():
        remove(store, group)
    create(place, ds, {}, {}, outlined=())


def open_table(store: str | PathLike[str], *, group: str) -> xr.Dataset:
    """Return the columns that :func:`write_table` wrote into a group, in memory."""
    given: dict[str, Any] = {"chunks": None, "consolidated": False}
    return xr.open_zarr(fspath(store), group=group, **given).load()


def _write(
    ds: xr.Dataset,
    place: Group,
    identity: str,
    overwrite: bool,
    frames: Sequence[str],
    beside: Beside | None,
    *,
    keep: bool,
) -> dict[str, Planes]:
    """Write into a group that is locked what it lacks, or replace it, its frames kept or not."""
    swap.finish(place.folder)
    found = place.state()
    if found == FOREIGN:
        raise FileExistsError(f"{place} exists and is no Zarr group; choose another place")
    if DAMAGED in found and not overwrite:
        raise DamagedStoreError(
            f"{place}: {found[DAMAGED]}; what it held is known to nobody: overwrite=True replaces "
            "it, or choose another group",
            place=str(place),
        )
    same = found.get("identity") == identity
    # what is stated to be there is written again, whoever may have spoilt it
    overwrite |= same and bool(found["complete"]) and bool(damage(place))
    if found and not same and not overwrite:
        raise FileExistsError(
            f"{place} holds something else already; choose another group, or overwrite=True"
        )
    begun = same and not found["complete"]
    if found and overwrite and not begun:
        return _replace(ds, place, identity, frames, place if keep else None, beside)
    swap.discard(place.folder)
    return fill(ds, place, identity, frames, None, beside) if begun or not found else {}


def _replace(
    ds: xr.Dataset,
    place: Group,
    identity: str,
    frames: Sequence[str],
    earlier: Group | None,
    beside: Beside | None,
) -> dict[str, Planes]:
    """Write what takes the place of a group, or the rest of it, and swap it in."""
    if place.folder is None:
        raise FileExistsError(
            f"{place} exists, and only what is in a directory can be replaced; delete it, or "
            "choose another group"
        )
    if place.beside.state().get("identity") != identity:
        swap.discard(place.folder)
    whole = place.beside.is_whole(identity)
    written = {} if whole else fill(ds, place.beside, identity, frames, earlier, beside)
    swap.swap(place.folder)
    return written


def open_zarr(
    store: StoreLike, *, group: str | None = None, unfinished: bool = False
) -> xr.Dataset:
    """Open frames or a master that :func:`to_zarr` wrote.

    Parameters
    ----------
    store, group
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
        If the group is unfinished, or was not written by :func:`to_zarr`; a DamagedStoreError if
        it has lost a variable, or one of its coordinates is damaged. Planes raise that when what is
        lost or damaged of them is read.
    InUseError
        If the group is being replaced at this moment.
    """
    place = Group.at(store, group)
    if swap.is_decided(place.folder):
        with place.sole_writer():
            swap.finish(place.folder)
    state = place.state()
    if DAMAGED in state:
        raise damaged(place, state[DAMAGED])
    if not state:
        below = ", ".join(groups_of(place.store, place.name))
        raise FileNotFoundError(
            f"{place}: there are no frames in this Zarr group"
            + (f"; there are some in {below}" if below else "")
        )
    if "complete" not in state:
        raise BadImageError(f"{place} was not written by to_zarr; open it with xarray.open_zarr")
    with damage_stated(place):
        marks = None if state["complete"] else _marks(place)
        ds, arrays = read(place, None if marks is None or BARE not in state else bare_by(marks))
        if fault := schema.fault_of_version(ds.attrs):
            raise BadImageError(f"{place}: {fault}")
        ds.attrs.pop(STATE, None)
        order = {name: position for position, name in enumerate(state["variables"])}
        found = map(str, [*ds.coords, *arrays])
        # what somebody has added comes last
        names = sorted(found, key=lambda name: order.get(name, len(order)))
        coords = {name: storable(ds.variables[name]) for name in names if name in ds.coords}
        planes = {name: as_stored(arrays[name], place) for name in names if name in arrays}
        if place.state().get("identity") != state["identity"]:
            raise BadImageError(f"{place} was replaced while it was opened; open it again")
        ds = xr.Dataset(planes, coords, ds.attrs)
    if state["complete"]:
        return ds
    if marks is None:
        raise BadImageError(f"{place} is unfinished; run what wrote it again to complete it")
    marks = marks != 0
    if not unfinished:
        raise BadImageError(
            f"{place} is unfinished: {marks.sum()} of {marks.size} frames are written; run what "
            "wrote it again to complete it, or open it with unfinished=True"
        )
    return ds.isel(frame=np.flatnonzero(marks))


def _marks(place: Group) -> Integers | None:
    """Return the marks of the frames of a group that is not complete; None if there are none."""
    root = place.open("r")
    return np.asarray(root[MARKS]) if MARKS in root else None


def groups_of(store: StoreLike, group: str | None = None) -> list[str]:
    """Return names of the groups below a group that hold whole frame sets or masters."""
    place = Group.at(store, group)
    if place.folder is not None:
        inside = swap.groups_below(place.folder) if (place.folder / swap.METADATA).exists() else ()
        names = {name: f"{place.name}/{name}".strip("/") for name in inside}
        states = {name: Group(place.store, path).state() for name, path in names.items()}
    else:
        states = _states_below(place)
    return sorted(
        name for name, state in states.items() if state.get("complete") and not swap.is_hidden(name)
    )


def _states_below(place: Group) -> dict[str, dict[str, Any]]:
    """Return what the groups below one state of themselves, in what is no directory."""
    try:
        root = place.open("r")
        with leftovers_passed_over():
            members = root.members(max_depth=None)
    except (FileNotFoundError, ContainsArrayError):
        return {}
    except STUMBLED as error:
        what = f"the metadata of a group or an array are damaged ({error})"
        raise damaged(place, what) from error
    return {name: cast(dict[str, Any], one.attrs.get(STATE, {})) for name, one in members}


def identity_of(store: StoreLike, group: str) -> str | None:
    """Return the identity of what a group holds, in whole or in part; None for nothing.

    "" is that of a group that :func:`to_zarr` has not written, or that has got more arrays since.
    """
    place = Group.at(store, group)
    state = place.state()
    if "identity" not in state:
        return "" if state else None
    if place.folder is not None:
        arrays = set(swap.arrays_in(place.folder))
    else:
        try:
            arrays = set(place.open("r").array_keys())
        except STUMBLED:
            # an outline is damaged, and what it is of is ours
            arrays = set()
    return str(state["identity"]) if arrays <= set(state["variables"]) else ""


def version_of(store: StoreLike, group: str) -> tuple[int, int] | None:
    """Return what changes when a group is replaced; None for one that is not in a directory."""
    return swap.version_of(Group.at(store, group).folder)


def stated_identity(store: StoreLike, group: str) -> str | None:
    """Return the identity that a group states; None where there is none, or it is not whole."""
    state = Group.at(store, group).state()
    return state["identity"] if state.get("complete") else None
