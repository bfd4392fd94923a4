"""Which part of the sensor a frame is, where a camera reads a window of it."""

import re
from collections.abc import Sequence

from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.sections import Section, parse_section, section_by_coordinates
from autowisp_xr.headers.sensor_grid import area_of
from autowisp_xr.headers.values import Cards, first_number, known_values, to_text

# left, right, top, bottom
_ANDOR = "SUBRECT"
_FOUR = re.compile(r"\D*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\D*")
_NOT_NEGATIVE = -1e-300

_STARTS = (
    ("window_x", "window_y", 0),
    ("window_x_unbinned", "window_y_unbinned", 0),
    ("window_x_from_one", "window_y_from_one", 1),
)
"""Lists of cards that say where a window starts, and the number of the first pixel in them."""


def read_window(cards: Cards, binning: str) -> str:
    """Section of the sensor that a raw frame is, "[x1:x2,y1:y2]" in unbinned pixels; "" unknown.

    A card that says that the frame starts elsewhere than at the corner counts before one that says
    that it starts there. Where a header says only where it starts, it ends where its pixels do (of
    a frame that was trimmed, where IMAGAREA does).
    """
    steps = [int(number) for number in binning.split("x")] if binning else [1, 1]
    size = _size(cards)
    found = [
        section
        for section in (
            _by_sections(cards, size, steps),
            _by_start(cards, size, steps),
            _by_corners(cards),
            _by_physical_coordinates(cards, size),
        )
        if section is not None
    ]
    elsewhere = [section for section in found if (section.x1, section.y1) != (1, 1)]
    return str((elsewhere or found)[0]) if found else ""


_Size = tuple[int, int] | None


def _size(cards: Cards) -> _Size:
    """Width and height of the raw frame, in stored pixels."""
    area = area_of(cards.header)
    if area is not None:
        return area.xmax, area.ymax
    width, height = (value_of(cards.header, f"NAXIS{axis}") for axis in "12")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _by_sections(cards: Cards, size: _Size, steps: Sequence[int]) -> Section | None:
    for name, value in cards.values("window"):
        section = parse_section(to_text(value))
        if section is not None:
            return section
        match = _FOUR.fullmatch(to_text(value))
        if match is None:
            continue
        one, two, three, four = (int(number) for number in match.groups())
        if size is not None and (three, four) == (size[0] * steps[0], size[1] * steps[1]):
            return Section(one + 1, one + three, two + 1, two + four)
        if name == _ANDOR:
            return Section.of(one, two, three, four)
    return None


def _by_start(cards: Cards, size: _Size, steps: Sequence[int]) -> Section | None:
    for thing_x, thing_y, first in _STARTS:
        starts = [cards.number(thing, above=_NOT_NEGATIVE) for thing in (thing_x, thing_y)]
        if not all(start.is_integer() for start in starts):
            continue
        x, y = (int(start) - first for start in starts)
        if thing_x == "window_x":
            x, y = x * steps[0], y * steps[1]
        if size is not None and x >= 0 and y >= 0:
            return Section(x + 1, x + size[0] * steps[0], y + 1, y + size[1] * steps[1])
    return None


def _by_corners(cards: Cards) -> Section | None:
    corners = [
        first_number(cards.header, (name,), above=_NOT_NEGATIVE)
        for name in cards.names("window_corners")
    ]
    if len(corners) != 4 or not all(corner.is_integer() for corner in corners):
        return None
    x1, x2, y1, y2 = (int(corner) for corner in corners)
    shift = 1 if min(x1, x2, y1, y2) == 0 else 0
    return Section.of(x1 + shift, x2 + shift, y1 + shift, y2 + shift)


def _by_physical_coordinates(cards: Cards, size: _Size) -> Section | None:
    """By LTV and LTM of IRAF; only those of a raw frame count, which is not magnified."""
    if size is None or area_of(cards.header) is not None or len(cards.names("physical")) != 2:
        return None
    names = ("LTV1", "LTV2", "LTM1_1", "LTM2_2")
    stated = {name: to_text(value) for name, value in known_values(cards.header, names)}
    section = section_by_coordinates(stated, Section(1, size[0], 1, size[1]))
    if section is None or section.flip_x or section.flip_y:
        return None
    return section if section.width >= size[0] and section.height >= size[1] else None
