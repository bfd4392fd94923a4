"""The times of an exposure, from the many forms in which headers give them."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from autowisp_xr.headers.values import Cards, known_values, to_number, to_text

_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T\s]+(\S+(?:\s+[+-]\S+)?))?")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d(?:\.\d*)?(?:Z|[+-]\d{4})?)")
_OLD_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})")  # until 1999, by the FITS standard
_CLOCK = re.compile(
    r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?\s*(?:(Z|UTC?)|([+-])(\d{2}):?(\d{2})?)?",
    re.IGNORECASE,
)
_FIRST_OLD_YEAR = 60
"""Years before it, such as 59, are of this century: 1959 had no such cameras."""

_NS = 1_000_000_000
_NS_PER_DAY = 86_400 * _NS
_UNIX_JD = 2_440_587.5
_MJD_ZERO = 2_400_000.5
_NOT_A_TIME = np.datetime64("NaT", "ns")
_EXACT = np.timedelta64(0, "ns")
# datetime64[ns] reaches from 1677 to 2262, and wraps what lies beyond
_YEARS = (1700, 2200)
LONGEST = 3_000 * 86_400
"""Seconds; an exposure that is longer is a wrong number."""
# what clocks state that were never set
_ZEROS = frozenset(("1899-12-30", "1900-01-01", "1970-01-01"))

_UTC = "utc"
_SCALES = {
    **dict.fromkeys(("", "utc", "ut", "gmt", "z", "zulu"), _UTC),
    # off by less than 0.9 s, by how much only bulletins know
    "ut1": _UTC,
    **dict.fromkeys(("tai", "iat"), "tai"),
    **dict.fromkeys(("tt", "tdt", "et"), "tt"),
    **{scale: scale for scale in ("gps", "tdb", "tcb", "tcg")},
}
_GPS_BEHIND_TAI = np.timedelta64(19, "s")


class Instant(NamedTuple):
    """A time that a card gives, in UTC, and its rounding."""

    card: str
    value: object
    time: np.datetime64 = _NOT_A_TIME
    """NaT where it cannot be read, or TIMESYS is no known scale."""
    rounding: np.timedelta64 = _EXACT
    """Half of the last digit of a day number, or of a date in whole seconds."""


def middle_of_exposure(cards: Cards, exposure: float) -> np.datetime64:
    """Return the middle of an exposure of so many seconds, in UTC; NaT where no card gives it.

    The start counts as the middle where the exposure is NaN, and a middle that equals the start as
    the start. TIMESYS and time zones are applied.
    """
    start, middle = _first(instants(cards, "start")), _first(instants(cards, "middle"))
    half = exposure / 2 if exposure >= 0 else 0.0
    if not np.isnat(middle) and (np.isnat(start) or abs(_seconds(middle - start)) >= half / 2):
        return middle
    if np.isnat(start) or half > LONGEST:
        return _NOT_A_TIME
    return start + np.timedelta64(round(half * _NS), "ns")


def instants(cards: Cards, what: Literal["start", "middle", "end"]) -> Iterator[Instant]:
    """Give the starts, middles or ends of an exposure that cards state, dates before days."""
    clocks = cards.names("start_time") if what == "start" else ()
    for name, value in cards.values(what):
        yield _of_date(cards, name, value, clocks)
    for name, value in cards.values(f"{what}_days"):
        yield _of_days(cards, name, value)


def date_in(cards: Cards, card: str) -> np.datetime64:
    """Return the time of the date in a card, in UTC; NaT where it has no time of day."""
    return _first(_of_date(cards, *entry) for entry in known_values(cards.header, [card]))


def clock_beside(cards: Cards, start: Instant) -> Instant | None:
    """Return the time of day beside a start that has one of its own, on the nearest day."""
    day = str(start.time.astype("datetime64[D]"))
    for name, value in cards.values("start_time"):
        time = _moment(cards, day, to_text(value))
        if time is not None:
            days = round(_seconds(time - start.time) / 86_400)
            fraction = "." in to_text(value) or "," in to_text(value)
            rounding = np.timedelta64(0 if fraction else _NS, "ns")
            return Instant(name, value, time - np.timedelta64(days * 86_400, "s"), rounding)
    return None


def is_old_date(value: object) -> bool:
    """Return whether a date has two digits for a year of this century."""
    match = _OLD_DATE.fullmatch(str(value))
    return match is not None and int(match[3]) < _FIRST_OLD_YEAR


def time_scale(cards: Cards) -> str | None:
    """Return the time scale of a header as astropy calls it, or "gps"; None if unknown."""
    written = to_text(cards.value("time_scale")).lower()
    # a realisation may stand behind: TT(TAI), UTC(NIST)
    return _SCALES.get(written.split("(")[0].strip())


def julian_date(time: np.datetime64) -> float:
    """Return the Julian date of a time.

    Examples
    --------
    >>> julian_date(np.datetime64("2000-01-01T12:00"))
    2451545.0
    """
    return int(time.astype("datetime64[ns]").astype(np.int64)) / _NS_PER_DAY + _UNIX_JD


def utc_to_scale(time: np.datetime64, scale: str) -> np.datetime64:
    """Convert a time in UTC to another scale of :func:`time_scale`."""
    return _converted(time, _UTC, scale)


def _converted(time: np.datetime64, scale: str, to: str) -> np.datetime64:
    if scale == to:
        return time
    if scale == "gps":
        return _converted(time + _GPS_BEHIND_TAI, "tai", to)
    if to == "gps":
        return _converted(time, scale, "tai") - _GPS_BEHIND_TAI
    from astropy.time import Time

    return np.datetime64(getattr(Time(str(time), scale=scale, precision=9), to).isot, "ns")


def _in_utc(cards: Cards, time: np.datetime64) -> np.datetime64:
    """Convert a time from the scale of a header to UTC; NaT where the scale is unknown."""
    scale = cards.known(time_scale)
    return _NOT_A_TIME if scale is None else _converted(time, scale, _UTC)


def _first(instants: Iterable[Instant]) -> np.datetime64:
    return next((i.time for i in instants if not np.isnat(i.time)), _NOT_A_TIME)


def _seconds(difference: np.timedelta64) -> float:
    return float(difference / np.timedelta64(1, "s"))


def _of_date(cards: Cards, name: str, value: object, companions: Iterable[str] = ()) -> Instant:
    text = _COMPACT.sub(r"\1-\2-\3T\4:\5:\6", str(value))
    match, old = _DATE.fullmatch(text), _OLD_DATE.fullmatch(text)
    if match is not None:
        year, month, day, clock = match.groups()
    elif old is not None:
        day, month, year = old.groups()
        year, clock = f"{19 if int(year) >= _FIRST_OLD_YEAR else 20}{year}", None
    else:
        return Instant(name, value)
    # a time of day beside the date, or a full date and time there; a date alone is no start
    beside = (str(time).split("T")[-1] for _, time in known_values(cards.header, companions))
    for candidate in [clock] if clock else beside:
        time = _moment(cards, f"{year}-{month:0>2}-{day:0>2}", candidate)
        if time is not None:
            return Instant(name, value, time, np.timedelta64(0 if "." in candidate else _NS, "ns"))
    return Instant(name, value)


def _moment(cards: Cards, date: str, clock: str) -> np.datetime64 | None:
    """Return the UTC of a date and a time of day: NaT in an unknown scale; None for no time."""
    parts = _CLOCK.fullmatch(clock)
    if parts is None or not _YEARS[0] <= int(date[:4]) <= _YEARS[1]:
        return None
    hour, minute, second, fraction, zulu, sign, hours, minutes = parts.groups()
    latest = 0 if int(hour) == 24 else 59
    if int(hour) > 24 or int(minute) > latest or int(second or 0) > latest + (latest > 0):
        return None
    try:
        day = np.datetime64(date, "ns")
    except ValueError:
        return None
    # 60 is that of a leap second, or of programs that round
    seconds = (int(hour) * 60 + int(minute)) * 60 + int(second or 0)
    since = seconds * _NS + int((fraction or "")[:9].ljust(9, "0"))
    if date in _ZEROS and since == 0:
        return None
    ahead = (int(hours or 0) * 60 + int(minutes or 0)) * 60 * (-1 if sign == "-" else 1)
    time = day + np.timedelta64(since - ahead * _NS, "ns")
    return time if zulu or sign else _in_utc(cards, time)


def _of_days(cards: Cards, name: str, value: object) -> Instant:
    days = to_number(value)
    since_1970 = days - (_UNIX_JD if days > 1e6 else _UNIX_JD - _MJD_ZERO)
    year = 1970 + since_1970 / 365.25
    if not (0 < days < 1e7 and _YEARS[0] <= year <= _YEARS[1]):
        return Instant(name, value)
    # a float64 Julian date resolves 40 microseconds; more digits would be invented
    microseconds = round(since_1970 * (_NS_PER_DAY // 1000))
    time = _in_utc(cards, np.datetime64(microseconds * 1000, "ns"))
    # a whole number is a date, without a time of day
    parts = 1 if days.is_integer() else 2 * 10 ** len(repr(days).partition(".")[2])
    return Instant(name, value, time, np.timedelta64(_NS_PER_DAY // parts, "ns"))
