"""What a file is that is no raw frame: a master, or calibrated already, and what says so."""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from astropy.io import fits

from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.processing import CORRECTIONS, NO, STATUS, corrections_in, history_said
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import to_number

__all__ = ["calibrated_reason", "master_reason", "processed_by"]

# NUMFCOMB is of AutoWISP and this package, NCOMBINE of IRAF and ccdproc, STACKCNT of Siril and the
# Seestar, SNAPSHOT of SBIG's extensions, which MaxIm DL and others write for single frames as well
_COUNTS = {"NUMFCOMB": 0, "NCOMBINE": 1, "STACKCNT": 1, "SNAPSHOT": 1}
# files that IRAF and BANZAI combined
_MEMBERS = ("IMCMB001", "IMCOM001")
# of BANZAI, and of the examples of ccdproc
_SWITCHES = ("ISMASTER", "COMBINED")
_YES = ("true", "t", "yes", "1")
# of ESO and NOIRLab
_MASTER_KINDS = ("ESO PRO CATG", "PROCTYPE")
_MASTER_CARDS = (*_COUNTS, *_MEMBERS, *_SWITCHES, *_MASTER_KINDS)

_PLANES = {"error": "errors", "mask": "flags"}
_PLACES = ("IMAGAREA", "CLRCHNL", "CHNLXOFF", "CHNLXSTP", "CHNLYOFF", "CHNLYSTP")
# of BANZAI: the level of a raw frame is 0, a step that was taken is 1
_LEVELS = ("RLEVEL", *(cards.level for cards in CORRECTIONS.values()))
_NOIRLAB = ("instcal", "resampled", "stacked", "skysub")
_STEPS = tuple(card for cards in CORRECTIONS.values() for card in cards.done)
# of programs that do not take frames, but process them, and how they call what they calibrated
_PROGRAMS = ("PROGRAM", "SOFTWARE", "SWCREATE", "SWMODIFY", "CREATOR")
_PROCESSING = re.compile(r"pixinsight|siril|astro ?pixel ?processor|deepskystacker", re.IGNORECASE)
_CALIBRATED_NAME = re.compile(
    r"^(?:(?:r|bkg|seq)_)*pp_|_(?:c|cal|calibrated)(?:_(?:cc|d|r|a|b|lps|e|n))*$", re.IGNORECASE
)
_CALIBRATED_CARDS = (*_PLACES, STATUS, *_LEVELS, *_MASTER_KINDS, *_STEPS)


def master_reason(
    header: fits.Header, spellings: Spellings, keywords: tuple[str, ...] | None = None
) -> str:
    """The card that makes a header that of a master, such as "NUMFCOMB = 5"; "" where none does.

    Parameters
    ----------
    header
        Of the image.
    spellings
        Whose image type cards may say "master".
    keywords
        All of the header, where they are at hand.
    """
    kinds = (*spellings.image_type, *_MASTER_KINDS)
    values = _values(header, (*_MASTER_CARDS, *kinds), keywords)
    for card, value in values.items():
        text = str(value).lower()
        if (
            (card in kinds and text.startswith("master"))
            or (card in _COUNTS and to_number(value) > _COUNTS[card])
            or card in _MEMBERS
            or (card in _SWITCHES and text in _YES)
        ):
            return f"{card} = {value!r}"
    return ""


def calibrated_reason(
    header: fits.Header,
    planes: Collection[str],
    keywords: tuple[str, ...] | None = None,
    *,
    name: str = "",
    floats: bool = False,
) -> str:
    """What makes a file one that is calibrated, such as "CALSTAT = 'BDF'"; "" where nothing does.

    Parameters
    ----------
    header
        Of the image.
    planes
        Of the file: "image", "error", "mask"; without a mask that other programs made.
    keywords
        All of the header, where they are at hand.
    name
        Of the file, without its suffix: Siril puts "pp_" before what it has calibrated, PixInsight
        "_c" behind. It counts only for floats, or where such a program names itself.
    floats
        Whether the pixels are stored so.
    """
    for plane in _PLANES:
        if plane in planes:
            return f"it has a plane of {_PLANES[plane]}"
    for card, value in _values(header, _CALIBRATED_CARDS, keywords).items():
        text = str(value).lower()
        if (
            card in _PLACES
            or (card == STATUS and corrections_in(text))
            or (card in _LEVELS and to_number(value) > 0)
            or (card == "PROCTYPE" and text in _NOIRLAB)
            or card == "ESO PRO CATG"
            or (card in _STEPS and text not in NO)
        ):
            return f"{card} = {value!r}"
    line = history_said(header)
    if line:
        return f"HISTORY {line}"
    match = _CALIBRATED_NAME.search(name)
    if match is not None and (floats or processed_by(header)):
        return (
            f"{match[0]!r} in its name, as programs call what they have calibrated, "
            f"{processed_by(header) or 'and floats'}"
        )
    return ""


def processed_by(header: fits.Header) -> str:
    """The card that names a program that processes frames, but takes none; "" where none does."""
    for card in _PROGRAMS:
        value = value_of(header, card)
        if value is not None and _PROCESSING.search(str(value)):
            return f"{card} = {value!r}"
    return ""


def _values(
    header: fits.Header, cards: tuple[str, ...], keywords: tuple[str, ...] | None
) -> dict[str, Any]:
    """Values of those of the cards that are there, in the order of the header."""
    present = _common(tuple(header) if keywords is None else keywords, cards)
    found = {card: value_of(header, card) for card in present}
    return {card: value for card, value in found.items() if value is not None}


# the headers of a night have few different sets of keywords
@lru_cache(maxsize=64)
def _common(keywords: tuple[str, ...], cards: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(keyword for keyword in keywords if keyword in cards)
