"""Which frames of a night belong together: by kind and by all traits that have to agree."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from autowisp_xr.camera import Camera
from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import FRAMES, KINDS
from autowisp_xr.matching import Matching
from autowisp_xr.night.camera_setups import take_colours
from autowisp_xr.night.file_traits import nights_of, traits_of_file, traits_of_set
from autowisp_xr.night.grouping import Grouping
from autowisp_xr.night.set_names import name_of_set, names_for, own_names, places_of
from autowisp_xr.night.summarised_lines import by_key
from autowisp_xr.night.unfit import unfit_because
from autowisp_xr.traits import Traits


@dataclass(frozen=True, kw_only=True)
class FrameSet:
    """Frames that are averaged, or calibrated, together."""

    name: str
    """Fit for files and stores, such as ``dark_60s``; no other set in the place bears it."""
    place: str
    """Folder of the setup in the results; "" where a night has one setup only."""
    traits: Traits
    records: tuple[FileRecord, ...]

    @property
    def path(self) -> str:
        """Place and name."""
        return "/".join(part for part in (self.place, self.name) if part)


def records_of(sets: Iterable[FrameSet], kind: str = "") -> list[FileRecord]:
    """Files of sets: of those of a kind, or of all."""
    return [record for one in sets if kind in ("", one.traits.kind) for record in one.records]


class SortedFrames(NamedTuple):
    """What :func:`sort_frames` makes of the files of a night."""

    sets: list[FrameSet]
    left_out: dict[str, str]
    """Reason for each file that is in no set, by path."""
    notes: list[str]
    """What was assumed about many files, a line each."""


def sort_frames(
    records: Iterable[FileRecord],
    camera: Camera | None = None,
    matching: Matching | None = None,
    *,
    look: bool = False,
) -> SortedFrames:
    """Sets of frames of a night, and the reason for each file that is in none.

    Parameters
    ----------
    records
        As :func:`autowisp_xr.frames.scan` gives them.
    camera
        What the user says of the camera.
    matching
        How far temperatures and exposures of one set may be apart, and what parts sets.
    look
        Whether some pixels may be read, to tell if biases and darks of several nights agree;
        without, they are taken to.

    Returns
    -------
    The sets, of each kind in the order in which their first frames appear; what was left out; and
    notes. Frames of a set agree in all that :data:`~autowisp_xr.kinds.KINDS` says of their kind.
    Frames that do not say a setting go with the one setting of those that do; where there are
    several, they are a setup of their own. Every record is in exactly one set, or left out.
    """
    matching = matching or Matching()
    reasons = [(record, unfit_because(record)) for record in records]
    left_out = {record.path: reason for record, reason in reasons if reason}
    usable = [record for record, reason in reasons if not reason]
    nights = nights_of(usable)
    traits = {
        one.path: traits_of_file(one, camera, matching.keywords, nights.get(one.path, ""))
        for one in usable
    }
    notes: list[str] = []
    take_colours(traits, notes)
    places = dict(zip(traits, places_of(list(traits.values())), strict=True))
    sets: list[FrameSet] = []
    for place, members in by_key(usable, lambda record: places[record.path]).items():
        bands = names_for(text for text in (traits[r.path].filter for r in members) if text)
        of_setup: list[FrameSet] = []
        for kind in FRAMES:
            alike = [record for record in members if traits[record.path].kind == kind]
            for group in Grouping(KINDS[kind], traits, matching, look, notes).groups(alike):
                found = traits_of_set(kind, [traits[record.path] for record in group], group)
                exposure = float(group[0].coordinates["exposure"])
                of_setup.append(
                    FrameSet(
                        name=name_of_set(found, exposure, bands | {"": ""}),
                        place=place,
                        traits=found,
                        records=tuple(group),
                    )
                )
        sets += with_own_names(of_setup)
    return SortedFrames(sets, left_out, notes)


def with_own_names(sets: Sequence[FrameSet]) -> list[FrameSet]:
    """Sets of one setup, each with a name of its own."""
    names = own_names([(one.name, one.traits) for one in sets])
    return [replace(one, name=name) for one, name in zip(sets, names, strict=True)]
