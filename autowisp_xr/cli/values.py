"""The values of options: numbers and limits, averages, flags, filters.

The syntax is that of the original's commands, with its gaps closed: a misspelt name is an error.
The functions here and in :mod:`autowisp_xr.cli.areas` are the ``type`` of the rows of
:mod:`autowisp_xr.cli.options`: each makes a value of a text, or of the texts of an option with
several, and raises a ValueError that describes what the text has to be.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from autowisp_xr.errors import AutowispError
from autowisp_xr.flags import as_flag
from autowisp_xr.options import upper_and_lower

_AVERAGES: dict[str, str | float] = {"median": "median", "mean": "mean", "min": 0.0, "max": 1.0}

_REJECTIONS = {
    **dict.fromkeys(("none", "rms", "mad", "winsorized", "linear-fit", "noise"), 0),
    **dict.fromkeys(("esd", "minmax", "percentile"), 2),
}
"""Names of ways to find outliers, and how many numbers each may have."""

_FILTERS = (
    *("median_filter", "percentile_filter", "minimum_filter"),
    *("maximum_filter", "uniform_filter", "gaussian_filter"),
)
"""Filters of scipy.ndimage that need no more than a number for their size."""


class OptionError(AutowispError, ValueError):
    """The value of an option cannot be read."""


def number(text: str) -> float:
    """Read a finite number."""
    try:
        value = float(text)
    except ValueError:
        raise OptionError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise OptionError(f"{text!r} is not a finite number")
    return value


def whole(text: str) -> int:
    """Read a whole number that is not negative."""
    try:
        value = int(text)
    except ValueError:
        raise OptionError(f"{text!r} is not a whole number") from None
    if value < 0:
        raise OptionError(f"{value} is negative")
    return value


def count(text: str) -> int:
    """Read a whole number of one or more."""
    if not (value := whole(text)):
        raise OptionError(f"{text!r} is not 1 or more")
    return value


def counts(texts: Sequence[str]) -> tuple[int, ...]:
    """Read whole numbers of one or more."""
    return tuple(map(count, texts))


def rounds(text: str) -> float:
    """Read a largest number of times: a whole number, or "inf"."""
    return math.inf if text.strip().lower() == "inf" else whole(text)


def level(text: str) -> float | None:
    """Read a number, or "none" for no such test."""
    return None if text.strip().lower() == "none" else number(text)


def _within(
    read: Callable[[str], float | None], fits: Callable[[float], bool], refusal: str
) -> Callable[[str], Any]:
    """Return a reader of values that fit; "none" is no value, and fits."""

    def checked(text: str) -> float | None:
        value = read(text)
        if value is not None and not fits(value):
            raise OptionError(refusal.format(text))
        return value

    return checked


quantile = _within(
    number, lambda value: 0 <= value <= 1, "a quantile is a number from 0 to 1, not {}"
)
"""Read a number from 0 to 1."""

fraction = _within(number, lambda value: 0 < value <= 1, "{} is not above 0 and at most 1")
"""Read a number above 0, and at most 1."""

positive = _within(whole, lambda value: value >= 1, "{} is below 1")
"""Read a whole number from 1 on."""

degree = _within(whole, lambda value: 1 <= value <= 5, "splines have an order from 1 to 5, not {}")
"""Read the degree of a spline: a whole number from 1 to 5."""

limit = _within(level, lambda value: value >= 0, "{} is negative")
"""Read a number that is not negative, or "none" for no such test: 0.05 of "0.05"."""


def quantiles(texts: Sequence[str]) -> tuple[float, ...]:
    """Read numbers from 0 to 1."""
    return tuple(map(quantile, texts))


def expression(text: str) -> str:
    """Read an expression over header keywords; only its form is checked here."""
    from autowisp_xr.errors import HeaderError
    from autowisp_xr.expressions import check_expression

    try:
        return check_expression(text)
    except HeaderError as error:
        raise OptionError(str(error)) from error


def thresholds(texts: Sequence[str]) -> float | tuple[float, float]:
    """Read a threshold for both sides, or (upper, lower) of two of opposite signs in any order."""
    numbers = [number(text) for text in texts]
    upper, lower = upper_and_lower(numbers)
    return upper if len(numbers) == 1 else (upper, lower)


def average(text: str) -> str | float:
    """Read "median", "mean", "min", "max", "quantile:q" or "percentile:p" as a name or quantile.

    The names may begin with "nan", as the functions of NumPy do.
    """
    name, _, given = (part.strip().lower() for part in text.partition(":"))
    if name in ("quantile", "percentile") and given:
        return quantile(given if name == "quantile" else str(number(given) / 100))
    found = _AVERAGES.get(name.removeprefix("nan"))
    if found is None or given:
        raise OptionError(
            f"an average is {', '.join(_AVERAGES)} (or nanmedian and so on), quantile:0.7 or "
            f"percentile:70, not {text!r}"
        )
    return found


def rejection(text: str) -> tuple[str, tuple[float, ...]]:
    """Read the name of a way to find outliers, and its numbers: "esd:0.01,4" or "mad"."""
    name, colon, given = (part.strip().lower() for part in text.partition(":"))
    if name not in _REJECTIONS:
        raise OptionError(f"{name!r} is no way to reject; there are {', '.join(_REJECTIONS)}")
    texts = [each.strip() for each in given.split(",")] if colon else []
    if len(texts) > _REJECTIONS[name]:
        most = _REJECTIONS[name] or "no"
        raise OptionError(f"{name} has {most} numbers of its own, {text!r} has {len(texts)}")
    return name, tuple(int(each) if each.isdecimal() else number(each) for each in texts)


def average_or_sum(text: str) -> str | float:
    """Read what :func:`average` reads, or "sum"."""
    return "sum" if text.strip().lower().removeprefix("nan") == "sum" else average(text)


def matching(text: str) -> Any:
    """Read how frames are matched, or "REJECTION:AVERAGE", how for each.

    "none", the name of a measure or of a keyword, or a number for each frame behind commas.

    Examples
    --------
    >>> matching("median"), matching("1, 2.5"), matching("SKYLEVEL:none")
    ('median', [1.0, 2.5], ('SKYLEVEL', None))
    """
    if ":" in text:
        both = tuple(_one_matching(part) for part in text.split(":"))
        if len(both) != 2:
            raise OptionError(f"frames are matched as REJECTION:AVERAGE, not by {text!r}")
        return both
    return _one_matching(text)


def _one_matching(text: str) -> Any:
    name = text.strip()
    if "," in name:
        return [number(part) for part in name.split(",")]
    if not name:
        raise OptionError("frames are matched by a name or numbers, or none")
    known = ("none", "median", "mode", "mean", "fit", "exposure")
    name = name.lower() if name.lower() in known else name
    return None if name == "none" else name


def flag_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Read names of flags, in capital letters."""
    names = tuple(name.strip().upper() for text in texts for name in text.split(","))
    as_flag(names)
    return names


