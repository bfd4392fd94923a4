"""Planes in a Zarr store as they were when it was opened, read when they are asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr._compat import LateArray, OuterKey, late_variable
from autowisp_xr.errors import BadImageError


class Stored(LateArray):
    """One plane of a group; what has been read is not kept.

    Parameters
    ----------
    variable
        The plane, as xarray reads it.
    folder
        Of the array in the store, where the store is a directory.

    Notes
    -----
    A group that is replaced has arrays of the same names in the same places. So each time after
    something was read, the array must still be the one that was opened: else the pixels would be
    those of something else, or the fill value of what is missing.
    """

    def __init__(self, variable: xr.Variable, folder: Path | None) -> None:
        self.variable = variable
        self.folder = folder
        self.shape = variable.shape
        self.dtype = variable.dtype
        self.version = self._version()

    def read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        """Values at a key, of the very array that was opened."""
        values = self.variable[key].values
        if self._version() != self.version:
            raise BadImageError(
                f"{self.folder} was replaced, moved or removed since it was opened; open it again"
            )
        return values

    def _version(self) -> tuple[int, int] | None:
        if self.folder is None:
            return None
        try:
            status = (self.folder / "zarr.json").stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns


def as_stored(variable: xr.Variable, folder: Path | None) -> xr.Variable:
    """Variable that reads when it is asked for values, in the place of one of xarray's own."""
    stored = Stored(variable, folder)
    return late_variable(stored, variable.dims, variable.attrs, variable.encoding)
