"""Guess what a file holds that cannot be read, so that the missing lights can be counted."""

from contextlib import suppress

from autowisp_xr.errors import HeaderError
from autowisp_xr.fits.unpacking import UNREADABLE, opened
from autowisp_xr.frames.evidence import evidence_of, named_type
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.frames.type_rules import type_rules
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import AnyHeader, parse_header
from autowisp_xr.headers.values import Cards

_CARD = 80
_BEGINNING = 48 * 2880
"""Bytes in which the cards of an image are looked for."""


def likely_type(record: FileRecord) -> str:
    """Return the type of the frame in a file: bias, dark, flat, object, other; "" if unknown.

    Where a file cannot be read, cards at its beginning may give it, or its name.
    """
    aliases = record.options.get("aliases") or KeywordAliases()
    rules = type_rules(record.options.get("types"), aliases)
    kind = str(record.coordinates.get("image_type", "other"))
    if kind != "other":
        return kind
    header: AnyHeader = record.header
    if not record.layout.planes:
        header = parse_header(_type_cards(record.path, aliases))
    try:
        evidence = evidence_of(record.path, Cards(header, aliases), rules)
    except HeaderError:
        named = named_type(record.path)
        return named.kind if named else ""
    return evidence.kind if evidence.rule or evidence.card or evidence.name else ""


def _type_cards(path: str, aliases: KeywordAliases) -> str:
    """Return the cards of a type, a line each, of a file that may be cut off or garbled."""
    start = b""
    with suppress(*UNREADABLE), opened(path) as file:
        while len(start) < _BEGINNING and (block := file.read(2880)):
            start += block
    cards = (start[i : i + _CARD] for i in range(0, len(start), _CARD))
    texts = (card.decode("ascii", "replace") for card in cards)
    return "\n".join(
        text
        for text in texts
        if text[8:9] == "=" and text[:8].rstrip() in aliases.cards["image_type"]
    )
