"""The corrections that were made to the pixels of a file, by its cards and our own history.

One table answers whether the bias was subtracted from a dark, and whether a frame is calibrated.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from autowisp_xr.headers.cards import AnyHeader, value_of
from autowisp_xr.headers.lazy_header import LazyHeader
from autowisp_xr.headers.values import to_number
from autowisp_xr.own_tables import table_beside

STATUS = "CALSTAT"
"""Card of MaxIm DL: a letter for each correction, and others for what is none."""

NO = (
    *("false", "f", "no", "n", "none", "0", "omit", "omitted", "skip", "skipped", "perform"),
    *("unknown", "n/a"),
)
"""Values by which a correction was not made, or is unknown."""

_UNSTATED = ("unknown", "n/a")
MOST_LETTERS = 8
"""A longer status is no row of letters ("uncalibrated")."""


class Correction(NamedTuple):
    """Cards about one correction; ``corrections.toml`` explains each."""

    letter: str
    done: tuple[str, ...]
    level: str
    own: str
    file: str
    digest: str
    line: str


_TABLE = table_beside(__file__, "corrections")
CORRECTIONS: Mapping[str, Correction] = {
    kind: Correction(**row | {"done": tuple(row["done"])}) for kind, row in _TABLE.items()
}
"""The cards of each correction, by the kind of the master."""

# what other programs write into HISTORY when they have made one: "Bias Subtraction (...", "Dark
# corrected with ...", "Calibrated with a master bias", "ImageCalibration.masterDarkFileName: ..."
_MADE = re.compile(
    r"imagecalibration|calibrated (?:with|using|by)\b.*\b(?:bias|offset|dark|flat)"
    r"|\b(?:bias|dark|flat)(?:[ -]?(?:field|frame))?s? *(?:was |were |has been )?"
    r"(?:subtract|correct|divid|divis|remov)"
    r"|\b(?:subtract|divid|correct)\w*\b.*\b(?:bias|dark|flat)\b|^flat field \(",
    re.IGNORECASE,
)
_NOT_MADE = re.compile(
    r"\b(?:no|not|without|off|false|disabled|perform|none)\b|\bskip|\bomit|\bun-?(?:calib|corr)",
    re.IGNORECASE,
)

_OWN = ("calibrate", "stack")
"""Steps of this package that make a master; without a bias, they leave it in."""


class Statement(NamedTuple):
    """A statement whether a correction was made, and its source."""

    made: bool
    by: str
    """The source, such as "ZEROCOR = 'no'"."""


def stated_correction(header: AnyHeader, kind: str) -> Statement | None:
    """Return what the cards of a file state about a correction; None where they are silent.

    Parameters
    ----------
    header
        The header of the image.
    kind
        Kind of the master: "bias", "dark" or "flat".
    """
    cards = CORRECTIONS[kind]
    name = value_of(header, cards.own)
    if name is not None:
        return Statement(True, f"{cards.own} = {name!r}")
    status = value_of(header, STATUS)
    if status is not None:
        return Statement(kind in corrections_in(str(status)), f"{STATUS} = {status!r}")
    for card in cards.done:
        value = value_of(header, card)
        if value is not None and str(value).lower() not in _UNSTATED:
            return Statement(str(value).lower() not in NO, f"{card} = {value!r}")
    level = to_number(value_of(header, cards.level))
    if level == level:
        return Statement(level > 0, f"{cards.level} = {level:g}")
    for line in _history(header):
        if line.lower().startswith(cards.line):
            return Statement(line.lower().endswith("true"), f"HISTORY {line}")
    name = value_of(header, cards.file)
    if name is not None and str(name).lower() not in NO:
        return Statement(True, f"{cards.file} = {name!r}")
    return None


def stated_by_history(header: AnyHeader) -> str:
    """Return the first line of HISTORY by which another program made a correction; "" if none."""
    lines = (line for line in _history(header) if _MADE.search(line))
    return next((line for line in lines if not _NOT_MADE.search(line)), "")


def corrections_in(status: str) -> set[str]:
    """Return the corrections that a CALSTAT states, by letters or in words."""
    if len(status) > MOST_LETTERS:
        return {kind for kind in CORRECTIONS if kind in status.lower()}
    return {kind for kind, cards in CORRECTIONS.items() if cards.letter in status.upper()}


def stated_bias(header: AnyHeader, steps: Sequence[Mapping[str, Any]]) -> Statement | None:
    """Return whether the bias was subtracted from a master or from frames; None if unknown.

    Parameters
    ----------
    header
        The header of the image.
    steps
        Our own history of it, which is better than cards that were there before.
    """
    for step in steps:
        if "bias" in step.get("masters", {}):
            return Statement(True, f"its history ({step['verb']}) names a bias")
    stated = stated_correction(header, "bias")
    if stated is None and any(step.get("verb") in _OWN for step in steps):
        return Statement(False, "its history names no bias")
    return stated


def _history(header: AnyHeader) -> Iterable[str]:
    if isinstance(header, LazyHeader):
        return map(str.strip, header.lines_of("HISTORY"))
    return [str(line).strip() for line in header["HISTORY"]] if "HISTORY" in header else []
