"""Sections of headers, by which pixels of a raw frame see the sky, or never see light."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Self

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


def parse_place(text: str) -> Section | None:
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
