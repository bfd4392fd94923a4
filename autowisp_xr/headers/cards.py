"""FITS headers as text, the form in which they travel with a Dataset, and access to their cards.

The coordinate ``header`` holds the cards of a header, one a line. Text survives Zarr and netCDF; a
dictionary would lose COMMENT, HISTORY and repeated keywords.
"""

import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from autowisp_xr.errors import HeaderError

if TYPE_CHECKING:
    from autowisp_xr.headers.lazy_header import LazyHeader

AnyHeader: TypeAlias = "fits.Header | LazyHeader"
"""A header that is only read."""

STRUCTURAL = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|INHERIT|PCOUNT|GCOUNT|GROUPS|BLOCKED|BZERO|BSCALE|BLANK"
    r"|CHECKSUM|DATASUM|TFIELDS|THEAP|(TTYPE|TFORM)\d+|ZIMAGE|ZCMPTYPE|ZMASKCMP|ZQUANTIZ|ZDITHER0"
    r"|ZBITPIX|ZNAXIS\d*|ZSIMPLE|ZTENSION|ZEXTEND|ZBLOCKED|ZPCOUNT|ZGCOUNT|ZHECKSUM|ZDATASUM|ZBLANK"
    r"|ZSCALE|ZZERO|ZTHEAP|(ZTILE|ZNAME|ZVAL)\d+|END"
)
"""Keywords that describe how a file stores an image, not the image."""

WORLD = (
    r"WCS(?:AXES|NAME|DIM)[A-Z]?|(?:CTYPE|CRPIX|CRVAL|CUNIT|CDELT|CROTA)\d[A-Z]?"
    r"|(?:CD|PC|PV)\d+_\d+[A-Z]?|(?:LON|LAT)POLE[A-Z]?"
)
"""Keywords of world coordinates, as a regular expression."""

_SKY = re.compile(rf"{WORLD}|[AB]P?_(ORDER|DMAX|\d_\d)|PLTSOLVD")

_LINE = 72
"""Length of a COMMENT, in characters."""

# the one use of text such as 'AXIS.1: 2' that the standard knows
_DISTORTION = re.compile(r"D[PQ]\d+[A-Z]?|D2IM\w*")


def ascii_text(text: str) -> str:
    """Return a text as a card can hold it: what is no printable ASCII becomes "_"."""
    return "".join(c if c.isascii() and c.isprintable() else "_" for c in text)


def parse_header(text: str) -> fits.Header:
    """Return the header of a text that :func:`render_header` has made.

    A value such as 'WHEEL: 3', which astropy takes for a field and its number, stays a text.
    """
    with without_remarks():
        header = fits.Header.fromstring(text, sep="\n")
        if any("." in keyword for keyword in header):
            header = fits.Header([_as_text(card) for card in header.cards])
        return header


def render_header(header: fits.Header) -> str:
    """Return all cards of a header, one a line, exactly as they are."""
    with without_remarks():
        return header.tostring(sep="\n", endcard=False, padding=False)


def set_cards(header: fits.Header, given: Mapping[str, Any] | None) -> None:
    """Add or replace cards, each given as a value or (value, comment); text becomes ASCII.

    Raises
    ------
    HeaderError
        For a keyword of :data:`STRUCTURAL`; such cards of a whole header are left out. For what no
        card can hold.
    """
    if isinstance(given, fits.Header):
        cards = [card for card in given.cards if not STRUCTURAL.fullmatch(card.keyword)]
        given = {card.keyword: (card.value, card.comment) for card in cards if card.keyword}
    with without_remarks():
        for keyword, entry in (given or {}).items():
            if STRUCTURAL.fullmatch(keyword.strip().upper()):
                raise HeaderError(f"{keyword} states how pixels are stored, and cannot be chosen")
            try:
                value, comment = entry if isinstance(entry, tuple) else (entry, "")
                value = ascii_text(value) if isinstance(value, str) else value
                if isinstance(value, str) and ": " in value:
                    with _without_records():
                        header[keyword] = (value, ascii_text(comment))
                else:
                    header[keyword] = (value, ascii_text(comment)) if comment else value
            except ValueError as error:
                raise HeaderError(
                    f"{keyword} = {entry!r} is no card of a header: {error}"
                ) from None


_COMMENTS = {
    "RAWFNAME": "Name of the raw file",
    "CLRCHNL": "Colour channel",
    "CHNLXOFF": "First column of the channel in a super-pixel",
    "CHNLXSTP": "Columns of a super-pixel",
    "CHNLYOFF": "First row of the channel in a super-pixel",
    "CHNLYSTP": "Rows of a super-pixel",
    "IMAGAREA": "Image region in raw frame",
    "CALBGAIN": "Electrons/ADU assumed during calib",
    "BUNIT": "Unit of the image",
}


