"""Recognition of masters and of calibrated files among raw frames, each with a reason."""

import re
from collections.abc import Callable, Collection
from functools import lru_cache

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import AnyHeader, value_of
from autowisp_xr.headers.fates import ROWS
from autowisp_xr.headers.processing import (
    CORRECTIONS,
    NO,
    STATUS,
    corrections_in,
    stated_by_history,
)
from autowisp_xr.headers.values import to_number

_Tests = dict[str, Callable[[object], bool]]
"""Cards, each with a test of its value."""


def _above(limit: float) -> Callable[[object], bool]:
    return lambda value: to_number(value) > limit


def _among(words: Collection[str]) -> Callable[[object], bool]:
    return lambda value: str(value).lower() in words


def _anything(value: object) -> bool:
    return True


def _master_first(value: object) -> bool:
    return str(value).lower().startswith("master")


_MASTER: _Tests = {
    # of AutoWISP and this package; of IRAF and ccdproc; of Siril and the Seestar; and of SBIG's
    # extensions, which MaxIm DL and others write for single frames as well
    **{"NUMFCOMB": _above(0), "NCOMBINE": _above(1), "STACKCNT": _above(1), "SNAPSHOT": _above(1)},
    # files that IRAF and BANZAI combined
    **{"IMCMB001": _anything, "IMCOM001": _anything},
    # of BANZAI, and of the examples of ccdproc
    **dict.fromkeys(("ISMASTER", "COMBINED"), _among(("true", "t", "yes", "1"))),
    # of ESO and NOIRLab
    **dict.fromkeys(("ESO PRO CATG", "PROCTYPE"), _master_first),
}

_CALIBRATED: _Tests = {
    **dict.fromkeys(ROWS["place"].cards, _anything),
    STATUS: lambda value: bool(corrections_in(str(value).lower())),
    # of BANZAI: the level of a raw frame is 0, a step that was taken is 1
    **dict.fromkeys(("RLEVEL", *(cards.level for cards in CORRECTIONS.values())), _above(0)),
    "PROCTYPE": _among(("instcal", "resampled", "stacked", "skysub")),
    "ESO PRO CATG": _anything,
    **{
        card: lambda value: str(value).lower() not in NO
        for cards in CORRECTIONS.values()
        for card in cards.done
    },
}

_PLANES = {"error": "errors", "mask": "flags"}
# of programs that do not take frames, but process them, and how they call what they calibrated
_PROGRAMS = ("PROGRAM", "SOFTWARE", "SWCREATE", "SWMODIFY", "CREATOR")
_PROCESSING = re.compile(r"pixinsight|siril|astro ?pixel ?processor|deepskystacker", re.IGNORECASE)
_CALIBRATED_NAME = re.compile(
    r"^(?:(?:r|bkg|seq)_)*pp_|_(?:c|cal|calibrated)(?:_(?:cc|d|r|a|b|lps|e|n))*$", re.IGNORECASE
)


def master_reason(
    header: AnyHeader, aliases: KeywordAliases, keywords: tuple[str, ...] | None = None
) -> str:
    """Return the card that marks a header as that of a master, such as "NUMFCOMB = 5"; else "".

    Parameters
    ----------
    header
        The header of the image.
    aliases
        The table of aliases, whose image type cards may state "master".
    keywords
        All keywords of the header, where they are at hand.
    """
    tests = dict.fromkeys(aliases.cards["image_type"], _master_first) | _MASTER
    return _reason(header, tests, keywords)


def calibrated_reason(
    header: AnyHeader,
    planes: Collection[str],
    keywords: tuple[str, ...] | None = None,
    *,
    name: str = "",
    floats: bool = False,
) -> str:
    """Return what marks a file as calibrated, such as "CALSTAT = 'BDF'"; "" where nothing does.

    Parameters
    ----------
    header
        The header of the image.
    planes
        Planes of the file: "image", "error", "mask"; without a mask that other programs made.
    keywords
        All keywords of the header, where they are at hand.
    name
        Name of the file without its suffix: Siril puts "pp_" before what it has calibrated,
        PixInsight "_c" behind. It counts only for floats, or where such a program names itself.
    floats
        Whether the pixels are stored as floats.
    """
    for plane, content in _PLANES.items():
        if plane in planes:
            return f"it has a plane of {content}"
    if reason := _reason(header, _CALIBRATED, keywords):
        return reason
    if line := stated_by_history(header):
        return f"HISTORY {line}"
    match = _CALIBRATED_NAME.search(name)
    program = match and processed_by(header)
    if match is None or not (floats or program):
        return ""
    mark = f"{match[0]!r} in its name, as programs call what they have calibrated"
    return f"{mark}, {program or 'and floats'}"


def processed_by(header: AnyHeader) -> str:
    """Return the card that names a program which processes frames, but takes none; else ""."""
    for card in _PROGRAMS:
        value = value_of(header, card)
        if value is not None and _PROCESSING.search(str(value)):
            return f"{card} = {value!r}"
    return ""


def _reason(header: AnyHeader, tests: _Tests, keywords: tuple[str, ...] | None) -> str:
    """Return the first card of a header, in its order, that passes its test; "" for none."""
    for card in _common(tuple(header) if keywords is None else keywords, tuple(tests)):
        value = value_of(header, card)
        if value is not None and tests[card](value):
            return f"{card} = {value!r}"
    return ""


# the headers of a night have few different sets of keywords
@lru_cache(maxsize=64)
def _common(keywords: tuple[str, ...], cards: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(keyword for keyword in keywords if keyword in cards)
