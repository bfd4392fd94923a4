"""Areas, channels and leaks of a sensor as options give them, and values for each channel.

The syntax is that of the original's commands, with its gaps closed: a value without "CHANNEL:" is
for the only channel, an area has four numbers.
"""

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias, TypeVar

from autowisp_xr.cli.values import OptionError, whole
from autowisp_xr.regions import Region

T = TypeVar("T")

OfChannels: TypeAlias = T | list[T] | dict[str, T | list[T]]
"""One value or several, for all channels or for each by its name."""

_CHANNEL = re.compile(r"([^\W\d]\w*)\((\d+)(?:,(\d+))?;(\d+)(?:,(\d+))?\)")

_NAMED = re.compile(r"([^\W\d]\w*):(.+)", re.DOTALL)


def area(text: str) -> dict[str, int]:
    """Read an area, "xmin,xmax,ymin,ymax" in raw-frame pixels from zero, ends not included.

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
    """Read overscan areas and method, "method:xmin,xmax,ymin,ymax;...", or ":" for none.

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
    """Return the methods that need no arguments, by the name of their class in lower case."""
    from autowisp_xr.image_calibration import overscan_methods

    found = {}
    for name in overscan_methods.__all__:
        if name != "Base":
            with contextlib.suppress(TypeError):
                found[name.lower()] = getattr(overscan_methods, name)()
    return found


def channels(texts: Sequence[str]) -> dict[str, tuple[slice, slice]]:
    """Read the slices (y, x) of channels, "NAME(x0,xstep;y0,ystep)"; steps are 2 by default.

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
) -> OfChannels[T]:
    """Read values by channel, "CHANNEL:VALUE", or the one value that has no channel.

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


def files(texts: Sequence[str]) -> OfChannels[str]:
    """Read the file of each channel, or the one file that has no channel."""
    return per_channel(texts, str)


def masks(texts: Sequence[str]) -> OfChannels[str]:
    """Read the file of each channel, or the one file; several are a list."""
    return per_channel(texts, str, several=True)


def hdus(texts: Sequence[str]) -> OfChannels[int]:
    """Read the number of the HDU of each channel, or the one number where all are in one HDU."""
    found = per_channel(texts, whole)
    if isinstance(found, dict) and len(set(found.values())) == 1:
        return next(iter(found.values()))
    return found


def leak_directions(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Read pairs "dx,dy", in raw-frame pixels."""
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
