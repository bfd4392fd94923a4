"""Write files whole or not at all, under names that may be written."""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from autowisp_xr.full_disks import refused, writing_to
from autowisp_xr.store.group import PART as PART_OF_ZARR

Content = Callable[[BinaryIO], None]
"""Writes what a file is to hold into it, open and empty."""

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
    pending: list[tuple[str, str]] = []
    given: list[str] = []
    try:
        for path, content in outputs:
            final = os.path.realpath(path)
            with writing_to(path):
                os.makedirs(os.path.dirname(final), exist_ok=True)
            temporary = os.path.join(os.path.dirname(final), f".{secrets.token_hex(8)}{_PART}")
            pending.append((temporary, path))
            _write(content, temporary, path)
        for temporary, path in pending:
            new = not os.path.lexists(path)
            if not new and not overwrite and alike(temporary, path):
                os.remove(temporary)
                continue
            _name(temporary, path, overwrite=overwrite)
            if new:
                given.append(path)
    except BaseException:
        for path in (*given, *(temporary for temporary, _ in pending)):
            with contextlib.suppress(OSError):
                os.remove(path)
        raise


def remove_parts(folder: Path) -> None:
    """Remove what killed runs left half-written below a folder, to which nobody else writes."""
    for pattern in (f".*{_PART}", f"*{PART_OF_ZARR}"):
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
        with open(temporary, "wb") as file:
            content(file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        first = str(error).partition("\n")[0]
        refusal = refused(path, error)
        number = error.errno or errno.EIO
        raise refusal or OSError(number, f"{path!r} could not be written: {first}") from error
    except BaseException as error:
        error.add_note(f"while {path!r} was written")
        raise
