"""Write files whole or not at all, under names that may be written."""

import contextlib
import ctypes
import errno
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Self, TypeAlias

from autowisp_xr.filesystem.full_disks import refused, writing_to

Content = Callable[[BinaryIO], None]
"""Writes what a file is to hold into it, open and empty."""

Staged: TypeAlias = "list[tuple[str, str]]"
"""Files under temporary names, and the names that they are to have."""

_PAUSE = 1.0  # seconds

_MANY = 8
"""Files from which on it takes less to sync all that a file system has than one after the other."""

_PART = ".part"
"""How temporary names end: hidden, and no FITS suffix, they are no result to anybody."""


def check_name(path: str, inputs: Collection[str] = ()) -> None:
    """Raise an error unless a file may bear this name, whether there is one yet or not.

    Parameters
    ----------
    path
        The name.
    inputs
        Real paths of files that are read, none of which may be replaced by what is made of it.

    Raises
    ------
    IsADirectoryError
        For the name of a directory.
    FileExistsError
        For the name of an input, or of what is no ordinary file, such as a device.
    ValueError
        For a name that ends in .gz.
    """
    if not os.path.basename(path) or os.path.isdir(path):
        raise IsADirectoryError(f"{path!r} is a directory, or no name at all; name a file")
    if os.path.exists(path) and not os.path.isfile(path):
        raise FileExistsError(f"{path!r} is no ordinary file, and is not replaced")
    if os.path.realpath(path) in inputs:
        raise FileExistsError(f"{path!r} is one of the files that are read; choose another name")
    if path.lower().endswith(".gz"):
        raise ValueError(
            f"{path!r}: files inside gzip are read but not written; a name that ends in .fz gives "
            "lossless compression"
        )


def write_whole(
    outputs: Iterable[tuple[str, Content]],
    *,
    overwrite: bool,
    alike: Callable[[str, str], bool] = lambda written, there: False,
) -> None:
    """Write files that belong together: all of them, or none.

    Each is written under a temporary name beside its own and synced; when all are, they get their
    names. Missing directories are made. Where a name is a link, the file that it points to is
    replaced. Should a name fail when others have been given, those that are new are taken back.

    Parameters
    ----------
    outputs
        The names, and what the files are to hold.
    overwrite
        Whether files that are there are replaced.
    alike
        Called, where they are not, with what was written and a file that has come to exist:
        whether that holds the same, as where one died who was to write it, and is accepted.

    Raises
    ------
    FileExistsError
        If a file of that name has come to exist and ``overwrite`` is not set.
    NotWrittenError
        Where a disk is full or read-only, naming file, room and remedy.
    OSError
        Where a file cannot be written for another reason, naming it.
    """
    staged = stage(outputs)
    try:
        _sync(staged)
    except BaseException:
        _remove(temporary for temporary, _ in staged)
        raise
    _give_names(staged, overwrite=overwrite, alike=alike)


def stage(outputs: Iterable[tuple[str, Content]]) -> Staged:
    """Write files that belong together under temporary names, all of them or none."""
    staged: Staged = []
    try:
        for path, content in outputs:
            final = os.path.realpath(path)
            with writing_to(path):
                os.makedirs(os.path.dirname(final), exist_ok=True)
            temporary = os.path.join(os.path.dirname(final), f".{secrets.token_hex(8)}{_PART}")
            staged.append((temporary, path))
            _write(content, temporary, path)
    except BaseException:
        _remove(temporary for temporary, _ in staged)
        raise
    return staged


class NamedTogether:
    """Files of a product that replace what is there, synced together, and then given their names.

    It waits for the disk once a second, not once a file, and once more in the end. A run that is
    killed leaves those of its last second without a name, and they are written again.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Staged, Callable[[], object]]] = []
        self._lock, self._since = Lock(), time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def add(self, staged: Staged, then: Callable[[], object]) -> None:
        """Give files their names soon, in this thread or another; ``then`` is called after that."""
        with self._lock:
            self._waiting.append((staged, then))
            if time.monotonic() - self._since < _PAUSE:
                return
        self._end()

    def _end(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._since = time.monotonic()
        try:
            _sync([one for staged, _ in waiting for one in staged])
            while waiting:
                staged, then = waiting.pop(0)
                _give_names(staged, overwrite=True)
                then()
        finally:
            _remove(temporary for staged, _ in waiting for temporary, _ in staged)


def _sync(staged: Staged) -> None:
    """Wait until files are on the disk: for many, until all is that their file systems have."""
    syncfs = (
        getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if os.name == "posix" else None
    )
    if syncfs is None or len(staged) < _MANY:
        for temporary, path in staged:
            with _named_in_errors(path), open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        return
    folders = {os.path.dirname(temporary): path for temporary, path in staged}
    for folder, path in {
        os.stat(one).st_dev: (one, path) for one, path in folders.items()
    }.values():
        with _named_in_errors(path):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                if syncfs(descriptor):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            finally:
                os.close(descriptor)


def _give_names(
    staged: Staged,
    *,
    overwrite: bool,
    alike: Callable[[str, str], bool] = lambda written, there: False,
) -> None:
    given: list[str] = []
    try:
        for temporary, path in staged:
            new = not os.path.lexists(path)
            if not new and not overwrite and alike(temporary, path):
                os.remove(temporary)
                continue
            _name(temporary, path, overwrite=overwrite)
            if new:
                given.append(path)
    except BaseException:
        _remove([*given, *(temporary for temporary, _ in staged)])
        raise


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            os.remove(path)


def remove_parts(folder: Path, *others: str) -> None:
    """Remove what killed runs left half-written below a folder, to which nobody else writes.

    ``others`` are patterns of temporary names of other writers.
    """
    for pattern in (f".*{_PART}", *others):
        for path in folder.rglob(pattern):
            path.unlink(missing_ok=True)


def _name(temporary: str, path: str, *, overwrite: bool) -> None:
    """Give a file that is written its name; where it may replace none, in one step."""
    try:
        if overwrite:
            os.replace(temporary, os.path.realpath(path))
            return
        try:
            os.link(temporary, path)
        except OSError:
            # there is one, or this is a file system without links
            if os.path.lexists(path):
                raise FileExistsError(
                    f"{path!r} was created by another process while it was being written"
                ) from None
            os.replace(temporary, path)
        else:
            os.remove(temporary)
    except FileExistsError:
        raise
    except OSError as error:
        raise OSError(
            error.errno, f"{path!r} could not be renamed into place: {error.strerror}"
        ) from error


def _write(content: Content, temporary: str, path: str) -> None:
    try:
        with _named_in_errors(path), open(temporary, "wb") as file:
            content(file)
    except BaseException as error:
        if not isinstance(error, OSError):
            error.add_note(f"while {path!r} was written")
        raise


@contextlib.contextmanager
def _named_in_errors(path: str) -> Iterator[None]:
    """Name a file in errors of the system while it is written."""
    try:
        yield
    except OSError as error:
        first = str(error).partition("\n")[0]
        refusal = refused(path, error)
        number = error.errno or errno.EIO
        raise refusal or OSError(number, f"{path!r} could not be written: {first}") from error
