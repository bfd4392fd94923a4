"""One master or one set of calibrated frames: made, written, and what became of its frames."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xarray as xr

from autowisp_xr import frames, provenance, store
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, BadImageError
from autowisp_xr.flags import Flag
from autowisp_xr.frames import FileRecord
from autowisp_xr.frames.outputs import write_whole
from autowisp_xr.frames.write import identity_in, with_files, write_missing
from autowisp_xr.night.doubts import DOUBT, Doubts
from autowisp_xr.night.record import NOT_OURS, Record
from autowisp_xr.night.summary import Made, Summary

__all__ = ["CAMERA", "STORE", "Plan", "Recipe", "Writer"]

STORE = "night.zarr"
CAMERA = "camera.toml"

Recipe = Callable[[xr.Dataset], xr.Dataset]
"""What makes a product of raw frames."""


@dataclass(kw_only=True)
class Plan:
    """What is to be made of which frames, and what is found out while it is made."""

    what: str
    """For people: "master dark_60s"."""
    place: str
    """Folder of the setup."""
    folder: str
    """"masters" or "calibrated"."""
    name: str
    """In the folder."""
    records: Sequence[FileRecord]
    camera: Camera | None
    masters: Mapping[str, str]
    """For each kind of master the name of the one that is applied."""
    why_not: Mapping[str, str]
    """The reason against each other candidate."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why there is none, for each kind of master that it lacks."""
    against: tuple[str, ...] = ()
    """The reasons in a few words."""
    notes: list[str] = field(default_factory=list)
    look: "Callable[[xr.Dataset], Doubts] | None" = None
    """Says what is doubtful about what was made."""
    unused: dict[str, str] = field(default_factory=dict)
    """Frames that are not good enough for the master at hand, and why."""

    @property
    def group(self) -> str:
        """In the store of the night."""
        return "/".join(part for part in (self.place, self.folder, self.name) if part)


