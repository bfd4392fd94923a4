"""The assembly of the images of one file to the frame of a detector, by sections in their headers.

Each image was read by an amplifier (or by several, whose cards end in A, B ... or in 11, 12 ...):
DATASEC gives the pixels that saw light, BIASSEC those that never did, and DETSEC (or CCDSEC, or LTV
and LTM) the place of the former on the detector. A section that runs backwards was read from the
far end, and is turned back.

Decision: the frame has the pixels of the detector first, so that rows and columns count them (from
the corner of what was read, in binned pixels), and beyond them the overscan of each amplifier: what
was read beside its pixels stands in its rows, in columns of its own; what was read above or below
stands in its columns, in rows of its own. An overscan level by row or column then needs to know
nothing of mosaics. Places between these strips, where nothing was read, are 0.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import WORLD
from autowisp_xr.headers.fates import ROWS
from autowisp_xr.headers.sections import (
    DATA,
    NUMBERS,
    SUFFIXES,
    SYSTEMS,
    Part,
    Placed,
    Section,
    knows_detector,
    place_of,
    placed_by,
    readouts_of,
    stored_section,
)
from autowisp_xr.headers.sentences import doubt, named
from autowisp_xr.regions import Region

_AMPLIFIER_CARDS = ("AMPNAME", "AMPID", "AMPLIFIE", "EXTNAME")
_LISTED = (*SYSTEMS[:2], *DATA, "BIASSEC")

GEOMETRY = re.compile(
    rf"{ROWS['sections'].more}|(?:CCD|DET)SEC(?:[A-H1-9]|[12][12])?|LT[MV]\d(?:_\d)?|[ADC]T[MV]\d(?:_\d)?"
    rf"|{WORLD}|WAT\d_\d+"
)
"""Matches cards about the pixels of one amplifier, which are not true of an assembled frame."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A rectangle of an image, and its place in the frame."""

    part: int
    source: Region
    into: Region
    flip_y: bool
    flip_x: bool


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The pixels and the overscan of an amplifier, in the frame."""

    part: int
    suffix: str
    """The end of its cards, where several amplifiers share an image; else ""."""
    name: str
    region: Region
    overscan: tuple[Region, ...]


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """A frame assembled from several images."""

    height: int
    width: int
    image_area: Region
    """The pixels of the detector, without the strips of overscan."""
    pieces: tuple[Piece, ...]
    readers: tuple[Reader, ...]
    system: str
    """DETSEC or CCDSEC, in whose pixels ``window`` counts."""
    window: str
    """Section of the detector, "[x1:x2,y1:y2]" in the pixels that the sections count."""
    doubts: tuple[str, ...]
    """Sentences about what could not be used, each with its card."""


def assemble(parts: Sequence[Part], aliases: KeywordAliases) -> Assembly:
    """Return the frame that several images make up.

    Parameters
    ----------
    parts
        The images, at least one.
    aliases
        The table of aliases.

    Raises
    ------
    HeaderError
        Where the images do not fit together by their sections, or leave a part of the detector
        without pixels; with the sections of all images, and the remedy.
    """
    readouts = [
        readout for number, part in enumerate(parts) for readout in readouts_of(number, part)
    ]
    reasons = []
    for system in SYSTEMS:
        try:
            return _frame(parts, placed_by(parts, readouts, system), system, aliases)
        except HeaderError as error:
            reasons.append(str(error))
    # the first system that all images know explains best what is wrong
    reason = next((reason for reason in reasons if not reason.startswith("not all")), reasons[0])
    listed = "".join(f"\n  - {part.label}: {_listed(part)}" for part in parts)
    raise HeaderError(doubt("no_mosaic", reason=reason, listed=listed))


def _listed(part: Part) -> str:
    names = (f"{name}{suffix}" for name in _LISTED for suffix in ("", *SUFFIXES))
    stated = [f"{name} = {part.values[name]!r}" for name in names if name in part.values]
    return ", ".join(stated) or "no section"


def _frame(
    parts: Sequence[Part], placed: Sequence[Placed], system: str, aliases: KeywordAliases
) -> Assembly:
    for one, other in combinations(placed, 2):
        if one.place.overlaps(other.place):
            first, second = (parts[entry.readout.part].label for entry in (one, other))
            raise HeaderError(doubt("same_pixels", first=first, second=second, system=system))
    x0, y0 = min(p.place.xmin for p in placed), min(p.place.ymin for p in placed)
    height = max(p.place.ymax for p in placed) - y0
    width = max(p.place.xmax for p in placed) - x0
    missing = height * width - sum(p.source.height * p.source.width for p in placed)
    if missing:
        size = {"missing": missing, "height": height, "width": width}
        raise HeaderError(doubt("pixels_missing", system=system, **size))
    pieces, readers, doubts = [], [], []
    strips = _Strips(height, width)
    for entry in placed:
        number, suffix, _ = entry.readout
        part, place = parts[number], entry.place
        region = Region(
            xmin=place.xmin - x0, xmax=place.xmax - x0, ymin=place.ymin - y0, ymax=place.ymax - y0
        )
        sources, own = [entry.source], [region]
        for name, text in _overscan_cards(part.values, suffix, aliases):
            strip = _strip(text, entry.source, part)
            if strip is None:
                used = {"card": named(name, text), "lit": entry.source}
                doubts.append(doubt("strip_not_used", part=part.label, **used))
            else:
                sources.append(strip)
                own.append(strips.placed(strip, entry, region))
        flips = {"flip_x": entry.flip_x, "flip_y": entry.flip_y}
        pieces += [
            Piece(part=number, source=source.region(), into=into, **flips)
            for source, into in zip(sources, own, strict=True)
        ]
        names = (part.values[card] for card in _AMPLIFIER_CARDS if part.values.get(card))
        name = f"{next(names, part.label)} {suffix}".rstrip()
        readers.append(
            Reader(part=number, suffix=suffix, name=name, region=region, overscan=tuple(own[1:]))
        )
    return Assembly(
        height=strips.height,
        width=strips.width,
        image_area=Region(xmin=0, xmax=width, ymin=0, ymax=height),
        pieces=tuple(pieces),
        readers=tuple(readers),
        system="CCDSEC" if system != "DETSEC" and not knows_detector(parts) else "DETSEC",
        window=_window(parts, placed, system),
        doubts=tuple(doubts),
    )


def _window(parts: Sequence[Part], placed: Sequence[Placed], system: str) -> str:
    places = [
        place_of(parts[p.readout.part].values, p.readout.suffix, p.source, system) for p in placed
    ]
    x1, x2, y1, y2, *_ = zip(*filter(None, places), strict=True)
    return str(Section(min(x1), max(x2), min(y1), max(y2)))


class _Strips:
    """The places of overscan in the frame: columns right of the image, and rows above it."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._beside: list[Region] = []
        self._beyond: list[Region] = []
        self._image = (height, width)

    def placed(self, strip: Section, entry: Placed, region: Region) -> Region:
        """Return a region of the frame for a strip of an amplifier, free of all others."""
        height, width = self._image
        data = entry.source
        if strip.x2 < data.x1 or strip.x1 > data.x2:
            y = region.ymin + _along(strip.y1 - data.y1, strip.height, data.height, entry.flip_y)
            taken = [r.xmax for r in self._beside if r.ymin < y + strip.height and r.ymax > y]
            x = max(taken, default=width)
            others = self._beside
        else:
            x = region.xmin + _along(strip.x1 - data.x1, strip.width, data.width, entry.flip_x)
            taken = [r.ymax for r in self._beyond if r.xmin < x + strip.width and r.xmax > x]
            y = max(taken, default=height)
            others = self._beyond
        into = Region(xmin=x, xmax=x + strip.width, ymin=y, ymax=y + strip.height)
        others.append(into)
        self.height, self.width = max(self.height, into.ymax), max(self.width, into.xmax)
        return into


def _along(start: int, length: int, whole: int, flip: bool) -> int:
    """Return the start of a part of a line, once the line is turned over."""
    return whole - start - length if flip else start


def _overscan_cards(
    values: Mapping[str, str], suffix: str, aliases: KeywordAliases
) -> Iterable[tuple[str, str]]:
    for name in aliases.cards["overscan"]:
        for ending in (suffix,) if suffix else ("", *NUMBERS):
            text = values.get(f"{name}{ending}", "")
            if re.search(r"[1-9*]", text):
                yield f"{name}{ending}", text


def _strip(text: str, data: Section, part: Part) -> Section | None:
    """Return the overscan beside the data (in their rows) or beyond (in their columns), or None."""
    found = stored_section(text, part)
    if found is None:
        return None
    rows = found._replace(y1=max(found.y1, data.y1), y2=min(found.y2, data.y2))
    if (found.x2 < data.x1 or found.x1 > data.x2) and rows.height > 0:
        return rows
    columns = found._replace(x1=max(found.x1, data.x1), x2=min(found.x2, data.x2))
    beyond = found.y2 < data.y1 or found.y1 > data.y2
    return columns if beyond and columns.width > 0 else None
