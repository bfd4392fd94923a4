"""Planes of a group that are read when they are looked at, of the very arrays that were opened.

Decision: Zarr takes 1.5 ms of Python for each chunk, seven times what it takes to decode it, and a
night has thousands. So chunks in a directory are read and written by zarrs, compiled code.
"""

import os
from contextlib import suppress
from typing import Any

import numpy as np
import xarray as xr
import zarr

from autowisp_xr._compat import LateArray, OuterKey, late_variable, read_by_zarrs
from autowisp_xr.errors import BadImageError
from autowisp_xr.store.group import Group
from autowisp_xr.store.soundness import SoundStore, damage_at, damaged, lost_at
from autowisp_xr.store.swap import METADATA
from autowisp_xr.store.variables import attributes

_PROCESS = os.getpid()


def has_zarrs() -> bool:
    """Return whether zarrs works here: a process that is forked has none of its threads."""
    return os.getpid() == _PROCESS


class StoredPlane(LateArray):
    """A plane in a group, as it was when the group was opened; what has been read is not kept.

    Parameters
    ----------
    array
        The plane, as Zarr has it.
    place
        The group.

    Notes
    -----
    A group that is replaced has arrays of the same names in the same places. So each time after
    something was read, the array must still be the one that was opened: else the pixels would be
    those of something else, or the fill value of what is missing.
    """

    def __init__(self, array: "zarr.Array[Any]", place: Group) -> None:
        self.array = array
        self.place = place
        self.folder = place.folder and place.folder / array.basename
        self.shape = array.shape
        self.dtype = array.dtype
        self.version = self._version()
        # which of its chunks there are has to be known
        self._root = place.directory if isinstance(array.store, SoundStore) else None
        self._by_zarrs: zarr.Array[Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what reads for this process."""
        return {**self.__dict__, "_by_zarrs": None}

    def read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        """Read values at a key, of the very array that was opened."""
        fault = ""
        try:
            values = self._read(key)
        except (OSError, MemoryError):
            raise
        except Exception:  # whatever the codecs stumble over
            fault = damage_at(self.place, self.array, key)
        if self._version() != self.version:
            raise BadImageError(
                f"{self.folder} was replaced, moved or removed since it was opened; open it again"
            )
        if fault:
            raise damaged(self.place, fault)
        return values

    def _read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        if self._root is not None and has_zarrs():
            # what it cannot read, Zarr can, or has words for what is damaged
            with suppress(Exception):
                if self._by_zarrs is None:
                    self._by_zarrs = read_by_zarrs(self.array, self._root)
                values = np.asarray(self._by_zarrs.oindex[key])
                # it takes a chunk that is lost for one of the fill value
                if not lost_at(self.array, self._root, key):
                    return values
        return np.asarray(self.array.oindex[key])

    def _version(self) -> tuple[int, int] | None:
        if self.folder is None:
            return None
        try:
            status = (self.folder / METADATA).stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns


def as_stored(array: "zarr.Array[Any]", place: Group) -> xr.Variable:
    """Return a variable that reads when it is asked for values."""
    dims = tuple(array.metadata.dimension_names or ())  # type: ignore[union-attr]
    encoding: dict[str, Any] = {"chunks": array.chunks, "shards": array.shards}
    encoding["preferred_chunks"] = dict(zip(dims, array.chunks, strict=True))
    return late_variable(StoredPlane(array, place), dims, attributes(array), encoding)
