"""How long a frame was exposed, in seconds, whatever unit its header counts in."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from astropy.io import fits

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import (
    known_values,
    seconds_of_unit,
    to_text,
    unit_in_comment,
    with_unit,
)
from autowisp_xr.matching import same_exposure

__all__ = ["ExposureCard", "exposure_card", "exposure_lists"]

_FRACTION = re.compile(r"(\d+)\s*/\s*(\d+)(?:\s*s(?:ecs?|econds?)?\.?)?", re.IGNORECASE)


class ExposureCard(NamedTuple):
    """The card that says how long a frame was exposed."""

    name: str
    seconds: float


def exposure_lists(spellings: Spellings) -> tuple[tuple[tuple[str, ...], float], ...]:
    """Cards that may say the exposure, and the seconds of the unit they count in, best first."""
    return (
        (spellings.exposure, 1.0),
        (spellings.exposure_milliseconds, 1e-3),
        (spellings.exposure_microseconds, 1e-6),
        (spellings.elapsed, 1.0),
    )


def exposure_card(header: fits.Header, spellings: Spellings) -> ExposureCard | None:
    """The card that says how long a frame was exposed, if any does.

    A unit in the value, else in the comment, else (of cards in seconds) TIMEUNIT, says what it
    counts in.

    Raises
    ------
    HeaderError
        If two cards contradict each other.
    """
    lists = exposure_lists(spellings)
    for names, seconds in lists[:3] if spellings.preferred else ():
        chosen = [name for name in names if name in spellings.preferred]
        for card in _exposures(header, spellings, chosen, seconds):
            return card
    (names, seconds), *others = lists
    found = list(_exposures(header, spellings, names, seconds))
    for other in found[1:]:
        if not same_exposure(other.seconds, found[0].seconds):
            raise HeaderError(
                f"{found[0].name} says that the exposure is {found[0].seconds:g} s, {other.name} "
                f"says {other.seconds:g} s; choose with spellings=Spellings().extended("
                f'exposure="{found[0].name}") (or "{other.name}")'
            )
    for names, seconds in others:
        found = found or list(_exposures(header, spellings, names, seconds))
    return found[0] if found else None


def _exposures(
    header: fits.Header, spellings: Spellings, names: Sequence[str], usual: float
) -> Iterator[ExposureCard]:
    for name, value in known_values(header, names):
        seconds = _seconds(header, spellings, name, value, usual)
        if seconds >= 0:
            yield ExposureCard(name, seconds)


def _seconds(
    header: fits.Header, spellings: Spellings, name: str, value: Any, usual: float
) -> float:
    """Seconds that a card says; NaN where it cannot be read."""
    fraction = _FRACTION.fullmatch(to_text(value)) if isinstance(value, str) else None
    if fraction is not None:
        return int(fraction[1]) / int(fraction[2]) if int(fraction[2]) else math.nan
    number, written = with_unit(value)
    if written:
        return number * (seconds_of_unit(written) or math.nan)
    told = seconds_of_unit(unit_in_comment(header, name))
    if told is None and usual == 1:
        for keyword in spellings.time_unit:
            told = seconds_of_unit(to_text(value_of(header, keyword)).lower())
    # the shortest number of the product: 90000 * 1e-3 is not 90
    unit = usual if told is None else told
    return number / round(1 / unit) if unit < 1 else number * unit
