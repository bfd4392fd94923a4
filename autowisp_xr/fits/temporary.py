"""Temporary files, such as planes inside gzip or bzip2 that are inflated once for all reads.

A packed file has no middle to begin at, so each band of rows would inflate all rows above it again.
A plane of which parts are asked for is therefore inflated as a whole, into a temporary file.

Decision: a temporary file has no name. It is unlinked as soon as it is open, so that the system
takes it back however its process ends, be it killed or a worker that runs no clean-up of Python;
others on the machine read it through the descriptor of that process. As a process has few
descriptors, all its inflated planes lie in one file. Where the system has no such paths, a file
keeps its name until nothing refers to it.
"""

import contextlib
import os
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import FileIO

import numpy as np

from autowisp_xr.arrays import Numbers
from autowisp_xr.errors import NotWrittenError
from autowisp_xr.fits.pixels import stored_pieces
from autowisp_xr.fits.planes import Hdu

_DESCRIPTORS = "/proc/{}/fd"
"""Directory of what a process has open, as paths."""


class TemporaryFile:
    """A file in the directory for temporary files, gone once nothing refers to this object.

    ``why`` states what waits in it, for those whose disk is full.
    """

    def __init__(self, why: str) -> None:
        self._why = why
        descriptor, self.path = tempfile.mkstemp(prefix="autowisp-xr-")
        self._folder = os.path.dirname(self.path)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._lock = threading.Lock()
        name: str | None = self.path
        open_files = _DESCRIPTORS.format(os.getpid())
        if os.path.isdir(open_files):
            os.unlink(self.path)
            self.path, name = os.path.join(open_files, str(descriptor)), None
        self.discard = weakref.finalize(self, _discard, self._file, name, os.getpid())

    def write(self, values: Numbers, at: int | None = None) -> int:
        """Write the bytes of an array, at the end or elsewhere, and return their number.

        Raises
        ------
        NotWrittenError
            Where they do not fit, naming the directory.
        """
        content = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        written = 0
        try:
            with self._lock:
                self._file.seek(*((0, os.SEEK_END) if at is None else (at,)))
                while written < len(content):
                    written += self._file.write(content[written:])
        except OSError as error:
            raise NotWrittenError(
                error.errno,
                f"{error.strerror} in {self._folder}, where {self._why}; the environment variable "
                "TMPDIR names another directory",
            ) from error
        return written

    def cut(self, length: int) -> None:
        """Give back all behind so many bytes."""
        if self.status().st_size > length:
            self._file.truncate(length)

    def status(self) -> os.stat_result:
        """Return the status of what there is."""
        return os.fstat(self._file.fileno())


def _discard(file: FileIO, name: str | None, process: int) -> None:
    with contextlib.suppress(OSError):
        file.close()
    # once it is closed, another thread may have a file with the number of this descriptor
    if name is not None and process == os.getpid():
        with contextlib.suppress(FileNotFoundError):
            os.remove(name)


class _Spool:
    """The inflated planes of a process, in one file, which is there as long as any of them is."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._file: TemporaryFile | None = None
        self._taken: list[tuple[int, int]] = []
        self._left: deque[tuple[int, int]] = deque()

    def take(self, length: int) -> tuple[TemporaryFile, int]:
        """Return the file, and where in it there is room for so many bytes."""
        with self._lock:
            self._clear()
            if self._file is None:
                self._file = TemporaryFile("files are inflated or decoded")
            start = next(low for low, high in self._gaps() if high is None or high - low >= length)
            self._taken = sorted([*self._taken, (start, start + length)])
            return self._file, start

    def leave(self, start: int, stop: int) -> None:
        """Give room back; called whenever Python clears up, in the midst of whatever it does."""
        self._left.append((start, stop))
        # a forked process has a copy of this object, but the file is its parent's
        if os.getpid() == self._process and self._lock.acquire(blocking=False):
            try:
                self._clear()
            finally:
                self._lock.release()

    def _gaps(self) -> Iterator[tuple[int, int | None]]:
        end = 0
        for start, stop in self._taken:
            yield end, start
            end = stop
        yield end, None

    def _clear(self) -> None:
        before = len(self._taken)
        while self._left:
            self._taken.remove(self._left.popleft())
        if len(self._taken) == before or self._file is None:
            return
        if self._taken:
            self._file.cut(self._taken[-1][1])
        else:
            self._file.discard()
            self._file = None


_SPOOL = _Spool()
_LOCK = threading.Lock()


class Inflated:
    """A packed plane, which becomes a plane of a plain file when it is first needed."""

    def __init__(self, plane: Hdu) -> None:
        self._packed = plane
        self.forget()

    def forget(self) -> None:
        """Let go of the plain file; only where no other thread works with it."""
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
        packed = self._packed
        length = packed.height * packed.width * packed.stored.itemsize
        file, start = _SPOOL.take(length)
        leave = weakref.finalize(self, _SPOOL.leave, start, start + length)
        leave.atexit = False
        at = start
        try:
            for _, rows in stored_pieces(packed, 0, packed.height):
                at += file.write(rows, at)
        except BaseException:
            leave()
            raise
        return replace(packed, path=file.path, storage="spooled", offset=start)


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
    return replace(plane, path=file.path, storage=file.storage, offset=file.offset + plane.offset)


def _begin_anew() -> None:
    """Inflate again in a forked process: what its parent has may be taken for something else."""
    global _SPOOL, _LOCK
    _SPOOL, _LOCK = _Spool(), threading.Lock()
    for one in list(_KNOWN.values()):
        one.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
