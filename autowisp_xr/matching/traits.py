"""The traits of frames and masters, by which they are matched."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, Self

import numpy as np

from autowisp_xr.errors import SchemaError
from autowisp_xr.kinds import OTHER
from autowisp_xr.regions import ChannelSlice, Region

TEXTS = (
    *("camera", "detector", "window", "binning", "orientation", "pixel_type", "readout_mode"),
    *("readout_speed", "filter", "night"),
)
NUMBERS = ("gain_setting", "egain", "offset", "coadds", "temperature")
"""Traits that are coordinates of a frame by the same name."""

Channels = tuple[tuple[str, ChannelSlice], ...]

_NEVER = np.datetime64("NaT", "ns")


@dataclass(frozen=True, kw_only=True)
class Traits:
    """The traits of a frame, of frames that are alike, or of a master.

    Texts are "", numbers NaN and others None where they are unknown.
    """

    kind: str
    """bias, dark, darkflat, flat, object or other."""
    camera: str = ""
    """Name, with the serial number behind it; neither letter case nor blanks matter."""
    detector: str = ""
    size: tuple[int, int] | None = None
    """(height, width) of the raw frame; None of a master."""
    area: Region | None = None
    """Pixels of the raw frame that see the sky, or that a master covers."""
    placed: bool = True
    """Whether the place of the area in the raw frame is known, not only its size."""
    window: str = ""
    """Section of the sensor that was read."""
    binning: str = ""
    orientation: str = ""
    channels: Channels | None = None
    """In the order of their pixels."""
    pixel_type: str = ""
    """"16-bit integers", "floats from 0 to 1", ..."""
    unit: str = ""
    gain_setting: float = math.nan
    egain: float = math.nan
    """Electrons per ADU, as the header gives them."""
    readout_mode: str = ""
    readout_speed: str = ""
    offset: float = math.nan
    """The camera's setting of the level without light."""
    coadds: float = math.nan
    """Exposures that the camera has summed."""
    filter: str = ""
    exposure: tuple[float, float] = (math.nan, math.nan)
    """Shortest and longest, in seconds; of darks, which are alike, the median for both."""
    temperature: float = math.nan
    """Median, in degrees Celsius."""
    night: str = ""
    """Date of the evening."""
    target: str = ""
    time: np.datetime64 = field(default=_NEVER, compare=False)
    """Median of the middles of the exposures, UTC."""
    holds_bias: bool | None = None
    """Of a dark: whether the bias is still in it."""
    focal_length: float = field(default=math.nan, compare=False)
    """Of the telescope, as the header gives it, mostly in millimetres; of sets and masters only."""
    others: tuple[tuple[str, str], ...] = ()
    """Cards that a user has named as traits, with their values."""
    cards: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The card that gives each trait."""

    @classmethod
    def of(cls, coordinates: Mapping[str, Any], **more: Any) -> Self:
        """Return the traits of the coordinates of a frame, which have the same names, and more.

        Raises
        ------
        SchemaError
            For a coordinate that should be a number, and is none.
        """
        stated: dict[str, Any] = {
            "kind": str(coordinates.get("image_type") or OTHER),
            "exposure": exposure_of(coordinates),
            "target": _text(coordinates, "object"),
            "time": time_of(coordinates),
        }
        stated |= {name: _text(coordinates, name) for name in TEXTS}
        stated |= {name: number_of(coordinates, name) for name in NUMBERS}
        return cls(**(stated | more))

    def __eq__(self, other: object) -> bool:
        # what is unknown of both is the same; from Python 3.13 on, fields are compared one by one,
        # by which NaN differs from itself
        return isinstance(other, Traits) and _compared(self) == _compared(other)

    def known(self, names: Iterable[str]) -> list[str]:
        """Return those of the named traits that are known."""
        return [name for name in names if is_known(getattr(self, name))]

    def completed_by(self, other: "Traits", names: Iterable[str]) -> Self:
        """Return the traits with those of the named ones that are unknown taken from another."""
        missing = [name for name in names if not is_known(getattr(self, name))]
        return replace(self, **{name: getattr(other, name) for name in missing})


_compared = attrgetter(*(one.name for one in fields(Traits) if one.compare))


def _text(coordinates: Mapping[str, Any], name: str) -> str:
    value = coordinates.get(name)
    if type(value) is str:
        return value
    # tables of other programs leave out a text by None or NaN
    return "" if value is None or value != value else str(value)


def exposure_of(coordinates: Mapping[str, Any]) -> tuple[float, float]:
    """Return the exposure of a frame, as :attr:`Traits.exposure` has it."""
    seconds = number_of(coordinates, "exposure")
    return seconds, seconds


def time_of(coordinates: Mapping[str, Any]) -> np.datetime64:
    """Return the time of a frame, NaT where it is unknown."""
    return np.datetime64(coordinates.get("time", "NaT"), "ns")


def number_of(coordinates: Mapping[str, Any], name: str) -> float:
    """Return a number among the coordinates of a frame, NaN where it is unknown."""
    value = coordinates.get(name)
    if type(value) is float and value == value:
        return value
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        raise SchemaError(
            f"the coordinate {name!r} is a number for each frame, not {value!r}"
        ) from None
    # the one NaN that traits with it are equal by
    return number if number == number else math.nan


def is_known(value: object) -> bool:
    """Return whether the value of a trait is known."""
    if isinstance(value, tuple) and value and isinstance(value[0], float):
        return not math.isnan(value[0])
    return not (value is None or value in ("", ()) or value != value)


def comparable(value: object) -> Any:
    """Return a value without what does not count: case and blanks of texts, the last digits."""
    if isinstance(value, str):
        return "".join(value.lower().split())
    return float(f"{value:.4g}") if isinstance(value, float) else value
