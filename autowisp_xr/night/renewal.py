"""Results of an earlier run that are made again, because the night has grown or a master changed.

Decision: what is ours may be replaced where its frames or its masters are others than they were,
because files only came to exist, changed, moved or went away: nobody has to ask for that. With the
same frames and masters it is the choice of the user that differs, and with none of the frames it is
another night: both need ``overwrite``. So do results with frames that are still there and cannot be
used any more, such as damaged ones: they are better than what could be made without.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from autowisp_xr import provenance, recipes, store
from autowisp_xr.errors import AutowispError
from autowisp_xr.filesystem.addresses import file_of
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.frames.names import FITS_SUFFIX
from autowisp_xr.kinds import KINDS
from autowisp_xr.night.record import Record
from autowisp_xr.night.sentences import counted, named, sentence

DEEP = "deep"
"""The folder of deep stacks among the results."""


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
    now = origins(made)
    before, moved = followed(origins(earlier), now)
    if not before.keys().isdisjoint(lost) or before.keys().isdisjoint(now):
        return ""
    differing = {
        "moved": moved,
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


def origins(ds: xr.Dataset) -> dict[str, Any]:
    """Return size and time of change of the files that a product was made of."""
    return {one["path"]: (one["size"], one["changed"]) for one in provenance.files_of(ds)}


def followed(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the origins of an earlier result by the paths of today, and which of these are new.

    A file was moved where it is gone, and one of its name, size and time of change has come.
    """
    gone = {path for path in before.keys() - now.keys() if not os.path.exists(file_of(path))}
    new = (
        {(Path(path).name, now[path]): path for path in now.keys() - before.keys()} if gone else {}
    )
    moved = {path: new.get((Path(path).name, before[path]), path) for path in gone}
    return {moved.get(path, path): one for path, one in before.items()}, set(moved.values()) - gone


def _masters(ds: xr.Dataset) -> dict[str, Any]:
    """Return the identities of the masters that a product was made with, and of masks."""
    found: dict[str, Any] = {}
    for step in provenance.history(ds):
        found |= step.get("masters", {})
        if masks := step.get("options", {}).get("masks"):
            found[_MASK] = masks
    return found


class Leftovers(NamedTuple):
    """Results of earlier runs that this run would not make."""

    files: Sequence[str] = ()
    """Those that are as we have left them."""
    groups: Sequence[str] = ()
    changed: Sequence[str] = ()
    """Files that somebody has worked on since."""

    def notes(self, *, removed: bool) -> list[str]:
        """Return a line that lists ours, and one that lists those of somebody else by now."""
        ours = [Path(path).name for path in self.files] + list(self.groups)
        theirs = [Path(path).name for path in self.changed]
        found = []
        if ours:
            values = {"number": len(ours), "names": named(ours)}
            found.append(sentence("pruned" if removed else "left_over", **values))
        if theirs:
            found.append(sentence("left_over_changed", number=len(theirs), names=named(theirs)))
        return found

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

    files: list[str] = []
    changed: list[str] = []
    for path, place, unchanged in record.others():
        if is_left(FITS_SUFFIX.sub("", place), list(_inputs_of_file(path))):
            (files if unchanged else changed).append(path)
    groups = [
        group
        for group in record.groups
        if group not in planned and is_left(group, _inputs_of_group(record.store, group))
    ]
    return Leftovers(files, groups, changed)


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
