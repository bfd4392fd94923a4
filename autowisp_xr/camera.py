"""What the hardware is: channels, areas, gain, noise. Facts, not choices; frozen, and JSON inside.

Areas are half-open intervals of raw-frame pixels, counted from zero, as Python slices are;
FITS sections ``"[x1:x2,y1:y2]"`` count from one and include their ends. Colour channels are
slices of the raw frame too, so an area that starts at an odd pixel never swaps colours.
"""

import json
import math
import operator
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from os import PathLike
from typing import Any, Self

from autowisp_xr.errors import CalibrationError, OutsideImageError

__all__ = ["Camera", "ChannelSlice", "Region"]

_SECTION = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]")

PerChannel = float | Mapping[str, float] | None


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle of raw-frame pixels, ``xmin <= x < xmax`` and ``ymin <= y < ymax``."""

    xmin: int
    xmax: int
    ymin: int
    ymax: int

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, operator.index(getattr(self, field.name)))
        if self.xmin >= self.xmax or self.ymin >= self.ymax:
            raise CalibrationError(
                f"the area {self} is empty or inverted; xmin must be below xmax, ymin below ymax"
            )
        if self.xmin < 0 or self.ymin < 0:
            raise OutsideImageError(f"the area {self} starts before the first pixel")

    def __str__(self) -> str:
        return f"{self.xmin} < x < {self.xmax}, {self.ymin} < y < {self.ymax}"

    @classmethod
    def parse(cls, area: "Region | Mapping[str, int] | str") -> Self:
        """Region of a Region, of a mapping with its four names, or of a FITS section.

        Raises
        ------
        CalibrationError
            For a text that is no FITS section, or a mapping with other names.

        Examples
        --------
        >>> Region.parse("[17:528,1:520]")
        Region(xmin=16, xmax=528, ymin=0, ymax=520)
        """
        if isinstance(area, cls):
            return area
        if isinstance(area, str):
            match = _SECTION.fullmatch(area.strip())
            if match is None:
                raise CalibrationError(f'{area!r} is not a FITS section such as "[17:528,1:520]"')
            x1, x2, y1, y2 = (int(number) for number in match.groups())
            return cls(xmin=x1 - 1, xmax=x2, ymin=y1 - 1, ymax=y2)
        try:
            return cls(**dict(area))  # type: ignore[arg-type]
        except TypeError:
            raise CalibrationError(f"an area has xmin, xmax, ymin and ymax, not {area!r}") from None

    def check_inside(self, height: int, width: int, name: str) -> None:
        """Raise OutsideImageError unless the region lies in a frame of this height and width."""
        if self.xmax > width or self.ymax > height:
            raise OutsideImageError(
                f"{name} {self} reaches outside the frame, which is {width} pixels wide and "
                f"{height} high"
            )


@dataclass(frozen=True, kw_only=True)
class ChannelSlice:
    """Where the pixels of one channel lie in the raw frame: first row and column, and steps."""

    y_offset: int = 0
    y_step: int = 1
    x_offset: int = 0
    x_step: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, operator.index(getattr(self, field.name)))
        if min(self.y_step, self.x_step) < 1 or min(self.y_offset, self.x_offset) < 0:
            raise CalibrationError(f"{self}: steps start at 1 and offsets at 0")
        if self.y_offset >= self.y_step or self.x_offset >= self.x_step:
            raise CalibrationError(f"{self}: an offset must be smaller than its step")

    @classmethod
    def parse(cls, given: Any) -> Self:
        """Channel slice of a pair of slices (y, x), or of a mapping with offsets and steps."""
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            return cls(**given)
        if isinstance(given, slice):
            given = (given, given)
        try:
            y, x = given
            return cls(
                y_offset=y.start or 0,
                y_step=y.step or 1,
                x_offset=x.start or 0,
                x_step=x.step or 1,
            )
        except (TypeError, ValueError, AttributeError):
            raise CalibrationError(
                f"a channel is a pair of slices (y, x) of the raw frame, not {given!r}"
            ) from None


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera, as far as calibration needs to know it.

    Examples
    --------
    >>> camera = Camera(channels="RGGB", gain=2.1, read_noise=8, image_area="[9:1032,1:1024]")
    >>> list(camera.channels), camera.image_area.xmin
    (['R', 'G1', 'G2', 'B'], 8)
    """

    channels: Any = None
    """A Bayer pattern such as "RGGB" (first row, then second, of the raw frame as stored), or
    {name: (y slice, x slice)} in raw-frame pixels; None for a monochrome camera."""

    gain: PerChannel = None
    """Electrons per ADU, one number or {channel: number}; None where not known."""

    read_noise: PerChannel = None
    """Read noise in electrons, digitisation included; one number or {channel: number}."""

    saturation: PerChannel = None
    """A pixel above this, in ADU after ``bias_level`` is subtracted, is oversaturated. None: a
    pixel that reaches the largest value of its integer type is."""

    bias_level: float = 0.0
    """A constant in ADU that is subtracted first of all."""

    image_area: Any = None
    """Region that sees the sky: a Region, a mapping, or a FITS section; None for the whole."""

    overscan: Any = ()
    """Regions that never see light, each as for ``image_area``."""

    leak_directions: Any = ()
    """Offsets (dx, dy) in raw-frame pixels at which an oversaturated pixel spills charge."""

    name: str = ""
    """What to call it in reports."""

    def __post_init__(self) -> None:
        put: Callable[[str, Any], None] = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        put("channels", _parse_channels(self.channels))
        if self.image_area is not None:
            put("image_area", Region.parse(self.image_area))
        areas = self.overscan
        if isinstance(areas, str | Region) or (isinstance(areas, Mapping) and areas):
            areas = (areas,)
        put("overscan", tuple(Region.parse(area) for area in areas or ()))
        put("leak_directions", _parse_directions(self.leak_directions))
        for name, lowest in (("gain", "positive"), ("read_noise", "not negative")):
            for value in _values(getattr(self, name)):
                if not math.isfinite(value) or value < 0 or (value == 0 and name == "gain"):
                    raise CalibrationError(f"{name} must be finite and {lowest}, not {value}")
        for value in (*_values(self.saturation), self.bias_level):
            if not math.isfinite(value):
                raise CalibrationError(
                    f"saturation and bias_level must be finite numbers of ADU, not {value}"
                )
        for name in ("gain", "read_noise", "saturation"):
            given = getattr(self, name)
            if isinstance(given, Mapping) and set(given) != set(self.channels or ("mono",)):
                raise CalibrationError(
                    f"{name} is given for the channels {sorted(given)}, the camera has "
                    f"{sorted(self.channels or ('mono',))}"
                )

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], source: str = "the camera") -> Self:
        """Camera of a mapping of its field names; an unknown name is an error."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise CalibrationError(
                f"{source}: unknown {', '.join(unknown)}; a camera has {', '.join(known)}"
            )
        return cls(**given)

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Self:
        """Camera of a TOML file, whose keys are the field names, at top level or in [camera]."""
        with open(path, "rb") as file:
            try:
                given = tomllib.load(file)
            except tomllib.TOMLDecodeError as error:
                raise CalibrationError(f"{path} is not valid TOML: {error}") from error
        return cls.from_mapping(given.get("camera", given), str(path))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Camera of the text that :meth:`to_json` gives."""
        return cls.from_mapping(json.loads(text))

    def to_json(self) -> str:
        """The camera as JSON text, as it travels in the attributes of a Dataset."""
        return json.dumps(asdict(self))

    def completed_by(self, facts: Mapping[str, Any]) -> Self:
        """The same camera, with facts (of a header, say) where nothing was given."""
        missing = {
            name: value
            for name, value in facts.items()
            if value is not None and getattr(self, name) in (None, ())
        }
        return replace(self, **missing) if missing else self


