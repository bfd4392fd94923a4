"""The exposure time of a frame in seconds, whatever unit its header counts in."""

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.sentences import doubt
from autowisp_xr.headers.values import (
    Cards,
    known_values,
    seconds_of_unit,
    to_text,
    unit_in_comment,
    with_unit,
)
from autowisp_xr.matching import same_exposure

_FRACTION = re.compile(r"(\d+)\s*/\s*(\d+)(?:\s*s(?:ecs?|econds?)?\.?)?", re.IGNORECASE)

EXPOSURES = {
    "exposure": 1.0,
    "exposure_milliseconds": 1e-3,
    "exposure_microseconds": 1e-6,
    "elapsed": 1.0,
}
"""Lists of cards that may give the exposure, best first, and the seconds of the unit of each."""


class ExposureCard(NamedTuple):
    """The card that gives the exposure of a frame."""

    name: str
    seconds: float


def exposure_card(cards: Cards) -> ExposureCard | None:
    """Return the card that gives the exposure of a frame, if any does.

    Its unit is that of the value, else of the comment, else (of cards in seconds) of TIMEUNIT.

    Raises
    ------
    HeaderError
        If two cards contradict each other.
    """
    preferred = cards.aliases.preferred
    for thing, seconds in EXPOSURES.items():
        if thing != "elapsed":
            chosen = [name for name in cards.names(thing) if name in preferred]
            for card in _exposures(cards, chosen, seconds):
                return card
    for thing, seconds in EXPOSURES.items():
        found = list(_exposures(cards, cards.names(thing), seconds))
        for other in found[1:] if thing == "exposure" else ():
            if not same_exposure(other.seconds, found[0].seconds):
                raise HeaderError(doubt("two_exposures", first=found[0], other=other))
        if found:
            return found[0]
    return None


def _exposures(cards: Cards, names: Iterable[str], usual: float) -> Iterator[ExposureCard]:
    for name, value in known_values(cards.header, names):
        seconds = _seconds(cards, name, value, usual)
        if seconds >= 0:
            yield ExposureCard(name, seconds)


def _seconds(cards: Cards, name: str, value: object, usual: float) -> float:
    """Return the seconds of a card; NaN where it cannot be read."""
    fraction = _FRACTION.fullmatch(to_text(value)) if isinstance(value, str) else None
    if fraction is not None:
        return int(fraction[1]) / int(fraction[2]) if int(fraction[2]) else math.nan
    number, written = with_unit(value)
    if written:
        return number * (seconds_of_unit(written) or math.nan)
    unit = seconds_of_unit(unit_in_comment(cards.header, name))
    if unit is None and usual == 1:
        unit = seconds_of_unit(to_text(cards.value("time_unit")).lower())
    unit = usual if unit is None else unit
    # the shortest number of the product: 90000 * 1e-3 is not 90
    return number / round(1 / unit) if unit < 1 else number * unit
