"""What is done to the cards of a header, row by row of the table of fates."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from astropy.io import fits

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import comment_of, value_of
from autowisp_xr.headers.fates import ROWS, SETTING, STEPS, TABLE, Row
from autowisp_xr.headers.readout import row_order
from autowisp_xr.headers.sections import parse_section
from autowisp_xr.headers.values import Cards, to_number, to_text

Facts = Mapping[str, Any]
"""For names of rows the value that is true for a product; None where there is none that is true.
Rows that are not named stay as they are."""

_USUAL = KeywordAliases()

_ELECTRONS = re.compile(r"electron|\be-?\s*/|\be-", re.IGNORECASE)
_PER_ELECTRON = re.compile(r"/\s*(?:e\b|electron)|\bper\s+e(?:-|lectron)", re.IGNORECASE)
_ALIKE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Which pixels of the raw frame the plane of a product holds, as far as cards count them."""

    height: int
    width: int
    y: int
    x: int
    y_step: int
    x_step: int

    @property
    def at_corner(self) -> bool:
        """Whether its pixels are counted as those of the raw frame are."""
        return (self.y, self.x, self.y_step, self.x_step) == (0, 0, 1, 1)

    @property
    def on_pattern(self) -> bool:
        """Whether it starts with the first pixel of a pattern of 2 x 2 colours, unsplit."""
        return self.y % 2 == self.x % 2 == 0 and (self.y_step, self.x_step) == (1, 1)


def product_cards(header: fits.Header, steps: Sequence[str], facts: Facts, plane: Plane) -> None:
    """Make the cards of a header, in place, those of a product.

    Parameters
    ----------
    header
        Of the raw frame, of a product, or what those of several frames have in common. What counts
        pixels of the sky is moved already, and says the place of ``plane``.
    steps
        Those of :data:`STEPS` that made the product.
    facts
        What is true for it.
    plane
        Its pixels.
    """
    for step in STEPS:
        if step not in steps:
            continue
        for row in TABLE:
            rule = RULES.get(getattr(row, step))
            if rule is not None:
                rule(header, row, facts, plane)


def set_facts(header: fits.Header, facts: Facts) -> None:
    """Write what is true, in place, into all aliases that a header has of some rows."""
    for name in facts:
        _set(header, ROWS[name], facts)


def _set(header: fits.Header, row: Row, facts: Facts, plane: Plane | None = None) -> None:
    _set_if_there(header, row, facts)
    value = facts.get(row.name)
    if value is not None and row.cards[0] not in header:
        header[row.cards[0]] = (value, row.comment)


def _set_if_there(header: fits.Header, row: Row, facts: Facts, plane: Plane | None = None) -> None:
    if row.name not in facts:
        return
    value = facts[row.name]
    for card in row.among(header):
        first = header.index(card)
        if header.count(card) > 1 or value is None:
            header.remove(card, remove_all=True)
        if value is not None and card in header:
            header[card] = (value, row.comment)
        elif value is not None:
            header.insert(first, (card, value, row.comment))


def _remove(header: fits.Header, row: Row, facts: Facts, plane: Plane) -> None:
    for card in row.among(header):
        header.remove(card, remove_all=True)


def _rename(header: fits.Header, row: Row, facts: Facts, plane: Plane) -> None:
    """Give a setting its own name; where it is electrons per ADU, it stays beside that, too."""
    (card,) = row.cards
    if card not in header:
        return
    if SETTING not in header:
        header.insert(card, (SETTING, value_of(header, card), comment_of(header, card)))
    if not _counts_electrons(header, card):
        header.remove(card, remove_all=True)


def _counts_electrons(header: fits.Header, card: str) -> bool:
    """Whether a gain is electrons per ADU: its comment says so, or a card that is known to be."""
    comment = comment_of(header, card)
    if _ELECTRONS.search(comment):
        return not _PER_ELECTRON.search(comment)
    number = to_number(value_of(header, card))
    stated = Cards(header, _USUAL).values("electrons_per_adu_raw", "electrons_per_adu")
    others = (to_number(value) for _, value in stated)
    return any(abs(number - other) <= _ALIKE * abs(other) for other in others)


def _keep_inside(header: fits.Header, row: Row, facts: Facts, plane: Plane) -> None:
    """Leave sections that lie in a plane whose pixels are counted as those of the raw frame."""
    for card in row.among(header):
        section = parse_section(to_text(value_of(header, card)))
        inside = section is not None and section.within(plane.height, plane.width).fits(
            plane.height, plane.width
        )
        if not (plane.at_corner and inside):
            header.remove(card, remove_all=True)


def _keep_on_pattern(header: fits.Header, row: Row, facts: Facts, plane: Plane) -> None:
    # counted from the last row, a pattern starts where the raw frame ends
    from_last = row_order(Cards(header, _USUAL)).startswith("BOTTOM")
    if from_last or not plane.on_pattern:
        _remove(header, row, facts, plane)


RULES: Mapping[str, Callable[[fits.Header, Row, Facts, Plane], None]] = {
    "true": _set,
    "true if there": _set_if_there,
    "gone": _remove,
    "renamed": _rename,
    "if inside": _keep_inside,
    "if on pattern": _keep_on_pattern,
}
"""What other words of the table say is done where pixels are moved, or headers merged."""
