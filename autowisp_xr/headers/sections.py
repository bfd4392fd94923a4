"""Sections of headers, by which pixels of a raw frame see the sky, or never see light."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.values import to_number
from autowisp_xr.regions import Region

_SECTION = re.compile(
    r"[\[(]?\s*(?:(\d+)\s*:\s*(\d+)|\*)\s*,\s*(?:(\d+)\s*:\s*(\d+)|\*)\s*[\])]?", re.ASCII
)
_WHOLE = 10**9
_ROUNDING = 1e-6

_SYSTEMS = (("LTV", "", ""), ("LTM", "_{}", "1"), ("DTM", "_{}", "1"), ("DTV", "", "0"))
"""Cards of the systems of IRAF, what follows the axis in each, and the value of a missing one."""

SYSTEMS = ("DETSEC", "CCDSEC", "LTV")
"""Cards that may give the place of an image, best first: the last stands for all of IRAF's."""

QUADRANTS = ("11", "12", "21", "22")
"""The amplifiers of IRAF's quad package that share an image: row and column of each."""

SUFFIXES = (*"ABCDEFGH", *QUADRANTS)
"""What the cards of an amplifier that shares an image end in."""

NUMBERS = "123456789"
"""The numbers of several strips of overscan."""

DATA = ("DATASEC", "TRIMSEC")
"""Cards that give the pixels of an image that saw light, best first."""

_CHIP_CARDS = ("CCDNAME", "CCDNUM", "CCDID", "CHIPID", "CHIPNAME", "CCDNO")


class Section(NamedTuple):
    """A rectangle of pixels, counted from one, ends included; ``x2`` is not below ``x1``."""

    x1: int
    x2: int
    y1: int
    y2: int
    flip_x: bool = False
    """Whether it was written from the far end, from which its amplifier reads."""
    flip_y: bool = False

    def __str__(self) -> str:
        return f"[{self.x1}:{self.x2},{self.y1}:{self.y2}]"

    @classmethod
    def of(cls, x1: int, x2: int, y1: int, y2: int) -> Self:
        """Return the section of ends in any order."""
        return cls(min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2), x1 > x2, y1 > y2)

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.x2 - self.x1 + 1

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.y2 - self.y1 + 1

    def within(self, height: int, width: int) -> Self:
        """Return the section with each "*" replaced by the whole axis of a frame of this size."""
        x2 = width if self.x2 == _WHOLE else self.x2
        return self._replace(x2=x2, y2=height if self.y2 == _WHOLE else self.y2)

    def fits(self, height: int, width: int) -> bool:
        """Return whether it lies in a frame of this size."""
        return self.x1 >= 1 and self.x2 <= width and self.y1 >= 1 and self.y2 <= height

    def binned(self, x_step: int, y_step: int) -> Self:
        """Return the binned pixels that lie completely in it."""
        return self._replace(
            x1=(self.x1 + x_step - 2) // x_step + 1,
            x2=self.x2 // x_step,
            y1=(self.y1 + y_step - 2) // y_step + 1,
            y2=self.y2 // y_step,
        )

    def overlaps(self, other: "Section") -> bool:
        """Return whether two sections have a pixel in common."""
        across = max(self.x1, other.x1) <= min(self.x2, other.x2)
        return across and max(self.y1, other.y1) <= min(self.y2, other.y2)

    def outside(self, other: "Section") -> "Section | None":
        """Return its largest rectangle without a pixel of another section; None for none.

        Examples
        --------
        >>> str(Section(33, 80, 1, 64).outside(Section(1, 64, 1, 64)))
        '[65:80,1:64]'
        """
        parts = (
            self._replace(x2=min(self.x2, other.x1 - 1)),
            self._replace(x1=max(self.x1, other.x2 + 1)),
            self._replace(y2=min(self.y2, other.y1 - 1)),
            self._replace(y1=max(self.y1, other.y2 + 1)),
        )
        real = [part for part in parts if part.width > 0 and part.height > 0]
        return max(real, key=lambda part: part.width * part.height, default=None)

    def region(self) -> Region:
        """Return the same as a region, which counts from zero."""
        return Region(xmin=self.x1 - 1, xmax=self.x2, ymin=self.y1 - 1, ymax=self.y2)


