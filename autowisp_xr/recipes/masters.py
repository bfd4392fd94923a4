"""Masters that a recipe refers to, in the store of the frames: read once, not once a frame.

Within :func:`at_hand` they are not even read once: what is written there stays in memory, as long
as there is room, for what is made with it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from autowisp_xr import provenance, store
from autowisp_xr._compat import LateArray, OuterKey, late_variable
from autowisp_xr.arrays import Planes
from autowisp_xr.bridge.memory_limit import in_force
from autowisp_xr.errors import BadImageError
from autowisp_xr.store import StoreLike

INPUTS = "inputs"
"""Group below which masters of other nights and masks lie, by what they are."""

_CORRECTING = ("image", "variance", "mask")
"""Planes by which a master corrects frames: the others are hardly ever asked for."""

_MOST_KEPT = 2**25
"""Bytes of a plane that stays in memory once it was read; of larger ones, parts are read each time
that they are needed."""

_PART_KEPT = 32
"""The part of the memory limit that it may take, where parts of it are asked for: a stack has a
dozen such planes."""

_PART = 24
"""The part of the memory limit that a master may take: a night has three, what is made of them is
as large, and nothing plans with either."""

_ONE_AT_A_TIME = Lock()

_Key: TypeAlias = tuple[str, str, str, str]
"""Store, group, identity of what is in it, and name of a plane."""


def reference(place: StoreLike, given: str | xr.Dataset) -> dict[str, Any]:
    """Return how a recipe names a master or a mask, which is stored where it is not a group."""
    if isinstance(given, str):
        group = given
    else:
        identity = provenance.fingerprint(given)
        group = f"{INPUTS}/{identity}"
        # what is damaged there may state nothing any more
        over = bool(store.damage_of(place, group))
        store.write_group(given, place, group=group, identity=identity, overwrite=over)
    return {"group": group, "identity": store.stated_identity(place, group)}


def referred(place: StoreLike, reference: Mapping[str, Any]) -> xr.Dataset:
    """Open a master or a mask, and be sure that it is the one.

    Raises
    ------
    BadImageError
        If it is not there, or something else is in its place.
    """
    group = reference["group"]
    if store.stated_identity(place, group) != reference["identity"]:
        raise BadImageError(
            f"{place}/{group} is not what the frames were calibrated with; it was replaced or "
            "removed: make them again by reduce(..., overwrite=True)"
        )
    return opened(place, group, reference["identity"])


def opened(
    place: StoreLike, group: str, identity: str, known: Mapping[str, Planes] = MappingProxyType({})
) -> xr.Dataset:
    """Open a master; the planes by which it corrects frames stay in memory once they were read.

    Parameters
    ----------
    place, group
        Where it is.
    identity
        Of what is there.
    known
        Its planes, if they are in memory already.
    """
    shelf = _SHELF.get()
    ds = store.open_zarr(place, group=group) if shelf is None else shelf.outline(place, group)
    kept = {}
    for name in [name for name in _CORRECTING if name in ds]:
        plane = ds[name]
        late = _Remembered(plane.variable, (str(place), group, identity, name), shelf)
        if name in known:
            late.keep(known[name])
        kept[name] = late_variable(late, plane.dims, plane.attrs, plane.encoding)
    return ds.assign(kept)


def loaded(master: xr.Dataset) -> xr.Dataset:
    """Return a master with the planes in memory by which it corrects frames.

    Or as it lies in its store, where the limit has no room for it: it is read in parts then, with
    what it corrects; what it is, its history states. One without is known by its pixels alone, and
    is always read as a whole.
    """
    if not provenance.history(master):
        return master.compute()
    planes = master[[name for name in _CORRECTING if name in master]]
    room = in_force().for_work // _PART
    return master if planes.nbytes > room else master.assign(planes.compute().data_vars)


class _Shelf:
    """Planes in memory, as many of those that came last as there is room for; and all outlines."""

    def __init__(self, room: float) -> None:
        self.room = room
        self._planes: dict[_Key, xr.Variable] = {}
        self._outlines: dict[tuple[str, str], tuple[Any, xr.Dataset]] = {}
        self._lock = Lock()

    def outline(self, place: StoreLike, group: str) -> xr.Dataset:
        """Open a group, or return it as it was opened last, if nothing has replaced it since."""
        key, version = (str(place), group), store.version_of(place, group)
        known, ds = self._outlines.get(key, (None, None))
        if ds is None or version is None or known != version:
            ds = store.open_zarr(place, group=group)
            self._outlines[key] = version, ds
        return ds

    def get(self, key: _Key) -> xr.Variable | None:
        """Return a plane, if it is there."""
        return self._planes.get(key)

    def put(self, key: _Key, plane: xr.Variable) -> None:
        """Add a plane, if it does not take all the room, and drop others for it."""
        with self._lock:
            if plane.nbytes <= self.room:
                self._planes[key] = plane
            while sum(one.nbytes for one in self._planes.values()) > self.room:
                del self._planes[next(iter(self._planes))]

    def drop(self, group: tuple[str, str]) -> None:
        """Drop a group, and its planes."""
        with self._lock:
            self._outlines.pop(group, None)
            for key in [key for key in self._planes if key[:2] == group]:
                del self._planes[key]


_SHELF: ContextVar[_Shelf | None] = ContextVar("shelf", default=None)


@contextmanager
def at_hand(room: float) -> Iterator[None]:
    """Keep masters in memory that are written or opened within the context, in so many bytes."""
    before = _SHELF.set(_Shelf(room))
    try:
        yield
    finally:
        _SHELF.reset(before)


def put_away(place: StoreLike, group: str) -> None:
    """Let go of the planes of a group that are at hand: nothing is made with them any more."""
    shelf = _SHELF.get()
    if shelf is not None:
        shelf.drop((str(place), group))


class _Remembered(LateArray):
    """A plane at rest that is kept once all of it was needed, or parts of it a second time.

    Parameters
    ----------
    plane
        As it lies in its store.
    key
        What it is.
    shelf
        Where it is kept; None for one of its own, if it is not large.
    """

    def __init__(self, plane: xr.Variable, key: _Key, shelf: _Shelf | None) -> None:
        self.plane, self.key = plane, key
        self.shape, self.dtype = plane.shape, plane.dtype
        self._shelf = shelf or _Shelf(_MOST_KEPT)
        self._asked = False

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what was read: each process reads it, and names are the same."""
        return {**self.__dict__, "_shelf": None, "_asked": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _shelf=_Shelf(_MOST_KEPT))

    def keep(self, values: np.ndarray[Any, Any]) -> xr.Variable:
        """Keep its values, and return them."""
        plane = xr.Variable(self.plane.dims, values)
        self._shelf.put(self.key, plane)
        return plane

    def read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        """Read values at a key."""
        kept = self._shelf.get(self.key)
        if kept is None and not self._is_wanted(key):
            return self.plane[key].values
        if kept is None:
            with _ONE_AT_A_TIME:
                kept = self._shelf.get(self.key)
                if kept is None:
                    kept = self.keep(self.plane.values)
        return kept[key].values

    def _is_wanted(self, key: OuterKey) -> bool:
        """Return whether the plane is to be kept: for a single part it would only take longer."""
        asked, self._asked = self._asked, True
        is_whole = all(
            isinstance(part, slice) and part.indices(size) == (0, size, 1)
            for part, size in zip(key, self.shape, strict=True)
        )
        if is_whole:
            return self.plane.nbytes <= self._shelf.room
        return asked and self.plane.nbytes <= min(
            self._shelf.room, in_force().for_work // _PART_KEPT
        )
