"""Files that take no part in a night, and why: no raw frames, and frames without an image."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr import frames
from autowisp_xr.frames import FileRecord
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import value_of
from autowisp_xr.kinds import AVERAGED, FRAMES, KINDS
from autowisp_xr.night.sentences import sentence, some_of

_USUAL = 0.5
"""Of the frames of a kind: what so many have is the way of the camera."""


def unfit_because(record: FileRecord) -> str:
    """State why a file is no raw frame that can be used; "" where it is one."""
    if record.error is not None:
        return str(record.error)
    if record.master_because:
        used = record.coordinates["image_type"] in AVERAGED
        remedy = "; --masters, which takes files and directories, uses it" if used else ""
        return f"a master already ({record.master_because}), not a raw frame{remedy}"
    if record.calibrated_because:
        return f"calibrated already ({record.calibrated_because})"
    kind = record.coordinates["image_type"]
    if kind not in FRAMES:
        if record.type_rule:
            return f"of the type other, as the type rule {record.type_rule!r} states"
        return f"of no known type: {_type_cards(record)}"
    return _without_exposure(record) if "exposure" in KINDS[kind].alike else ""


def _without_exposure(record: FileRecord) -> str:
    if np.isfinite(record.coordinates["exposure"]):
        return ""
    kind = record.coordinates["image_type"]
    return f"{kind} frame whose exposure is not known ({_exposure_cards(record)})"


def flats_without_exposure(records: Sequence[FileRecord]) -> dict[str, str]:
    """Return the flats whose exposure is not known, where most state theirs, with the reason.

    No dark could be scaled to them, which would end the master of all.
    """
    flats = [one for one in records if one.coordinates["image_type"] == "flat"]
    found = {one.path: reason for one in flats if (reason := _without_exposure(one))}
    return found if len(found) <= (1 - _USUAL) * len(flats) else {}


def _type_cards(record: FileRecord) -> str:
    """Report what the cards of a header have about the type of a frame."""
    found = _cards(record, "image_type")
    if not found:
        return sentence("no_type")
    rule = found[0].replace(" = ", "=").replace("'", "")
    return sentence("unknown_type", cards=", ".join(found), kinds=", ".join(FRAMES), rule=rule)


def _exposure_cards(record: FileRecord) -> str:
    """Report what the cards of a header have about the exposure of a frame."""
    found = [f"{card} is no number of seconds" for card in _cards(record, "exposure")]
    return "; ".join(found) or "no EXPTIME, EXPOSURE or the like"


def _cards(record: FileRecord, field: str) -> list[str]:
    """List the cards of a header that may give a field, with their values."""
    words, header = KeywordAliases().cards[field], record.header
    return [f"{word} = {value_of(header, word)!r}" for word in words if word in header]


class Empty(NamedTuple):
    """The frames without an image that were found."""

    left_out: dict[str, str]
    """Reason for each, by path."""
    notes: list[str]


def empty_frames(records: Sequence[FileRecord]) -> Empty:
    """Find frames that are left out since they hold no data, and doubt those that miss a part.

    A frame whose pixels are all alike holds no data. One with a few others is as empty,
    unless its kind is so: the darks of a camera that cuts off at zero are nothing but hot pixels.
    """
    left_out: dict[str, str] = {}
    notes: list[str] = []
    usable = [record for record in records if not unfit_because(record)]
    for kind in FRAMES:
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


def _reason(one: frames.Emptiness, kind: str) -> str:
    """Report that a frame is empty."""
    but = f" but for {one.others}" if one.others else ""
    if one.full:
        return sentence("empty_saturated", value=one.value, but=but)
    level = kind == "bias" and one.value > 0
    return sentence("empty_bias" if level else "empty", value=one.value, but=but)
