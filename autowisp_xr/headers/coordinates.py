"""The coordinates of a frame, read from its header by the table of aliases."""

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import AnyHeader
from autowisp_xr.headers.exposure import exposure_card
from autowisp_xr.headers.readout import read_setting
from autowisp_xr.headers.recognition import master_reason
from autowisp_xr.headers.sentences import doubt
from autowisp_xr.headers.temperature import read_temperature
from autowisp_xr.headers.times import middle_of_exposure
from autowisp_xr.headers.values import (
    Cards,
    first_known,
    seconds_of_unit,
    to_degrees,
    to_name,
    to_number,
    to_text,
    unit_in_comment,
)

_USUAL = KeywordAliases()

TEXT_COORDS = (
    *("image_type", "filter", "object"),
    *("camera", "detector", "binning", "window", "orientation", "readout_mode", "readout_speed"),
)
"""Coordinates that are text."""

NUMBER_COORDS = {
    "exposure": "s",
    "ra": "deg",
    "dec": "deg",
    "temperature": "degC",
    "gain_setting": "",
    "offset": "",
    "egain": "electron adu-1",
    "coadds": "",
}
"""Coordinates that are numbers, each with its unit."""

_HOUR = 3600.0
_RADIANS = ("rad", "radian", "radians")


class TypeCard(NamedTuple):
    """The card that gives the type of a frame."""

    name: str
    value: Any
    kind: str
    """bias, dark, darkflat, flat, object or other."""


def is_master(header: AnyHeader) -> bool:
    """Return whether a header is that of a master, by a type card or by what it combines."""
    return bool(master_reason(header, _USUAL))


def read_coordinates(cards: Cards, image_type: str | None = None) -> dict[str, Any]:
    """Return the normalised coordinates of a frame.

    Parameters
    ----------
    cards
        The header of the image. Cards that cannot be read count as absent.
    image_type
        Its type, where that is known better than by its cards.

    Returns
    -------
    ``time`` (middle of the exposure, UTC, datetime64[ns], NaT where unknown), ``exposure`` [s],
    ``image_type`` (bias, dark, darkflat, flat, object, other), ``filter`` (of all wheels),
    ``object``, ``ra``, ``dec`` [deg], ``temperature`` [degC], and what
    :func:`~autowisp_xr.headers.readout.read_setting` reads of the camera. Numbers are NaN where
    unknown, texts "". Where a start is known but no exposure, ``time`` is the start.

    Raises
    ------
    HeaderError
        If two cards contradict each other on the exposure or the type.
    """
    exposed = cards.known(exposure_card)
    exposure = math.nan if exposed is None else exposed.seconds
    if image_type is None:
        stated = cards.known(type_card)
        image_type = "other" if stated is None else stated.kind
    return {
        "time": middle_of_exposure(cards, exposure),
        "exposure": exposure,
        "image_type": image_type,
        "filter": cards.known(filter_name),
        "object": to_text(cards.value("object")),
        "ra": _angle(cards, "ra", 15.0, 360) % 360,
        "dec": _angle(cards, "dec", 1.0, 90),
        "temperature": cards.known(read_temperature).celsius,
        **cards.known(read_setting),
    }


def _angle(cards: Cards, thing: str, degrees_per_unit: float, most: float) -> float:
    """Return the first angle in degrees that is not beyond the largest; NaN where none is."""
    angles = (
        to_degrees(value, degrees_per_unit, _degrees_per_number(cards.header, name))
        for name, value in cards.values(thing)
    )
    return first_known(angle for angle in angles if abs(angle) <= most)


def _degrees_per_number(header: AnyHeader, keyword: str) -> float:
    """Return the degrees of the unit of a card, which its comment names."""
    unit = unit_in_comment(header, keyword)
    if unit in _RADIANS:
        return math.degrees(1)
    return 15.0 if seconds_of_unit(unit) == _HOUR else 1.0


def type_card(cards: Cards) -> TypeCard | None:
    """Return the first card that gives the type of a frame by a known word, if any does.

    Raises
    ------
    HeaderError
        If two cards contradict each other.
    """
    for thing in ("image_type", "image_type_code", "image_type_target"):
        found = [
            TypeCard(name, value, kind)
            for name, value in cards.values(thing)
            if (kind := cards.aliases.image_type_of(value, name)) is not None
        ]
        preferred = [card for card in found if card.name in cards.aliases.preferred]
        for other in found if not preferred else ():
            if other.kind != found[0].kind:
                raise HeaderError(doubt("two_types", first=found[0], other=other))
        if found:
            return (preferred or found)[0]
    return None


_WORDS = re.compile(r"[a-z0-9]+")
_NOT_LETTERS = re.compile(r"[^a-z]+")
_MOST_SLOTS = 24


def filter_name(cards: Cards) -> str:
    """Return the name of the filter, such as "Bessel R", or "R+Ha" of two wheels; "" for none.

    An empty slot counts only where no wheel holds a filter, and the number of a slot only where no
    name stands beside it. Of names of the same filter (FILTER, and the wheel it is in), the first
    stays. A card that the user prefers is the only one that is read.
    """
    for name, value in cards.values("filter", "filter_wheels"):
        if name in cards.aliases.preferred:
            return to_name(value)
    alone, wheels = (
        [to_name(value) for _, value in cards.values(thing)]
        for thing in ("filter", "filter_wheels")
    )
    empty = cards.aliases.words["empty_slots"]
    held_alone, held = (
        [name for name in names if _NOT_LETTERS.sub("", name.lower()) not in empty]
        for names in (alone, wheels)
    )
    filters = [*held_alone[:1], *held]
    named = [name for name in filters if not 0 <= to_number(name) <= _MOST_SLOTS]
    return "+".join(_different(named or filters or [*alone, *wheels][:1]))


def _different(names: Iterable[str]) -> list[str]:
    """Return the names that have a word which those before them do not."""
    kept: list[str] = []
    words: set[str] = set()
    for name in names:
        own = set(_WORDS.findall(name.lower())) or {name}
        if not own <= words:
            kept.append(name)
            words |= own
    return kept
