"""What a measurement of a camera is given, and what it finds, quantity by quantity."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.frames import FileRecord
from autowisp_xr.night import camera_words
from autowisp_xr.night.checks_of_raw import evenly, opened
from autowisp_xr.night.frame_sets import FrameSet, records_of, unlit_of, unlit_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_PAUSE = np.timedelta64(20, "m")
"""Without flats; after it, they may be of another lamp."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One quantity of a camera, as it was measured; or why it was not."""

    quantity: str
    value: str = ""
    """With uncertainty and unit; "" where it was not measured."""
    frames: str = ""
    """From which it is."""
    why_not: str = ""
    remedy: str = ""
    """Which frames to take."""

    def __str__(self) -> str:
        if self.value:
            return f"{self.quantity}: {self.value}, from {self.frames}"
        return f"{self.quantity}: not measured: {self.why_not}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one measurement found."""

    values: Mapping[str, str]
    """With uncertainty and unit, by quantity; those that are "" were not measured."""
    frames: str
    """From which they are."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a :class:`~autowisp_xr.Camera`."""
    pictures: Mapping[str, Callable[[], "Figure"]] = field(default_factory=dict)
    """What draws each, by the name of its file."""
    masks: Mapping[str, xr.Dataset] = field(default_factory=dict)
    """Masters of defects, by the name of their file."""
    why_not: str = ""


@dataclass
class SetupFrames:
    """The frames of one setup of a camera, and what is known of it."""

    sets: Sequence[FrameSet]
    stated: Camera
    """What the user states, which is never overruled."""
    measured: dict[str, Any] = field(default_factory=dict)
    """Fields of a camera that were measured before."""

    @property
    def camera(self) -> Camera:
        """What the user states, completed by what was measured."""
        facts = dict(self.measured)
        amplifiers = facts.pop("amplifiers", self.stated.amplifiers)
        return replace(self.stated.completed_by(facts), amplifiers=amplifiers)

    def some(self, kind: str, most: int | None = None) -> list[FileRecord]:
        """List frames of a kind, some of them spread evenly."""
        return evenly(records_of(self.sets, kind), most)

    def open(self, kind: str) -> xr.Dataset | None:
        """Open the frames of a kind; None where there are none."""
        return self._opened(self.some(kind))

    def biases(self) -> xr.Dataset | None:
        """Open the largest set of biases: levels of other temperatures are others."""
        sets = (one.records for one in self.sets if one.traits.kind == "bias")
        return self._opened(max(sets, key=len, default=()))

    def unlit(self) -> tuple[xr.Dataset | None, str]:
        """Open the set that shows the read noise, and state what it is; None for no set."""
        found = unlit_of(self.sets)
        if found is None:
            return None, ""
        return opened(found.records, self.camera), unlit_words(found)

    def open_sets(self, kind: str, least: int = 1) -> list[xr.Dataset]:
        """Open each set of frames of a kind that has so many at least."""
        return [
            opened(one.records, self.camera)
            for one in self.sets
            if one.traits.kind == kind and len(one.records) >= least
        ]

    def ladder(self) -> xr.Dataset | None:
        """Open the flats of one run that have the most exposures, and of such runs the largest."""
        flats = (one.records for one in self.sets if one.traits.kind == "flat")
        runs = [run for records in flats for run in _runs(records)]

        def steps(records: Sequence[FileRecord]) -> tuple[int, int]:
            return len({float(r.coordinates["exposure"]) for r in records}), len(records)

        return self._opened(max(runs, key=steps, default=()))

    def _opened(self, records: Sequence[FileRecord]) -> xr.Dataset | None:
        return opened(records, self.camera) if records else None

    def header_line(self, name: str) -> str:
        """Return what headers state of gain or read noise, in brackets; "" for nothing."""
        values = camera_words.stated_by(records_of(self.sets), name)
        listed = " and ".join(f"{value:g}" for value in values)
        return f" (the headers state {listed})" if listed else ""

    def camera_of(self, ds: xr.Dataset) -> Camera:
        """Return what is known of the camera of some frames: areas of headers, noise as measured.

        Frames are opened by a gain and a read noise that stand for none.
        """
        known, headers = self.camera, camera_words.resolved(records_of(self.sets), self.stated)
        gain = known.gain if known.gain is not None or headers is None else headers.gain
        return replace(schema.camera_of(ds), gain=gain, read_noise=known.read_noise)


def _runs(records: Sequence[FileRecord]) -> list[list[FileRecord]]:
    """Part frames where nothing was taken for long, and a lamp may have become another."""
    times = np.array([r.coordinates.get("time", "NaT") for r in records], "datetime64[ns]")
    if np.isnat(times).any():
        return [list(records)]
    order = np.argsort(times, kind="stable")
    cuts = np.flatnonzero(np.diff(times[order]) > _PAUSE) + 1
    return [[records[number] for number in part] for part in np.split(order, cuts)]


class Measurement(NamedTuple):
    """A row of what is measured."""

    measure: Callable[[SetupFrames], Found]
    remedies: Mapping[str, str]
    """Which frames to take for each quantity, by its name."""


class Result(NamedTuple):
    """What came of one measurement."""

    findings: list[Finding]
    notes: list[str]
    found: Found


def measured(row: Measurement, frames: SetupFrames) -> Result:
    """Measure one row, add what is found to what is known of the camera, and never fail."""
    recording = warnings.catch_warnings(record=True, action="always", category=AutowispWarning)
    found = Found(values={}, frames="")
    try:
        with recording as caught:
            found = row.measure(frames)
        notes = [str(one.message) for one in caught if issubclass(one.category, AutowispWarning)]
    except (AutowispError, OSError, ValueError) as error:
        found, notes = replace(found, why_not=str(error)), []
    frames.measured |= {name: value for name, value in found.facts.items() if value is not None}
    findings = []
    for quantity, remedy in row.remedies.items():
        value = found.values.get(quantity, "")
        frames_or_why = {"frames": found.frames} if value else {"why_not": found.why_not}
        findings.append(Finding(quantity=quantity, value=value, remedy=remedy, **frames_or_why))
    return Result(findings, notes, found)


def of_channels(camera: Camera, *names: str) -> dict[str, Any]:
    """Return facts of a camera, with its channels where a number of each is given."""
    facts = {name: getattr(camera, name) for name in names}
    if any(isinstance(value, Mapping) for value in facts.values()):
        facts = {"channels": camera.channels, **facts}
    return facts


def values_of(found: xr.Dataset, name: str, unit: str) -> str:
    """Write a quantity of each channel with its uncertainty."""
    channels = schema.names(found, "channel")
    numbers = zip(found[name].values.tolist(), found[f"{name}_error"].values.tolist(), strict=True)
    texts = [with_error(*of) for of in numbers]
    if len(texts) == 1:
        return f"{texts[0]} {unit}"
    listed = ", ".join(f"{text} ({one})" for one, text in zip(channels, texts, strict=True))
    return f"{listed} {unit}"


def with_error(value: float, error: float) -> str:
    """Write a number with its uncertainty, which has two digits; three digits without one."""
    if not error > 0:
        return f"{value:.3g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} +- {error:.{digits}f}"
