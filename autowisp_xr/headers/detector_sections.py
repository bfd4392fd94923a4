"""The places of the images of a file on a detector, by the sections in their headers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.sections import (
    Section,
    parse_place,
    parse_section,
    section_by_coordinates,
)
from autowisp_xr.regions import Region

SYSTEMS = ("DETSEC", "CCDSEC", "LTV")
"""Cards that may give the place of an image, best first: the last stands for all of IRAF's."""

LETTERS = "ABCDEFGH"
"""The letters of amplifiers that share an image."""

NUMBERS = "123456789"
"""The numbers of several strips of overscan."""

DATA = ("DATASEC", "TRIMSEC")
"""Cards that give the pixels of an image that saw light, best first."""

_CHIP_CARDS = ("CCDNAME", "CCDNUM", "CCDID", "CHIPID", "CHIPNAME", "CCDNO")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One image of a file."""

    label: str
    """Its name in messages, such as "HDU 2 (AMP2, 64 x 36)"."""
    values: Mapping[str, str]
    """The values of its cards, as text; of the primary HDU where it has none of its own."""
    height: int
    width: int


class Readout(NamedTuple):
    """An amplifier, as the header of its image describes it."""

    part: int
    suffix: str
    data: list[Section]
    """Its possible data sections, best first."""


class Placed(NamedTuple):
    """The data of an amplifier in the image, and their place on the detector, in binned pixels."""

    readout: Readout
    source: Section
    place: Region
    flip_x: bool
    flip_y: bool


def has_place(values: Mapping[str, str]) -> bool:
    """Return whether the cards of an image give its place on a detector."""
    names = [f"{name}{suffix}" for name in SYSTEMS[:2] for suffix in ("", "A")]
    return any(parse_place(values.get(name, "")) is not None for name in names) or (
        "LTV1" in values and "LTV2" in values
    )


def readouts_of(number: int, part: Part) -> Iterator[Readout]:
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
        yield Readout(number, suffix, data or ([] if suffix else [whole]))


def placed_by(parts: Sequence[Part], readouts: Sequence[Readout], system: str) -> list[Placed]:
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


def _placed(readout: Readout, place: Section, data: Section, step: tuple[int, int]) -> Placed:
    y, x = (place.y1 - 1) // step[0], (place.x1 - 1) // step[1]
    region = Region(xmin=x, xmax=x + data.width, ymin=y, ymax=y + data.height)
    flips = place.flip_x != data.flip_x, place.flip_y != data.flip_y
    return Placed(readout, data, region, *flips)


def place_of(values: Mapping[str, str], suffix: str, data: Section, system: str) -> Section | None:
    """Return the place of data on the detector, by one kind of cards; None where none gives it."""
    if system == "LTV":
        return section_by_coordinates(values, data)
    return parse_place(values.get(f"{system}{suffix}", ""))


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
