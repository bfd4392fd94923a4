"""Words and numbers as the page has them."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from autowisp_xr.arrays import Floats
from autowisp_xr.first_names import first_of
from autowisp_xr.night import ReducedNight

MINUS = "\u2212"

_FEW = 10.0
"""Seconds of which fractions count."""

_TELLING = 7
"""Letters of the name of a folder that is one of its own."""

_LEAST = 0.01
"""Per cent."""

MAKES_DEFECTS = "defects"
"""The kind of what has defective pixels."""

_PLURALS = {
    "bias": ("bias", "biases"),
    "object": ("light", "lights"),
    "darkflat": ("dark flat", "dark flats"),
    "other": ("other file", "other files"),
    "": ("file of unknown type", "files of unknown type"),
}

_PLAIN = re.compile(r"[a-z]+[ ,:;]")
_OPTION = re.compile(r"--[a-z][a-z-]*(?: &#39;[^&]*&#39;| '[^']*')?")


def frames_of_kind(number: int, kind: str) -> str:
    """Count frames as people do.

    Examples
    --------
    >>> frames_of_kind(1, "bias"), frames_of_kind(3, "object"), frames_of_kind(2, "dark")
    ('1 bias', '3 lights', '2 darks')
    """
    one, several = _PLURALS.get(kind, (kind, f"{kind}s"))
    return f"{number} {one if number == 1 else several}"


def span_of(values: Floats, unit: str) -> str:
    """Write the least and greatest of those values that are known; one where they hardly differ.

    Examples
    --------
    >>> span_of(np.array([60.0, 60.0]), "s"), span_of(np.array([-20.11, -20.4, np.nan]), "°C")
    ('60 s', '\u221220 °C')
    >>> span_of(np.array([0.12, 76.15]), "s"), span_of(np.array([]), "s")
    ('0.12 to 76 s', '')
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return ""
    ends = [_short(float(end), unit) for end in (known.min(), known.max())]
    return f"{' to '.join(dict.fromkeys(ends))} {unit}".replace("-", MINUS)


def _short(value: float, unit: str) -> str:
    if unit == "s" and abs(value) < _FEW:
        return f"{value:.3g}"
    # no -0
    return f"{round(value) + 0}"


def number(value: float, digits: int = 4, unit: str = "") -> str:
    """Write a number with so many digits that count, without an exponent, and its unit.

    Examples
    --------
    >>> number(1357.0512), number(-0.012345, 2), number(5.42, 2, "ADU"), number(np.nan, 2, "%")
    ('1357', '\u22120.012', '5.4 ADU', 'not known')
    """
    if not np.isfinite(value):
        return "not known"
    before = int(np.floor(np.log10(abs(value)))) + 1 if value else 1
    text = f"{value:.{min(max(digits - before, 0), 9)}f} {unit}"
    return text.rstrip().replace("-", MINUS)


def beside(value: float, error: float) -> str:
    """Write a number as far as its uncertainty lets it be known, which may be a scatter.

    Examples
    --------
    >>> beside(1355.8123, 7.1), beside(5.6, 9.2), beside(20058.1, 148.2), beside(2.0, 0.0)
    ('1355.8', '5.6', '20058', '2')
    """
    if not (np.isfinite(value) and error > 0):
        return f"{value:.6g}".replace("-", MINUS)
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f}".replace("-", MINUS)


def share(part: float, whole: float) -> str:
    """Write a part in per cent.

    Examples
    --------
    >>> share(0, 9), share(1, 3), share(1, 10**6)
    ('none', '33 %', 'less than 0.01 %')
    """
    percent = 100 * part / whole
    if not part:
        return "none"
    return f"{percent:.2g} %" if percent >= _LEAST else f"less than {_LEAST} %"


def times_of(table: Any) -> str:
    """Write when frames were taken: their dates, and the times of the first and last."""
    times = table["time"].values
    known = sorted(times[~np.isnat(times)].astype("datetime64[s]").tolist())
    if not known:
        return ""
    first, last = known[0], known[-1]
    if f"{first:%d %H:%M}" == f"{last:%d %H:%M}":
        return f"{_day(first)}, {first:%H:%M} UTC"
    if _day(first) == _day(last):
        return f"{_day(first)}, {first:%H:%M} to {last:%H:%M} UTC"
    return f"{_day(first)}, {first:%H:%M} to {_day(last)}, {last:%H:%M} UTC"


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B %Y}"


def moment(text: str) -> str:
    """Write a time of a record.

    Examples
    --------
    >>> moment("2026-11-29T20:13:40+00:00")
    '29 November 2026, 20:13:40 UTC'
    """
    time = datetime.fromisoformat(text)
    return f"{_day(time)}, {time:%H:%M:%S} UTC"


def duration(began: str, ended: str) -> str:
    """Write how long something took."""
    seconds = int((datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds} s"


def title_of(recorded: ReducedNight) -> str:
    """Return what a night is called: the name of its folder, with that around it if it is short."""
    folder = Path(recorded.night)
    if len(folder.name) < _TELLING and folder.parent.name:
        return f"{folder.parent.name}/{folder.name}"
    return folder.name or recorded.night


def listed(names: Sequence[str], most: int = 3) -> str:
    """List a few names, and the number of the others."""
    return first_of(list(dict.fromkeys(filter(None, names))), most)


def coded(text: str) -> Any:
    """Return a line as a sentence, with options in it, such as --masters, marked as what is typed.

    All else is escaped.

    Examples
    --------
    >>> str(coded("no flat <i>; --masters DIR has +- 1"))
    'No flat &lt;i&gt;; <code>--masters</code> DIR has ± 1.'
    >>> str(coded("dark_60s scaled."))
    'dark_60s scaled.'
    """
    from markupsafe import Markup, escape

    text = text.replace("+-", "±").strip()
    if _PLAIN.match(text):
        text = text[:1].upper() + text[1:]
    if text and text[-1] not in ".?!":
        text += "."
    return Markup(_OPTION.sub(lambda match: f"<code>{match[0]}</code>", str(escape(text))))
