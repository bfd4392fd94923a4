"""What matching looks at: how the camera was set, and how a frame or a master was taken."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.io import FileRecord
from autowisp_xr.regions import ChannelSlice, Region

__all__ = ["Setup", "Traits", "layout_of", "setup_of", "traits_of"]


_NEVER = np.datetime64("NaT", "ns")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How a camera was set; "", None and NaN are unknown, and fit everything."""

    shape: tuple[int, int] | None
    """(height, width) of the raw frame."""
    area: Region | None
    """Of the raw frame, that sees the sky."""
    placed: bool = True
    """Whether it is known where in the raw frame that is, not only how large it is."""
    channels: tuple[tuple[str, ChannelSlice], ...]
    camera: str = ""
    binning: str = ""
    subframe: tuple[int, int] | None = None
    """Corner of the raw frame on the sensor; None is (0, 0), which few headers say."""
    gain: float | None = None
    """The camera's setting."""

    def reason_against(self, other: "Setup", ignore: Collection[str] = ()) -> str:
        """Why a master of this setup cannot serve frames of another; "" if it can."""
        if self.shape and other.shape and self.shape != other.shape:
            return f"of {_size(self.shape)} pixels, not {_size(other.shape)}"
        if self.area and other.area and not _alike(self, other):
            return f"covers the raw pixels {self.area}, not {other.area}"
        if self.channels != other.channels:
            return f"of the channels {_channels(self)}, not {_channels(other)}"
        for name, what in (("camera", "of the camera"), ("binning", "of binning")):
            own, theirs = getattr(self, name), getattr(other, name)
            if name not in ignore and own and theirs and own != theirs:
                return f"{what} {own}, not {theirs}"
        corners = (self.subframe or (0, 0), other.subframe or (0, 0))
        if "subframe" not in ignore and corners[0] != corners[1]:
            return f"of the subframe at {corners[0]}, not {corners[1]}"
        known = self.gain is not None and other.gain is not None
        if "gain" not in ignore and known and self.gain != other.gain:
            return f"of the gain setting {self.gain:g}, not {other.gain:g}"
        return ""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Of frames that are alike, or of a master."""

    kind: str
    """bias, dark, flat or object."""
    setup: Setup
    band: str = ""
    """Name of the filter."""
    exposures: tuple[float, float] = (math.nan, math.nan)
    """Shortest and longest, in seconds; of darks, which are alike, the median for both."""
    temperature: float = math.nan
    """Median, in degrees Celsius."""
    time: np.datetime64 = _NEVER
    """Median of the middles of the exposures, UTC."""


def setup_of(record: FileRecord, camera: Camera | None) -> Setup:
    """Setup of a raw frame; ``camera`` is what the user says of it."""
    facts = record.facts
    known = (camera or Camera()).completed_by(
        {name: facts.get(name) for name in ("channels", "image_area")}
    )
    height, width = record.shape or (0, 0)
    gain = float(record.coordinates["gain_setting"])
    return Setup(
        shape=(height, width),
        area=known.image_area or Region(xmin=0, xmax=width, ymin=0, ymax=height),
        channels=layout_of(known),
        camera=str(facts.get("camera") or ""),
        binning=str(record.coordinates.get("binning", "")),
        subframe=facts.get("subframe"),
        gain=None if math.isnan(gain) else gain,
    )


def layout_of(camera: Camera) -> tuple[tuple[str, ChannelSlice], ...]:
    """Channels of a camera, in the order of their pixels."""
    channels = camera.channels or {schema.MONO: ChannelSlice()}
    return tuple(sorted(channels.items(), key=lambda item: (item[1].y_offset, item[1].x_offset)))


def traits_of(kind: str, records: Sequence[FileRecord], setup: Setup) -> Traits:
    """Traits of frames of one setup; numbers and times that are not known are passed over."""
    columns = [record.coordinates for record in records]
    exposures = _known([c["exposure"] for c in columns])
    if kind == "dark" and exposures:
        exposures = [float(np.median(exposures))]
    temperatures = _known([c.get("temperature", math.nan) for c in columns])
    times = np.array([c.get("time", "NaT") for c in columns], "datetime64[ns]")
    times = np.sort(times[~np.isnat(times)])
    bands = {str(c["filter"]) for c in columns}
    return Traits(
        kind=kind,
        setup=setup,
        band=bands.pop() if len(bands) == 1 else "",
        exposures=(min(exposures), max(exposures)) if exposures else (math.nan, math.nan),
        temperature=float(np.median(temperatures)) if temperatures else math.nan,
        time=times[len(times) // 2] if len(times) else _NEVER,
    )


def _known(values: Sequence[Any]) -> list[float]:
    return [float(value) for value in values if math.isfinite(value)]


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _channels(setup: Setup) -> str:
    return " ".join(name for name, _ in setup.channels)


def _alike(one: Setup, other: Setup) -> bool:
    """Whether areas agree, but for incomplete super-pixels, which are left out of masters."""
    _, cut = one.channels[0]
    if one.area is None or other.area is None:
        return True
    differences = {
        edge: getattr(one.area, edge) - getattr(other.area, edge)
        for edge in ("xmin", "xmax", "ymin", "ymax")
    }
    if not (one.placed and other.placed):
        differences = {
            axis: differences[f"{axis}max"] - differences[f"{axis}min"] for axis in ("x", "y")
        }
    steps = {"x": cut.x_step, "y": cut.y_step}
    return all(abs(difference) < steps[edge[0]] for edge, difference in differences.items())
