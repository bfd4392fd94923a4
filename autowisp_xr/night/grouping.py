"""Frames of one kind and setup, sorted into sets that are averaged, or calibrated, together."""

from collections.abc import Callable, Mapping

import numpy as np

from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import EXPOSURE_TOLERANCE, KINDS
from autowisp_xr.matching import Matching, same_exposure
from autowisp_xr.night.calendar import Level, level_of_frames, levels_differ
from autowisp_xr.traits import Traits

__all__ = ["Grouping"]


class Grouping:
    """Sorts frames of one kind and setup into sets."""

    def __init__(
        self,
        kind: str,
        traits: Mapping[str, Traits],
        matching: Matching,
        look: bool,
        notes: list[str],
    ) -> None:
        self.kind = KINDS[kind]
        self.traits = traits
        self.matching = matching
        self.look = look
        self.notes = notes

    def groups(self, records: list[FileRecord]) -> list[list[FileRecord]]:
        """Frames that agree, in the order in which the first of each appear."""
        if not records:
            return []
        alike, by = self.kind.alike, self.matching.group_by
        steps: list[Callable[[list[FileRecord]], list[list[FileRecord]]]] = [self._by("others")]
        if "filter" in alike:
            steps.append(self._by("filter"))
        if "exposure" in alike:
            steps.append(self._by_exposure)
        if by is not None and "target" in by and self.kind.name == "object":
            steps.append(self._by("target"))
        if "temperature" in alike and "temperature" not in self.matching.allow_mismatch:
            steps.append(self._by_temperature)
        if ("night" in alike and by is None) or (by is not None and "night" in by):
            steps.append(self._by("night"))
        elif by is None:
            steps.append(self._by_level_of_nights)
        found = [records]
        for step in steps:
            found = [part for group in found for part in step(group)]
        return found

    def _by(self, name: str) -> Callable[[list[FileRecord]], list[list[FileRecord]]]:
        return lambda records: _split(records, lambda r: getattr(self.traits[r.path], name))

    def _by_exposure(self, records: list[FileRecord]) -> list[list[FileRecord]]:
        known: list[float] = []
        # what is averaged agrees within 1 %, however much it may differ from what it corrects
        tolerance = min(self.matching.exposure, EXPOSURE_TOLERANCE)

        def key(record: FileRecord) -> float:
            exposure = float(record.coordinates["exposure"])
            found = next((seen for seen in known if same_exposure(seen, exposure, tolerance)), None)
            if found is None:
                known.append(exposure)
            return exposure if found is None else found

        return _split(records, key)

    def _by_temperature(self, records: list[FileRecord]) -> list[list[FileRecord]]:
        """Sets whose temperatures span no more than the tolerance; the unknown are one set.

        The widest gaps part them, so that a frame of a camera that was still warm leaves the others
        together.
        """
        degrees = [self.traits[record.path].temperature for record in records]
        known = sorted(value for value in degrees if np.isfinite(value))
        coldest = _lowest_of_parts(known, self.matching.temperature)
        of_record = {
            record.path: int(np.searchsorted(coldest, value, side="right"))
            if np.isfinite(value)
            else -1
            for record, value in zip(records, degrees, strict=True)
        }
        return _split(records, lambda record: of_record[record.path])

    def _by_level_of_nights(self, records: list[FileRecord]) -> list[list[FileRecord]]:
        """Frames of several nights, parted where their levels or their noise differ."""
        nights = _split(records, lambda record: self.traits[record.path].night)
        if len(nights) < 2:
            return [records]
        names = [self.traits[night[0].path].night or "an unknown night" for night in nights]
        what = f"{self.kind.name} frames of the nights of {', '.join(names)}"
        if not self.look:
            self.notes.append(f"{what}: reduce makes one master of them if their levels agree")
            return [records]
        parts: list[list[FileRecord]] = []
        levels: list[Level | None] = []
        reasons = []
        for night in nights:
            level = level_of_frames(night)
            differ = [levels_differ(level, other) if level and other else "" for other in levels]
            home = next((i for i, reason in enumerate(differ) if not reason), None)
            if home is None:
                parts.append(list(night))
                levels.append(level)
                reasons += differ[:1]
            else:
                parts[home] += night
        if reasons:
            self.notes.append(
                f"{what} make {len(parts)} masters, since {reasons[0]}; --group-by none makes one"
            )
        else:
            self.notes.append(
                f"{what} make one master: their levels agree; --group-by night makes one for each"
            )
        return parts


def _split(
    records: list[FileRecord], key: Callable[[FileRecord], object]
) -> list[list[FileRecord]]:
    parts: dict[object, list[FileRecord]] = {}
    for record in records:
        parts.setdefault(key(record), []).append(record)
    return list(parts.values())


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