class Writer:
    """Makes products, one after the other, and notes what became of each frame.

    Parameters
    ----------
    target
        Directory of the results.
    overwrite, say
        As for :func:`~autowisp_xr.reduce`.
    summary
        Takes the notes.
    record
        Tells what may be replaced.
    """

    def __init__(
        self,
        target: Path,
        overwrite: bool,
        summary: Summary,
        say: Callable[[str], None],
        record: Record,
    ) -> None:
        self.target = target
        self.overwrite = overwrite
        self.summary = summary
        self.say = say
        self.record = record
        self.kept = False
        """Whether results of another run are in the way, and stay."""

    def attempt(self, plan: Plan, recipe: Recipe) -> xr.Dataset | None:
        """Make one thing and write it; None, with the reason for its frames, if that fails."""
        number = len(plan.records)
        self.say(f"{plan.what}: {number} frame{'' if number == 1 else 's'}")
        try:
            return self._make(plan, recipe, self.overwrite)
        except BadImageError as error:
            good, reason = self._without_damaged(plan.records), str(error)
        except (AutowispError, OSError, ValueError) as error:
            good, reason = list(plan.records), str(error)
        if len(good) < len(plan.records):
            plan.records = good
            if good:
                try:
                    # what the damaged frames have left half-written in the store may go
                    kept = plan.group in store.groups_of(self.target / STORE)
                    return self._make(plan, recipe, self.overwrite or not kept)
                except (AutowispError, OSError, ValueError) as error:
                    reason = str(error)
        for path in (record.path for record in plan.records):
            self.summary.failed[path] = f"{plan.what}: {reason}" + (
                f" ({plan.unused[path]})" if path in plan.unused else ""
            )
        self.say(f"  failed: {reason}")
        return None

    def write_camera(self, place: str, camera: Camera, note: str) -> None:
        """Write what was measured of a camera, in the form that ``reduce`` reads."""
        path = self.target / place / CAMERA
        lines = "".join(f"# {line}\n" for line in textwrap.wrap(note, 96))
        text = lines + camera.to_toml()
        there = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
        # that of another run goes with its results, which are not replaced either
        free = self.overwrite or there is None
        if there != text and not (free and self.write_text(path, text)):
            self.summary.notes.append(
                f"{path} is left as it is, and was not read; --camera {path} would"
            )

    def write_text(self, path: Path, text: str) -> bool:
        """Write a text and say True, unless what is there is not ours; then the summary says so."""
        content = text.encode("utf-8", errors="backslashreplace")
        why = self.record.why_kept(str(path))
        if why:
            self.summary.notes.append(_kept([str(path)], why))
            return False
        self.record.begin_text(str(path), content)
        _write_bytes(path, content)
        return True

    def _make(self, plan: Plan, recipe: Recipe, overwrite: bool) -> xr.Dataset:
        plan.unused, plan.notes, plan.look = {}, [], None
        made = recipe(frames.open_records(plan.records, camera=plan.camera))
        identity = provenance.fingerprint(made)
        ours = self.record.owns_group(plan.group, identity)
        if ours:
            self.record.begin_group(plan.group, identity)
        try:
            overwrite = overwrite or self._adds_errors(made, plan.group)
            made = store.to_zarr(
                made, self.target / STORE, group=plan.group, overwrite=overwrite and ours
            )
        except FileExistsError as error:
            self.kept = True
            if not ours:
                raise FileExistsError(
                    f"{self.target / STORE}/{plan.group} was not written by reduce, or was changed "
                    "since, and is kept; remove this group, or choose another directory for the "
                    "results"
                ) from error
            raise FileExistsError(
                f"{self.target / STORE}/{plan.group} holds what was made of other frames, with "
                "another camera, other masters or another choice of flats, and is kept; choose "
                "another directory for the results, or overwrite it (where only the measured gain "
                f"differs, {self.target / plan.place / CAMERA} as the camera keeps the old one)"
            ) from error
        plan.notes += _without_good_pixels(made, plan.folder)
        doubts = plan.look(made) if plan.look else Doubts()
        found = list(doubts.notes)
        for note in plan.notes:
            if note.startswith(DOUBT):
                doubts.tell(note)
        plan.notes += found
        made = doubts.marked(made)
        files = self._to_fits(made, plan)
        made = with_files(made, files)
        for path, reason in plan.unused.items():
            self.say(f"  left out: {path}: {reason}")
        self.summary.left_out.update(plan.unused)
        self.summary.made.append(
            Made(
                what=plan.what,
                inputs=tuple(r.path for r in plan.records if r.path not in plan.unused),
                files=tuple(files),
                group=plan.group,
                masters=plan.masters,
                missing=plan.missing,
                why_not=plan.why_not,
                against=plan.against,
                noise_known=provenance.noise_known(made),
                notes=tuple(plan.notes),
            )
        )
        return made

    def _adds_errors(self, made: xr.Dataset, group: str) -> bool:
        """Whether what is made has errors, and what an earlier run left of it has none."""
        target = self.target / STORE
        if not target.exists() or group not in store.groups_of(target):
            return False
        earlier = store.open_zarr(target, group=group)
        return provenance.noise_known(made) and not provenance.noise_known(earlier)

    def _without_damaged(self, records: Sequence[FileRecord]) -> list[FileRecord]:
        """Records whose pixels can be read; the others are left out with the reason."""
        good = []
        for record in records:
            error = frames.damage(record)
            if error is None:
                good.append(record)
            else:
                self.summary.left_out[record.path] = str(error)
                self.say(f"  left out: {error}")
        return good

    def _to_fits(self, made: xr.Dataset, plan: Plan) -> list[str]:
        channel = "" if made.sizes["channel"] == 1 else "_{CLRCHNL}"
        into, stem = self.target / plan.place / plan.folder, plan.name
        if plan.folder != "masters":
            into, stem = into / plan.name, "{frame}"
        # braces in the name of a directory are no fields of the template
        template = str(into).replace("{", "{{").replace("}", "}}")
        name = f"{template}/{stem}{channel}.fits"
        identity = provenance.identity(made)
        kept: dict[str, str] = {}
        others = set()

        def keeps(path: str) -> bool:
            """Whether a file stays: that of this very result, whoever has worked on it, too."""
            why, is_this = self.record.why_kept(path), identity_in(path) == identity
            if why and not (is_this and why == NOT_OURS):
                kept[path] = why
            if why and not is_this:
                others.add(path)
            return bool(why) or is_this

        try:
            paths = write_missing(made, name, keeps, overwrite=True, told=self.record.add)
        finally:
            self.record.save()
        plan.notes += [_kept(names, why) for why, names in _by_reason(kept).items()]
        return [path for path in paths if path not in others]


def _kept(paths: Sequence[str], why: str) -> str:
    return (
        f"kept, and not written: {', '.join(paths)}: {why}; to have it written, move it away and "
        "run again"
    )


def _by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Paths that have a reason in common."""
    paths: dict[str, list[str]] = {}
    for path, reason in reasons.items():
        paths.setdefault(reason, []).append(path)
    return paths


def _without_good_pixels(made: xr.Dataset, folder: str) -> list[str]:
    """What is wrong with a product as a whole; an error for a master without a good pixel."""
    if folder == "masters":
        if not (made["mask"].values & np.uint8(Flag.BAD) == 0).any():
            raise AutowispError("no pixel of it is good: all are flagged or NaN in all frames")
        if np.isnan(made["variance"].values).all():
            return [
                "WARNING: its errors are not known, nor those of what it corrects: they take more "
                "than one frame, or the gain and read noise of the camera"
            ]
        return []
    bad = [
        str(made["frame"].values[i])
        for i in range(made.sizes["frame"])
        if (made["mask"][i].values & np.uint8(Flag.BAD)).all()
    ]
    return [f"DOUBT: no pixel is good in {', '.join(bad)}"] if bad else []


def _write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that its name never stands for half of it."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    try:
        write_whole([(str(path), write)], overwrite=True)
    except OSError as error:
        text = content.decode("utf-8")
        raise AutowispError(f"{path} could not be written: {error}\n\n{text}") from error
