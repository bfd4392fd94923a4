"""Pixels that wait in a temporary file until they are used."""

import contextlib
import os
import tempfile
import weakref
from typing import BinaryIO

import numpy as np

from autowisp_xr.arrays import Numbers


class TemporaryFile:
    """A file in the directory for temporary files, removed once nothing refers to this object.

    ``why`` says what waits in it, for those whose disk is full.
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
