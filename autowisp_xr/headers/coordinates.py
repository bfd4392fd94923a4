"""Headers read through the table of aliases: the coordinates of a frame."""

import math
from typing import Any, NamedTuple

from astropy.io import fits

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.doubts import doubt
from autowisp_xr.headers.exposure import exposure_card
from autowisp_xr.headers.filters import filter_name
from autowisp_xr.headers.readout import read_setting
from autowisp_xr.headers.recognition import master_reason
from autowisp_xr.headers.temperature import read_temperature
from autowisp_xr.headers.times import middle_of_exposure
from autowisp_xr.headers.values import (
    Cards,
    first_known,
    seconds_of_unit,
    to_degrees,
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
    """The card that says what a frame is."""

    name: str
    value: Any
    kind: str
    """bias, dark, flat, object or other."""


def is_master(header: fits.Header) -> bool:
    """Whether a header is that of a master: a type card says so, or it tells what it combines."""
    return bool(master_reason(header, _USUAL))


def read_coordinates(cards: Cards, image_type: str | None = None) -> dict[str, Any]:
    """Coordinates of a frame, normalised.

    Parameters
    ----------
    cards
        Of the image. Cards that cannot be read count as absent.
    image_type
        What it is, where that is known better than by its cards.

    Returns
    -------
    ``time`` (middle of the exposure, UTC, datetime64[ns], NaT where unknown), ``exposure`` [s],
    ``image_type`` (bias, dark, flat, object, other), ``filter`` (of all wheels), ``object``,
    ``ra``, ``dec`` [deg], ``temperature`` [degC], and what
    :func:`~autowisp_xr.headers.readout.read_setting` says of the camera. Numbers are NaN where
    unknown, texts "". Where a start is known but no exposure, ``time`` is the start.

    Raises
    ------
    HeaderError
        If two cards contradict each other on the exposure or the type.
    """
    exposed = exposure_card(cards)
    exposure = math.nan if exposed is None else exposed.seconds
    if image_type is None:
        stated = type_card(cards)
        image_type = "other" if stated is None else stated.kind
    return {
        "time": middle_of_exposure(cards, exposure),
        "exposure": exposure,
        "image_type": image_type,
        "filter": filter_name(cards),
        "object": to_text(cards.value("object")),
        "ra": _angle(cards, "ra", 15.0, 360) % 360,
        "dec": _angle(cards, "dec", 1.0, 90),
        "temperature": read_temperature(cards).celsius,
        **read_setting(cards),
    }


def _angle(cards: Cards, thing: str, degrees_per_unit: float, most: float) -> float:
    """First angle in degrees, not beyond the largest; NaN where there is none."""
    angles = (
        to_degrees(value, degrees_per_unit, _degrees_per_number(cards.header, name))
        for name, value in cards.values(thing)
    )
    return first_known(angle for angle in angles if abs(angle) <= most)


def _degrees_per_number(header: fits.Header, keyword: str) -> float:
    """Degrees of the unit in which a card counts angles, as its comment says."""
    unit = unit_in_comment(header, keyword)
    if unit in _RADIANS:
        return math.degrees(1)
    return 15.0 if seconds_of_unit(unit) == _HOUR else 1.0


def type_card(cards: Cards) -> TypeCard | None:
    """The first card that says what a frame is in a word that is known, if any does.

    Raises
    ------
    HeaderError
        If two cards contradict each other.
    """
    for thing in ("image_type", "image_type_code"):
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
