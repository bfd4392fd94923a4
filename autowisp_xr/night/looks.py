"""A look at some frames of a night before work begins: where their values stop, at both ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import frames, measure, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError
from autowisp_xr.frames import FileRecord
from autowisp_xr.measure.plateaus import with_saturation
from autowisp_xr.night.sets import FrameSet
from autowisp_xr.night.unlit import UNLIT, of_unlit

__all__ = ["Seen", "look", "opened", "step_in"]

_BRIGHT = 3
"""Frames of each kind that sees light, in which a plateau is looked for."""

_WRAPPED = -1000
_WRAPPED_PIXELS = 5
"""So far below zero are no pixels that were written as they were read, but a few."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen in the frames of a setup."""

    plateaus: xr.Dataset | None = None
    """As :func:`autowisp_xr.measure.saturation` gives them; None where nothing bright was seen."""
    frames: int = 0
    """In which plateaus were looked for."""
    ceiling: float = np.inf
    """Largest value of the integers of these frames."""
    channels: Any = None
    """As the camera has them."""
    notes: tuple[str, ...] = ()
    """What a user should know of it, a line each."""

    def saturation(
        self, camera: Camera | None, records: Sequence[FileRecord]
    ) -> tuple[Camera | None, list[str], bool]:
        """A camera with the saturation that was seen, what is said of it, and whether it is new.

        Parameters
        ----------
        camera
            What the user says; this is never overruled, what headers say is.
        records
            All of the setup.
        """
        found = self.plateaus
        if found is None:
            return camera, [], False
        given = camera or Camera()
        of_headers = [
            record.facts["saturation"] for record in records if record.facts.get("saturation")
        ]
        stated = None
        if given.saturation is not None:
            stated = float(np.max(list(_values(given.saturation)))) + given.bias_level
        elif of_headers:
            stated = max(map(float, of_headers))
        levels = found["saturation"].values
        shown = levels[np.isfinite(levels)]
        if not shown.size or shown.min() >= self.ceiling:
            return camera, [], False
        text = self._told(found, shown)
        if stated is not None and shown.min() >= stated:
            return camera, [], False
        if given.saturation is not None:
            line = (
                f"DOUBT: by the camera file the camera saturates at {stated:g} ADU, by its frames "
                f"at {text}; the former is used"
            )
            return camera, [line], False
        if shown.min() <= given.bias_level:
            return camera, [], False
        if found.sizes["channel"] > 1 and given.channels is None:
            given = replace(given, channels=self.channels)
        less = found.assign(saturation=found["saturation"] - given.bias_level)
        line = f"the camera saturates at {text}; neither the headers nor a camera file say so"
        if stated is not None:
            line = (
                f"DOUBT: by the headers the camera saturates at {stated:g} ADU, by its frames at "
                f"{text}; the latter is used, saturation in a camera file decides otherwise"
            )
        return with_saturation(given, less), [line], True

    def _told(self, found: xr.Dataset, levels: Any) -> str:
        step = step_in(self)
        return (
            f"{_joined(levels)} ADU, where {100 * float(found['share'].max()):.3g} % of the pixels "
            f"of {int(found['frames'].max())} of {self.frames} frames stop"
            + (f" (values are multiples of {step})" if step > 1 else "")
        )

    def unseen(self, camera: Camera) -> str:
        """That nobody says where the camera saturates, and no frame shows it; "" where not so."""
        if self.plateaus is None or camera.saturation is not None:
            return ""
        brightest = self.plateaus["brightest"].values
        reached = float(np.nanmax(brightest)) if np.isfinite(brightest).any() else np.nan
        if reached >= self.ceiling:
            return ""
        flagged = f"; pixels at {self.ceiling:g} are flagged" if self.ceiling < np.inf else ""
        upto = f", up to {reached:g} ADU" if np.isfinite(reached) else ""
        return (
            f"saturation not known (no frame that was looked at, {self.frames}{upto}, stops at a "
            f"value{flagged})"
        )


def step_in(seen: Seen) -> int:
    """What the differences of all values are multiples of; 1 where it is not known."""
    if seen.plateaus is None:
        return 1
    return max(int(np.gcd.reduce(seen.plateaus["step"].values)), 1)


def _values(given: Any) -> Any:
    return given.values() if isinstance(given, Mapping) else (given,)


def opened(records: Sequence[FileRecord], camera: Camera | None) -> xr.Dataset:
    """Raw frames, whatever their headers say of gain and read noise, which are not asked for."""
    given = camera or Camera()
    return frames.open_records(
        records,
        camera=replace(
            given,
            gain=1.0 if given.gain is None else given.gain,
            read_noise=1.0 if given.read_noise is None else given.read_noise,
        ),
    )


def look(sets: Sequence[FrameSet], camera: Camera | None) -> Seen:
    """Read a few frames of a setup: bright ones whole, of biases and darks some rows.

    Parameters
    ----------
    sets
        All frames of one setup.
    camera
        What the user says of it.
    """
    notes: list[str] = []
    bright = [
        record
        for kind in ("flat", "object")
        for record in _spread([r for one in sets if one.traits.kind == kind for r in one.records])
    ]
    seen = Seen()
    try:
        if bright:
            frames = opened(bright, camera)
            # as stored: headers count from there, too
            plateaus = measure.saturation(frames, camera=Camera())
            ceiling = frames["ceiling"].values.min() if "ceiling" in frames.coords else np.inf
            seen = Seen(
                plateaus=plateaus,
                frames=len(bright),
                ceiling=float(ceiling),
                channels=schema.camera_of(frames).channels,
            )
            notes += _wrapped(frames)
        for one in sets:
            if one.traits.kind in ("bias", "dark") and len(one.records) > 1:
                notes += of_unlit(opened(_spread(one.records, UNLIT), camera), one.name)
    except (AutowispError, OSError, ValueError):
        # which files cannot be read, and why, is said when they are worked on
        return replace(seen, notes=tuple(notes))
    return replace(seen, notes=tuple(notes))


def _spread(records: Sequence[FileRecord], most: int = _BRIGHT) -> list[FileRecord]:
    if len(records) <= most:
        return list(records)
    return [records[i] for i in np.linspace(0, len(records) - 1, most).round().astype(int)]


def _joined(levels: Any) -> str:
    return " and ".join(f"{level:g}" for level in dict.fromkeys(levels.tolist()))


def _wrapped(frames: xr.Dataset) -> list[str]:
    """That integers with a sign go so far below zero that they should have none."""
    kind = frames["image"].dtype
    if kind.kind != "i":
        return []
    for number, name in enumerate(frames["path"].values.tolist()):
        pixels = frames["image"][number].values
        below = int(np.count_nonzero(pixels < _WRAPPED))
        if below >= _WRAPPED_PIXELS:
            return [
                f"DOUBT: {below} pixels of {Path(name).name} are far below zero, down to "
                f"{int(pixels.min())} ADU beside a median of {int(np.median(pixels))}: unsigned "
                "integers, it seems, that were written without BZERO = 32768 and are read with a "
                "sign; what is above 32767 is wrong. Write the files again with it (in Python: "
                "pixels.view('uint16'))"
            ]
    return []
