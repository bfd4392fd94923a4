"""Sections of headers, by which pixels of a raw frame see the sky, or never see light."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Self

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.sentences import doubt, named
from autowisp_xr.headers.values import Cards, to_number, to_text
from autowisp_xr.regions import Region

_NOTHING = re.compile(r"\[?[\s0:,]*\]?")
"""A section of no pixels, as "[0:0,0:0]", by which writers state that there is none."""

_SECTION = re.compile(
    r"[\[(]?\s*(?:(\d+)\s*:\s*(\d+)|\*)\s*,\s*(?:(\d+)\s*:\s*(\d+)|\*)\s*[\])]?", re.ASCII
)
_AREAS = ("image_area", "data_area", "overscan")
_WHOLE = 10**9
_ROUNDING = 1e-6

_SYSTEMS = (("LTV", "", ""), ("LTM", "_{}", "1"), ("DTM", "_{}", "1"), ("DTV", "", "0"))
"""Cards of the systems of IRAF, what follows the axis in each, and the value of a missing one."""

SYSTEMS = ("DETSEC", "CCDSEC", "LTV")
"""Cards that may give the place of an image, best first: the last stands for all of IRAF's."""

LETTERS = "ABCDEFGH"
"""The letters of amplifiers that share an image."""

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
class Areas:
    """The areas of a frame that its header states, in stored pixels."""

    image: Section | None = None
    """The area that sees the sky."""
    overscan: Section | None = None
    """The area that never sees light."""
    doubts: tuple[str, ...] = ()
    """Sentences about sections that cannot be used as they stand."""


def read_areas(cards: Cards, height: int, width: int, binning: str) -> Areas:
    """Return the areas of a raw frame, in stored pixels.

    Sections that reach outside of the frame count unbinned pixels where that makes all of them
    fit; a section that does not fit either way is doubted, and left out. ``data_area`` is the
    image area where there is no other, unless it is the whole frame, or holds the overscan too. Of
    an overscan that overlaps the image area, the part outside counts.
    """
    texts: dict[str, str] = {}
    stated: dict[str, str] = {}
    for thing in _AREAS:
        found = ((name, to_text(value)) for name, value in cards.values(thing))
        given = ((n, t) for n, t in found if cards.informative(t) and not _NOTHING.fullmatch(t))
        for name, text in islice(given, 1):
            texts[thing], stated[thing] = text, named(name, text)
    lit = stated.get("image_area") or stated.get("data_area")
    if "image_area" in stated:
        texts.pop("data_area", None)
    sections, doubts = _in_stored_pixels(texts, stated, height, width, binning)
    image, data, overscan = map(sections.get, _AREAS)
    if data is not None and overscan is not None and data.overlaps(overscan):
        doubts.append(doubt("holds_overscan", card=lit, overscan=stated["overscan"]))
    elif data is not None and data[:4] != (1, width, 1, height):
        image = data
    if image is not None and overscan is not None and image.overlaps(overscan):
        left = overscan.outside(image)
        what = f"only {left} of it counts" if left else "none of it lies outside"
        doubts.append(doubt("overscan_overlaps", overscan=stated["overscan"], card=lit, left=what))
        overscan = left or overscan
    return Areas(image=image, overscan=overscan, doubts=tuple(doubts))


def _in_stored_pixels(
    texts: Mapping[str, str], stated: Mapping[str, str], height: int, width: int, binning: str
) -> tuple[dict[str, Section], list[str]]:
    """Return the sections that fit the frame, as they are or all scaled; and doubts of others."""
    read = {thing: parse_section(text) for thing, text in texts.items()}
    found = {thing: s.within(height, width) for thing, s in read.items() if s is not None}
    x_step, y_step = (int(step) for step in (binning or "1x1").split("x"))
    scaled = {thing: section.binned(x_step, y_step) for thing, section in found.items()}
    for sections in (found, scaled):
        if all(section.fits(height, width) for section in sections.values()):
            found = sections
            break
    doubts = []
    for thing in texts:
        if thing in found and found[thing].fits(height, width):
            continue
        found.pop(thing, None)
        overscan = thing == "overscan"
        doubts.append(
            doubt(
                "no_section" if read[thing] is None else "section_outside",
                card=stated[thing],
                width=width,
                height=height,
                binning=f" (binning {binning})" if binning else "",
                done="subtracted" if overscan else "trimmed",
                remedy="overscan" if overscan else "image_area",
            )
        )
    return found, doubts


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


def has_place(values: Mapping[str, str]) -> bool:
    """Return whether the cards of an image give its place on a detector."""
    names = [f"{name}{suffix}" for name in SYSTEMS[:2] for suffix in ("", "A")]
    return any(_parse_place(values.get(name, "")) is not None for name in names) or (
        "LTV1" in values and "LTV2" in values
    )


def readouts_of(number: int, part: Part) -> Iterator[_Readout]:
    """Give the amplifiers of an image, whose number is given: one, or those that have letters."""
    letters = [
        letter
        for letter in LETTERS
        if f"{DATA[0]}{letter}" in part.values
        and any(f"{name}{letter}" in part.values for name in SYSTEMS[:2])
    ]
    whole = Section(1, part.width, 1, part.height)
    for suffix in letters or [""]:
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
