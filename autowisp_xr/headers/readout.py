"""The settings of the camera, in which frames that are used together have to agree."""

import math
import re
from collections.abc import Sequence
from typing import Any

from autowisp_xr.headers.cards import comment_of, value_of
from autowisp_xr.headers.fates import EFFECTIVE, SETTING
from autowisp_xr.headers.sections import Section, parse_section, section_by_coordinates
from autowisp_xr.headers.sensor_grid import area_of
from autowisp_xr.headers.values import (
    Cards,
    electrons_per_adu,
    first_known,
    first_number,
    known_values,
    to_number,
    to_text,
)

_BINNING = re.compile(r"(?:bin\s*)?(\d+)(?:\s*[x*,\s]\s*(\d+))?", re.IGNORECASE)
# OFFSET and the like of the telescope, not of the camera
_OF_TELESCOPE = re.compile(r"arc ?sec|telescope|pointing|dither|focus|\bRA\b|\bDec\b|\[deg", re.I)
_SETTING = re.compile(r"(?:ISO|gain)[\s:=-]*(\d+)|(\d+(?:\.\d*)?)\s*(?:dB|%)", re.IGNORECASE)
_FLIPS = {"flip": "flipped", "flip_x": "flipped in x", "flip_y": "flipped in y"}
_NO = ("", "f", "false", "no", "n", "0", "0.0", "none", "normal", "off", "unflipped", "not flipped")
_YES = ("t", "true", "yes", "y", "1", "1.0", "on")


def read_setting(cards: Cards) -> dict[str, Any]:
    """Return the coordinates of a frame that describe the settings of its camera.

    Returns
    -------
    ``camera`` (name, and serial number behind it, as in "ESIS1 (6)"), ``detector``, ``binning``
    ("2x2"), ``window`` (the section "[x1:x2,y1:y2]" of the sensor that the frame is, in unbinned
    pixels from 1), ``orientation`` ("TOP-DOWN", "flipped in x", "not flipped"),
    ``readout_mode``, ``readout_speed``: text, "" where unknown; ``gain_setting`` and ``offset``,
    ``egain`` (electrons per ADU, as headers give it) and ``coadds`` (exposures that the camera has
    added up): numbers, NaN where unknown.
    """
    binning = read_binning(cards)
    return {
        "camera": camera_name(cards),
        "detector": cards.text("detector"),
        "binning": binning,
        "window": read_window(cards, binning),
        "orientation": _orientation(cards),
        "gain_setting": first_known(gain_setting(value) for _, value in cards.values("gain")),
        "offset": first_known(
            to_number(value)
            for name, value in cards.values("offset")
            if not _OF_TELESCOPE.search(comment_of(cards.header, name))
        ),
        "readout_mode": _readout_mode(cards),
        "readout_speed": cards.text("readout_speed"),
        "egain": raw_gain(cards),
        "coadds": cards.number("coadds", above=0.0),
    }


def raw_gain(cards: Cards) -> float:
    """Return the electrons per ADU of raw frames, as a header gives them; NaN where it does not.

    EGAIN of a product holds for the product: it was multiplied by the frames that it is made of.
    """
    raw = cards.number("electrons_per_adu_raw", above=0.0)
    if math.isnan(raw) and EFFECTIVE not in cards.header:
        stated = cards.values("electrons_per_adu")
        numbers = (electrons_per_adu(cards.header, *entry) for entry in stated)
        return first_known(number for number in numbers if number > 0)
    return raw


def camera_name(cards: Cards) -> str:
    """Return the name of the camera, with its serial number behind it; "" where unknown."""
    name, serial = cards.text("camera"), cards.text("camera_serial")
    return f"{name} ({serial})" if name and serial and name != serial else name or serial


