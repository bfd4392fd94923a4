"""Results of an earlier run that are made again, because the night has grown or a master changed.

Decision: what is ours may be replaced where its frames or its masters are others than they were,
because files only came to exist, changed or went away: nobody has to ask for that. With the same
frames and masters it is the choice of the user that differs, and with none of the frames it is
another night: both need ``overwrite``. So do results with frames that are still there and cannot be
used any more, such as damaged ones: they are better than what could be made without.
"""

import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import xarray as xr

from autowisp_xr import provenance, recipes, store
from autowisp_xr.addresses import file_of
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.frames.names import FITS_SUFFIX
from autowisp_xr.kinds import KINDS
from autowisp_xr.night.camera_words import UNITS
from autowisp_xr.night.frame_sets import FrameSet, records_of
from autowisp_xr.night.measured_camera import KnownCamera
from autowisp_xr.night.record import Record
from autowisp_xr.night.sentences import counted, named, plain, sentence

DEEP = "deep"
"""The folder of deep stacks among the results."""

_SURE = 3.0
"""Uncertainties by which a camera measures otherwise than before."""


def why_again(
    made: xr.Dataset, earlier: xr.Dataset, lost: Collection[str], renewed: str = ""
) -> str:
    """State why a product is made again; "" where only the user can want that.

    Parameters
    ----------
    made, earlier
        The product now, and as an earlier run has left it.
    lost
        Files that are there and cannot be used.
    renewed
        Why the camera is another; "" where it is not.
    """
    now, before = _origins(made), _origins(earlier)
    if not before.keys().isdisjoint(lost) or before.keys().isdisjoint(now):
        return ""
    differing = {
        "more": now.keys() - before.keys(),
        "fewer": before.keys() - now.keys(),
        "changed": {path for path in now.keys() & before.keys() if now[path] != before[path]},
    }
    reasons = []
    for how, paths in differing.items():
        if paths:
            names = named([Path(path).name for path in sorted(paths)])
            reasons.append(f"{counted(len(paths), 'frame')} {how} ({names})")
    masters, known = _masters(made), _masters(earlier)
    if not (masters.get(_MASK) and known.get(_MASK)):
        # whether there is a mask is for the user to choose
        masters.pop(_MASK, None)
        known.pop(_MASK, None)
    others = [kind for kind in {**known, **masters} if masters.get(kind) != known.get(kind)]
    reasons += [f"another {kind}" for kind in others if kind in _KINDS]
    if not reasons and others:
        # what a mask of defects is found in are sets of frames
        reasons.append("other frames in one of the sets")
    if reasons and "frame" in made.dims:
        kept = {*provenance.frame_identities(made)} & {*provenance.frame_identities(earlier)}
        reasons.append(f"{counted(len(kept), 'frame')} kept" if kept else "none kept")
    return ", ".join(reasons) or renewed


_MASK = "mask of defects"
_KINDS = {*KINDS, _MASK}


def _origins(ds: xr.Dataset) -> dict[str, Any]:
    """Return size and time of change of the files that a product was made of."""
    return {one["path"]: (one["size"], one["changed"]) for one in provenance.files_of(ds)}


def _masters(ds: xr.Dataset) -> dict[str, Any]:
    """Return the identities of the masters that a product was made with, and of masks."""
    found: dict[str, Any] = {}
    for step in provenance.history(ds):
        found |= step.get("masters", {})
        if masks := step.get("options", {}).get("masks"):
            found[_MASK] = masks
    return found


# ---------------------------------------------------------------------- what was measured


Frames: TypeAlias = Literal["others", "same", "changed"]
"""How the frames of a setup are to those of an earlier run: "others" have none in common."""


def frames_since(record: Record, place: str, sets: Sequence[FrameSet]) -> Frames:
    """Compare the frames of a setup with those of the results that an earlier run has left of it.

    Where it has left none, nothing is in the way, as after a change.
    """
    before: dict[str, Any] = {}
    for group in record.groups:
        if not place or group.startswith(f"{place}/"):
            with suppress(AutowispError, OSError):
                before |= _origins(recipes.outline(record.store, group=group))
    entries = [provenance.file_entry(one.path) for one in records_of(sets)]
    now = {one["path"]: (one["size"], one["changed"]) for one in entries}
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


_MEASURED = ("gain", "read_noise", "saturation", "amplifiers")


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


# ---------------------------------------------------------------------- what is left over


class Leftovers(NamedTuple):
    """Results of earlier runs, all of them ours and unchanged, that this run would not make."""

    files: Sequence[str] = ()
    groups: Sequence[str] = ()

    def note(self, *, removed: bool) -> str:
        """Return a line that lists them."""
        names = [Path(path).name for path in self.files] + list(self.groups)
        values = {"number": len(names), "names": named(names)}
        return sentence("pruned" if removed else "left_over", **values)

    def remove(self, record: Record) -> None:
        """Remove them, and folders that become empty."""
        for path in self.files:
            os.unlink(path)
            record.forget_file(path)
            folder = Path(path).parent
            if folder != record.target and not any(folder.iterdir()):
                folder.rmdir()
        for group in self.groups:
            store.remove(record.store, group)
            record.forget_group(group)
        record.save()


def leftovers(record: Record, used: Collection[str], planned: Collection[str]) -> Leftovers:
    """Find results of frames that are gone, and those that have other places now.

    Parameters
    ----------
    record
        What reduce has written.
    used
        The frames that went into what is made now.
    planned
        The groups of all products of this run, made or not.
    """
    homes = {*planned, *map(deep_place, planned)}

    def is_left(place: str, inputs: Sequence[str]) -> bool:
        at_home = any(place == one or place.startswith((f"{one}/", f"{one}_")) for one in homes)
        gone = not all(os.path.exists(file_of(one)) for one in inputs)
        return bool(inputs) and (gone or (not at_home and set(inputs) <= set(used)))

    files = [
        path
        for path, place in record.others()
        if is_left(FITS_SUFFIX.sub("", place), list(_inputs_of_file(path)))
    ]
    groups = [
        group
        for group in record.groups
        if group not in planned and is_left(group, _inputs_of_group(record.store, group))
    ]
    return Leftovers(files, groups)


def deep_place(group: str) -> str:
    """Return the place among the results of the deep stack of a group of lights."""
    place, _, name = group.rpartition("/")
    return "/".join(part for part in (place.rpartition("/")[0], DEEP, name) if part)


def _inputs_of_file(path: str) -> Iterator[str]:
    try:
        steps = provenance.steps_of(read_layout(path).history)
    except (AutowispError, OSError):
        return
    yield from (file["path"] for step in steps for file in step.get("inputs", ()))


def _inputs_of_group(place: Path, group: str) -> list[str]:
    try:
        return [file["path"] for file in provenance.files_of(recipes.outline(place, group=group))]
    except (AutowispError, OSError):
        return []
