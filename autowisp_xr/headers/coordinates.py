"""Headers read through the table of spellings: the coordinates of a frame."""

import math
from typing import Any, NamedTuple

from astropy.io import fits

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.cards import first_value
from autowisp_xr.headers.exposure import exposure_card
from autowisp_xr.headers.filters import filter_name
from autowisp_xr.headers.readout import read_setting
from autowisp_xr.headers.recognition import master_reason
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.temperature import read_temperature
from autowisp_xr.headers.times import middle_of_exposure
from autowisp_xr.headers.values import (
    first_known,
    known_values,
    seconds_of_unit,
    to_degrees,
    to_text,
    unit_in_comment,
)

__all__ = [
    "NUMBER_COORDS",
    "TEXT_COORDS",
    "TypeCard",
    "is_master",
    "read_coordinates",
    "type_card",
]

_USUAL = Spellings()

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


def read_coordinates(
    header: fits.Header, spellings: Spellings, image_type: str | None = None
) -> dict[str, Any]:
    """Coordinates of a frame, normalised.

    Parameters
    ----------
    header
        Of the image. Cards that cannot be read count as absent.
    spellings
        Which cards say what.
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
    exposed = exposure_card(header, spellings)
    exposure = math.nan if exposed is None else exposed.seconds
    if image_type is None:
        said = type_card(header, spellings)
        image_type = "other" if said is None else said.kind
    return {
        "time": middle_of_exposure(header, spellings, exposure),
        "exposure": exposure,
        "image_type": image_type,
        "filter": filter_name(header, spellings),
        "object": to_text(first_value(header, spellings.object)),
        "ra": _right_ascension(header, spellings),
        "dec": first_known(
            angle if abs(angle := to_degrees(value, 1.0, _unit(header, name))) <= 90 else math.nan
            for name, value in known_values(header, spellings.dec)
        ),
        "temperature": read_temperature(header, spellings).celsius,
        **read_setting(header, spellings),
    }


def _unit(header: fits.Header, keyword: str) -> float:
    """Degrees of the unit in which a card counts angles, as its comment says."""
    unit = unit_in_comment(header, keyword)
    if unit in _RADIANS:
        return math.degrees(1)
    return 15.0 if seconds_of_unit(unit) == _HOUR else 1.0


def _right_ascension(header: fits.Header, spellings: Spellings) -> float:
    for name, value in known_values(header, spellings.ra):
        degrees = to_degrees(value, 15.0, _unit(header, name))
        if not math.isnan(degrees):
            return degrees % 360
    return math.nan


def type_card(header: fits.Header, spellings: Spellings) -> TypeCard | None:
    """The first card that says what a frame is in a word that is known, if any does.

    Raises
    ------
    HeaderError
        If two cards contradict each other.
    """
    found: list[TypeCard] = []
    for cards in (spellings.image_type, spellings.image_type_code):
        for name, value in known_values(header, cards):
            kind = spellings.image_type_of(value, name)
            if kind is not None:
                if name in spellings.preferred:
                    return TypeCard(name, value, kind)
                found.append(TypeCard(name, value, kind))
        if found:
            break
    for other in found[1:]:
        first = found[0]
        if other.kind != first.kind:
            raise HeaderError(
                f"{first.name} is {first.value!r}, a {first.kind}, but {other.name} is "
                f"{other.value!r}, a {other.kind}; choose with spellings=Spellings().extended("
                f'image_type="{first.name}") (or "{other.name}"), or give a type rule such as '
                f"'{first.name}={first.value}' = {first.kind}"
            )
    return found[0] if found else None
