"""What the values of options are: areas, channels, values for each channel, averages.

The syntax is that of the original's commands, with its gaps closed: a value without "CHANNEL:" is
for the only channel, an area has four numbers, a misspelt name is an error.
"""

import argparse
import contextlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from autowisp_xr.errors import AutowispError
from autowisp_xr.flags import as_flag
from autowisp_xr.options import upper_and_lower
from autowisp_xr.regions import Region

__all__ = [
    "OptionError",
    "area",
    "average",
    "channels",
    "expression",
    "flag_names",
    "hdus",
    "in_options",
    "leak_directions",
    "number",
    "overscans",
    "per_channel",
    "quantile",
    "rounds",
    "thresholds",
    "whole",
]

T = TypeVar("T")

# words with an underscore that are arguments of the classes, and options here
_ARGUMENT = re.compile(
    r"(?<![\w/.-])(exposure_start_utc|exposure_start_jd|exposure_seconds|min_valid_values|min_valid_frames"
    r"|calibrated_fname|compress_calibrated|image_area|leak_directions)(?![\w/.-])"
)

_AVERAGES: dict[str, str | float] = {"median": "median", "mean": "mean", "min": 0.0, "max": 1.0}

_CHANNEL = re.compile(r"([^\W\d]\w*)\((\d+)(?:,(\d+))?;(\d+)(?:,(\d+))?\)")

_NAMED = re.compile(r"([^\W\d]\w*):(.+)", re.DOTALL)


def in_options(text: str) -> str:
    """Text in which arguments of the classes have the names of their options.

    Examples
    --------
    >>> in_options("choose another name, or allow_overwrite=True")
    'choose another name, or --allow-overwrite'
    """
    text = text.replace("allow_overwrite=True", "--allow-overwrite")
    if "; a camera has " in text:
        # these are fields of a file
        return text
    return _ARGUMENT.sub(lambda match: f"--{match[0].replace('_', '-')}", text)


class OptionError(AutowispError, ValueError, argparse.ArgumentTypeError):
    """The value of an option cannot be read; argparse shows the message of its own class only."""


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise OptionError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise OptionError(f"{text!r} is not a finite number")
    return value


def whole(text: str) -> int:
    """A whole number that is not negative."""
    try:
        value = int(text)
    except ValueError:
        raise OptionError(f"{text!r} is not a whole number") from None
    if value < 0:
        raise OptionError(f"{value} is negative")
    return value


def rounds(text: str) -> float:
    """How often at most: a whole number, or "inf"."""
    return math.inf if text.strip().lower() == "inf" else whole(text)


