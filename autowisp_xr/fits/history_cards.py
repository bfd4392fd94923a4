"""Our history inside a FITS header: JSON text in HISTORY cards with a prefix of their own."""

import re
from collections.abc import Iterable

PREFIX = "AWXR "
"""Begins the value of each HISTORY card of ours."""

# each card closes with a bar: FITS drops blanks at the end of a card, and JSON has blanks
_END = "|"
_LENGTH = 72 - len(PREFIX) - len(_END)
_OURS = re.compile(rf"HISTORY {PREFIX}(.*){re.escape(_END)}\s*")


def history_cards(text: str) -> list[str]:
    """Values of the HISTORY cards that hold a text (printable ASCII), in order.

    Examples
    --------
    >>> history_cards('[{"verb": "trim"}]')
    ['AWXR [{"verb": "trim"}]|']
    """
    return [
        f"{PREFIX}{text[start : start + _LENGTH]}{_END}" for start in range(0, len(text), _LENGTH)
    ]


def split_history(cards: Iterable[str]) -> tuple[list[str], str]:
    """Card images (80 characters each) without our history, and the text of that history."""
    rest: list[str] = []
    parts: list[str] = []
    for card in cards:
        match = _OURS.fullmatch(card)
        if match is None:
            rest.append(card)
        else:
            parts.append(match[1])
    return rest, "".join(parts)
