"""Headers read through the table of spellings: coordinates of a frame, facts about the camera."""

import math
from collections.abc import Mapping
from typing import Any

from astropy.io import fits

from autowisp_xr.cards import first_value, value_of
from autowisp_xr.errors import AutowispError, HeaderError
from autowisp_xr.io.spellings import Spellings
from autowisp_xr.io.times import middle_of_exposure
from autowisp_xr.io.values import (
    first_known,
    first_number,
    known_values,
    to_degrees,
    to_number,
    to_text,
)
from autowisp_xr.regions import Region

__all__ = ["is_master", "read_coordinates", "read_facts"]


def is_master(header: fits.Header) -> bool:
    """Whether a header is that of a master: its IMAGETYP says so, or it counts what it combines."""
    kind = value_of(header, "IMAGETYP")
    return str(kind or "").lower().startswith("master") or (
        value_of(header, "NUMFCOMB") is not None
    )


def read_coordinates(header: fits.Header, spellings: Spellings) -> dict[str, Any]:
    """Coordinates of a frame, normalised.

    Parameters
    ----------
    header
        Of the image. Cards that cannot be read count as absent.
    spellings
        Which cards say what.

    Returns
    -------
    ``time`` (middle of the exposure, UTC, datetime64[ns], NaT where unknown), ``exposure`` [s],
    ``image_type`` (bias, dark, flat, object, other), ``filter``, ``object`` (text, "" where
    unknown), ``ra``, ``dec`` [deg], ``temperature``, ``gain`` (the setting); numbers are NaN where
    unknown. Where a start is known but no exposure, ``time`` is the start.

    Raises
    ------
    HeaderError
        If two cards contradict each other on the exposure or the type.
    """
    exposure = _exposure(header, spellings)
    return {
        "time": middle_of_exposure(header, spellings, exposure),
        "exposure": exposure,
        "image_type": _image_type(header, spellings),
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
        "gain": first_number(header, spellings.gain),
    }


def read_facts(
    header: fits.Header, spellings: Spellings, height: int, width: int
) -> dict[str, Any]:
    """Facts that a header states about its camera, as :meth:`Camera.completed_by` takes them.

    Parameters
    ----------
    header, spellings
        As for :func:`read_coordinates`.
    height, width
        Of the raw frame, in pixels.

    Returns
    -------
    ``gain`` (electrons per ADU), ``read_noise``, ``saturation`` (ADU as stored), ``channels`` (the
    pattern of the first two rows and columns as they are stored), ``image_area`` and ``overscan``;
    None where the header does not say, or says something impossible (a negative gain, a section
    called UNKNOWN or outside of the frame).
    """
    facts: dict[str, Any] = {
        "gain": first_number(header, spellings.electrons_per_adu, above=0.0),
        "read_noise": first_number(header, spellings.read_noise, above=-1e-300),
        "saturation": first_number(header, spellings.saturation, above=0.0),
        "channels": _bayer_pattern(header, spellings, height),
        "image_area": _section(first_value(header, spellings.image_area), height, width),
        "overscan": _section(first_value(header, spellings.overscan), height, width),
    }
    return {
        name: None if isinstance(fact, float) and math.isnan(fact) else fact
        for name, fact in facts.items()
    }


def _exposure(header: fits.Header, spellings: Spellings) -> float:
    found: dict[str, float] = {}
    for name, value in known_values(header, spellings.exposure):
        number = to_number(value)
        if number >= 0:
            if name in spellings.preferred:
                return number
            found[name] = number
    if not found:
        return first_number(header, spellings.elapsed, above=-1e-300)
    (first, seconds), *others = found.items()
    for name, other in others:
        if abs(other - seconds) > 0.01 * max(other, seconds):
            raise HeaderError(
                f"{first} says that the exposure is {seconds:g} s, {name} says {other:g} s; choose "
                f'with spellings=Spellings().extended(exposure="{first}") (or "{name}")'
            )
    return seconds


def _image_type(header: fits.Header, spellings: Spellings) -> str:
    found: dict[str, tuple[Any, str]] = {}
    for name, value in known_values(header, spellings.image_type):
        kind = spellings.image_type_of(value)
        if kind is not None:
            if name in spellings.preferred:
                return kind
            found[name] = (value, kind)
    if not found:
        return "other"
    (first, (value, kind)), *others = found.items()
    for name, (other_value, other) in others:
        if other != kind:
            raise HeaderError(
                f"{first} is {value!r}, a {kind}, but {name} is {other_value!r}, a {other}; choose "
                f'with spellings=Spellings().extended(image_type="{first}") (or "{name}")'
            )
    return kind


def _bayer_pattern(header: fits.Header, spellings: Spellings, height: int) -> str | None:
    for _, value in known_values(header, spellings.bayer):
        pattern = str(value).strip().upper()
        if sorted(pattern) == ["B", "G", "G", "R"]:
            break
    else:
        return None
    offsets = [
        first_number(header, names)
        for names in (spellings.bayer_y_offset, spellings.bayer_x_offset)
    ]
    down, right = (0 if math.isnan(offset) else round(offset) for offset in offsets)
    order = to_text(first_value(header, spellings.row_order)).upper().replace("_", "-")
    bottom_up = order == "BOTTOM-UP"

    def cell(y: int, x: int) -> str:
        row = height - 1 - y if bottom_up else y
        return pattern[2 * ((row + down) % 2) + (x + right) % 2]

    return "".join(cell(y, x) for y in (0, 1) for x in (0, 1))


def _section(value: Any, height: int, width: int) -> Mapping[str, int] | None:
    if not isinstance(value, str):
        return None
    try:
        region = Region.parse(value)
        region.check_inside(height, width, "section")
    except AutowispError:
        return None
    return {
        "xmin": region.xmin,
        "xmax": region.xmax,
        "ymin": region.ymin,
        "ymax": region.ymax,
    }
