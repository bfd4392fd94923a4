"""The directory of the results of a night: what may be in it, and who writes to it."""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from os import PathLike
from pathlib import Path

from autowisp_xr.errors import InUseError
from autowisp_xr.filesystem.addresses import local_path
from autowisp_xr.filesystem.locking import locked
from autowisp_xr.frames.atomic_write import remove_parts
from autowisp_xr.night.product_writing import CAMERA, STORE
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.units import wait_for_units
from autowisp_xr.store.group import PART

SUMMARY = "summary.txt"
_LOCK = ".autowisp-xr.lock"

_LOCAL = (
    "a night is reduced from a directory into one; its night.zarr can be copied to an address, and "
    "aw.open_zarr opens it there"
)


def checked_places(
    night: str | PathLike[str],
    out: str | PathLike[str],
    masters: Iterable[str | PathLike[str]],
    overwrite: bool,
) -> tuple[Path, Path]:
    """Return the directories of raw frames and of results; refuse those that cannot be these."""
    if not os.fspath(out):
        raise ValueError("the directory of the results is empty; name one (out, -o)")
    source, target = (Path(local_path(place, _LOCAL)).expanduser() for place in (night, out))
    if source.exists() and not source.is_dir():
        raise NotADirectoryError(f"{night} is no directory; name the one that it lies in")
    _check_room(source, target, overwrite)
    if target.resolve() in {Path(path).expanduser().resolve() for path in masters}:
        raise ValueError(sentence("masters_in_results", path=target))
    return source, target


def _check_room(night: Path, target: Path, overwrite: bool) -> None:
    """Refuse a directory for the results that holds something else."""
    if target.exists() and not target.is_dir():
        raise FileExistsError(f"{target} is a file; give a directory for the results")
    if target.resolve() == night.resolve():
        raise FileExistsError(sentence("among_raw", path=target, other=f"{target}-reduced"))
    ours = (STORE, SUMMARY, CAMERA, f"*/{CAMERA}")
    earlier = any(any(target.glob(name)) for name in ours)
    # a run that was killed early leaves its claim and nothing else
    full = target.exists() and any(path.name != _LOCK for path in target.iterdir())
    if full and not earlier and not overwrite:
        # nothing is to be written among the frames of a night
        holds_night = target.resolve() in night.resolve().parents
        remedy = "" if holds_night else ", or overwrite it"
        raise FileExistsError(sentence("not_of_earlier_run", path=target, remedy=remedy))


def claim(target: Path, held: ExitStack, *, wait: bool = False) -> None:
    """Keep others away from the results while they are made; they have a directory then."""
    try:
        killed = held.enter_context(locked(str(target / _LOCK), str(target), wait=wait))
        # units of that run may live on for a while; a unit waits for no others
        if not wait and (wait_for_units(target) or killed):
            remove_parts(target, f"*{PART}")
    except InUseError:
        raise
    except OSError as error:
        reason = sentence("no_directory", path=target, reason=error.strerror)
        raise OSError(error.errno, reason) from error
