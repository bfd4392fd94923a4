"""Sections of headers: which pixels of a raw frame see the sky, and which never see light."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from astropy.io import fits

from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import known_values, to_text
from autowisp_xr.regions import Region

__all__ = ["Areas", "Section", "parse_section", "read_areas"]

_SECTION = re.compile(
    r"[\[(]?\s*(?:(\d+)\s*:\s*(\d+)|\*)\s*,\s*(?:(\d+)\s*:\s*(\d+)|\*)\s*[\])]?", re.ASCII
)
_WHOLE = 10**9


class Section(NamedTuple):
    """A rectangle as FITS sections count: from one, ends included; ``x2`` is not below ``x1``."""

    x1: int
    x2: int
    y1: int
    y2: int

    def __str__(self) -> str:
        return f"[{self.x1}:{self.x2},{self.y1}:{self.y2}]"

    @classmethod
    def of(cls, x1: int, x2: int, y1: int, y2: int) -> Self:
        """Section with its ends in order: an amplifier that reads from the far end has them so."""
        return cls(min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2))

    def within(self, height: int, width: int) -> Self:
        """The same, where "*" stands for a whole axis of a frame of this size."""
        x2 = width if self.x2 == _WHOLE else self.x2
        return self._replace(x2=x2, y2=height if self.y2 == _WHOLE else self.y2)

    def fits(self, height: int, width: int) -> bool:
        """Whether it lies in a frame of this size."""
        return self.x1 >= 1 and self.x2 <= width and self.y1 >= 1 and self.y2 <= height

    def binned(self, x_step: int, y_step: int) -> Self:
        """Binned pixels that lie in it whole."""
        return self._replace(
            x1=(self.x1 + x_step - 2) // x_step + 1,
            x2=self.x2 // x_step,
            y1=(self.y1 + y_step - 2) // y_step + 1,
            y2=self.y2 // y_step,
        )

    def overlaps(self, other: "Section") -> bool:
        """Whether they have a pixel in common."""
        return max(self.x1, other.x1) <= min(self.x2, other.x2) and max(self.y1, other.y1) <= min(
            self.y2, other.y2
        )

    def outside(self, other: "Section") -> "Section | None":
        """The largest rectangle of it that has no pixel of another one; None where there is none.

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
        real = [part for part in parts if part.x1 <= part.x2 and part.y1 <= part.y2]
        return max(real, key=lambda s: (s.x2 - s.x1 + 1) * (s.y2 - s.y1 + 1), default=None)

    def region(self) -> Region:
        """The same as a region, which counts from zero."""
        return Region(xmin=self.x1 - 1, xmax=self.x2, ymin=self.y1 - 1, ymax=self.y2)


def parse_section(text: str) -> Section | None:
    """Section of a text such as "[ 17: 528, 1: 520]", also reversed, or with "*"; None of others.

    Examples
    --------
    >>> str(parse_section("[ 528:17 , 1:520 ]")), parse_section("UNKNOWN")
    ('[17:528,1:520]', None)
    """
    match = _SECTION.fullmatch(text.strip())
    if match is None:
        return None
    numbers = [int(number) if number else None for number in match.groups()]
    x1, x2, y1, y2 = (
        ({0: 1, 1: _WHOLE}[place % 2] if number is None else number)
        for place, number in enumerate(numbers)
    )
    return Section.of(x1, x2, y1, y2)


@dataclass(frozen=True, kw_only=True)
class Areas:
    """What a header says of the areas of its frame."""

    image: Section | None = None
    """That sees the sky, in stored pixels."""
    overscan: Section | None = None
    """That never sees light."""
    doubts: tuple[str, ...] = ()
    """What could not be taken as it stands."""


def read_areas(
    header: fits.Header, spellings: Spellings, height: int, width: int, binning: str
) -> Areas:
    """Areas of a raw frame, in stored pixels.

    Sections that reach outside of the frame count unbinned pixels where that makes all of them
    fit; a section that does not fit either way is doubted, and left out. ``data_area`` is the
    image area where there is no other, unless it is the whole frame, or holds the overscan too. Of
    an overscan that overlaps the image area, what lies outside counts.
    """
    said = {
        role: card
        for role, names in (
            ("image", spellings.image_area),
            ("data", spellings.data_area),
            ("overscan", spellings.overscan),
        )
        if (card := _said(header, spellings, names)) is not None
    }
    if not said:
        return Areas()
    if "image" in said:
        said.pop("data", None)
    sections, doubts = _in_stored_pixels(said, height, width, binning)
    image, overscan = sections.get("image"), sections.get("overscan")
    data = sections.get("data")
    if data is not None and overscan is not None and data.overlaps(overscan):
        doubts.append(
            f"{said['data']} holds the overscan, {said['overscan']}, too: nothing is trimmed; say "
            "image_area in a camera file"
        )
    elif data != Section(1, width, 1, height):
        image = image or data
    if image is not None and overscan is not None and image.overlaps(overscan):
        left = overscan.outside(image)
        what = f"only {left} of it counts" if left else "none of it lies outside"
        doubts.append(
            f"the overscan {said['overscan']} overlaps the lit image, "
            f"{said.get('image') or said['data']}: {what}; say overscan and image_area in a camera "
            "file"
        )
        overscan = left or overscan
    return Areas(image=image, overscan=overscan, doubts=tuple(doubts))


class _Card(NamedTuple):
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name} = {self.text!r}"


def _said(header: fits.Header, spellings: Spellings, names: tuple[str, ...]) -> _Card | None:
    """The first of the cards that says something."""
    cards = (_Card(name, to_text(value)) for name, value in known_values(header, names))
    return next((card for card in cards if card.text.lower() not in spellings.unsaid), None)


def _in_stored_pixels(
    said: Mapping[str, _Card], height: int, width: int, binning: str
) -> tuple[dict[str, Section], list[str]]:
    """Sections that fit the frame, as they are or all of them scaled; doubts of the others."""
    read = {role: parse_section(card.text) for role, card in said.items()}
    found = {role: s.within(height, width) for role, s in read.items() if s is not None}
    x_step, y_step = (int(step) for step in (binning or "1x1").split("x"))
    scaled = {role: section.binned(x_step, y_step) for role, section in found.items()}
    for sections in (found, scaled):
        if all(section.fits(height, width) for section in sections.values()):
            found = sections
            break
    doubts = []
    for role, card in said.items():
        if role in found and found[role].fits(height, width):
            continue
        found.pop(role, None)
        overscan = role == "overscan"
        problem = (
            "is no section that can be read"
            if read[role] is None
            else f"reaches outside of the frame of {width} x {height} pixels"
            + (f" (binning {binning})" if binning else "")
        )
        doubts.append(
            f"{card} {problem}: nothing is {'subtracted' if overscan else 'trimmed'} by it; say "
            f"{'overscan' if overscan else 'image_area'} in a camera file"
        )
    return found, doubts
