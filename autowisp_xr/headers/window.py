"""Which part of the sensor a frame is, where a camera reads a window of it."""

import math
import re
from collections.abc import Sequence

from astropy.io import fits

from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.sections import Section, parse_section
from autowisp_xr.headers.sensor_grid import area_of
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import first_number, known_values, to_number, to_text

__all__ = ["read_window"]

# left, right, top, bottom
_ANDOR = "SUBRECT"
_FOUR = re.compile(r"\D*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\D*")
_WHOLE = 1e-6


def read_window(header: fits.Header, spellings: Spellings, binning: str) -> str:
    """Section of the sensor that a raw frame is, "[x1:x2,y1:y2]" in unbinned pixels; "" unknown.

    A card that says that the frame starts elsewhere than at the corner counts before one that says
    that it starts there. Where a header says only where it starts, it ends where its pixels do (of
    a frame that was trimmed, where IMAGAREA does).
    """
    steps = [int(number) for number in binning.split("x")] if binning else [1, 1]
    found = [
        section
        for section in (
            _by_sections(header, spellings, steps),
            _by_start(header, spellings, steps),
            _by_corners(header, spellings),
            _by_physical_coordinates(header, spellings),
        )
        if section is not None
    ]
    elsewhere = [section for section in found if (section.x1, section.y1) != (1, 1)]
    return str((elsewhere or found)[0]) if found else ""


def _size(header: fits.Header) -> tuple[int, int] | None:
    """Width and height of the raw frame, in stored pixels."""
    area = area_of(header)
    if area is not None:
        return area.xmax, area.ymax
    width, height = (value_of(header, f"NAXIS{axis}") for axis in "12")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _by_sections(header: fits.Header, spellings: Spellings, steps: Sequence[int]) -> Section | None:
    size = _size(header)
    for name, value in known_values(header, spellings.window):
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


def _by_start(header: fits.Header, spellings: Spellings, steps: Sequence[int]) -> Section | None:
    for cards_x, cards_y, scaled, first in (
        (spellings.window_x, spellings.window_y, True, 0),
        (spellings.window_x_unbinned, spellings.window_y_unbinned, False, 0),
        (spellings.window_x_from_one, spellings.window_y_from_one, False, 1),
    ):
        starts = [first_number(header, cards, above=-1e-300) for cards in (cards_x, cards_y)]
        if not all(start.is_integer() for start in starts):
            continue
        x, y = (
            (int(start) - first) * (step if scaled else 1)
            for start, step in zip(starts, steps, strict=True)
        )
        size = _size(header)
        if size is not None and x >= 0 and y >= 0:
            return Section(x + 1, x + size[0] * steps[0], y + 1, y + size[1] * steps[1])
    return None


def _by_corners(header: fits.Header, spellings: Spellings) -> Section | None:
    corners = [first_number(header, (card,), above=-1e-300) for card in spellings.window_corners]
    if len(corners) != 4 or not all(corner.is_integer() for corner in corners):
        return None
    x1, x2, y1, y2 = (int(corner) for corner in corners)
    shift = 1 if min(x1, x2) == 0 or min(y1, y2) == 0 else 0
    return Section.of(x1 + shift, x2 + shift, y1 + shift, y2 + shift)


def _by_physical_coordinates(header: fits.Header, spellings: Spellings) -> Section | None:
    """By LTV and LTM of IRAF: stored = LTM * sensor + LTV; only those of a raw frame count."""
    size = _size(header) if len(spellings.physical) == 2 else None
    if size is None or area_of(header) is not None:
        return None
    edges: list[int] = []
    for axis, length in zip("12", size, strict=True):
        shift = to_number(value_of(header, f"LTV{axis}"))
        scale = to_number(value_of(header, f"LTM{axis}_{axis}") or 1.0)
        if math.isnan(shift) or not 0 < scale <= 1:
            return None
        for edge, side in ((0.5, 0.5), (length + 0.5, -0.5)):
            number = (edge - shift) / scale + side
            if abs(number - round(number)) > _WHOLE or number < 1:
                return None
            edges.append(round(number))
    return Section(*edges)