def parse_section(text: str) -> Section | None:
    """Return the section of a text such as "[ 17: 528, 1: 520]", also reversed or with "*".

    It is None for any other text.

    Examples
    --------
    >>> str(parse_section("[ 528:17 , 1:520 ]")), parse_section("UNKNOWN")
    ('[17:528,1:520]', None)
    """
    match = _SECTION.fullmatch(text.strip())
    if match is None:
        return None
    x1, x2, y1, y2 = match.groups()
    return Section.of(int(x1 or 1), int(x2 or _WHOLE), int(y1 or 1), int(y2 or _WHOLE))


def _parse_place(text: str) -> Section | None:
    """Return a section of a detector of unknown size; None for a text with "*", and for others."""
    section = parse_section(text)
    return section if section is not None and section.fits(_WHOLE - 1, _WHOLE - 1) else None


def section_by_coordinates(values: Mapping[str, str], data: Section) -> Section | None:
    """Return the place of pixels by stored = LTM * chip + LTV and DTM * chip + DTV, as in IRAF.

    Parameters
    ----------
    values
        Values of cards, as text. LTV has to be there for both axes.
    data
        The stored pixels.
    """
    ends: list[int] = []
    flips = []
    for axis, first, last in (("1", data.x1, data.x2), ("2", data.y1, data.y2)):
        shift, scale, onto, chip = (
            to_number(values.get(f"{card}{axis}{more.format(axis)}", usual))
            for card, more, usual in _SYSTEMS
        )
        if math.isnan(shift + scale + onto + chip) or not scale * onto:
            return None
        edges = sorted((edge - shift) / scale * onto + chip for edge in (first - 0.5, last + 0.5))
        for number in (edges[0] + 0.5, edges[1] - 0.5):
            if abs(number - round(number)) > _ROUNDING or number < 1 - _ROUNDING:
                return None
            ends.append(round(number))
        flips.append(scale * onto < 0)
    x1, x2, y1, y2 = ends
    return Section(x1, x2, y1, y2, *flips)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One image of a file."""

    label: str
    """Its name in messages, such as "HDU 2 (AMP2, 64 x 36)"."""
    values: Mapping[str, str]
    """The values of its cards, as text; of the primary HDU where it has none of its own."""
    height: int
    width: int


class _Readout(NamedTuple):
    """An amplifier, as the header of its image describes it."""

    part: int
    suffix: str
    data: list[Section]
    """Its possible data sections, best first."""


class Placed(NamedTuple):
    """The data of an amplifier in the image, and their place on the detector, in binned pixels."""

    readout: _Readout
    source: Section
    place: Region
    flip_x: bool
    flip_y: bool


_QUAD_CARDS = {"DSEC": "DATASEC", "TSEC": "TRIMSEC", "BSEC": "BIASSEC", "CSEC": "CCDSEC"}
_FULL_NAMES = {
    f"{short}{q}": f"{name}{q}" for short, name in _QUAD_CARDS.items() for q in QUADRANTS
}


def spelled_out(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values of cards with those of IRAF's quad package under their full names.

    Examples
    --------
    >>> spelled_out({"CSEC21": "[1:8,9:16]"})
    {'CCDSEC21': '[1:8,9:16]'}
    """
    return {_FULL_NAMES.get(name, name): value for name, value in values.items()}


def has_place(values: Mapping[str, str]) -> bool:
    """Return whether the cards of an image give its place on a detector."""
    names = [f"{name}{suffix}" for name in SYSTEMS[:2] for suffix in ("", "A", "11")]
    return any(_parse_place(values.get(name, "")) is not None for name in names) or (
        "LTV1" in values and "LTV2" in values
    )


