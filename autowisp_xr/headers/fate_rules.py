"""The rules by which the cards of a header become those of a product, row by row of the table."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from astropy.io import fits

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import comment_of, value_of
from autowisp_xr.headers.fates import ROWS, SETTING, STEPS, TABLE, Row
from autowisp_xr.headers.readout import row_order
from autowisp_xr.headers.sections import parse_section
from autowisp_xr.headers.sensor_grid import PixelGrid
from autowisp_xr.headers.values import ELECTRONS, PER_ELECTRON, Cards, to_number, to_text

Values = Mapping[str, Any]
"""The true value for a product by the name of its row; None where no value is true. Cards of rows
that are not named stay as they are."""

_USUAL = KeywordAliases()

_ALIKE = 1e-3

_OF_PATTERN = ("bayer", "bayer_x_offset", "bayer_y_offset")


@dataclass(frozen=True, kw_only=True)
class StoredPixels:
    """The pixels of the raw frame that an image of a product holds."""

    height: int
    width: int
    grid: PixelGrid


def product_cards(
    header: fits.Header, steps: Sequence[str], facts: Values, pixels: StoredPixels
) -> None:
    """Make the cards of a header, in place, those of a product.

    Parameters
    ----------
    header
        Header of the raw frame, of a product, or the common one of several frames. Its cards that
        count pixels, those of the sky, count ``pixels`` already.
    steps
        Those of :data:`STEPS` that made the product.
    facts
        The true values for it.
    pixels
        The pixels that it holds.
    """
    for step in STEPS:
        if step not in steps:
            continue
        for row in TABLE:
            rule = RULES.get(getattr(row, step))
            if rule is not None:
                rule(header, row, facts, pixels)


def set_facts(header: fits.Header, facts: Values) -> None:
    """Write true values, in place, into all aliases that a header has of their rows."""
    for name in facts:
        _set(header, ROWS[name], facts)


def _set(header: fits.Header, row: Row, facts: Values, pixels: StoredPixels | None = None) -> None:
    _set_if_there(header, row, facts)
    _set_if_missing(header, row, facts)


def _set_if_there(
    header: fits.Header, row: Row, facts: Values, pixels: StoredPixels | None = None
) -> None:
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


def _set_if_missing(
    header: fits.Header, row: Row, facts: Values, pixels: StoredPixels | None = None
) -> None:
    value = facts.get(row.name)
    if value is not None and row.cards[0] not in header:
        header[row.cards[0]] = (value, row.comment)


def _remove(header: fits.Header, row: Row, facts: Values, pixels: StoredPixels) -> None:
    for card in row.among(header):
        header.remove(card, remove_all=True)


def _rename(header: fits.Header, row: Row, facts: Values, pixels: StoredPixels) -> None:
    """Give a gain setting its own keyword; a gain in electrons per ADU keeps its own as well."""
    (card,) = row.cards
    value = value_of(header, card)
    # what overflows cannot be written but as it stands
    if card not in header or (isinstance(value, float) and not math.isfinite(value)):
        return
    if SETTING not in header:
        header.insert(card, (SETTING, value, comment_of(header, card)))
    if not _counts_electrons(header, card):
        header.remove(card, remove_all=True)


def _counts_electrons(header: fits.Header, card: str) -> bool:
    """Return whether a gain is electrons per ADU, by its comment or by a card known to be."""
    comment = comment_of(header, card)
    if ELECTRONS.search(comment):
        return not PER_ELECTRON.search(comment)
    number = to_number(value_of(header, card))
    stated = Cards(header, _USUAL).values("electrons_per_adu_raw", "electrons_per_adu")
    others = (to_number(value) for _, value in stated)
    return any(abs(number - other) <= _ALIKE * abs(other) for other in others)


def _keep_inside(header: fits.Header, row: Row, facts: Values, pixels: StoredPixels) -> None:
    """Remove sections, unless they lie inside of pixels that are counted as the raw frame's."""
    size = pixels.height, pixels.width
    for card in row.among(header):
        section = parse_section(to_text(value_of(header, card)))
        inside = section is not None and section.within(*size).fits(*size)
        if not (pixels.grid == PixelGrid() and inside):
            header.remove(card, remove_all=True)


def _keep_on_pattern(header: fits.Header, row: Row, facts: Values, pixels: StoredPixels) -> None:
    """Write the pattern of a mosaic of channels; remove another, unless pixels start with it."""
    grid = pixels.grid
    if facts.get(row.name):
        _remove(header, row, facts, pixels)
        for name, value in zip(_OF_PATTERN, (facts[row.name], 0, 0), strict=True):
            header[_USUAL.cards[name][0]] = (value, row.comment if value else "")
        return
    starts_pattern = replace(grid, y=grid.y % 2, x=grid.x % 2) == PixelGrid()
    # counted from the last row, a pattern starts where the raw frame ends
    from_last = row_order(Cards(header, _USUAL)).startswith("BOTTOM")
    if from_last or not starts_pattern:
        _remove(header, row, facts, pixels)


RULES: Mapping[str, Callable[[fits.Header, Row, Values, StoredPixels], None]] = {
    "true value": _set,
    "true value if there": _set_if_there,
    "true value if missing": _set_if_missing,
    "removed": _remove,
    "renamed": _rename,
    "if inside": _keep_inside,
    "if on pattern": _keep_on_pattern,
}
"""The other fates of the table are met where pixels are moved, or headers merged."""