def write_card(header: fits.Header, keyword: str, value: str | float | None) -> None:
    """Set a card with its own comment; text becomes ASCII."""
    value = ascii_text(value) if isinstance(value, str) else value
    header[keyword] = (value, _COMMENTS[keyword])


def _as_text(card: fits.Card) -> fits.Card:
    if card.field_specifier is None or _DISTORTION.fullmatch(card.rawkeyword):
        return card
    with _without_records():
        return fits.Card(card.rawkeyword, card.rawvalue, card.comment)


def _without_records() -> Any:
    """Stop astropy from reading fields and numbers into texts; it harms no other thread."""
    return fits.conf.set_temp("enable_record_valued_keyword_cards", False)


def value_of(header: AnyHeader, keyword: str | tuple[str, int]) -> Any:
    """Return the value of a card, or None where the card is absent, empty or cannot be read.

    Of a repeated card it is the value of the first, or of the one with the number given.
    """
    try:
        if isinstance(header, fits.Header):
            value = header.get(keyword)
        else:
            value = header.read(*((keyword,) if isinstance(keyword, str) else keyword)).value
    except (fits.VerifyError, ValueError):
        return None
    if value is None or isinstance(value, fits.card.Undefined):
        return None
    if isinstance(value, str):
        return value.strip() or None
    return value


def comment_of(header: AnyHeader, keyword: str | tuple[str, int]) -> str:
    """Return the comment of a card; "" where there is none, or the card cannot be read."""
    if not isinstance(header, fits.Header):
        return header.read(*((keyword,) if isinstance(keyword, str) else keyword)).comment
    try:
        return str(header.comments[keyword])
    except (KeyError, fits.VerifyError, ValueError):
        return ""


def first_value(header: AnyHeader, keywords: Iterable[str]) -> Any:
    """Return the value of the first of the keywords that has one, else None."""
    values = (value_of(header, keyword) for keyword in keywords)
    return next((value for value in values if value is not None), None)


def add_doubts(header: fits.Header, doubts: str) -> None:
    """Add the doubts that are not in a header yet, one a line, as COMMENT cards.

    Long lines are broken between words, for a card loses the blanks at its end.
    """
    stated = " ".join(map(str, header["COMMENT"])) if "COMMENT" in header else ""
    for cards in _wrapped(doubts):
        if " ".join(cards) not in stated:
            for card in cards:
                header.add_comment(card)


def _wrapped(doubts: str) -> list[list[str]]:
    return [textwrap.wrap(ascii_text(line), _LINE) for line in doubts.split("\n") if line]


def has_doubts(comments: Sequence[str], doubts: str, before: str, word: str) -> bool:
    """Return whether COMMENT cards bear doubts, as :func:`add_doubts` adds them, and no others.

    Parameters
    ----------
    comments
        The lines of the cards.
    doubts
        One a line.
    before
        The text of the header to which they were added.
    word
        How each begins.
    """
    lines = list(map(" ".join, _wrapped(doubts)))
    beginnings = re.findall(f"^COMMENT {word}", before, re.MULTILINE)
    number = len(beginnings) + sum(one.startswith(word) for one in lines)
    stated = " ".join(comments)
    there = all(one in stated for one in lines)
    return there and number == sum(one.startswith(word) for one in comments)


def without_part_of_sky(merged: fits.Header, first: fits.Header) -> fits.Header:
    """Return a merged header, without the sky coordinates of its first unless they are complete.

    The part of them that frames share (CTYPE, CRPIX) would put every pixel somewhere wrong.
    """
    cards = [card for card in first if _SKY.fullmatch(card)]
    if all(card in merged for card in cards):
        return merged
    result = merged.copy()
    for card in cards:
        result.remove(card, ignore_missing=True, remove_all=True)
    return result


def common_header(headers: Iterable[fits.Header]) -> fits.Header:
    """Return the cards that all headers share with the same value, as the first words them.

    A keyword that another header lacks, or gives another value, is left out with all its
    repetitions; COMMENT and HISTORY are compared as whole blocks; blank cards are left out.
    """
    remaining = iter(headers)
    merged = next(remaining).copy()
    merged.remove("", ignore_missing=True, remove_all=True)
    for header in remaining:
        for keyword in dict.fromkeys(merged.keys()):
            if keyword in ("COMMENT", "HISTORY"):
                same = list(merged[keyword]) == list(header.get(keyword, []))
            else:
                same = keyword in header and value_of(merged, keyword) == value_of(header, keyword)
            if not same:
                merged.remove(keyword, remove_all=True)
    return merged


@contextmanager
def without_remarks() -> Iterator[None]:
    """Silence the warnings of astropy about the form of cards that others wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        yield
