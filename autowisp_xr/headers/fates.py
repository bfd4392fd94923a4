"""The table of what becomes of each card of a raw frame in the header of a product, ``fates.toml``.

Decision: a program that knows nothing of this package takes cards at face value, so each card is
true for the pixels beside it, or removed. Values of the raw frame by which frames are matched are
kept under keywords that nobody else reads (GAINSET, EGAINRAW). The classes of the original write
the cards that they document, and none of this applies to them.

In the table, "true value" writes the value of the product into every alias that is there, the first
of them in any case (or removes them all, where there is no such value); "agreed" keeps a card where
all frames have the same value.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

from astropy.io import fits

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.processing import CORRECTIONS
from autowisp_xr.own_tables import table_beside

STEPS = ("calibrating", "splitting", "stacking")
"""The steps that make a product: they change values, pixels, and the number of frames."""

SETTING, RAW_GAIN, EFFECTIVE = "GAINSET", "EGAINRAW", "EFFNCOMB"


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cards that share a fate."""

    name: str
    cards: tuple[str, ...]
    """Their keywords; the first is the one that is written."""
    more: str = ""
    """Further keywords, as a regular expression."""
    calibrating: str = "stays"
    splitting: str = "stays"
    stacking: str = "agreed"
    comment: str = ""
    """The comment of a card that is written."""
    why: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join((*map(re.escape, self.cards), *filter(None, [self.more]))))

    def among(self, header: fits.Header) -> list[str]:
        """Return the keywords of the row that a header has, each once."""
        return [card for card in dict.fromkeys(header) if card and self._pattern.fullmatch(card)]


def _rows() -> Iterator[Row]:
    table = table_beside(__file__)
    for entry in table["rows"]:
        what = entry.pop("correction", None)
        if what is None:
            yield _row(**entry)
            continue
        for kind, correction in CORRECTIONS.items():
            cards = getattr(correction, what)
            cards = (cards,) if isinstance(cards, str) else cards
            filled = {name: text.format(kind=kind) for name, text in entry.items()}
            yield Row(name=f"{kind}_{what}", cards=cards, **filled)


def _row(
    *,
    cards: Sequence[str] = (),
    aliases: Sequence[str] = (),
    hidden: Sequence[str] = (),
    without: Sequence[str] = (),
    more: str = "",
    **entry: str,
) -> Row:
    """Return the row of an entry, whose cards may be those of lists of aliases."""
    usual = KeywordAliases().cards
    named = [*(card for name in aliases for card in usual[name]), *cards]
    kept = tuple(card for card in dict.fromkeys(named) if card not in without)
    more = more or "|".join(card for name in hidden for card in usual[name])
    return Row(cards=kept, more=more, **entry)


TABLE: Sequence[Row] = tuple(_rows())
"""The fate of every card, in the order in which the rows are applied."""

ROWS: Mapping[str, Row] = {row.name: row for row in TABLE}
"""The same by their names."""


_WIDTHS = (24, 13, 13, 13, 33)
"""Of the columns of the table, as text."""


def _as_text() -> str:
    """Return the table as documentation shows it."""
    rule = " ".join("=" * width for width in _WIDTHS)
    lines = [rule, *_lines("cards", *STEPS, "why"), rule]
    for row in TABLE:
        fates = [getattr(row, step) for step in STEPS]
        lines += _lines(", ".join(dict.fromkeys(row.cards)), *fates, row.why)
    return "\n".join((*lines, rule))


def _lines(*texts: str) -> Iterator[str]:
    """Yield the lines of a row; one that begins with blanks goes on with the line above."""
    columns = [
        textwrap.wrap(text, width, break_on_hyphens=False)
        for text, width in zip(texts, _WIDTHS, strict=True)
    ]
    for cells in zip_longest(*columns, fillvalue=""):
        yield " ".join(map(str.ljust, cells, _WIDTHS)).rstrip()


__doc__ = f"{__doc__}\n{_as_text()}\n"
