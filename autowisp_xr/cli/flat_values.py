"""What the values of the options of flats are: sizes, limits that can be off, filters."""

from typing import Any

from autowisp_xr.cli import values
from autowisp_xr.cli.values import OptionError

__all__ = [
    "degree",
    "filter_and_options",
    "filter_name",
    "fraction",
    "level",
    "limit",
    "mean_or_median",
    "positive",
]

_OFF = "none"

_FILTERS = {
    "median_filter": "size",
    "percentile_filter": "size",
    "minimum_filter": "size",
    "maximum_filter": "size",
    "uniform_filter": "size",
    "gaussian_filter": "sigma",
}
"""Filters of scipy.ndimage that one number for their size is enough for, and how they call it."""

_WITH_NUMBER = {"percentile_filter": "percentile"}


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = values.whole(text)
    if number < 1:
        raise OptionError(f"{text} is below 1")
    return number


def degree(text: str) -> int:
    """Degree of a spline: a whole number from 1 to 5."""
    number = positive(text)
    if number > 5:
        raise OptionError(f"splines have an order of at most 5, not {text}")
    return number


def fraction(text: str) -> float:
    """A number above 0, and at most 1."""
    number = values.number(text)
    if not 0 < number <= 1:
        raise OptionError(f"{text} is not above 0 and at most 1")
    return number


def level(text: str) -> float | None:
    """A number; None of "none", for no such test."""
    return None if text.strip().lower() == _OFF else values.number(text)


def limit(text: str) -> float | None:
    """A number that is not negative; None of "none", for no such test.

    Examples
    --------
    >>> limit("0.05"), limit("none")
    (0.05, None)
    """
    number = level(text)
    if number is not None and number < 0:
        raise OptionError(f"{text} is negative")
    return number


def mean_or_median(text: str) -> str:
    """The name of one of these two averages, also of "nanmean" and "nanmedian"."""
    name = text.strip().lower().removeprefix("nan")
    if name not in ("mean", "median"):
        raise OptionError(f"the average is mean or median, not {text!r}")
    return name


def filter_name(text: str) -> str:
    """Name of a filter of scipy.ndimage, with the number that it needs: percentile_filter:30."""
    name, colon, given = (part.strip() for part in text.partition(":"))
    if name not in _FILTERS:
        raise OptionError(f"{name!r} is not a filter; there are {', '.join(_FILTERS)}")
    if name not in _WITH_NUMBER:
        if colon:
            raise OptionError(f"{name} takes no number, {text!r} has one")
        return name
    if not given:
        raise OptionError(f"{name} needs a {_WITH_NUMBER[name]}: {name}:30, say")
    number = values.number(given)
    if not 0 <= number <= 100:
        raise OptionError(f"a percentile is a number from 0 to 100, not {given}")
    return f"{name}:{number!r}"


def filter_and_options(text: str, size: int) -> tuple[Any, dict[str, Any]]:
    """Function of scipy.ndimage that :func:`filter_name` found, and what it is to be called with.

    Parameters
    ----------
    text
        As :func:`filter_name` gives it.
    size
        Of its window, in pixels; for a Gaussian, its standard deviation.

    Examples
    --------
    >>> filter_and_options("percentile_filter:30", 8)[1]
    {'size': 8, 'percentile': 30.0}
    """
    from scipy import ndimage

    name, _, number = text.partition(":")
    options: dict[str, Any] = {_FILTERS[name]: size}
    if number:
        options[_WITH_NUMBER[name]] = float(number)
    return getattr(ndimage, name), options
