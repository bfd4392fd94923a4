"""Frames that hold no image: all their pixels have one value, or those of some rows."""

from collections.abc import Sequence
from typing import NamedTuple

from autowisp_xr import frames
from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import KINDS
from autowisp_xr.night.grouped import some_of
from autowisp_xr.night.sentences import sentence

__all__ = ["Empty", "empty_frames"]

_USUAL = 0.5
"""Of the frames of a kind: what so many have is the way of the camera."""


class Empty(NamedTuple):
    """What was found of frames without an image."""

    left_out: dict[str, str]
    """Reason for each, by path."""
    notes: list[str]


def empty_frames(records: Sequence[FileRecord]) -> Empty:
    """Frames that are left out since they hold no data, and doubts about those that miss a part.

    A frame whose pixels are all alike says nothing of anything. One with a few others is as empty,
    unless its kind is so: the darks of a camera that cuts off at zero are nothing but hot pixels.
    """
    left_out: dict[str, str] = {}
    notes: list[str] = []
    usable = [record for record in records if _is_raw(record)]
    for kind in KINDS:
        of_kind = [r for r in usable if r.coordinates["image_type"] == kind]
        found = [(r, one) for r in of_kind if (one := frames.emptiness(r)) is not None]
        if len(found) > _USUAL * len(of_kind):
            found = [(r, one) for r, one in found if one.rows == 1 and not one.others]
        left_out |= {r.path: _reason(one, kind) for r, one in found if one.rows == 1}
        partly = [r.name for r, one in found if one.rows < 1]
        if partly:
            some = some_of(partly, len(of_kind))
            notes.append(sentence("part_missing", frames=some, kind=kind))
    return Empty(left_out, notes)


def _is_raw(record: FileRecord) -> bool:
    known = record.error is None and record.coordinates.get("image_type") in KINDS
    return known and not (record.master_because or record.calibrated_because)


def _reason(one: frames.Emptiness, kind: str) -> str:
    but = f" but for {one.others}" if one.others else ""
    if one.full:
        return sentence("empty_saturated", value=one.value, but=but)
    level = kind == "bias" and one.value > 0
    return sentence("empty_bias" if level else "empty", value=one.value, but=but)
