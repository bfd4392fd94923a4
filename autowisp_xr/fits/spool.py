"""Images that wait in a temporary file until they are used."""

import contextlib
import os
import tempfile
import weakref
from typing import Any, BinaryIO

import numpy as np
import xarray as xr

from autowisp_xr.fits.layout import Hdu
from autowisp_xr.fits.lazy_pixels import Planes, as_variable
from autowisp_xr.regions import ChannelSlice

__all__ = ["Spool"]


class Spool:
    """Images (y, x) of one shape, float64, put away one by one.

    The file, in the directory for temporary files, is removed once nothing refers to it.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._number = 0
        descriptor, self._path = tempfile.mkstemp(prefix="autowisp-xr-")
        self._file = os.fdopen(descriptor, "wb")
        self._unused = weakref.finalize(self, _discard, self._file, self._path, os.getpid())

    def append(self, image: Any) -> None:
        """Put an image away; an OSError that names the directory where it does not fit."""
        try:
            self._file.write(np.ascontiguousarray(image, dtype=np.float64).data)
            self._file.flush()
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror} in {os.path.dirname(self._path)}, where images wait to be "
                "stacked; the environment variable TMPDIR names another directory",
            ) from error
        self._number += 1

    def variable(self) -> xr.Variable:
        """All images over (frame, channel, y, x), lazily indexed; nothing can be added then."""
        self._file.close()
        status = os.stat(self._path)
        height, width = self._shape
        kind = np.dtype(np.float64)
        planes = [
            [
                Hdu(
                    path=self._path,
                    size=status.st_size,
                    changed=status.st_mtime_ns,
                    index=number,
                    height=height,
                    width=width,
                    dtype=kind,
                    storage="plain",
                    offset=number * height * width * kind.itemsize,
                    length=height * width * kind.itemsize,
                    stored=kind,
                )
            ]
            for number in range(self._number)
        ]
        lazy = Planes(planes, [ChannelSlice()], self._shape)
        self._unused.detach()
        weakref.finalize(lazy, _discard, self._file, self._path, os.getpid())
        return as_variable(lazy)


def _discard(file: BinaryIO, path: str, process: int) -> None:
    try:
        with contextlib.suppress(OSError):
            file.close()
    finally:
        # a forked process has a copy of the object, but the file is its parent's
        if process == os.getpid() and os.path.exists(path):
            os.remove(path)
