"""Temporary files, such as planes inside gzip or bzip2 that are inflated once for all reads.

A packed file has no middle to begin at, so each band of rows would inflate all rows above it again.
A plane of which parts are asked for is therefore inflated as a whole, into a temporary file, which
is removed once nothing refers to it.
"""

import contextlib
import os
import tempfile
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from autowisp_xr.arrays import Numbers
from autowisp_xr.fits.pixels import stored_pieces
from autowisp_xr.fits.planes import Hdu


class TemporaryFile:
    """A file in the directory for temporary files, removed once nothing refers to this object.

    ``why`` states what waits in it, for those whose disk is full.
    """

    def __init__(self, why: str) -> None:
        self._why = why
        descriptor, self.path = tempfile.mkstemp(prefix="autowisp-xr-")
        self._file = os.fdopen(descriptor, "wb")
        self.discard = weakref.finalize(self, _discard, self._file, self.path, os.getpid())

    def write(self, values: Numbers) -> None:
        """Add the bytes of an array; an OSError that names the directory where they do not fit."""
        try:
            self._file.write(np.ascontiguousarray(values).data)
            self._file.flush()
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror} in {os.path.dirname(self.path)}, where {self._why}; the "
                "environment variable TMPDIR names another directory",
            ) from error

    def close(self) -> os.stat_result:
        """Let nothing be added any more; the status of what there is."""
        self._file.close()
        return os.stat(self.path)


def _discard(file: BinaryIO, path: str, process: int) -> None:
    with contextlib.suppress(OSError):
        file.close()
    # a forked process has a copy of the object, but the file is its parent's
    if process == os.getpid() and os.path.exists(path):
        os.remove(path)


_LOCK = threading.Lock()


class Inflated:
    """A packed plane, which becomes a plane of a plain file when it is first needed.

    The file, in the directory for temporary files, is removed when this object is.
    """

    def __init__(self, plane: Hdu) -> None:
        self._packed = plane
        self._plain: Hdu | None = None
        self._lock = threading.Lock()

    def plane(self) -> Hdu:
        """The same pixels in a plain file.

        Raises
        ------
        BadImageError
            If the file is no longer what was opened, or cannot be decompressed.
        OSError
            That names the directory, where the pixels do not fit.
        """
        with self._lock:
            # nothing is read of no rows, but the file is looked at
            list(stored_pieces(self._packed, 0, 0))
            if self._plain is None:
                self._plain = self._inflate()
            return self._plain

    def _inflate(self) -> Hdu:
        self._file = TemporaryFile("files are inflated or decoded")
        try:
            for _, rows in stored_pieces(self._packed, 0, self._packed.height):
                self._file.write(rows)
        except BaseException:
            self._file.discard()
            raise
        status = self._file.close()
        return replace(
            self._packed,
            path=self._file.path,
            size=status.st_size,
            changed=status.st_mtime_ns,
            storage="plain",
            offset=0,
        )


_KNOWN: weakref.WeakValueDictionary[Hdu, Inflated] = weakref.WeakValueDictionary()


def inflated(plane: Hdu) -> Inflated:
    """Return what this process keeps of a packed plane, as long as anybody refers to it."""
    with _LOCK:
        return _KNOWN.setdefault(plane, Inflated(plane))


def bytes_of(planes: Sequence[Hdu]) -> Hdu:
    """Return the bytes of a packed file up to the end of some planes, as a plane of one column.

    Inflated, it serves them all: each for itself would be inflated from the beginning of the file.
    """
    end = max(plane.offset + plane.length for plane in planes)
    byte = np.dtype(np.uint8)
    return replace(
        planes[0], height=end, width=1, dtype=byte, stored=byte, bscale=1.0, bzero=0.0, blank=None,
        offset=0, length=end,
    )  # fmt: skip


def plane_in(file: Hdu, plane: Hdu) -> Hdu:
    """Return a packed plane as it lies in the plain file that its own was inflated to."""
    return replace(
        plane, path=file.path, size=file.size, changed=file.changed, storage=file.storage
    )