def read_binning(cards: Cards) -> str:
    """Return the binning, pixels along x and y, such as "2x2"; "" where unknown."""
    along = [cards.number(thing, above=0.0) for thing in ("binning_x", "binning_y")]
    if all(number.is_integer() for number in along):
        return "x".join(f"{number:.0f}" for number in along)
    for _, value in cards.values("binning"):
        match = _BINNING.fullmatch(f"{value:g}" if isinstance(value, float) else str(value))
        if match is not None and int(match[1]) > 0:
            return f"{int(match[1])}x{int(match[2] or match[1])}"
    return ""


def row_order(cards: Cards) -> str:
    """Return "TOP-DOWN" or "BOTTOM-UP", the order in which rows are stored; "" where unknown."""
    return cards.text("row_order").upper().replace("_", "-")


def gain_setting(value: object) -> float:
    """Return the number of a gain setting, also of "ISO 800", "Gain 120" or "12 dB"; else NaN."""
    match = _SETTING.fullmatch(to_text(value))
    return to_number(value if match is None else match[1] or match[2])


def _readout_mode(cards: Cards) -> str:
    """Return the name of the mode, a gain that is given in words, and further amplification."""
    stated = [cards.text("readout_mode")]
    for thing in ("gain", "amplification"):
        for name, value in cards.values(thing):
            text = to_text(value)
            # words of a gain hold no number that may be garbled
            if cards.informative(text) and not (thing == "gain" and any(map(str.isdigit, text))):
                stated.append(f"{'GAIN' if name == SETTING else name} {text}")
    return ", ".join(filter(None, stated))


def _orientation(cards: Cards) -> str:
    stated = [row_order(cards)]
    asked = False
    for thing, word in _FLIPS.items():
        name = next((name for name in cards.names(thing) if name in cards.header), None)
        if name is None:
            continue
        asked = True
        # a card without a value states no
        text = to_text(value_of(cards.header, name))
        if text.lower() not in _NO:
            stated.append(word if text.lower() in _YES else text)
    return ", ".join(filter(None, stated)) or ("not flipped" if asked else "")


# left, right, top, bottom
_ANDOR = "SUBRECT"
_FOUR = re.compile(r"\D*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\D*")
_NOT_NEGATIVE = -1e-300

_STARTS = (
    ("window_x", "window_y", 0),
    ("window_x_unbinned", "window_y_unbinned", 0),
    ("window_x_from_one", "window_y_from_one", 1),
)
"""Lists of cards that give the start of a window, and the number of the first pixel in them."""


def read_window(cards: Cards, binning: str) -> str:
    """Return the section of the sensor that a raw frame covers; "" where it is unknown.

    It is "[x1:x2,y1:y2]" in unbinned pixels. A card by which the frame starts elsewhere than at the
    corner counts before one by which it starts there. Where a header gives only the start, the
    window ends where the pixels of the frame do (of a trimmed frame, where IMAGAREA does).
    """
    steps = [int(number) for number in binning.split("x")] if binning else [1, 1]
    size = _size(cards)
    sections = (
        _by_sections(cards, size, steps),
        _by_start(cards, size, steps),
        _by_corners(cards),
        _by_physical_coordinates(cards, size),
    )
    found = [section for section in sections if section is not None]
    elsewhere = [section for section in found if (section.x1, section.y1) != (1, 1)]
    return str((elsewhere or found)[0]) if found else ""


_Size = tuple[int, int] | None


def _size(cards: Cards) -> _Size:
    """Return the width and height of the raw frame, in stored pixels."""
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
    """Return the window by LTV and LTM of IRAF, where they belong to a raw, unmagnified frame."""
    if size is None or area_of(cards.header) is not None or len(cards.names("physical")) != 2:
        return None
    names = ("LTV1", "LTV2", "LTM1_1", "LTM2_2")
    stated = {name: to_text(value) for name, value in known_values(cards.header, names)}
    section = section_by_coordinates(stated, Section(1, size[0], 1, size[1]))
    if section is None or section.flip_x or section.flip_y:
        return None
    return section if section.width >= size[0] and section.height >= size[1] else None