def mean_or_median(text: str) -> str:
    """Read the name of one of these two averages, also as "nanmean" and "nanmedian"."""
    name = text.strip().lower().removeprefix("nan")
    if name not in ("mean", "median"):
        raise OptionError(f"the average is mean or median, not {text!r}")
    return name


def filter_name(text: str) -> str:
    """Read the name of a filter of scipy.ndimage, with its number if it needs one."""
    name, colon, given = (part.strip() for part in text.partition(":"))
    if name not in _FILTERS:
        raise OptionError(f"{name!r} is not a filter; there are {', '.join(_FILTERS)}")
    if name != "percentile_filter":
        if colon:
            raise OptionError(f"{name} takes no number, {text!r} has one")
        return name
    if not given:
        raise OptionError(f"{name} needs a percentile, as in {name}:30")
    percentile = number(given)
    if not 0 <= percentile <= 100:
        raise OptionError(f"a percentile is a number from 0 to 100, not {given}")
    return f"{name}:{percentile!r}"


def filter_and_options(text: str, size: int) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the function of scipy.ndimage for a name, and the options that it is called with.

    Parameters
    ----------
    text
        The name as :func:`filter_name` gives it.
    size
        The size of its window, in pixels; for a Gaussian, its standard deviation.

    Examples
    --------
    >>> filter_and_options("percentile_filter:30", 8)[1]
    {'size': 8, 'percentile': 30.0}
    """
    from scipy import ndimage

    name, _, percentile = text.partition(":")
    options: dict[str, Any] = {"sigma" if name == "gaussian_filter" else "size": size}
    if percentile:
        options["percentile"] = float(percentile)
    return getattr(ndimage, name), options


def rules(texts: Sequence[str]) -> dict[str, str]:
    """Read types of frames by pattern, "PATTERN=TYPE"; of a pattern, the first type counts."""
    found: dict[str, str] = {}
    for text in texts:
        pattern, _, kind = text.rpartition("=")
        if not (pattern and kind):
            raise OptionError(f"a rule is PATTERN=TYPE, such as 'flat-*=flat', not {text!r}")
        found.setdefault(pattern, kind.strip())
    return found
