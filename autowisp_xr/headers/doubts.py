"""What is doubtful about a product, in its header."""

import textwrap

from astropy.io import fits

from autowisp_xr.headers.cards import ascii_text

__all__ = ["add_doubts"]

_WIDTH = 72


def add_doubts(header: fits.Header, doubts: str) -> None:
    """Add each line that is not in the header yet, in as many COMMENT cards as it takes.

    Lines are broken between words: a card loses the blanks at its end.
    """
    said = " ".join(map(str, header["COMMENT"])) if "COMMENT" in header else ""
    for line in filter(None, doubts.split("\n")):
        cards = textwrap.wrap(ascii_text(line), _WIDTH)
        if " ".join(cards) not in said:
            for card in cards:
                header.add_comment(card)
