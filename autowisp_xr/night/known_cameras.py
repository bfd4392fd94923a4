"""The camera of each setup of a night: as stated, as measured, or as an earlier run found it."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias

import numpy as np

from autowisp_xr import provenance, recipes
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError
from autowisp_xr.night.camera_words import UNITS
from autowisp_xr.night.frame_sets import FrameSet, records_of
from autowisp_xr.night.measured_camera import KnownCamera, know_camera
from autowisp_xr.night.plan import Plan, by_setup, camera_with_colours
from autowisp_xr.night.product_writing import Writer
from autowisp_xr.night.record import Record
from autowisp_xr.night.renewal import followed, origins
from autowisp_xr.night.sentences import plain, sentence

Frames: TypeAlias = Literal["others", "same", "changed"]
"""How the frames of a setup are to those of an earlier run: "others" have none in common."""

_SURE = 3.0
"""Uncertainties by which a camera measures otherwise than before."""

_MEASURED = ("gain", "read_noise", "saturation", "amplifiers")


def known_cameras(plan: Plan, writer: Writer, camera: Camera | None) -> dict[str, KnownCamera]:
    """Return the camera of each setup by its place, measured where its noise is not known.

    What was measured is written, and noted in the summary; where it is not what an earlier run has
    found in other frames, results of that are made again.
    """
    cameras: dict[str, KnownCamera] = {}
    renewals = writer.record.renewals
    for place, of_place in by_setup(plan.sets).items():
        complete = camera_with_colours(of_place, camera)
        known = know_camera(of_place, complete, checks=writer.checks)
        earlier = writer.earlier_camera(place) if known.found else None
        if known.camera != earlier:
            renewals.pop(place, None)
        if earlier is not None and known.camera != earlier:
            since = _frames_since(writer.record, place, of_place)
            known, why = settled(known, earlier, complete, since)
            if why:
                renewals[place] = why
        cameras[place] = known
        if known.curve is not None:
            writer.summary.curves[place] = known.curve
        for note in known.notes:
            line = f"{place}: {note}" if place else note
            writer.report(line)
            writer.summary.notes.append(line)
        if known.found and known.camera not in (None, earlier):
            writer.write_camera(place, known.camera, " ".join(known.found))
    return cameras


def _frames_since(record: Record, place: str, sets: Sequence[FrameSet]) -> Frames:
    """Compare the frames of a setup with those of the results that an earlier run has left of it.

    Where it has left none, nothing is in the way, as after a change.
    """
    before: dict[str, Any] = {}
    for group in record.groups:
        if not place or group.startswith(f"{place}/"):
            with suppress(AutowispError, OSError):
                before |= origins(recipes.outline(record.store, group=group))
    entries = [provenance.file_entry(one.path) for one in records_of(sets)]
    now = {one["path"]: (one["size"], one["changed"]) for one in entries}
    before, _ = followed(before, now)
    if before and before.keys().isdisjoint(now):
        return "others"
    return "same" if before == now else "changed"


def settled(
    known: KnownCamera, earlier: Camera, stated: Camera | None = None, frames: Frames = "changed"
) -> tuple[KnownCamera, str]:
    """Let a camera stay what an earlier run has measured, as long as that holds.

    Parameters
    ----------
    known
        What is measured now.
    earlier
        What the earlier run found.
    stated
        What the user states of it.
    frames
        How the frames are to those of the earlier run.

    Returns
    -------
    The camera, and why it is another than before by what is measured in other frames; "" where it
    is not, where other facts differ, or where it is for the user to choose.
    """
    new = known.camera
    if new is None or new == earlier or _unmeasured(new) != _unmeasured(earlier):
        return known, ""
    if frames == "others" or _is_restated(stated, earlier):
        return known, ""
    lines, apart = [], new.saturation != earlier.saturation
    for name in ("gain", "read_noise"):
        ours, before = (np.array(_numbers(camera, name), float) for camera in (new, earlier))
        errors = np.broadcast_to(known.errors.get(name, math.nan), ours.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            off = np.where(ours == before, 0.0, np.abs(ours - before) / errors)
        at = int(np.nanargmax(off)) if np.isfinite(off).any() else 0
        apart |= not (off <= _SURE).all()
        values = {"name": plain(name), "unit": UNITS[name], "off": float(off[at])}
        lines.append(
            sentence("measured_before", now=float(ours[at]), before=float(before[at]), **values)
        )
    line = "; ".join(lines)
    if apart and frames == "same":
        # what the user stated then is left out now
        return known, ""
    if apart:
        return known._replace(notes=(*known.notes, sentence("camera_changed", line=line))), line
    note = sentence("camera_stays", line=line)
    return known._replace(camera=earlier, notes=(*known.notes, note)), ""


def _is_restated(stated: Camera | None, earlier: Camera) -> bool:
    """Whether the user states something else than an earlier run went by."""
    if stated is None:
        return False
    pairs = [(stated.saturation, earlier.saturation)]
    for name in ("gain", "read_noise"):
        pairs += zip(_numbers(stated, name), _numbers(earlier, name), strict=False)
    return any(ours is not None and ours != before for ours, before in pairs)


def _unmeasured(camera: Camera) -> dict[str, Any]:
    facts = {name: one for name, one in vars(camera).items() if name not in _MEASURED}
    return facts | {"number": len(camera.amplifiers)}


def _numbers(camera: Camera, name: str) -> list[Any]:
    if camera.amplifiers:
        return [getattr(one, name) for one in camera.amplifiers]
    value = getattr(camera, name)
    return list(value.values()) if isinstance(value, Mapping) else [value]
