"""Files as a history names them: by size and time of change, and by digests of their bytes."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from autowisp_xr.filesystem.addresses import file_of

_READERS = max(4, min(os.cpu_count() or 1, 16))
"""Number of files that are digested at a time: some of them wait for Python's lock."""

_Version = tuple[str, int, int, str]
"""Path, size and time of change of a file, and the kind of digest."""

_BEGUN: dict[_Version, Future[str | None]] = {}


def file_entry(path: str) -> dict[str, Any]:
    """Return the record of a file: its path, and the size and time by which a change is noticed."""
    status = os.stat(file_of(path))
    return {"path": str(path), "size": status.st_size, "changed": status.st_mtime_ns}


def hashed_entry(path: str) -> dict[str, Any]:
    """Return a :func:`file_entry` with the SHA-256 of the bytes; OSError where it is unreadable."""
    entry = file_entry(path)
    return entry | {"sha256": _readable_digest(entry, "sha256")}


@contextmanager
def hashing(paths: Iterable[str]) -> Iterator[None]:
    """Digest files in the background, for :func:`sha256_of` inside the block.

    Files that are still waiting when the block is left are dropped, as are unreadable ones.
    """
    pool = ThreadPoolExecutor(_READERS)
    begun = {}
    try:
        for path in paths:
            with suppress(OSError):
                known = _version_of(file_entry(path))
                begun[known] = pool.submit(_file_digest, *known)
        _BEGUN.update(begun)
        yield
    finally:
        for known in begun:
            _BEGUN.pop(known, None)
        pool.shutdown(wait=False, cancel_futures=True)


def sha1_of(path: str) -> str:
    """Return the SHA-1 of the bytes of a file, in hexadecimal; OSError where it cannot be read."""
    return _readable_digest(file_entry(path), "sha1")


def _readable_digest(file: Mapping[str, Any], kind: str) -> str:
    digest = _file_digest(file["path"], file["size"], file["changed"], kind)
    if digest is None:
        raise OSError(f"{file['path']} cannot be read, or changes while it is")
    return digest


def sha256_of(files: Iterable[Mapping[str, Any]]) -> Iterator[str | None]:
    """Yield the SHA-256 of files, by their entries; None for one that has changed, or is gone."""
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(_sha256, files)


def _sha256(file: Mapping[str, Any]) -> str | None:
    known = _version_of(file)
    begun = _BEGUN.get(known)
    return _file_digest(*known) if begun is None else begun.result()


def _version_of(file: Mapping[str, Any]) -> _Version:
    return file["path"], file["size"], file["changed"], "sha256"


def _file_digest(path: str, size: int, changed: int, kind: str) -> str | None:
    """Return the digest of this version of a file; None where it has changed, or is unreadable."""
    try:
        status = os.stat(file_of(path))
        if (status.st_size, status.st_mtime_ns) != (size, changed):
            return None
        return _digest_of(file_of(path), size, changed, kind)
    except OSError:
        # not remembered: the disk of a network may be there again
        return None


@cache
def _digest_of(path: str, size: int, changed: int, kind: str) -> str:
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, kind).hexdigest()
