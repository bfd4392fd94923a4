"""Frames that hold no image: all their pixels have one value, or those of some rows."""

from collections.abc import Sequence
from typing import NamedTuple

from autowisp_xr import frames
from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import KINDS
from autowisp_xr.night.doubts import DOUBT, LEAVE_OUT, some_of

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
        found = {r.path: one for r in of_kind if (one := frames.emptiness(r)) is not None}
        usual = len(found) > _USUAL * len(of_kind)
        partly = []
        for record in of_kind:
            one = found.get(record.path)
            if one is None or (usual and (one.others or one.rows < 1)):
                continue
            if one.rows < 1:
                partly.append(record.name)
            else:
                left_out[record.path] = _reason(one, record)
        if partly:
            notes.append(
                f"{DOUBT}{some_of(partly, len(of_kind))} of the type {kind}: whole rows are of one "
                f"value, as if a part of the image was not transferred; {LEAVE_OUT} "
                "leaves out what is broken"
            )
    return Empty(left_out, notes)


def _is_raw(record: FileRecord) -> bool:
    known = record.error is None and record.coordinates.get("image_type") in KINDS
    return known and not (record.master_because or record.calibrated_because)


def _reason(one: frames.Emptiness, record: FileRecord) -> str:
    but = f" but for {one.others}" if one.others else ""
    reason = f"all pixels are {one.value:g}{but}: the frame is empty, and holds no data"
    if one.full:
        reason = (
            f"all pixels are {one.value:g}{but}, the largest value: saturated, it holds no data"
        )
    elif record.coordinates["image_type"] == "bias" and one.value > 0:
        reason += f" (bias_level = {one.value:g} in a camera file subtracts a constant level)"
    return reason
