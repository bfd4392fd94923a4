"""Areas of a raw frame, and the slices of its colour channels.

Areas are half-open intervals of raw-frame pixels, counted from zero, as Python slices are;
FITS sections ``"[x1:x2,y1:y2]"`` count from one and include their ends. Colour channels are
slices of the raw frame too, so an area that starts at an odd pixel never swaps colours.
"""

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from autowisp_xr.errors import CalibrationError, OutsideImageError

LARGEST = 1 << 31
"""A number that no row or column of a frame reaches, however its header counts them."""

_SECTION = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]")


def _whole_numbers(value: "Region | ChannelSlice", what: str) -> None:
    """Make all fields of a frozen dataclass plain integers, or name the one that is none."""
    for name, given in vars(value).items():
        # a night has tens of thousands of areas
        if type(given) is not int:
            try:
                object.__setattr__(value, name, operator.index(given))
            except TypeError:
                raise CalibrationError(
                    f"{what} is given in whole pixels, its {name} is {given!r}"
                ) from None
        if given >= LARGEST:
            raise CalibrationError(f"{what} lies in a frame; no frame reaches as far as its {name}")


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle of raw-frame pixels, ``xmin <= x < xmax`` and ``ymin <= y < ymax``.

    Examples
    --------
    >>> region = Region.parse("[17:528,1:520]")
    >>> region.xmin, region.xmax, region.shape
    (16, 528, (520, 512))
    """

    xmin: int
    xmax: int
    ymin: int
    ymax: int

    def __post_init__(self) -> None:
        _whole_numbers(self, "an area")
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
        """Return the region of a Region, of a mapping with its four names, or of a FITS section.

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

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and of columns."""
        return self.ymax - self.ymin, self.xmax - self.xmin

    @property
    def size(self) -> int:
        """The number of pixels."""
        return math.prod(self.shape)

    def overlaps(self, other: "Region") -> bool:
        """Return whether two regions have a pixel in common."""
        across = min(self.xmax, other.xmax) > max(self.xmin, other.xmin)
        return across and min(self.ymax, other.ymax) > max(self.ymin, other.ymin)

    def common(self, other: "Region") -> "Region | None":
        """Return the region of the pixels of both; None where they have none in common."""
        if not self.overlaps(other):
            return None
        return Region(
            xmin=max(self.xmin, other.xmin),
            xmax=min(self.xmax, other.xmax),
            ymin=max(self.ymin, other.ymin),
            ymax=min(self.ymax, other.ymax),
        )

    def check_inside(self, height: int, width: int, name: str) -> None:
        """Raise OutsideImageError unless the region lies in a frame of this height and width."""
        if self.xmax > width or self.ymax > height:
            raise OutsideImageError(
                f"{name} {self} reaches outside the frame, which is {width} pixels wide and "
                f"{height} high"
            )


def parse_areas(given: Any, name: str) -> tuple[Region, ...]:
    """Return the regions of one area or a list of them, as ``Region.parse`` takes each; () of None.

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


@dataclass(frozen=True, kw_only=True)
class ChannelSlice:
    """The pixels of one channel in the raw frame: first row and column, and steps."""

    y_offset: int = 0
    y_step: int = 1
    x_offset: int = 0
    x_step: int = 1

    def __post_init__(self) -> None:
        _whole_numbers(self, "a channel slice")
        if min(self.y_step, self.x_step) < 1 or min(self.y_offset, self.x_offset) < 0:
            raise CalibrationError(f"{self}: steps start at 1 and offsets at 0")
        if self.y_offset >= self.y_step or self.x_offset >= self.x_step:
            raise CalibrationError(f"{self}: an offset must be smaller than its step")

    @classmethod
    def parse(cls, given: Any) -> Self:
        """Return the channel slice of a pair of slices (y, x), or of a mapping of its fields."""
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            unknown = sorted(set(given) - {field.name for field in fields(cls)})
            if unknown:
                raise CalibrationError(f"a channel slice has no {', '.join(unknown)}")
            return cls(**given)
        if isinstance(given, slice):
            given = (given, given)
        try:
            y, x = given
            rows, columns = (y.start or 0, y.step or 1), (x.start or 0, x.step or 1)
            ends = (y.stop, x.stop)
        except (TypeError, ValueError, AttributeError):
            raise CalibrationError(
                f"a channel is a pair of slices (y, x) of the raw frame, not {given!r}"
            ) from None
        if ends != (None, None):
            raise CalibrationError(
                f"a channel goes to the end of the frame, as slice(0, None, 2) does, and {given!r} "
                "does not; image_area cuts frames"
            )
        return cls(y_offset=rows[0], y_step=rows[1], x_offset=columns[0], x_step=columns[1])

    def seen_from(self, y: int, x: int) -> "ChannelSlice":
        """Return the slice of the same pixels in an image that starts at a raw pixel (y, x)."""
        y_offset, x_offset = (self.y_offset - y) % self.y_step, (self.x_offset - x) % self.x_step
        return replace(self, y_offset=y_offset, x_offset=x_offset)


def is_bayer(pattern: str) -> bool:
    """Return whether a text is a Bayer pattern, such as "RGGB"."""
    return sorted(pattern.upper()) == ["B", "G", "G", "R"]


def bayer_pattern(channels: Mapping[str, ChannelSlice] | None, y: int, x: int) -> str:
    """Return the colours of 2 x 2 pixels from a raw pixel (y, x) on; "" of no Bayer pattern.

    Examples
    --------
    >>> channels = parse_channels("RGGB")
    >>> bayer_pattern(channels, 0, 0), bayer_pattern(channels, 5, 2), bayer_pattern(None, 0, 0)
    ('RGGB', 'GBRG', '')
    """
    placed = {one.seen_from(y, x): name[:1] for name, one in (channels or {}).items()}
    whole = ChannelSlice(y_step=2, x_step=2)
    wanted = (whole.seen_from(-row, -column) for row in (0, 1) for column in (0, 1))
    pattern = "".join(placed.get(one, "") for one in wanted)
    return pattern if is_bayer(pattern) else ""


def parse_channels(given: object) -> dict[str, ChannelSlice] | None:
    """Return the slices of a Bayer pattern, or of {name: (y slice, x slice)}; None of None.

    Raises
    ------
    CalibrationError
        For what is neither, or channels of unlike steps.
    """
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
    if not is_bayer(pattern):
        raise CalibrationError(
            f'{pattern!r} is not a Bayer pattern, which is four letters such as "RGGB"'
        )
    channels = {}
    for place, colour in enumerate(pattern):
        name = colour if colour != "G" else "G2" if "G1" in channels else "G1"
        channels[name] = ChannelSlice(y_offset=place // 2, y_step=2, x_offset=place % 2, x_step=2)
    return channels
