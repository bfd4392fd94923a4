"""Where on a detector the images of a file lie, by the sections in their headers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.sections import parse_section
from autowisp_xr.regions import Region

__all__ = [
    "LETTERS",
    "SYSTEMS",
    "Part",
    "Placed",
    "Readout",
    "Stretch",
    "has_place",
    "knows_detector",
    "parse_stretch",
    "place_of",
    "placed_by",
    "readouts_of",
    "stored_stretch",
    "text_of",
]

SYSTEMS = ("DETSEC", "CCDSEC", "LTV")
"""Cards that may say where images lie, best first: the last stands for all of IRAF's systems."""

LETTERS = "ABCDEFGH"
"""Of amplifiers that share an image."""

_DATA = ("DATASEC", "TRIMSEC")
_CHIP_CARDS = ("CCDNAME", "CCDNUM", "CCDID", "CHIPID", "CHIPNAME", "CCDNO")
_WHOLE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Part:
    """One image of a file."""

    label: str
    """What to call it, such as "HDU 2 (AMP2, 64 x 36)"."""
    values: Mapping[str, str]
    """Of its cards, as text; those of the primary HDU where it has none of its own."""
    height: int
    width: int


class Stretch(NamedTuple):
    """A section, which counts from one and includes its ends, in order, and which were not so."""

    x1: int
    x2: int
    y1: int
    y2: int
    flip_x: bool = False
    flip_y: bool = False

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.x2 - self.x1 + 1

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.y2 - self.y1 + 1

    def region(self) -> Region:
        """The same as a region, which counts from zero."""
        return Region(xmin=self.x1 - 1, xmax=self.x2, ymin=self.y1 - 1, ymax=self.y2)


class Readout(NamedTuple):
    """An amplifier as its header says it."""

    part: int
    suffix: str
    data: list[Stretch]
    """What its data section may be, best first."""


class Placed(NamedTuple):
    """Data of an amplifier in the image, and their place on the detector, in binned pixels."""

    readout: Readout
    source: Stretch
    place: Region
    flip_x: bool
    flip_y: bool


def has_place(values: Mapping[str, str]) -> bool:
    """Whether the cards of an image say where on a detector it lies."""
    names = [f"{name}{suffix}" for name in SYSTEMS[:2] for suffix in ("", "A")]
    return any(parse_stretch(values.get(name, "")) is not None for name in names) or (
        "LTV1" in values and "LTV2" in values
    )


def readouts_of(number: int, part: Part) -> Iterator[Readout]:
    """Amplifiers of an image, whose number is given: one, or those that have letters."""
    letters = [
        letter
        for letter in LETTERS
        if f"{_DATA[0]}{letter}" in part.values
        and any(f"{name}{letter}" in part.values for name in SYSTEMS[:2])
    ]
    whole = Stretch(1, part.width, 1, part.height)
    for suffix in letters or [""]:
        texts = (part.values.get(f"{name}{suffix}", "") for name in _DATA)
        data = [one for text in texts if (one := stored_stretch(text, part)) is not None]
        yield Readout(number, suffix, data or ([] if suffix else [whole]))


