"""What the hardware is: channels, areas, gain, noise. Facts, not choices."""

import json
import math
import operator
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from numbers import Real
from os import PathLike
from typing import Any, Self

from autowisp_xr.errors import CalibrationError, OutsideImageError
from autowisp_xr.regions import ChannelSlice, Region

__all__ = ["Camera", "parse_areas"]

_MOST_AMPLIFIERS = 255

PerChannel = float | Mapping[str, float] | None


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
    """A pixel at or above this, in ADU after ``bias_level`` is subtracted, is oversaturated; so is
    one that has the largest value that the integers of its file can have, whatever is said."""

    bias_level: float = 0.0
    """A constant in ADU that is subtracted first of all."""

    image_area: Any = None
    """Region that sees the sky: a Region, a mapping, or a FITS section; None for the whole."""

    overscan: Any = ()
    """Regions that never see light, each as for ``image_area``."""

    amplifiers: Any = ()
    """Regions of the raw frame, each read by an amplifier of its own, image and overscan: the level
    of an amplifier is found and subtracted inside its region only. They must not overlap. None
    given: one amplifier reads all."""

    leak_directions: Any = ()
    """Offsets (dx, dy) in raw-frame pixels at which an oversaturated pixel spills charge."""

    name: str = ""
    """What to call it in reports."""

    def __post_init__(self) -> None:
        channels = _parse_channels(self.channels)
        names = tuple(channels or ("mono",))
        parsed = {
            "channels": channels,
            "gain": _numbers("gain", self.gain, names, above=0.0),
            "read_noise": _numbers("read_noise", self.read_noise, names, least=0.0),
            "saturation": _numbers("saturation", self.saturation, names, above=0.0),
            "bias_level": _number("bias_level", self.bias_level),
            "image_area": None if self.image_area is None else Region.parse(self.image_area),
            "overscan": parse_areas(self.overscan, "overscan"),
            "amplifiers": _parse_amplifiers(self.amplifiers),
            "leak_directions": _parse_directions(self.leak_directions),
            "name": str(self.name),
        }
        for name, value in parsed.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Self:
        """Camera of a mapping of its field names; an unknown name is an error."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise CalibrationError(f"unknown {', '.join(unknown)}; a camera has {', '.join(known)}")
        return cls(**given)

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Self:
        """Camera of a TOML file, whose keys are the field names, at top level or in [camera].

        Beside [camera] there may be what is no field, which is left to others.
        """
        with open(path, "rb") as file:
            try:
                given = tomllib.load(file)
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise CalibrationError(f"{path} is not valid TOML: {error}") from error
        table = given.get("camera", given)
        # options of commands may stand beside; what reads like a camera was meant for the table
        beside = {field.name for field in fields(cls)} & set(given)
        if not isinstance(table, dict) or (table is not given and beside):
            raise CalibrationError(
                f"{path}: what is said of the camera is at the top or in [camera], not in both"
            )
        try:
            return cls.from_mapping(table)
        except (CalibrationError, OutsideImageError) as error:
            raise type(error)(f"{path}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Camera of the text that :meth:`to_json` gives."""
        return cls.from_mapping(json.loads(text))

    def to_json(self) -> str:
        """The camera as JSON text, as it travels in the attributes of a Dataset."""
        return json.dumps(asdict(self))

    def to_toml(self) -> str:
        """The camera as the text of a TOML file, with what is known of it.

        Examples
        --------
        >>> print(Camera(gain=2.1, image_area="[9:1032,1:1024]").to_toml(), end="")
        gain = 2.1
        bias_level = 0.0
        image_area = {xmin = 8, xmax = 1032, ymin = 0, ymax = 1024}
        """
        known = {name: value for name, value in asdict(self).items() if value not in (None, (), "")}
        return "".join(f"{name} = {_as_toml(value)}\n" for name, value in known.items())

    def completed_by(self, facts: Mapping[str, Any]) -> Self:
        """The same camera, with facts (of a header, say) where nothing was given."""
        missing = {
            name: value
            for name, value in facts.items()
            if value is not None and getattr(self, name) in (None, ())
        }
        return replace(self, **missing) if missing else self


def _as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_key(key)} = {_as_toml(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    # a string of JSON is one of TOML, but for a character that TOML wants escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _as_toml(name)


def _number(name: str, value: Any, *, above: float = -math.inf, least: float = -math.inf) -> float:
    """A finite number above one bound and at least another, or an error that names it."""
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and number > above and number >= least:
            return number
    bound = f" above {above:g}" if above > -math.inf else ""
    bound = f" not below {least:g}" if least > -math.inf else bound
    raise CalibrationError(f"{name} must be a finite number{bound}, not {value!r}")


def _numbers(
    name: str, given: Any, channels: tuple[str, ...], **bounds: float
) -> float | dict[str, float] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        return _number(name, given, **bounds)
    if set(given) != set(channels):
        raise CalibrationError(
            f"{name} is given for the channels {sorted(given)}, the camera has {sorted(channels)}"
        )
    return {channel: _number(name, value, **bounds) for channel, value in given.items()}


def parse_areas(given: Any, name: str) -> tuple[Region, ...]:
    """Regions of one area or a list of them, each as ``Region.parse`` takes it; () of None.

    Raises
    ------
    CalibrationError
        For what is no list of areas, with its ``name``.
    """
    if isinstance(given, str | Region | Mapping):
        given = (given,) if given else ()
    try:
        return tuple(Region.parse(area) for area in given or ())
    except TypeError:
        raise CalibrationError(f"{name} is a list of areas, not {given!r}") from None


def _parse_amplifiers(given: Any) -> tuple[Region, ...]:
    regions = parse_areas(given, "amplifiers")
    if len(regions) > _MOST_AMPLIFIERS:
        raise CalibrationError(
            f"there are {len(regions)} amplifiers, at most {_MOST_AMPLIFIERS} can be told apart"
        )
    for one, other in combinations(regions, 2):
        across = min(one.xmax, other.xmax) - max(one.xmin, other.xmin)
        along = min(one.ymax, other.ymax) - max(one.ymin, other.ymin)
        if across > 0 and along > 0:
            raise CalibrationError(
                f"the amplifiers {one} and {other} overlap; a pixel is read by one of them only"
            )
    return regions


def _parse_channels(given: Any) -> dict[str, ChannelSlice] | None:
    if given is None:
        return None
    if isinstance(given, str):
        return _bayer_channels(given)
    if not isinstance(given, Mapping) or not given:
        raise CalibrationError(
            f'channels is a pattern such as "RGGB" or {{name: (y slice, x slice)}}, not {given!r}'
        )
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
        pairs = () if given is None else given
        return tuple((operator.index(dx), operator.index(dy)) for dx, dy in pairs)
    except (TypeError, ValueError):
        raise CalibrationError(
            f"leak_directions is a list of whole-numbered pairs (dx, dy), not {given!r}"
        ) from None
