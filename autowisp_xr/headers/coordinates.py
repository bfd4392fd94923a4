"""Headers read through the table of spellings: the coordinates of a frame."""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from astropy.io import fits

from autowisp_xr.cards import first_value
from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.recognition import master_reason
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.times import middle_of_exposure
from autowisp_xr.headers.values import (
    first_known,
    first_number,
    known_values,
    to_degrees,
    to_number,
    to_text,
)

__all__ = [
    "ExposureCard",
    "TypeCard",
    "exposure_card",
    "is_master",
    "read_coordinates",
    "type_card",
]

_USUAL = Spellings()
_BINNING = re.compile(r"(\d+)(?:\s*[x*,\s]\s*(\d+))?", re.IGNORECASE)


class TypeCard(NamedTuple):
    """The card that says what a frame is."""

    name: str
    value: Any
    kind: str
    """bias, dark, flat, object or other."""


class ExposureCard(NamedTuple):
    """The card that says how long a frame was exposed."""

    name: str
    seconds: float


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
    ``image_type`` (bias, dark, flat, object, other), ``filter``, ``object``, ``binning``
    (such as "2x2"; text, "" where unknown), ``ra``, ``dec`` [deg], ``temperature``,
    ``gain_setting``; numbers are NaN where unknown. Where a start is known but no exposure,
    ``time`` is the start.

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
        "filter": to_text(first_value(header, spellings.filter)),
        "object": to_text(first_value(header, spellings.object)),
        "ra": first_known(
            to_degrees(value, 15.0) % 360 for _, value in known_values(header, spellings.ra)
        ),
        "dec": first_known(
            angle if abs(angle := to_degrees(value, 1.0)) <= 90 else math.nan
            for _, value in known_values(header, spellings.dec)
        ),
        "temperature": first_number(header, spellings.temperature),
        "gain_setting": first_number(header, spellings.gain),
        "binning": _binning(header, spellings),
    }


def exposure_card(header: fits.Header, spellings: Spellings) -> ExposureCard | None:
    """The card that says how long a frame was exposed, if any does.

    Raises
    ------
    HeaderError
        If two cards contradict each other.
    """
    others = (
        (spellings.exposure_milliseconds, 1e3),
        (spellings.exposure_microseconds, 1e6),
        (spellings.elapsed, 1.0),
    )
    for names, units in ((spellings.exposure, 1.0), *others[:2]) if spellings.preferred else ():
        chosen = [name for name in names if name in spellings.preferred]
        for card in _exposures(header, chosen, units):
            return card
    found = _exposures(header, spellings.exposure)
    for other in found[1:]:
        if abs(other.seconds - found[0].seconds) > 0.01 * max(other.seconds, found[0].seconds):
            raise HeaderError(
                f"{found[0].name} says that the exposure is {found[0].seconds:g} s, {other.name} "
                f"says {other.seconds:g} s; choose with spellings=Spellings().extended("
                f'exposure="{found[0].name}") (or "{other.name}")'
            )
    for names, units in others:
        found = found or _exposures(header, names, units)
    return found[0] if found else None


def _exposures(header: fits.Header, names: Sequence[str], units: float = 1.0) -> list[ExposureCard]:
    numbers = ((name, to_number(value)) for name, value in known_values(header, names))
    return [ExposureCard(name, number / units) for name, number in numbers if number >= 0]


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


def _binning(header: fits.Header, spellings: Spellings) -> str:
    along_x, along_y = (
        first_number(header, names, above=0.0)
        for names in (spellings.binning_x, spellings.binning_y)
    )
    if along_x.is_integer() and along_y.is_integer():
        return f"{along_x:.0f}x{along_y:.0f}"
    for _, value in known_values(header, spellings.binning):
        match = _BINNING.fullmatch(f"{value:g}" if isinstance(value, float) else str(value))
        if match is not None and int(match[1]) > 0:
            return f"{int(match[1])}x{int(match[2] or match[1])}"
    return ""
