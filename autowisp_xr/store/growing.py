"""Frames that a group holds already go into the group that is to replace it without a computation.

Decision: the pixels of a frame lie in files of their own, which are linked from the one group into
the other (copied where the file system has no hard links) and marked as written there. Zarr never
writes into a file that it has, so the group that is replaced stays what it is until the swap, and
nothing but links is lost if the run is killed.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autowisp_xr.arrays import Bits
from autowisp_xr.store.group import MARKS, PART, Group
from autowisp_xr.store.soundness import BARE, BARE_MARKS
from autowisp_xr.store.swap import METADATA

FRAMES = "frames"
"""In the state of a group: the identities of its frames."""

_OF_ONE = ("attributes", "shape")
"""What may differ between arrays whose files are alike."""


def take_over(earlier: Group, group: Group, planes: Sequence[str], frames: Sequence[str]) -> int:
    """Link the planes of frames from one group into another, whose arrays are still empty.

    Parameters
    ----------
    earlier, group
        Both in a directory; else nothing is done.
    planes
        Names of the arrays along ``frame``. Nothing is done unless all of them are stored alike, a
        frame in files of its own.
    frames
        The identities of the frames of ``group``.

    Returns
    -------
    The number of frames.
    """
    old, new = earlier.folder, group.folder
    if old is None or new is None:
        return 0
    before = earlier.state().get(FRAMES, ())
    known = {one: number for number, one in enumerate(before)}
    if not known or not all(_are_alike(old / name, new / name) for name in planes):
        return 0
    whole = _marks(earlier, len(before))
    pairs = [
        (known[one], number)
        for number, one in enumerate(frames)
        if one in known
        and whole[known[one]]
        and all(_is_there(old / name, known[one], whole[known[one]]) for name in planes)
    ]
    if not pairs:
        return 0
    for name in planes:
        for source, target in pairs:
            _link(old / name / "c" / str(source), new / name / "c" / str(target))
    marks = group.open("r+")[MARKS]
    written = np.asarray(marks)
    written[[target for _, target in pairs]] = whole[[source for source, _ in pairs]]
    marks[...] = written  # type: ignore[index]
    return len(pairs)


def _marks(earlier: Group, number: int) -> Bits:
    """Return the marks of the frames of a group, which it has no more once it is complete."""
    found = earlier.open("r")
    if MARKS in found:
        return np.asarray(found[MARKS])
    marks = np.ones(number, np.uint8)
    for name, ranges in earlier.state().get(BARE, {}).items():
        for low, high in ranges:
            marks[low:high] |= BARE_MARKS[name]
    return marks


def _is_there(array: Path, frame: int, mark: np.uint8) -> bool:
    """Return whether a frame has its chunks, unless it needs none."""
    if mark & BARE_MARKS.get(array.name, np.uint8(0)):
        return True
    return any(file.stat().st_size for file in (array / "c" / str(frame)).rglob("*"))


def _are_alike(one: Path, other: Path) -> bool:
    """Return whether two arrays keep each frame in files that are the same for the same pixels."""
    try:
        found = [json.loads((array / METADATA).read_text("utf-8")) for array in (one, other)]
    except FileNotFoundError:
        return False
    alike = [{key: each[key] for key in each if key not in _OF_ONE} for each in found]
    grid = found[0]["chunk_grid"]["configuration"]["chunk_shape"]
    keys = found[0]["chunk_key_encoding"]
    plain = keys["name"] == "default" and keys.get("configuration", {}).get("separator") == "/"
    same_size = found[0]["shape"][1:] == found[1]["shape"][1:]
    return alike[0] == alike[1] and same_size and grid[0] == 1 and plain


def _link(source: Path, target: Path) -> None:
    """Link all files below a folder; there is none for a frame of fill values alone."""
    for file in source.rglob("*"):
        if file.is_file() and file.suffix != PART:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, place)
            except FileExistsError:
                continue
            except OSError:
                shutil.copyfile(file, place)
