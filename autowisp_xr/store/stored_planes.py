"""Planes of a group that are read when they are looked at, of the very arrays that were opened."""

from contextlib import suppress
from typing import Any

import numpy as np
import xarray as xr
import zarr

from autowisp_xr._compat import LateArray, OuterKey, late_variable
from autowisp_xr.errors import BadImageError
from autowisp_xr.store.chunk_files import ChunkFiles
from autowisp_xr.store.group import Group
from autowisp_xr.store.soundness import SoundStore, damage_at, damaged
from autowisp_xr.store.swap import METADATA
from autowisp_xr.store.variables import attributes


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
        store = array.store
        self._files: ChunkFiles | None = None
        # which of its chunks there are has to be known
        if self.folder is not None and isinstance(store, SoundStore):
            self._files = ChunkFiles.of(array, self.folder, store.bare[array.basename])

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
        if self._files is not None:
            # what cannot be read so, Zarr can, or has words for what is damaged
            with suppress(Exception):
                return self._files.read(key)
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
