"""Values of cards as numbers, angles and text, however they were called and written."""

import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar, cast

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import AnyHeader, comment_of, value_of
from autowisp_xr.headers.remembered import Remembered

_T = TypeVar("_T")

_SEXAGESIMAL = re.compile(
    r"([+-]?)\s*(\d+)\s*[:\s hd°]\s*(\d+(?:\.\d*)?)\s*(?:[:\s m'′]\s*(\d+(?:\.\d*)?)?\s*[s\"″]?)?"  # noqa: RUF001
)
_MEASURED = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?)\s*°?\s*([^\d\s.,].*)?")
_DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+)(.*)", re.DOTALL)
COMMON_UNITS = ("", "c", "deg c", "degc", "degrees c", "celsius", "s", "sec", "secs", "seconds")
"""Units that leave a number as it is; temperatures and exposures know others."""

_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millisec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "usec", "usecs", "µs", "microsec", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("ns", "nsec", "nsecs", "nanosec", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "decimalhours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
KELVINS = ("k", "kelvin", "kelvins", "deg k", "degk")
FAHRENHEITS = ("f", "deg f", "degf", "degrees f", "fahrenheit")

_OF_TEMPERATURE = (*KELVINS, *FAHRENHEITS)
_IN_BRACKETS = re.compile(r"[\[(]\s*(?:in\s+)?([^\])]*?)\s*[\])]")
_IN_WORDS = re.compile(r"\bin\s+([a-zµ]+)")
_SPELLED_OUT = re.compile(
    r"\b((?:milli|micro|nano)[- ]?sec(?:ond)?s?|[mun]secs?|kelvins?|fahrenheit"
    r"|deg(?:rees)? ?f|decimal hours)\b|(?:^|[\s,])(ms|us|hrs|hours)$"
)


ELECTRONS = re.compile(r"electron|\be-?\s*/|\be-", re.IGNORECASE)
"""Matches the comment of a card that counts electrons."""

PER_ELECTRON = re.compile(r"(?:/\s*|\bper\s+)(?:e\b|electron)", re.IGNORECASE)
"""Matches the comment of a card that counts ADU per electron."""

_ADU = r"(?:adus?|dns?|counts?)"
_IN_ADU = re.compile(rf"^{_ADU}$|[\[(]{_ADU}[\])]|\bin {_ADU}\b", re.IGNORECASE)


def known_values(header: AnyHeader, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Give the name and value of each of the named cards that has a value."""
    for name in names:
        value = value_of(header, name)
        if value is not None:
            yield name, value


def first_known(numbers: Iterable[float]) -> float:
    """Return the first number that is not NaN; NaN where there is none."""
    return next((number for number in numbers if not math.isnan(number)), math.nan)


def with_unit(value: object) -> tuple[float, str]:
    """Return the number of a value and the unit behind it, in small letters; (NaN, "") for none.

    A comma is a decimal one, unless three digits follow: 1,000 may be either.

    Examples
    --------
    >>> with_unit("-10,5 C"), with_unit("250 ms"), with_unit(" 9,78E-03")
    ((-10.5, 'c'), (250.0, 'ms'), (0.00978, ''))
    """
    if isinstance(value, bool):
        return math.nan, ""
    if isinstance(value, int | float):
        return (float(value) if math.isfinite(value) else math.nan), ""
    text = str(value).strip()
    comma = _DECIMAL_COMMA.fullmatch(text)
    if comma is not None:
        whole, decimals, rest = comma.groups()
        thousands = len(decimals) == 3 and whole.lstrip("+-") not in ("", "0")
        text = text if thousands and not rest[:1].strip() else f"{whole}.{decimals}{rest}"
    match = _MEASURED.fullmatch(text)
    if match is None:
        return math.nan, ""
    number, unit = match.groups()
    return float(number.replace("D", "E").replace("d", "e")), (unit or "").strip().lower()


def to_number(value: object) -> float:
    """Return a number, also one written as text or with its unit; NaN for anything else."""
    number, unit = with_unit(value)
    return number if unit in COMMON_UNITS else math.nan


def unit_in_comment(header: AnyHeader, keyword: str) -> str:
    """Return the unit that the comment of a card names, in small letters; "" where it names none.

    It stands in brackets, as in the FITS standard, else behind "in", else it is spelled out. Of
    several brackets, the first with a unit of time or temperature counts.
    """
    comment = comment_of(header, keyword).strip().lower()
    if not comment:
        return ""
    enclosed = [match[1] for match in _IN_BRACKETS.finditer(comment)]
    if enclosed:
        known = (text for text in enclosed if seconds_of_unit(text) or text in _OF_TEMPERATURE)
        return next(known, enclosed[0])
    match = _IN_WORDS.search(comment)
    if match is None or (match[1] not in _SECONDS and match[1] != "k"):
        match = _SPELLED_OUT.search(comment)
    return "" if match is None else next(group for group in match.groups() if group is not None)


def seconds_of_unit(unit: str) -> float | None:
    """Return the seconds of a unit of time; None for what is none.

    Examples
    --------
    >>> seconds_of_unit("msec"), seconds_of_unit("milli-seconds"), seconds_of_unit("adu")
    (0.001, 0.001, None)
    """
    return _SECONDS.get(re.sub(r"[-\s.]", "", unit))


def electrons_per_adu(header: AnyHeader, name: str, value: object) -> float:
    """Return a gain in electrons per ADU, also one that its unit states the inverse of, else NaN.

    The unit stands behind the number, or in the comment of the card.
    """
    number, unit = with_unit(value)
    if unit and not ELECTRONS.search(unit):
        return math.nan
    if number > 0 and PER_ELECTRON.search(unit or comment_of(header, name)):
        return 1 / number
    return number


def electrons(header: AnyHeader, name: str, value: object, gain: float) -> float:
    """Return a read noise in electrons, also one that its unit states in ADU; else NaN."""
    number, unit = with_unit(value)
    stated = unit or comment_of(header, name)
    if ELECTRONS.search(stated):
        return number
    if _IN_ADU.search(stated):
        return number * gain
    return math.nan if unit else number


def adu(header: AnyHeader, name: str, value: object, gain: float) -> float:
    """Return a level above zero in ADU, also one that its unit states in electrons; else NaN."""
    number, unit = with_unit(value)
    if ELECTRONS.search(unit or comment_of(header, name)):
        number /= gain
    return number if number > 0 else math.nan


def first_number(header: AnyHeader, names: Iterable[str], above: float = -math.inf) -> float:
    """Return the first number above a limit that one of the named cards holds; NaN for none."""
    numbers = (to_number(value) for _, value in known_values(header, names))
    return first_known(number for number in numbers if number > above)


def to_text(value: object) -> str:
    """Return a value as text, without blanks around it; "" for None."""
    return "" if value is None else str(value).strip()


def to_name(value: object) -> str:
    """Return a value as the name of something, of which 3.0 and 3 are the same."""
    return to_text(int(value) if isinstance(value, float) and value.is_integer() else value)


def to_degrees(value: object, degrees_per_unit: float, degrees_per_number: float = 1.0) -> float:
    """Return a number or a sexagesimal text, each in its own unit, in degrees; NaN beyond 360."""
    number = to_number(value)
    if not math.isnan(number):
        number *= degrees_per_number
        return number if abs(number) <= 360 else math.nan
    match = _SEXAGESIMAL.fullmatch(str(value).strip())
    if match is None:
        return math.nan
    sign, whole, minutes, seconds = match.groups()
    size = int(whole) + float(minutes) / 60 + float(seconds or 0) / 3600
    if float(minutes) >= 60 or float(seconds or 0) >= 61 or size * degrees_per_unit > 360:
        return math.nan
    return (-size if sign == "-" else size) * degrees_per_unit


class Cards(NamedTuple):
    """A header whose cards are found by their meaning, by the table of aliases."""

    header: AnyHeader
    aliases: KeywordAliases
    remembered: Remembered | None = None
    """What follows from headers that have the same keywords, where others are read as well."""

    def known(self, work: Callable[..., _T], *others: Hashable) -> _T:
        """Return what a function makes of these cards, remembered where it is known already.

        It is only given, and never changes, as :meth:`Remembered.result` demands.
        """
        if self.remembered is None:
            return work(self, *others)
        return cast("_T", self.remembered.result(work, self, others))

    def names(self, thing: str, *others: str) -> tuple[str, ...]:
        """Return the cards that may give some quantities, best first, in the order of these."""
        names = self.aliases.cards[thing]
        return names + self.names(*others) if others else names

    def values(self, thing: str, *others: str) -> Iterator[tuple[str, Any]]:
        """Give the name and value of each of these cards that has a value."""
        return known_values(self.header, self.names(thing, *others))

    def value(self, thing: str) -> Any:
        """Return the value of the first card that has one; None where none does."""
        return next((value for _, value in self.values(thing)), None)

    def number(self, thing: str, above: float = -math.inf) -> float:
        """Return the first number above a limit; NaN where there is none."""
        return first_number(self.header, self.names(thing), above)

    def text(self, thing: str) -> str:
        """Return the first informative text; "" where there is none."""
        texts = (to_name(value) for _, value in self.values(thing))
        return next((text for text in texts if self.informative(text)), "")

    def informative(self, value: object) -> bool:
        """Return whether a value is none of the words for what is unknown."""
        return to_text(value).lower() not in self.aliases.words["unstated"]
