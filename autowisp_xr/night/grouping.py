"""Frames of one kind and setup, sorted into sets that are averaged, or calibrated, together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import EXPOSURE_TOLERANCE, Kind
from autowisp_xr.matching import Matching, same_exposure
from autowisp_xr.night.checks_of_levels import Level, level_of_frames, levels_differ
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.summarised_lines import by_key
from autowisp_xr.traits import Traits

_Frames = list[FileRecord]


@dataclass
class Grouping:
    """Sorts frames of one kind and setup into sets."""

    kind: Kind
    traits: Mapping[str, Traits]
    """Of each frame, by its path."""
    matching: Matching
    look: bool
    """Whether some pixels may be read."""
    notes: list[str]
    """Takes what was assumed."""

    def groups(self, records: _Frames) -> list[_Frames]:
        """Frames that agree, in the order in which the first of each appear."""
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
        return lambda records: _split(records, lambda r: getattr(self.traits[r.path], name))

    def _by_exposure(self, records: _Frames) -> list[_Frames]:
        known: list[float] = []
        # what is averaged agrees within 1 %, however much it may differ from what it corrects
        tolerance = min(self.matching.exposure, EXPOSURE_TOLERANCE)

        def key(record: FileRecord) -> float:
            exposure = float(record.coordinates["exposure"])
            alike = (seen for seen in known if same_exposure(seen, exposure, tolerance))
            found = next(alike, exposure)
            if found not in known:
                known.append(found)
            return found

        return _split(records, key)

    def _by_temperature(self, records: _Frames) -> list[_Frames]:
        """Sets whose temperatures span no more than the tolerance; the unknown are one set.

        The widest gaps part them, so that a frame of a camera that was still warm leaves the others
        together.
        """
        degrees = {record.path: self.traits[record.path].temperature for record in records}
        known = sorted(value for value in degrees.values() if np.isfinite(value))
        coldest = _lowest_of_parts(known, self.matching.temperature)

        def key(record: FileRecord) -> int:
            value = degrees[record.path]
            return int(np.searchsorted(coldest, value, "right")) if np.isfinite(value) else -1

        return _split(records, key)

    def _by_level_of_nights(self, records: _Frames) -> list[_Frames]:
        """Frames of several nights, parted where their levels or their noise differ."""
        nights = _split(records, lambda record: self.traits[record.path].night)
        if len(nights) < 2:
            return [records]
        names = [self.traits[night[0].path].night or "an unknown night" for night in nights]
        what = f"{self.kind.name} frames of the nights of {', '.join(names)}"
        if not self.look:
            self.notes.append(sentence("nights_later", frames=what))
            return [records]
        parts: list[tuple[Level | None, _Frames]] = []
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
    return list(by_key(records, key).values())


def _lowest_of_parts(values: list[float], tolerance: float) -> list[float]:
    """The lowest value of each part of sorted values that spans no more than the tolerance."""
    lowest, pending = [], [values] if values else []
    while pending:
        part = pending.pop()
        if part[-1] - part[0] <= tolerance:
            lowest.append(part[0])
        else:
            cut = int(np.argmax(np.diff(part))) + 1
            pending += [part[:cut], part[cut:]]
    return sorted(lowest)
