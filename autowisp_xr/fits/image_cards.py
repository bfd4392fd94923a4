"""Cards of an image in a file: its own, those that it inherits from the primary HDU, our history.

Our history is JSON text in HISTORY cards with a prefix of their own.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from autowisp_xr.fits.units import UNNAMED_TILES, Unit, text_of_value
from autowisp_xr.headers.cards import STRUCTURAL

PREFIX = "AWXR "
"""Begins the value of each HISTORY card of ours."""

# each card closes with a bar: FITS drops blanks at the end of a card, and JSON has blanks
_END = "|"
_LENGTH = 72 - len(PREFIX) - len(_END)
_OURS = re.compile(rf"HISTORY {PREFIX}(.*){re.escape(_END)}\s*")

_TABLE_ONLY = re.compile(
    r"XTENSION|BITPIX|NAXIS[12]?|PCOUNT|GCOUNT|THEAP|TFIELDS|CHECKSUM|DATASUM"
    r"|(TTYPE|TFORM|TUNIT|TNULL|TSCAL|TZERO|TDISP|TDIM)\d+"
    r"|ZIMAGE|ZCMPTYPE|ZMASKCMP|ZQUANTIZ|ZDITHER0|ZTHEAP|ZBLANK|ZSCALE|ZZERO|(ZTILE|ZNAME|ZVAL)\d+"
)
# what a compressed image states of the image, whose own cards have no Z before them
_OF_THE_IMAGE = re.compile(
    r"Z(SIMPLE|TENSION|EXTEND|BLOCKED|PCOUNT|GCOUNT|BITPIX|NAXIS\d*|HECKSUM|DATASUM)"
)
_SPELT_OTHERWISE = {"TENSION": "XTENSION", "HECKSUM": "CHECKSUM"}
# of the primary HDU, what states nothing of the frame; and where it has pixels, what is about them
_NOT_INHERITED = re.compile(r"EXTNAME|EXTVER|EXTLEVEL|NEXTEND|NUM_EXT|NEXT")
# that every file has
_ABOUT_FITS = re.compile(
    r"COMMENT +(FITS \(Flexible Image Transport System\)|and Astrophysics', volume 376, page 359)"
)
_OF_PIXELS = re.compile(
    r"(CTYPE|CRPIX|CRVAL|CUNIT|CDELT|CROTA|LTV)\d[A-Z]?|(CD|PC|PV|LTM)\d+_\d+[A-Z]?"
    r"|WCSAXES[A-Z]?|(DATA|BIAS|TRIM|CCD|DET|AMP)SEC|DATAM(IN|AX)|BUNIT"
)


def history_cards(text: str) -> list[str]:
    """Return values of HISTORY cards that hold a text (printable ASCII), in order.

    Examples
    --------
    >>> history_cards('[{"verb": "trim"}]')
    ['AWXR [{"verb": "trim"}]|']
    """
    return [
        f"{PREFIX}{text[start : start + _LENGTH]}{_END}" for start in range(0, len(text), _LENGTH)
    ]


def split_history(cards: Iterable[str]) -> tuple[list[str], str]:
    """Split cards (80 characters each) into those without our history, and its text."""
    rest: list[str] = []
    parts: list[str] = []
    for card in cards:
        match = _OURS.fullmatch(card)
        if match is None:
            rest.append(card)
        else:
            parts.append(match[1])
    return rest, "".join(parts)


def cards_of(units: Sequence[Unit], image: Unit, *, inherit: bool = True) -> list[str]:
    """Return the cards of an image, each of 80 characters.

    Parameters
    ----------
    units
        All of the file, the primary first.
    image
        One of them. Where it is an extension, and does not have INHERIT = F, there follow the cards
        of the primary HDU whose keywords it does not have itself, or has without a value; of
        COMMENT and HISTORY, those that it does not repeat.
    inherit
        Whether those of the primary HDU are asked for.
    """
    cards = _image_cards(image)
    if not inherit or image.index == 0 or image.values.get("INHERIT") == "F":
        return cards
    below = split_history(_inherited(units[0], image, cards))[0]
    filled = {_name(card) for card in below if card[8] == "="}
    return [*(card for card in cards if card[8] != "=" or _name(card) not in filled), *below]


def _inherited(primary: Unit, image: Unit, own: Sequence[str]) -> Iterator[str]:
    # a card that states nothing, as OBJECT = '' does, hides nothing
    empty = {name for name, value in image.values.items() if not value and primary.values.get(name)}
    names = {_name(card) for card in own} - empty
    texts = {card.rstrip() for card in own}
    goes_on = False
    for card in primary.cards:
        name = _name(card)
        if name == "CONTINUE":
            pass  # as with the card before
        elif name in ("COMMENT", "HISTORY"):
            goes_on = card.rstrip() not in texts and not _ABOUT_FITS.match(card)
        else:
            goes_on = not (
                name in names
                or not name
                or STRUCTURAL.fullmatch(name)
                or _NOT_INHERITED.fullmatch(name)
                or (primary.is_image and _OF_PIXELS.fullmatch(name))
            )
        if goes_on:
            yield card


def _name(card: str) -> str:
    name = card[:8].rstrip()
    return card.partition("=")[0].rstrip() if name == "HIERARCH" else name


def _image_cards(unit: Unit) -> list[str]:
    """Return the cards of the image as they were before it was compressed."""
    if not unit.is_tiles:
        return unit.cards
    cards = []
    for card in unit.cards:
        keyword = card[:8].rstrip()
        unnamed = keyword == "EXTNAME" and text_of_value(card[9:]) == UNNAMED_TILES
        if unnamed or _TABLE_ONLY.fullmatch(keyword):
            continue
        match = _OF_THE_IMAGE.fullmatch(keyword)
        if match is None:
            cards.append(card)
        else:
            cards.append(f"{_SPELT_OTHERWISE.get(match[1], match[1]):<8}{card[8:]}")
    return cards
