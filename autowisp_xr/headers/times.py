"""When a frame was exposed, from the many ways in which headers say so."""

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.cards import value_of
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import known_values, to_number

__all__ = ["middle_of_exposure"]

_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T\s]+(\S+))?")
_OLD_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})")  # until 1999, by the FITS standard
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?(?:Z|\+00:?00)?")

_NS_PER_DAY = 86_400_000_000_000
_UNIX_JD = 2_440_587.5
_MJD_ZERO = 2_400_000.5
_NOT_A_TIME = np.datetime64("NaT", "ns")


def middle_of_exposure(header: fits.Header, spellings: Spellings, exposure: float) -> np.datetime64:
    """Middle of an exposure of so many seconds, UTC; NaT where no card tells.

    The start counts as the middle where the exposure is NaN. TIMESYS is heeded.
    """
    for _, value in known_values(header, spellings.middle):
        time = _date_time(header, value, ())
        if not np.isnat(time):
            return _to_utc(header, time)
    for _, value in known_values(header, spellings.middle_days):
        time = _from_days(value)
        if not np.isnat(time):
            return _to_utc(header, time)
    start = _start(header, spellings)
    if np.isnat(start):
        return start
    half = 0.0 if math.isnan(exposure) else exposure / 2
    return _to_utc(header, start + np.timedelta64(round(half * 1e9), "ns"))


def _start(header: fits.Header, spellings: Spellings) -> np.datetime64:
    for _, value in known_values(header, spellings.start):
        time = _date_time(header, value, spellings.start_time)
        if not np.isnat(time):
            return time
    for _, value in known_values(header, spellings.start_days):
        time = _from_days(value)
        if not np.isnat(time):
            return time
    return _NOT_A_TIME


def _date_time(header: fits.Header, value: Any, companions: Iterable[str]) -> np.datetime64:
    text = str(value)
    match = _DATE.fullmatch(text)
    if match is not None:
        year, month, day, clock = match.groups()
    else:
        match = _OLD_DATE.fullmatch(text)
        if match is None:
            return _NOT_A_TIME
        day, month, year = match.groups()
        year, clock = f"19{year}", None
    # a time of day beside the date, or a full date and time there; a date alone is no start
    clocks = (
        [clock]
        if clock
        else [str(time).split("T")[-1] for _, time in known_values(header, companions)]
    )
    for candidate in clocks:
        parts = _CLOCK.fullmatch(candidate)
        if parts is None:
            continue
        hour, minute, second, fraction = parts.groups()
        iso = (
            f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second or 0:0>2}"
            f".{(fraction or '0')[:9]}"
        )
        try:
            return np.datetime64(iso, "ns")
        except ValueError:
            continue
    return _NOT_A_TIME


def _from_days(value: Any) -> np.datetime64:
    days = to_number(value)
    if math.isnan(days) or not 0 < days < 1e7:
        return _NOT_A_TIME
    since_1970 = days - (_UNIX_JD if days > 1e6 else _UNIX_JD - _MJD_ZERO)
    # a float64 Julian date resolves 40 microseconds; more digits would be invented
    microseconds = round(since_1970 * (_NS_PER_DAY // 1000))
    if abs(microseconds) > 9.2e15:
        return _NOT_A_TIME
    return np.datetime64(microseconds * 1000, "ns")


def _to_utc(header: fits.Header, time: np.datetime64) -> np.datetime64:
    scale = str(value_of(header, "TIMESYS") or "UTC").lower()
    if scale not in ("tai", "tt", "tdb"):
        return time
    from astropy.time import Time

    seconds = Time(str(time), scale=scale, precision=9)
    return np.datetime64(seconds.utc.isot, "ns")
