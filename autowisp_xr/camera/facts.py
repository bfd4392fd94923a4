"""The facts about a camera: channels, areas, gain, noise."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from os import PathLike
from typing import Any, Self

from autowisp_xr.camera.amplifiers import parse_amplifiers, parse_crosstalk
from autowisp_xr.camera.response import Linearity
from autowisp_xr.checked_numbers import checked_number, known_number
from autowisp_xr.errors import CalibrationError, OutsideImageError
from autowisp_xr.filesystem.toml_files import read_toml
from autowisp_xr.regions import Region, parse_areas, parse_channels

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

    linearity: Any = ()
    """How a signal I above the bias, in ADU, becomes proportional to the light: a
    :class:`~autowisp_xr.Linearity`, a mapping of its fields, only the coefficients c2, c3, ... of
    I + c2 I^2 + c3 I^3 + ..., or {channel: any of these}. None given: it is already.
    :func:`~autowisp_xr.measure.linearity` measures it."""

    dark_doubling: float | None = None
    """Degrees by which the dark current doubles; None where not known."""

    image_area: Any = None
    """Region that sees the sky: a Region, a mapping, or a FITS section; None for the whole."""

    overscan: Any = ()
    """Regions that never see light, each as for ``image_area``."""

    amplifiers: Any = ()
    """What reads which pixels: each an :class:`~autowisp_xr.Amplifier`, a mapping of its fields, or
    only its region of the raw frame, image and overscan. The level of an amplifier is found in its
    overscan and subtracted from its pixels only; gain and read noise may be its own. They must not
    overlap. None given: one amplifier reads all."""

    crosstalk: Any = ()
    """What an amplifier sees of what another reads at the same time: a row for each victim, with a
    number for each aggressor, as ``amplifiers`` lists them; these state their ``corner``. None
    given: nothing."""

    leak_directions: Any = ()
    """Offsets (dx, dy) in raw-frame pixels at which an oversaturated pixel spills charge."""

    name: str = ""
    """What to call it in reports."""

    def __post_init__(self) -> None:
        channels = parse_channels(self.channels)
        names = tuple(channels or ("mono",))
        parsed = {
            "channels": channels,
            "gain": _numbers("gain", self.gain, names, above=0.0),
            "read_noise": _numbers("read_noise", self.read_noise, names, least=0.0),
            "saturation": _numbers("saturation", self.saturation, names, above=0.0),
            "bias_level": checked_number("bias_level", self.bias_level),
            "linearity": _linearity(self.linearity, names),
            "dark_doubling": known_number("dark_doubling", self.dark_doubling, above=0.0),
            "image_area": None if self.image_area is None else Region.parse(self.image_area),
            "overscan": parse_areas(self.overscan, "overscan"),
            "amplifiers": parse_amplifiers(self.amplifiers),
            "crosstalk": (),
            "leak_directions": _parse_directions(self.leak_directions),
            "name": str(self.name),
        }
        parsed["crosstalk"] = parse_crosstalk(self.crosstalk, parsed["amplifiers"])
        for name, value in parsed.items():
            object.__setattr__(self, name, value)
        for name in ("gain", "read_noise", "linearity"):
            if isinstance(parsed[name], Mapping) and set(self._of_amplifiers(name)) - {None, ()}:
                raise CalibrationError(
                    f"{name} is given for channels ({', '.join(names)}) and for amplifiers; give "
                    "it for one of both"
                )

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Self:
        """Return the camera of a mapping of its field names; an unknown name is an error."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise CalibrationError(f"unknown {', '.join(unknown)}; a camera has {', '.join(known)}")
        return cls(**given)

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Self:
        """Return the camera of a TOML file with the field names as keys, at the top or in [camera].

        Keys beside [camera] that are no fields are left to others.
        """
        given = read_toml(path, CalibrationError)
        table = given.get("camera", given)
        # options of commands may stand beside; what reads like a camera was meant for the table
        beside = {field.name for field in fields(cls)} & set(given)
        if not isinstance(table, dict) or (table is not given and beside):
            raise CalibrationError(
                f"{path}: facts about the camera stand at the top or in [camera], not in both"
            )
        try:
            return cls.from_mapping(table)
        except (CalibrationError, OutsideImageError) as error:
            raise type(error)(f"{path}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the camera of the text that :meth:`to_json` returns."""
        return cls.from_mapping(json.loads(text))

    def to_json(self) -> str:
        """Return the camera as JSON text, as it travels in the attributes of a Dataset."""
        return json.dumps(asdict(self))

    def _repr_html_(self) -> str:
        from autowisp_xr.html_pieces import paragraph
        from autowisp_xr.readable_attributes import camera_phrases

        facts = json.loads(self.to_json())
        unknown = f"not known: {' and '.join(self.unknown_noise)}" if self.unknown_noise else ""
        lines = [*camera_phrases(facts).values(), unknown.replace("_", " ")]
        title = f"Camera {self.name}".strip()
        return paragraph(title, bold=True) + "".join(map(paragraph, lines))

    def to_toml(self) -> str:
        """Return the known facts about the camera as the text of a TOML file.

        Examples
        --------
        >>> print(Camera(gain=2.1, image_area="[9:1032,1:1024]").to_toml(), end="")
        gain = 2.1
        bias_level = 0.0
        image_area = {xmin = 8, xmax = 1032, ymin = 0, ymax = 1024}
        """
        known = {name: value for name, value in asdict(self).items() if value not in (None, (), "")}
        return "".join(f"{name} = {_as_toml(value)}\n" for name, value in known.items())

    @property
    def overscan_areas(self) -> tuple[Region, ...]:
        """The areas that never see light, of the camera and of its amplifiers, each once."""
        own = [area for amplifier in self.amplifiers for area in amplifier.overscan]
        return tuple(dict.fromkeys((*self.overscan, *own)))

    @property
    def unknown_noise(self) -> list[str]:
        """Those of "gain" and "read_noise" that are unknown of some amplifier."""
        return [
            name
            for name in ("gain", "read_noise")
            if getattr(self, name) is None
            and (not self.amplifiers or None in self._of_amplifiers(name))
        ]

    def numbers_of(self, name: str, channel: str) -> list[float | None]:
        """Return the gain or read noise of each amplifier, and last of pixels that none reads.

        Parameters
        ----------
        name
            "gain" or "read_noise".
        channel
            Its name.

        Returns
        -------
        A single number where all are the same (or there are no amplifiers); None for one that is
        not known.
        """
        given = getattr(self, name)
        common = given.get(channel) if isinstance(given, Mapping) else given
        own = self._of_amplifiers(name)
        numbers = [*(common if number is None else number for number in own), common]
        return numbers if len(set(numbers)) > 1 else [common]

    def only_number(self, name: str, channel: str) -> float | None:
        """Return the gain or read noise that all amplifiers have in common, else None."""
        numbers = self.numbers_of(name, channel)
        known = set(numbers[:-1] or numbers)
        return known.pop() if len(known) == 1 else None

    @property
    def bends(self) -> bool:
        """Whether a linearity is known, of the camera or of an amplifier."""
        return bool(self.linearity) or any(one.linearity for one in self.amplifiers)

    def linearities_of(self, channel: str) -> list[Linearity]:
        """Return the linearity of each amplifier, and last of pixels that none reads.

        Parameters
        ----------
        channel
            Its name.

        Returns
        -------
        A single one where all are the same, or there are no amplifiers.
        """
        given = self.linearity
        common = (given[channel] if isinstance(given, Mapping) else given) or Linearity()
        found = [*(one.linearity or common for one in self.amplifiers), common]
        return found if len(set(found)) > 1 else [common]

    def of_amplifier(self, number: int) -> Self:
        """Return the camera of what one amplifier reads, to measure it for itself.

        Its image area is what the amplifier reads of the image, its overscan that of the amplifier.

        Raises
        ------
        CalibrationError
            Where the amplifier reads nothing of the image area.

        Examples
        --------
        >>> camera = Camera(amplifiers=["[1:8,1:9]", "[9:16,1:9]"], overscan="[1:16,9:9]", gain=2)
        >>> camera.of_amplifier(1).image_area.xmin, camera.of_amplifier(1).overscan[0].xmin
        (8, 8)
        """
        one = self.amplifiers[number]
        area = one.region if self.image_area is None else one.region.common(self.image_area)
        if area is None:
            raise CalibrationError(
                f"the amplifier {one} reads nothing of the image area, {self.image_area}"
            )
        shared = (one.region.common(overscan) for overscan in self.overscan)
        return replace(
            self,
            amplifiers=(),
            crosstalk=(),
            image_area=area,
            overscan=one.overscan or tuple(part for part in shared if part is not None),
            gain=self.gain if one.gain is None else one.gain,
            read_noise=self.read_noise if one.read_noise is None else one.read_noise,
            linearity=one.linearity or self.linearity,
        )

    def _of_amplifiers(self, name: str) -> list[Any]:
        return [getattr(amplifier, name) for amplifier in self.amplifiers]

    def at_level(self, level: float) -> Self:
        """Return the camera with another ``bias_level``, at which the same raw pixels saturate.

        Examples
        --------
        >>> Camera(saturation=60_000).at_level(500).saturation
        59500.0
        """
        off, given = level - self.bias_level, self.saturation
        if isinstance(given, Mapping):
            moved: PerChannel = {channel: value - off for channel, value in given.items()}
        else:
            moved = None if given is None else given - off
        return replace(self, bias_level=level, saturation=moved)

    def lacks(self, name: str) -> bool:
        """Return whether a fact was not given; a bias level of 0 is none."""
        value = getattr(self, name)
        return value in (None, ()) or (name == "bias_level" and value == 0)

    def completed_by(self, facts: Mapping[str, Any]) -> Self:
        """Return the camera with facts (of a header, for example) where nothing was given."""
        missing = {
            name: value for name, value in facts.items() if value is not None and self.lacks(name)
        }
        return replace(self, **missing) if missing else self


def _as_toml(value: object) -> str:
    if isinstance(value, dict):
        known = ((key, item) for key, item in value.items() if item not in (None, (), ""))
        return "{" + ", ".join(f"{_key(key)} = {_as_toml(item)}" for key, item in known) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    # a string of JSON is one of TOML, but for a character that TOML wants escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _as_toml(name)


def _numbers(name: str, given: PerChannel, channels: tuple[str, ...], **bounds: float) -> Any:
    read = partial(checked_number, name, **bounds)
    return None if given is None else _per_channel(name, given, channels, read)


def _per_channel(
    name: str, given: Any, channels: tuple[str, ...], read: Callable[[Any], Any]
) -> Any:
    """Read a value, or that of each channel."""
    if not isinstance(given, Mapping):
        return read(given)
    if set(given) != set(channels):
        raise CalibrationError(
            f"{name} is given for the channels {sorted(given)}, the camera has {sorted(channels)}"
        )
    return {channel: read(value) for channel, value in given.items()}


def _linearity(given: Any, channels: tuple[str, ...]) -> Any:
    """Return a Linearity, or that of each channel; () where none is known."""
    own = {field.name for field in fields(Linearity)}
    if isinstance(given, Mapping) and not own & set(given):
        found = _per_channel("linearity", given, channels, Linearity.parse)
        return found if any(found.values()) else ()
    return Linearity.parse(given) or ()


def _parse_directions(given: Any) -> tuple[tuple[int, int], ...]:
    try:
        pairs = () if given is None else given
        return tuple((operator.index(dx), operator.index(dy)) for dx, dy in pairs)
    except (TypeError, ValueError):
        raise CalibrationError(
            f"leak_directions is a list of whole-numbered pairs (dx, dy), not {given!r}"
        ) from None