def quantile(text: str) -> float:
    """A number from 0 to 1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise OptionError(f"a quantile is a number from 0 to 1, not {text}")
    return value


def expression(text: str) -> str:
    """An expression over header keywords; here, only its form is known to be right."""
    from autowisp_xr.errors import HeaderError
    from autowisp_xr.expressions import check_expression

    try:
        return check_expression(text)
    except HeaderError as error:
        raise OptionError(str(error)) from error


def area(text: str) -> dict[str, int]:
    """Area of "xmin,xmax,ymin,ymax", in raw-frame pixels counted from zero, ends not included.

    Examples
    --------
    >>> area("0, 10, 5, 20")
    {'xmin': 0, 'xmax': 10, 'ymin': 5, 'ymax': 20}
    """
    parts = text.split(",")
    try:
        numbers = [int(part) for part in parts]
        xmin, xmax, ymin, ymax = numbers
    except ValueError:
        raise OptionError(
            f"an area is four whole numbers xmin,xmax,ymin,ymax, not {text!r}"
        ) from None
    try:
        return asdict(Region(xmin=xmin, xmax=xmax, ymin=ymin, ymax=ymax))
    except ValueError as error:
        raise OptionError(str(error)) from error


def overscans(text: str) -> dict[str, Any]:
    """Overscan areas and method of "method:xmin,xmax,ymin,ymax;...", or of ":" for none.

    The methods are the classes of :mod:`autowisp_xr.image_calibration.overscan_methods`, in lower
    case, with the defaults of their arguments; one that has no defaults cannot be had here.
    """
    name, colon, given = (part.strip() for part in text.partition(":"))
    if colon and not name and not given:
        return {"areas": None, "method": None}
    if not name or not given:
        raise OptionError(
            f"overscans are given as 'median:xmin,xmax,ymin,ymax', with more areas after ';', or "
            f"':' for none, not {text!r}"
        )
    methods = _overscan_methods()
    if name.lower() not in methods:
        raise OptionError(
            f"{name!r} is not a method for overscans; there are {', '.join(sorted(methods))}"
        )
    return {"areas": [area(part) for part in given.split(";")], "method": methods[name.lower()]}


def _overscan_methods() -> dict[str, Any]:
    """Methods that need no arguments, by the name of their class in lower case."""
    from autowisp_xr.image_calibration import overscan_methods

    found = {}
    for name in overscan_methods.__all__:
        if name != "Base":
            with contextlib.suppress(TypeError):
                found[name.lower()] = getattr(overscan_methods, name)()
    return found


def channels(texts: Sequence[str]) -> dict[str, tuple[slice, slice]]:
    """Slices (y, x) of each channel of "NAME(x0,xstep;y0,ystep)"; steps are 2 where not given.

    Examples
    --------
    >>> channels(["R(0;0) B(1;1)"])["B"]
    (slice(1, None, 2), slice(1, None, 2))
    """
    found: dict[str, tuple[slice, slice]] = {}
    for text in texts:
        rest = re.sub(r"\s+", "", text)
        while rest:
            match = _CHANNEL.match(rest)
            if match is None:
                raise OptionError(
                    f"a channel is given as NAME(x0;y0) or NAME(x0,xstep;y0,ystep), not {text!r}"
                )
            name, *places = match.groups()
            x, x_step, y, y_step = (2 if place is None else int(place) for place in places)
            if name in found:
                raise OptionError(f"the channel {name!r} is given twice")
            if not x_step or not y_step:
                raise OptionError(f"{match.group()}: a step is at least 1")
            found[name] = (slice(y, None, y_step), slice(x, None, x_step))
            rest = rest[match.end() :]
    return found


def per_channel(
    texts: Sequence[str], value: Callable[[str], T], *, several: bool = False
) -> T | list[T] | dict[str, T | list[T]]:
    """Values of "CHANNEL:VALUE", by channel, or the one value that has no channel.

    Parameters
    ----------
    texts
        The channel is what stands before the first colon, if it looks like a name ("R:/a:b.fits").
    value
        Makes a value of a text.
    several
        Whether a channel may have more than one value; it then has a list of them.
    """
    found: dict[str, list[T]] = {}
    for text in texts:
        match = _NAMED.fullmatch(text.strip())
        name, given = match.groups() if match else ("", text.strip())
        if not given:
            raise OptionError("a value is empty")
        found.setdefault(name, []).append(value(given))
        if len(found[name]) > 1 and not several:
            whose = f"the channel {name!r}" if name else "all channels"
            raise OptionError(f"{whose} can have one value, not {' and '.join(texts)}")
    if "" in found and len(found) > 1:
        raise OptionError(f"either all values have a channel or none, not {' and '.join(texts)}")
    result = {name: given if len(given) > 1 else given[0] for name, given in found.items()}
    if "" in result:
        return result[""]
    return result


def hdus(texts: Sequence[str]) -> Any:
    """Number of the HDU of each channel, or the one number where all are in one HDU."""
    found = per_channel(texts, whole)
    if isinstance(found, dict) and len(set(found.values())) == 1:
        return next(iter(found.values()))
    return found


def leak_directions(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of "dx,dy", in raw-frame pixels."""
    pairs = []
    for text in texts:
        try:
            dx, dy = (int(part) for part in text.split(","))
        except ValueError:
            raise OptionError(
                f"a leak direction is two whole numbers dx,dy, not {text.strip()!r}"
            ) from None
        pairs.append((dx, dy))
    return pairs


def thresholds(texts: Sequence[str]) -> float | tuple[float, float]:
    """A threshold for both sides, or (upper, lower) of two of opposite signs in any order."""
    numbers = [number(text) for text in texts]
    upper, lower = upper_and_lower(numbers)
    return upper if len(numbers) == 1 else (upper, lower)


def average(text: str) -> str | float:
    """What "median", "mean", "min", "max", "quantile:q" or "percentile:p" says: a name or quantile.

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


def flag_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Names of flags, in capital letters."""
    names = tuple(name.strip().upper() for text in texts for name in text.split(","))
    as_flag(names)
    return names
