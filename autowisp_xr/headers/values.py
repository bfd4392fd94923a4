"""Values of cards as numbers, angles and text, whatever way they were written."""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from astropy.io import fits

from autowisp_xr.cards import value_of

__all__ = ["first_known", "first_number", "known_values", "to_degrees", "to_number", "to_text"]

_SEXAGESIMAL = re.compile(
    r"([+-]?)\s*(\d+)\s*[:\s hd°]\s*(\d+(?:\.\d*)?)\s*(?:[:\s m'′]\s*(\d+(?:\.\d*)?)?\s*[s\"″]?)?"  # noqa: RUF001
)
_MEASURED = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?)\s*(?:°?\s*C|deg\s*C|s|sec)?")


def known_values(header: fits.Header, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Cards that have a value, of those named: (name, value)."""
    for name in names:
        value = value_of(header, name)
        if value is not None:
            yield name, value


def first_known(numbers: Iterable[float]) -> float:
    """First number that is one; NaN where there is none."""
    return next((number for number in numbers if not math.isnan(number)), math.nan)


def to_number(value: Any) -> float:
    """Value of a number, also one written as text or with its unit; NaN for anything else."""
    if isinstance(value, bool):
        return math.nan
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else math.nan
    match = _MEASURED.fullmatch(str(value).strip())
    return float(match[1].replace("D", "E").replace("d", "e")) if match else math.nan


def first_number(header: fits.Header, names: Iterable[str], above: float = -math.inf) -> float:
    """First card, of those named, that holds a number above a limit; NaN where none does."""
    numbers = (to_number(value) for _, value in known_values(header, names))
    return first_known(number for number in numbers if number > above)


def to_text(value: Any) -> str:
    """Text of a value, without blanks around it; "" for None."""
    return "" if value is None else str(value).strip()


def to_degrees(value: Any, degrees_per_unit: float) -> float:
    """Degrees of a number (degrees already) or of sexagesimal text (in the given unit)."""
    number = to_number(value)
    if not math.isnan(number):
        return number if abs(number) <= 360 else math.nan
    match = _SEXAGESIMAL.fullmatch(str(value).strip())
    if match is None:
        return math.nan
    sign, whole, minutes, seconds = match.groups()
    size = int(whole) + float(minutes) / 60 + float(seconds or 0) / 3600
    if float(minutes) >= 60 or float(seconds or 0) >= 61 or size * degrees_per_unit > 360:
        return math.nan
    return (-size if sign == "-" else size) * degrees_per_unit
