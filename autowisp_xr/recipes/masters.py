"""Masters that a recipe refers to, in the store of the frames: read once, not once a frame."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, store
from autowisp_xr._compat import LateArray, OuterKey, in_memory, late_variable
from autowisp_xr.errors import BadImageError
from autowisp_xr.store import StoreLike

INPUTS = "inputs"
"""Group below which masters of other nights and masks lie, by what they are."""

_MOST_KEPT = 2**25
"""Bytes of a plane that stays in memory once it was read; of larger ones, parts are read each time
that they are needed."""

_ONE_AT_A_TIME = Lock()


def reference(place: StoreLike, given: str | xr.Dataset) -> dict[str, Any]:
    """Return how a recipe names a master or a mask, which is stored where it is not a group."""
    if isinstance(given, str):
        group = given
    else:
        identity = provenance.fingerprint(given)
        group = f"{INPUTS}/{identity}"
        store.write_group(given, place, group=group, identity=identity, overwrite=False)
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
    ds = store.open_zarr(place, group=group)
    kept = {name: _remembered(plane.variable) for name, plane in ds.data_vars.items()}
    return ds.assign(kept)


def _remembered(plane: xr.Variable) -> xr.Variable:
    if in_memory(plane) or plane.nbytes > _MOST_KEPT:
        return plane
    return late_variable(_Remembered(plane), plane.dims, plane.attrs, plane.encoding)


class _Remembered(LateArray):
    """A plane at rest that is kept once all of it was needed."""

    def __init__(self, plane: xr.Variable) -> None:
        self.plane = plane
        self.shape, self.dtype = plane.shape, plane.dtype
        self._values: xr.Variable | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what was read: each process reads it, and names are the same."""
        return {**self.__dict__, "_values": None}

    def read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        """Read values at a key."""
        if self._values is None and not self._is_whole(key):
            return self.plane[key].values
        with _ONE_AT_A_TIME:
            if self._values is None:
                self._values = xr.Variable(self.plane.dims, self.plane.values)
        return self._values[key].values

    def _is_whole(self, key: OuterKey) -> bool:
        return all(
            isinstance(part, slice) and part.indices(size) == (0, size, 1)
            for part, size in zip(key, self.shape, strict=True)
        )