def _values(given: PerChannel) -> Iterable[float]:
    if given is None:
        return ()
    return given.values() if isinstance(given, Mapping) else (given,)


def _parse_channels(given: Any) -> dict[str, ChannelSlice] | None:
    if given is None:
        return None
    if isinstance(given, str):
        return _bayer_channels(given)
    channels = {str(name): ChannelSlice.parse(where) for name, where in given.items()}
    if len({(c.y_step, c.x_step) for c in channels.values()}) > 1:
        raise CalibrationError("all channels of a camera must have the same steps")
    return channels


def _bayer_channels(pattern: str) -> dict[str, ChannelSlice]:
    pattern = pattern.strip().upper()
    if sorted(pattern) != ["B", "G", "G", "R"]:
        raise CalibrationError(
            f'{pattern!r} is not a Bayer pattern, which is four letters such as "RGGB"'
        )
    channels = {}
    for place, colour in enumerate(pattern):
        name = colour
        if colour == "G":
            name = "G2" if "G1" in channels else "G1"
        channels[name] = ChannelSlice(y_offset=place // 2, y_step=2, x_offset=place % 2, x_step=2)
    return channels


def _parse_directions(given: Any) -> tuple[tuple[int, int], ...]:
    try:
        return tuple((operator.index(dx), operator.index(dy)) for dx, dy in given or ())
    except (TypeError, ValueError):
        raise CalibrationError(
            f"leak_directions is a list of whole-numbered pairs (dx, dy), not {given!r}"
        ) from None
