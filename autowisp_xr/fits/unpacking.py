"""Unpack files inside gzip or bzip2, which are recognised by how they begin, not by their names."""

import bz2
import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from autowisp_xr.filesystem.addresses import is_ordinary

Unpacked = gzip.GzipFile | bz2.BZ2File

UNREADABLE = (OSError, EOFError, OverflowError, ValueError, zlib.error)
"""What reading raises where the file is truncated or damaged."""

_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"


def is_packed(start: bytes) -> bool:
    """Return whether the first bytes of a file (three suffice) are those of gzip or bzip2."""
    return start.startswith((_GZIP, _BZIP2))


@contextmanager
def unpacked(file: BinaryIO) -> Iterator[Unpacked]:
    """Open what is inside a packed file, which is open at its beginning."""
    is_gzip = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    with gzip.GzipFile(fileobj=file) if is_gzip else bz2.BZ2File(file) as inside:
        yield inside


@contextmanager
def opened(path: str) -> Iterator[BinaryIO | Unpacked]:
    """Open a file, unbuffered, or what is inside it where it is packed; OSError for a pipe."""
    if not is_ordinary(path):
        raise OSError(f"{path} is no ordinary file")
    with open(path, "rb", buffering=0) as file:
        packed = is_packed(file.read(len(_BZIP2)))
        file.seek(0)
        if packed:
            with unpacked(file) as inside:
                yield inside
        else:
            yield file


def likely_length(file: BinaryIO) -> int | None:
    """Return the size of what is inside, as a gzip file gives it at its end; else None.

    It is that of the last member of the file, modulo 2^32. The file is at its beginning afterwards.
    """
    length = None
    if file.read(len(_GZIP)) == _GZIP:
        file.seek(-4, os.SEEK_END)
        (length,) = struct.unpack("<I", file.read(4))
    file.seek(0)
    return length
