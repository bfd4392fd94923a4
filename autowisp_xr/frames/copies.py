"""Find files that are copies of others: compressed, renamed, linked or solved."""

import hashlib
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.errors import AutowispError
from autowisp_xr.filesystem.addresses import file_of, number_in_file
from autowisp_xr.fits.lazy_pixels import variables_of
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.regions import ChannelSlice

_BAND = 16
"""Rows in the middle that are compared before all are."""

_NEAR = 0.5
"""Of the noise, by which pixels that were compressed with loss differ at most: of what comes with
the usual steps it is 0.1 to 0.3, of another exposure 1."""


def copies_of(records: Sequence[FileRecord]) -> dict[str, str]:
    """Return the files whose exposure another file holds, too, and which that is.

    Parameters
    ----------
    records
        Of :func:`~autowisp_xr.frames.scan`. Those of the same type, size and exposure that began
        at the same time (or whose headers, where they give no time, are the same) have their pixels
        compared; a link is known by what it leads to. What was compressed with loss by the same
        camera is a copy where it differs by less than the noise. Masters, calibrated files, frames
        of one value all over, and what cannot be read are no copies.

    Returns
    -------
    {path: reason}; of each exposure one file is not in it, that with the shortest name which does
    not state "copy", and of these the first; without loss, if there is one.
    """
    raw = [
        record
        for record in records
        if record.error is None and not record.master_because and not record.calibrated_because
    ]
    found: dict[str, str] = {}

    def note(same: Sequence[FileRecord], why: str) -> None:
        first, *others = (record.path for record in same)
        reason = f"a copy of {os.path.basename(first)}, which counts once ({why})"
        found.update(dict.fromkeys(others, reason))

    for group in _groups(raw, _likeness):
        ordered = sorted(group, key=_rank)
        for same in _groups(ordered, _place):
            note(same, "a link to the same file")
        apart = [record for record in ordered if record.path not in found]
        for same in same_pixels(apart):
            note(same, "the same pixels and time")
        apart = [record for record in ordered if record.path not in found]
        for number, record in enumerate(apart):
            first = next((one for one in apart[:number] if _differ_by_loss(one, record)), None)
            if first is not None:
                note([first, record], "the same camera and time; compressed with loss")
    return found


def same_pixels(records: Sequence[FileRecord]) -> list[list[FileRecord]]:
    """Return groups of raw frames whose pixels are all the same, whatever their headers state.

    Some rows of each are read, and all of those that agree in these.
    """
    return [
        same
        for near in _groups(records, lambda record: _digest(record, _BAND))
        for same in _groups(near, lambda record: _digest(record, None))
    ]


def _rank(record: FileRecord) -> tuple[bool, bool, int]:
    name = os.path.basename(record.path).lower()
    return _may_have_lost(record), "copy" in name, len(name)


def _may_have_lost(record: FileRecord) -> bool:
    """Whether pixels are in tiles, but not as whole numbers without loss."""
    return any(
        hdu.storage == "tiles" and hdu.tiles is None for hdu in record.layout.planes["image"].hdus
    )


def _differ_by_loss(one: FileRecord, other: FileRecord) -> bool:
    """Whether the second is what a lossy compression has made of the first."""
    if not _may_have_lost(other) or one.coordinates["camera"] != other.coordinates["camera"]:
        return False
    pixels, lossy = (_pixels(record, _BAND) for record in (one, other))
    if pixels is None or lossy is None or pixels.shape != lossy.shape:
        return False
    # neighbours of one colour
    noise = np.median(np.abs(pixels[:, 2:] - pixels[:, :-2])) if pixels.shape[1] > 2 else 0.0
    return bool(np.median(np.abs(lossy - pixels)) < _NEAR * noise)


def _groups(
    records: Iterable[FileRecord], key: Callable[[FileRecord], Hashable | None]
) -> list[list[FileRecord]]:
    """Return groups of records that have a key in common; None is no key."""
    groups: dict[Hashable, list[FileRecord]] = {}
    for record in records:
        own = key(record)
        if own is not None:
            groups.setdefault(own, []).append(record)
    return [group for group in groups.values() if len(group) > 1]


def _likeness(record: FileRecord) -> Hashable | None:
    coordinates, layout = record.coordinates, record.layout
    if "image" not in layout.planes:
        return None
    time = coordinates["time"]
    when = layout.header if np.isnat(time) else str(time)
    return coordinates["image_type"], record.shape, str(coordinates["exposure"]), when


def _place(record: FileRecord) -> Hashable | None:
    try:
        status = os.stat(file_of(record.path))
    except OSError:
        return None
    return status.st_dev, status.st_ino, number_in_file(record.path)


def _digest(record: FileRecord, rows: int | None) -> Any:
    """Return a digest of some rows in the middle, or all; None of one value or if unreadable."""
    pixels = _pixels(record, rows)
    if pixels is None or (
        rows is not None and pixels.size > 1 and (pixels == pixels.flat[0]).all()
    ):
        return None
    return hashlib.blake2b(pixels.tobytes()).digest()


def _pixels(record: FileRecord, rows: int | None) -> Image | None:
    """Return some rows in the middle, or all, as float64; None if they are unreadable."""
    plane = record.layout.planes["image"]
    start = 0 if rows is None else max(plane.height // 2 - rows // 2, 0)
    stop = plane.height if rows is None else min(start + rows, plane.height)
    try:
        whole = {"image": [[plane]]}, [ChannelSlice()], (plane.height, plane.width)
        pixels = variables_of(*whole)["image"][0, 0, start:stop].values
    except (AutowispError, OSError):
        return None
    # a copy may be of another type; whole numbers are the same in all
    return np.ascontiguousarray(pixels, np.float64)
