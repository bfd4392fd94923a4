"""Sets of frames of a night that belong together, by kind and all traits that have to agree."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from autowisp_xr.camera import Camera
from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import EXPOSURE_TOLERANCE, FRAMES, KINDS, Kind
from autowisp_xr.matching import Matching, lowest_of_parts, same_exposure
from autowisp_xr.matching.traits import Traits, comparable
from autowisp_xr.night.camera_setups import places_of, take_colours
from autowisp_xr.night.checks_of_levels import FrameLevel, level_of_frames, levels_differ
from autowisp_xr.night.file_traits import nights_of, traits_of_file, traits_of_set
from autowisp_xr.night.sentences import by_key, sentence
from autowisp_xr.night.set_names import name_of_set, names_for, own_names
from autowisp_xr.night.unfit import flats_without_exposure, unfit_because

_SHORT, _LONG = 1.0, 10.0
"""Seconds: exposures of darks that are as good as biases, and of flats whose darks may be; in a
camera of an electron a second that is not cooled, 10 s add 13 % to a read noise of 6."""

_Frames = list[FileRecord]


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
    """List the files of sets: of those of a kind, or of all."""
    return [record for one in sets if kind in ("", one.traits.kind) for record in one.records]


def unlit_of(sets: Sequence[FrameSet]) -> FrameSet | None:
    """Return the set that shows the read noise: of biases, else of darks as short as flats; None.

    The dark current of darks counts as read noise, and does not change a gain: flats of the same
    exposure have as much.
    """
    biases = [one for one in sets if one.traits.kind == "bias"]
    flats = [one.traits.exposure[1] for one in sets if one.traits.kind == "flat"]
    longest = max(min(max(flats, default=0.0), _LONG), _SHORT)
    darks = [
        one
        for one in sets
        if KINDS[one.traits.kind].place == "dark" and one.traits.exposure[1] <= longest
    ]
    largest = max(biases, key=lambda one: len(one.records), default=None)
    if largest is not None and len(largest.records) > 1:
        return largest
    several = [one for one in darks if len(one.records) > 1]
    return min(several, key=lambda one: one.traits.exposure[1], default=largest)


def unlit_words(unlit: FrameSet) -> str:
    """State how many frames show the read noise, and what they are."""
    number, seconds = len(unlit.records), unlit.traits.exposure[1]
    if unlit.traits.kind == "bias":
        return f"{number} biases"
    return sentence("darks_for_biases", number=number, seconds=seconds)


class SortedFrames(NamedTuple):
    """The files of a night as :func:`sort_frames` sorts them."""

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
    """Sort the frames of a night into sets, and give the reason for each file that is in none.

    Parameters
    ----------
    records
        As :func:`autowisp_xr.frames.scan` gives them.
    camera
        What the user states of the camera.
    matching
        How far temperatures and exposures of one set may be apart, and what parts sets.
    look
        Whether some pixels may be read, to see if biases and darks of several nights agree;
        without, they are taken to.

    Returns
    -------
    The sets, of each kind in the order in which their first frames appear; what was left out; and
    notes. Frames of a set agree in all that :data:`~autowisp_xr.kinds.KINDS` has for their kind.
    Frames that do not state a setting go with the one setting of those that do; where there are
    several, they are a setup of their own. Every record is in exactly one set, or left out.
    """
    matching = matching or Matching()
    reasons = [(record, unfit_because(record)) for record in records]
    left_out = {record.path: reason for record, reason in reasons if reason}
    usable = [record for record, reason in reasons if not reason]
    left_out |= flats_without_exposure(usable)
    usable = [record for record in usable if record.path not in left_out]
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
            for group in _Sorter(KINDS[kind], traits, matching, look, notes).sorted(alike):
                found = traits_of_set(kind, [traits[record.path] for record in group], group)
                exposure = float(group[0].coordinates["exposure"])
                name = name_of_set(found, exposure, bands | {"": ""})
                of_setup.append(FrameSet(name=name, place=place, traits=found, records=(*group,)))
        sets += with_own_names(of_setup)
    notes += _told_apart_by_case(sets, traits, matching)
    return SortedFrames(sets, left_out, notes)


def _told_apart_by_case(
    sets: Sequence[FrameSet], traits: Mapping[str, Traits], matching: Matching
) -> list[str]:
    """Report filters of one letter in both cases: r of Sloan is not R of Cousins."""
    lit = [one for one in sets if KINDS[one.traits.kind].sees_light]
    cards = [one.traits.cards["filter"] for one in lit if "filter" in one.traits.cards]
    card = cards[0] if cards else "FILTER"
    if card in matching.keywords:
        return []
    filters = {traits[record.path].filter.strip() for record in records_of(lit)}
    upper = sorted(one for one in filters if len(one) == 1 and one.isupper())
    both = [(one, one.lower()) for one in upper if one.lower() in filters]
    return [sentence("filters_by_case", upper=one, lower=lower, card=card) for one, lower in both]


def with_own_names(sets: Sequence[FrameSet]) -> list[FrameSet]:
    """Give each of the sets of one setup a name of its own."""
    names = own_names([(one.name, one.traits) for one in sets])
    return [replace(one, name=name) for one, name in zip(sets, names, strict=True)]


@dataclass
class _Sorter:
    """Sorts frames of one kind and setup into sets."""

    kind: Kind
    traits: Mapping[str, Traits]
    """Of each frame, by its path."""
    matching: Matching
    look: bool
    """Whether some pixels may be read."""
    notes: list[str]
    """Takes what was assumed."""

    def sorted(self, records: _Frames) -> list[_Frames]:
        """Bring together frames that agree, in the order in which the first of each appear."""
        alike, by = self.kind.alike, self.matching.group_by
        by_temperature = "temperature" not in self.matching.allow_mismatch
        steps = (
            (True, self._by("others")),
            ("filter" in alike, self._by("filter")),
            ("exposure" in alike, self._by_exposure),
            ("target" in (by or ()) and self.kind.name == "object", self._by("target")),
            ("temperature" in alike and by_temperature, self._by_temperature),
            ("night" in (alike if by is None else by), self._by("night")),
            (by is None and "night" not in alike, self._by_level_of_nights),
        )
        found = [records] if records else []
        for counts, step in steps:
            if counts:
                found = [part for group in found for part in step(group)]
        return found

    def _by(self, name: str) -> Callable[[_Frames], list[_Frames]]:
        """Return a function that parts frames by a trait, compared as matching compares it."""
        compared = cache(comparable)
        return lambda records: _split(
            records, lambda r: compared(getattr(self.traits[r.path], name))
        )

    def _by_exposure(self, records: _Frames) -> list[_Frames]:
        """Part frames whose exposures differ by more than the tolerance."""
        groups: dict[float, _Frames] = {}
        # what is averaged agrees within 1 %, however much it may differ from what it corrects
        tolerance = min(self.matching.exposure, EXPOSURE_TOLERANCE)
        for record in records:
            exposure = float(record.coordinates["exposure"])
            alike = (seen for seen in groups if same_exposure(seen, exposure, tolerance))
            groups.setdefault(next(alike, exposure), []).append(record)
        return list(groups.values())

    def _by_temperature(self, records: _Frames) -> list[_Frames]:
        """Part frames so that temperatures span at most the tolerance; the unknown are one set.

        The widest gaps part them, so that a frame of a camera that was still warm leaves the others
        together.
        """
        degrees = {record.path: self.traits[record.path].temperature for record in records}
        known = sorted(value for value in degrees.values() if np.isfinite(value))
        coldest = lowest_of_parts(known, self.matching.temperature)

        def key(record: FileRecord) -> int:
            value = degrees[record.path]
            return int(np.searchsorted(coldest, value, "right")) if np.isfinite(value) else -1

        return _split(records, key)

    def _by_level_of_nights(self, records: _Frames) -> list[_Frames]:
        """Part frames of several nights where their levels or their noise differ."""
        nights = _split(records, lambda record: self.traits[record.path].night)
        if len(nights) < 2:
            return [records]
        names = [self.traits[night[0].path].night or "an unknown night" for night in nights]
        what = f"{self.kind.name} frames of the nights of {', '.join(names)}"
        if not self.look:
            self.notes.append(sentence("nights_later", frames=what))
            return [records]
        parts: list[tuple[FrameLevel | None, _Frames]] = []
        reasons = []
        for night in nights:
            level = level_of_frames(night)
            differ = [levels_differ(level, other) for other, _ in parts]
            if all(differ):
                parts.append((level, list(night)))
                reasons += differ[:1]
            else:
                parts[differ.index("")][1].extend(night)
        note = sentence("nights_together", frames=what)
        if reasons:
            note = sentence("nights_apart", frames=what, number=len(parts), reason=reasons[0])
        self.notes.append(note)
        return [part for _, part in parts]


def _split(records: _Frames, key: Callable[[FileRecord], object]) -> list[_Frames]:
    """Part frames by a key."""
    return list(by_key(records, key).values())
