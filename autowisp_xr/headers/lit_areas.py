"""The areas of a raw frame that see the sky, or never see light, as its header states them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from autowisp_xr.headers.sections import Section, parse_section
from autowisp_xr.headers.sentences import doubt, named
from autowisp_xr.headers.values import Cards, first_known, to_number, to_text

_NOTHING = re.compile(r"\[?[\s0:,]*\]?")
"""A section of no pixels, as "[0:0,0:0]", by which writers state that there is none."""

_AREAS = ("image_area", "data_area", "overscan")
_COUNTS = (
    ("dark_columns_before", "lit_columns", "dark_columns_behind"),
    ("dark_rows_before", "lit_rows", "dark_rows_behind"),
)


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
    an overscan that overlaps the image area, the part outside counts. Where no section is stated,
    the numbers of dark columns and rows count.
    """
    texts: dict[str, str] = {}
    stated: dict[str, str] = {}
    for thing in _AREAS:
        found = ((name, to_text(value)) for name, value in cards.values(thing))
        given = ((n, t) for n, t in found if cards.informative(t) and not _NOTHING.fullmatch(t))
        for name, text in islice(given, 1):
            texts[thing], stated[thing] = text, named(name, text)
    if not stated:
        return _by_counts(cards, height, width)
    lit = stated.get("image_area") or stated.get("data_area")
    if "image_area" in stated:
        texts.pop("data_area", None)
    sections, doubts = _in_stored_pixels(texts, stated, height, width, binning)
    image, data, overscan = map(sections.get, _AREAS)
    whole = (1, width, 1, height)
    if image is None and overscan is not None and overscan[:4] == whole:
        doubts.append(doubt("overscan_everywhere", card=stated["overscan"]))
        overscan = None
    if data is not None and overscan is not None and data.overlaps(overscan):
        doubts.append(doubt("holds_overscan", card=lit, overscan=stated["overscan"]))
    elif data is not None and data[:4] != whole:
        image = data
    if image is not None and overscan is not None and image.overlaps(overscan):
        left = overscan.outside(image)
        what = f"only {left} of it counts" if left else "none of it lies outside"
        doubts.append(doubt("overscan_overlaps", overscan=stated["overscan"], card=lit, left=what))
        overscan = left or overscan
    return Areas(image=image, overscan=overscan, doubts=tuple(doubts))


def _by_counts(cards: Cards, height: int, width: int) -> Areas:
    """Return the areas by the numbers of columns and rows that are lit, and that are not."""
    ends: list[int] = []
    for (before, lit, behind), size in zip(_COUNTS, (width, height), strict=True):
        dark = [entry for entry in cards.values(before, behind) if to_number(entry[1]) > 0]
        first, last = (max(first_known((cards.number(one), 0.0)), 0.0) for one in (before, behind))
        if dark and first + cards.number(lit) + last != size:
            card = ", ".join(named(*entry) for entry in dark)
            return Areas(doubts=(doubt("dark_ends", card=card, width=width, height=height),))
        ends += (int(first) + 1, size - int(last)) if dark else (1, size)
    x1, x2, y1, y2 = ends
    image = Section(x1, x2, y1, y2)
    overscan = Section(1, width, 1, height).outside(image)
    return Areas(image=image if overscan else None, overscan=overscan)


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