def readouts_of(number: int, part: Part) -> Iterator[_Readout]:
    """Give the amplifiers of an image, whose number is given: one, or those that have suffixes."""
    several = [
        suffix
        for suffix in SUFFIXES
        if f"{DATA[0]}{suffix}" in part.values
        and any(f"{name}{suffix}" in part.values for name in SYSTEMS[:2])
    ]
    whole = Section(1, part.width, 1, part.height)
    for suffix in several or [""]:
        texts = (part.values.get(f"{name}{suffix}", "") for name in DATA)
        data = [one for text in texts if (one := stored_section(text, part)) is not None]
        yield _Readout(number, suffix, data or ([] if suffix else [whole]))


def placed_by(parts: Sequence[Part], readouts: Sequence[_Readout], system: str) -> list[Placed]:
    """Return the places of all amplifiers by one kind of cards; HeaderError where it fails."""
    places = []
    for readout in readouts:
        values = parts[readout.part].values
        place = place_of(values, readout.suffix, readout.data[0], system) if readout.data else None
        if place is None:
            raise HeaderError(f"not all of them have {system}")
        places.append(place)
    if system != "DETSEC":
        chips = {tuple(parts[r.part].values.get(card) for card in _CHIP_CARDS) for r in readouts}
        if len(chips) > 1 and not (system == "LTV" and knows_detector(parts)):
            raise HeaderError(f"{system} counts from the corner of each of {len(chips)} chips")
    by_step = [
        {step: data for data in reversed(readout.data) if (step := _step(data, place)) is not None}
        for readout, place in zip(readouts, places, strict=True)
    ]
    for step in sorted({step for known in by_step for step in known}):
        if all(step in known for known in by_step):
            return [
                _placed(readout, place, known[step], step)
                for readout, place, known in zip(readouts, places, by_step, strict=True)
            ]
    raise HeaderError(f"{system} has another size than the pixels that it is about")


def _placed(readout: _Readout, place: Section, data: Section, step: tuple[int, int]) -> Placed:
    y, x = (place.y1 - 1) // step[0], (place.x1 - 1) // step[1]
    region = Region(xmin=x, xmax=x + data.width, ymin=y, ymax=y + data.height)
    flips = place.flip_x != data.flip_x, place.flip_y != data.flip_y
    return Placed(readout, data, region, *flips)


def place_of(values: Mapping[str, str], suffix: str, data: Section, system: str) -> Section | None:
    """Return the place of data on the detector, by one kind of cards; None where none gives it."""
    if system == "LTV":
        return section_by_coordinates(values, data)
    return _parse_place(values.get(f"{system}{suffix}", ""))


def _step(data: Section, place: Section) -> tuple[int, int] | None:
    """Return the binning along y and x by which data have their place; None where none fits."""
    steps = []
    for length, whole in ((data.height, place.height), (data.width, place.width)):
        step = max(round(whole / length), 1)
        # at an edge, what does not fill a pixel may be left out, or make one
        if abs(whole - step * length) >= step:
            return None
        steps.append(step)
    return steps[0], steps[1]


def stored_section(text: str, part: Part) -> Section | None:
    """Return a section of an image in its own pixels, converted where only unbinned ones fit."""
    found = parse_section(text)
    if found is None:
        return None
    found = found.within(part.height, part.width)
    steps = re.fullmatch(r"\s*(\d+)\D+(\d+)\s*", part.values.get("CCDSUM", ""))
    if found.x1 >= 1 and found.y1 >= 1 and steps and not found.fits(part.height, part.width):
        x, y = (max(int(step), 1) for step in steps.groups())
        # a pixel that lies in it in part begins it
        found = found.binned(x, y)._replace(x1=(found.x1 - 1) // x + 1, y1=(found.y1 - 1) // y + 1)
    return found if found.fits(part.height, part.width) else None


def knows_detector(parts: Sequence[Part]) -> bool:
    """Return whether coordinates of chips can be converted into those of the detector."""
    return all("DTV1" in part.values and "DTV2" in part.values for part in parts)
