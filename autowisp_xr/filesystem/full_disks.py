"""What a disk refuses, as errors that state the place, its room, and what can be done."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autowisp_xr.errors import NotWrittenError

_REASONS = {
    errno.ENOSPC: "no room is left there",
    getattr(errno, "EDQUOT", errno.ENOSPC): "the quota there is used up",
    errno.EFBIG: "files there may not be that large",
    errno.EROFS: "that disk is read-only",
}
"""What reading never brings about."""


@contextmanager
def writing_to(place: str | os.PathLike[str]) -> Iterator[None]:
    """Raise what the disk of a place refuses as an error that states all of it.

    Parameters
    ----------
    place
        What is written, a file or a directory; an error that names a file is about that.

    Raises
    ------
    NotWrittenError
        Where the disk is full or read-only, or a quota or the size of a file at its limit.
    """
    try:
        yield
    except NotWrittenError:
        raise
    except OSError as error:
        refusal = refused(place, error)
        if refusal is None:
            raise
        raise refusal from error


def refused(place: str | os.PathLike[str], error: OSError) -> NotWrittenError | None:
    """Return an error of a disk that refuses to write, in words; None for any other."""
    # the error of astropy on a full disk has neither number nor name
    full = error.errno is None and "space" in str(error)
    reason = _REASONS.get(errno.ENOSPC if full else error.errno or 0)
    if reason is None:
        return None
    path = Path(os.path.abspath(place))
    folder = next(one for one in (path, *path.parents) if one.is_dir())
    free = shutil.disk_usage(folder).free
    refusal = NotWrittenError(
        f"{place} could not be written: {reason} ({free / 1e6:.1f} MB are free in {folder}); make "
        "room or choose another disk, and run the same again: what is whole is kept"
    )
    refusal.errno = errno.ENOSPC if full else error.errno
    return refusal
