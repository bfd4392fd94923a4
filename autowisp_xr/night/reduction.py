"""``reduce``: a directory of raw frames becomes masters and calibrated frames."""

import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from autowisp_xr import io
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError
from autowisp_xr.night.group import names_for, sort_frames
from autowisp_xr.night.setup_work import STORE, SetupWork
from autowisp_xr.night.summary import Summary

if TYPE_CHECKING:
    from autowisp_xr.flat_selection import FlatSelection

__all__ = ["reduce"]

_SUMMARY = "summary.txt"


def reduce(
    night: str | PathLike[str],
    out: str | PathLike[str],
    *,
    camera: Camera | None = None,
    select: "FlatSelection | None" = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Masters and calibrated frames of all raw frames in a directory.

    Frames are sorted by type, and grouped by size, channel layout, gain setting, filter and
    exposure. Each group of biases, darks and flats becomes a master; science frames are calibrated
    with the masters that match. A frame or group that fails does not stop the others; what would
    need a master that failed is left out.

    Parameters
    ----------
    night
        Directory of FITS files; they are only read.
    out
        Directory for the results: ``masters/`` and ``calibrated/`` as FITS, ``night.zarr`` with
        everything, ``summary.txt``. A run that was interrupted is taken up where it stopped.
    camera
        What is known about the camera; the headers complete it.
    select
        Which flats are good: the high ones of each filter make its master, and the summary says
        why others were left out. None takes all.
    overwrite
        Whether results of other frames in ``out`` may be replaced.
    say
        Called with a line of text for each step.

    Returns
    -------
    What was made of what, and the reason for each frame that was left out.

    Raises
    ------
    ValueError
        If ``select`` lets channels choose apart.
    FileNotFoundError, NotADirectoryError
        If there is no such directory, or no FITS file in it.
    FileExistsError
        If ``out`` holds something that is no earlier run of this.

    Notes
    -----
    A dark serves frames of its own exposure (within 1 %) only. Flats without one are calibrated
    without; science frames are left out if there are darks, but none of their exposure.
    """
    if select is not None and not select.together:
        raise ValueError(
            "a night is reduced with the channels of a flat together; make masters of channels "
            "that choose apart by master_flat(select=...)"
        )
    source, target = Path(night), Path(out)
    if not source.is_dir():
        kind = NotADirectoryError if source.exists() else FileNotFoundError
        raise kind(f"{source} is no directory; give the one that holds the frames of the night")
    _check_room(target, overwrite)
    records = io.scan(source)
    setups, left_out = sort_frames(records)
    summary = Summary(night=str(night), left_out=left_out)
    places = names_for(setup.name for setup in setups)
    for setup in setups:
        # one setup needs no name of its own in the results
        place = "" if len(setups) == 1 else places[setup.name]
        SetupWork(setup, target, place, camera, select, overwrite, summary, say).run()
    if summary.made or not (target / _SUMMARY).exists():
        _write(target / _SUMMARY, str(summary))
    return summary


def _check_room(target: Path, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise FileExistsError(f"{target} is a file; give a directory for the results")
    earlier = (target / STORE).exists() or (target / _SUMMARY).exists()
    if target.exists() and any(target.iterdir()) and not earlier and not overwrite:
        raise FileExistsError(
            f"{target} exists and was not made by an earlier run; choose another directory, or "
            "overwrite it"
        )


def _write(path: Path, text: str) -> None:
    """Write a text so that its name never stands for half of it."""
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise AutowispError(f"{path} could not be written: {error}\n\n{text}") from error
