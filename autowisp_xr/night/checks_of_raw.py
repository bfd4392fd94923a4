"""A look at some raw frames: their values stop at both ends, and no two have the same pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from autowisp_xr import frames, measure, schema
from autowisp_xr.bridge.threads import in_two_threads
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError
from autowisp_xr.frames import FileRecord
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.values import to_number
from autowisp_xr.kinds import KINDS
from autowisp_xr.measure.saturation_level import with_saturation
from autowisp_xr.night.checks_of_levels import FAR_BELOW, UNLIT, doubts_on_levels
from autowisp_xr.night.frame_sets import FrameSet, records_of
from autowisp_xr.night.sentences import by_key, counted, sentence, some_of
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.stats.sampling import spread

_BRIGHT = 3
"""Frames of each kind that sees light, in which a plateau is looked for."""

_WRAPPED_PIXELS = 5
_HALF = 32768
_TAIL = 0.01
"""Of the pixels of a flat: fewer may be hot ones."""

_PEDESTAL = "PEDESTAL"

_SHIFTED = 0.9
"""Of the pixels of a light that are there: a wrap takes the bright ones alone."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen in the frames of a setup."""

    plateaus: xr.Dataset | None = None
    """As :func:`autowisp_xr.measure.saturation` gives them; None where nothing bright was seen."""
    frames: int = 0
    """In which plateaus were looked for."""
    ceiling: float = np.inf
    """Largest value of the integers of these frames."""
    usual: float = -np.inf
    """Largest median of these frames, as stored."""
    channels: Mapping[str, ChannelSlice] | None = None
    """As the camera has them."""
    notes: tuple[str, ...] = ()
    """What a user should know of it, a line each."""

    @property
    def step(self) -> int:
        """What the differences of all values are multiples of; 1 where it is not known."""
        if self.plateaus is None:
            return 1
        return max(int(np.gcd.reduce(self.plateaus["step"].values)), 1)

    def saturation(
        self, camera: Camera | None, records: Sequence[FileRecord]
    ) -> tuple[Camera | None, str]:
        """Give a camera the saturation that was seen; return it, and a line on it if it is new.

        Parameters
        ----------
        camera
            The camera that the user gives; it is never overruled, values of headers are.
        records
            All of the setup.
        """
        found, given = self.plateaus, camera or Camera()
        if found is None:
            return camera, ""
        own = given.saturation
        levels = own.values() if isinstance(own, Mapping) else [own]
        stated = [level + given.bias_level for level in levels if level is not None]
        if own is None:
            stated = [float(r.facts["saturation"]) for r in records if r.facts.get("saturation")]
        lowest = np.fmin.reduce(found["saturation"].values)
        highest = max(stated, default=np.inf)
        # a comparison with NaN is false
        if not lowest < min(self.ceiling, highest):
            by = "headers" if own is None else "camera file"
            return camera, self._contradicted(found, highest, by)
        both = {"seen": self._seen(found), "stated": max(stated, default=np.nan)}
        if own is not None:
            return camera, sentence("plateau_not_of_user", **both)
        if lowest <= given.bias_level:
            return camera, ""
        if found.sizes["channel"] > 1 and given.channels is None:
            given = replace(given, channels=self.channels)
        less = found.assign(saturation=found["saturation"] - given.bias_level)
        line = sentence("plateau_not_of_headers" if stated else "plateau_new", **both)
        return with_saturation(given, less), line

    def _contradicted(self, found: xr.Dataset, stated: float, by: str) -> str:
        """Doubt a saturation that half of the pixels of a frame are above, and differ there."""
        levels = np.append(found["saturation"].values, self.ceiling)
        if not stated < self.usual < np.fmin.reduce(levels):
            return ""
        step = sentence("saturation_in_steps", step=self.step) if self.step > 1 else ""
        values = {"stated": stated, "by": by, "usual": self.usual, "steps": step}
        return sentence("saturation_below_light", **values)

    def _seen(self, found: xr.Dataset) -> str:
        """Describe where values stop, and in how many pixels and frames."""
        levels = found["saturation"].values
        distinct = dict.fromkeys(levels[np.isfinite(levels)].tolist())
        where = " and ".join(f"{level:g}" for level in distinct)
        steps = f" (values are multiples of {self.step})" if self.step > 1 else ""
        most = {"share": 100 * float(found["share"].max()), "number": int(found["frames"].max())}
        return sentence("plateau", levels=where, of=self.frames, steps=steps, **most)

    @property
    def unseen(self) -> str:
        """A line on that no frame shows where the camera saturates; "" where one does."""
        if self.plateaus is None:
            return ""
        reached = np.fmax.reduce(self.plateaus["brightest"].values)
        if reached >= self.ceiling:
            return ""
        flagged = f"; pixels at {self.ceiling:g} are flagged" if self.ceiling < np.inf else ""
        upto = f", up to {reached:g} ADU" if np.isfinite(reached) else ""
        return sentence(
            "no_plateau", number=counted(self.frames, "frame"), upto=upto, flagged=flagged
        )