def placed_by(parts: Sequence[Part], readouts: Sequence[Readout], system: str) -> list[Placed]:
    """Places of all amplifiers by one kind of cards; HeaderError where these do not say them."""
    places = []
    for readout in readouts:
        values = parts[readout.part].values
        place = place_of(values, readout.suffix, readout.data[0], system) if readout.data else None
        if place is None:
            raise HeaderError(f"not all of them say {system}")
        places.append(place)
    if system != "DETSEC":
        chips = {tuple(parts[r.part].values.get(card) for card in _CHIP_CARDS) for r in readouts}
        if len(chips) > 1 and not (system == "LTV" and knows_detector(parts)):
            raise HeaderError(f"{system} counts from the corner of each of {len(chips)} chips")
    steps = {
        step
        for readout, place in zip(readouts, places, strict=True)
        for data in readout.data
        if (step := _step(data, place)) is not None
    }
    for y_step, x_step in sorted(steps):
        found = [
            Placed(
                readout,
                data,
                Region(xmin=x, xmax=x + data.width, ymin=y, ymax=y + data.height),
                place.flip_x != data.flip_x,
                place.flip_y != data.flip_y,
            )
            for readout, place in zip(readouts, places, strict=True)
            for data in [one for one in readout.data if _step(one, place) == (y_step, x_step)][:1]
            for x, y in [((place.x1 - 1) // x_step, (place.y1 - 1) // y_step)]
        ]
        if len(found) == len(readouts):
            return found
    raise HeaderError(f"{system} has another size than the pixels that it is about")


def place_of(values: Mapping[str, str], suffix: str, data: Stretch, system: str) -> Stretch | None:
    """Where data of an image lie on the detector, by one kind of cards; None where none says it."""
    if system == "LTV":
        return _by_coordinates(values, data)
    return parse_stretch(values.get(f"{system}{suffix}", ""))


def _step(data: Stretch, place: Stretch) -> tuple[int, int] | None:
    """Pixels of the detector that were read as one, along y and x; None for unlike sizes."""
    steps = []
    for length, whole in ((data.height, place.height), (data.width, place.width)):
        step = max(round(whole / length), 1)
        # at an edge, what does not fill a pixel may be left out, or make one
        if abs(whole - step * length) >= step:
            return None
        steps.append(step)
    return steps[0], steps[1]


def parse_stretch(text: str, height: int = 0, width: int = 0) -> Stretch | None:
    """Section of a text, in which "*" is all of an axis of an image of this size; else None."""
    section = parse_section(text)
    if section is None or ("*" in text and not height * width):
        return None
    section = section.within(height, width)
    if min(section.x1, section.y1) < 1:
        return None
    along_x, _, along_y = text.partition(",")
    return Stretch(*section, _runs_back(along_x), _runs_back(along_y))


def _runs_back(text: str) -> bool:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return len(numbers) == 2 and numbers[0] > numbers[1]


def stored_stretch(text: str, part: Part) -> Stretch | None:
    """Section of an image, in its own pixels; of unbinned pixels where only those fit in it."""
    whole = Stretch(1, part.width, 1, part.height)
    found = parse_stretch(text, part.height, part.width)
    steps = re.fullmatch(r"\s*(\d+)\D+(\d+)\s*", part.values.get("CCDSUM", ""))
    if found is not None and not _inside(found, whole) and steps is not None:
        x, y = (max(int(step), 1) for step in steps.groups())
        found = found._replace(
            x1=(found.x1 - 1) // x + 1,
            x2=found.x2 // x,
            y1=(found.y1 - 1) // y + 1,
            y2=found.y2 // y,
        )
    return found if found is not None and _inside(found, whole) else None


def _inside(section: Stretch, whole: Stretch) -> bool:
    return section.x2 <= whole.x2 and section.y2 <= whole.y2


def text_of(section: Stretch) -> str:
    """The section as headers write it."""
    return f"[{section.x1}:{section.x2},{section.y1}:{section.y2}]"


def knows_detector(parts: Sequence[Part]) -> bool:
    """Whether coordinates of chips can be turned into those of the detector."""
    return all("DTV1" in part.values and "DTV2" in part.values for part in parts)


def _by_coordinates(values: Mapping[str, str], data: Stretch) -> Stretch | None:
    """Place of pixels by the systems of IRAF: stored = LTM * chip + LTV; DTM * chip + DTV."""
    ends: list[int] = []
    flips = []
    for axis, first, last in (("1", data.x1, data.x2), ("2", data.y1, data.y2)):
        shift = _number(values.get(f"LTV{axis}"))
        scale = _number(values.get(f"LTM{axis}_{axis}", "1"))
        onto = _number(values.get(f"DTM{axis}_{axis}", "1"))
        chip = _number(values.get(f"DTV{axis}", "0"))
        if shift is None or chip is None or not scale or not onto:
            return None
        edges = sorted((edge - shift) / scale * onto + chip for edge in (first - 0.5, last + 0.5))
        numbers = [edges[0] + 0.5, edges[1] - 0.5]
        if any(abs(number - round(number)) > _WHOLE or number < 1 - _WHOLE for number in numbers):
            return None
        ends += [round(number) for number in numbers]
        flips.append(scale * onto < 0)
    return Stretch(ends[0], ends[1], ends[2], ends[3], *flips)


def _number(text: str | None) -> float | None:
    try:
        return float((text or "").upper().replace("D", "E"))
    except ValueError:
        return None