def opened(records: Sequence[FileRecord], camera: Camera | None) -> xr.Dataset:
    """Open raw frames, whatever their headers state of gain and read noise, which do not matter."""
    asked = (camera or Camera()).completed_by({"gain": 1.0, "read_noise": 1.0})
    return frames.open_records(records, camera=asked)


def look(sets: Sequence[FrameSet], camera: Camera | None) -> Seen:
    """Read a few frames of a setup: bright ones whole, of biases and darks some rows.

    Parameters
    ----------
    sets
        All frames of one setup.
    camera
        What the user states of it.
    """
    bright = [one for kind in ("flat", "object") for one in evenly(records_of(sets, kind), _BRIGHT)]
    seen, notes = Seen(), []
    try:
        if bright:
            frames = opened(bright, camera)
            seen = Seen(
                # as stored: headers count from there, too
                plateaus=measure.saturation(frames, camera=Camera()),
                frames=len(bright),
                ceiling=float(frames["ceiling"].values.min()) if "ceiling" in frames else np.inf,
                usual=max(in_two_threads(_median, list(frames["image"]))),
                channels=schema.camera_of(frames).channels,
            )
            notes += _wrapped(frames)
        for one in sets:
            if KINDS[one.traits.kind].place in ("bias", "dark") and len(one.records) > 1:
                notes += doubts_on_levels(opened(evenly(one.records, UNLIT), camera), one.name)
    except (AutowispError, OSError, ValueError):
        # which files cannot be read, and why, is reported when they are worked on
        pass
    return replace(seen, notes=(*notes, *_pedestals(records_of(sets))))


def _pedestals(records: Sequence[FileRecord]) -> list[str]:
    """Report that a constant was added to some frames of a setup alone, or another one.

    The sign does not count: some programs state what was added, others what takes it off.
    """
    stated = {
        record.path: to_number(value_of(record.header, _PEDESTAL))
        for record in records
        if _PEDESTAL in record.layout.header
    }
    added = {path: value for path, value in stated.items() if abs(value) > 0}
    if not added or (len(set(map(abs, added.values()))) == 1 and len(added) == len(records)):
        return []
    values = " or ".join(dict.fromkeys(f"{value:g}" for value in added.values()))
    frames = some_of([Path(path).name for path in added], len(records))
    return [sentence("pedestals_differ", values=values, frames=frames)]


def _median(image: xr.DataArray) -> float:
    return float(np.nanmedian(image.values))


def evenly(records: Sequence[FileRecord], most: int | None) -> list[FileRecord]:
    """Select so many of the records at most, evenly spread; None for all."""
    return [records[number] for number in spread(len(records), most)]


def _wrapped(frames: xr.Dataset) -> list[str]:
    """Report that integers with a sign go so far below zero that they should have none."""
    if frames["image"].dtype.kind != "i":
        return []
    lights = (frames["image_type"].values == "object").tolist()
    # of a bright flat nearly all pixels may wrap as well, of a light they do not
    for number in sorted(range(len(lights)), key=lights.__getitem__, reverse=True):
        pixels, file = frames["image"][number].values, Path(str(frames["path"].values[number])).name
        below, median = int(np.count_nonzero(pixels < FAR_BELOW)), int(np.median(pixels))
        if below < _WRAPPED_PIXELS:
            continue
        values = {"file": file, "number": below, "lowest": int(pixels.min()), "median": median}
        share, light = below / pixels.size, lights[number]
        # what wraps leaves a gap about zero, and none where the numbers end
        size = np.abs(pixels.astype(np.int32))
        inner, outer = np.count_nonzero([size < -FAR_BELOW, size > _HALF + FAR_BELOW], (1, 2, 3))
        shifted = share > _SHIFTED if light else share > _TAIL and inner > outer
        if shifted:
            return [sentence("shifted", **values)]
        if not light and median < 0 and inner == outer:
            values |= {"taken_off": median + _HALF, "as_read": median + 2 * _HALF}
            return [sentence("shifted_or_wrapped", **values)]
        return [sentence("wrapped", **values)]
    return []


def doubts_on_repeats(
    sets: Sequence[FrameSet], levels: Mapping[str, tuple[float, float]]
) -> list[str]:
    """Report frames of one set whose pixels are the same, a line for each exposure.

    Parameters
    ----------
    sets
        Of the night, without copies of one exposure.
    levels
        Level and noise of frames, by the paths of their files, as their pixels were looked at
        anyway: those of the same pixels are equal to the bit, and only these are read.
    """
    doubts = []
    for one in sets:
        known = [r for r in one.records if np.isfinite(levels.get(r.path, np.nan)).all()]
        for alike in by_key(known, lambda record: levels[record.path]).values():
            for same in frames.same_pixels(alike) if len(alike) > 1 else ():
                names = some_of([record.name for record in same], len(one.records))
                file = same[-1].path.rpartition("/")[2]
                doubts.append(sentence("repeated", frames=names, name=one.path, file=file))
    return doubts
