"""A header whose cards are read when they are asked for: most of a night's cards never are.

Decision: astropy parses a header of 40 cards in 0.2 ms, and needs 0.05 ms more for the value of
each, mostly to look up its own configuration. Here a card is found by its place in the text, and a
value of one of the usual forms is read in 2 microseconds. What is of any other form (HIERARCH,
CONTINUE, numbers with blanks, damaged cards) is left to astropy, by the card or by the header.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from astropy.io import fits

from autowisp_xr.headers.cards import comment_of, parse_header, value_of

_LINE = 81
"""Length of a card and the end of its line."""

_COMMENTARY = ("COMMENT", "HISTORY", "")
_PLAIN = re.compile(r"(?!D[PQ]\d|D2IM)[A-Z0-9_-]+ *= |(COMMENT|HISTORY|       ) .*")
_VALUE = re.compile(
    r" *(?:'(?P<text>[^']*)'|(?P<whole>[+-]?\d+)|(?P<real>[+-]?\d+\.\d*(?:E[+-]?\d+)?)"
    r"|(?P<truth>[TF])|) *(?:/ *(?P<comment>.*))?"
)


class Read(NamedTuple):
    """The value of a card, None where it has none or cannot be read, and its comment."""

    value: Any
    comment: str


class LazyHeader:
    """Cards of a header, one a line, of which each is read when it is asked for."""

    __slots__ = ("_found", "text")

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._found: Mapping[str, tuple[int, ...]] | None = None

    def __reduce__(self) -> tuple[type["LazyHeader"], tuple[str]]:
        return type(self), (self.text,)

    def __repr__(self) -> str:
        return f"<LazyHeader of {len(self.keywords)} cards>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyHeader) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __iter__(self) -> Iterator[str]:
        """Yield the keyword of each card."""
        return iter(self.keywords)

    def __contains__(self, keyword: object) -> bool:
        plain = self._places()
        return str(keyword).upper() in plain if plain else keyword in _whole(self.text)

    @property
    def keywords(self) -> tuple[str, ...]:
        """The keywords of all cards, in their order; headers that are alike share them."""
        return _keywords(self._prefixes()) if self._places() else tuple(_whole(self.text))

    @property
    def is_plain(self) -> bool:
        """True of a header whose cards are found by their places, without astropy."""
        return bool(self._places())

    def places_of(self, keywords: Iterable[str]) -> list[tuple[int, int]]:
        """Return where in the text of a plain header the cards of some keywords begin and end."""
        places = self._places()
        starts = sorted(at for keyword in keywords for at in places.get(keyword, ()))
        return [(at, at + _LINE - 1) for at in starts]

    def read(self, keyword: str, number: int = 0) -> Read:
        """Return what a card states, of a repeated one that of the number."""
        plain = self._places()
        if not plain:
            return _read_by_astropy(_whole(self.text), (keyword, number))
        if keyword in _COMMENTARY:
            return Read("\n".join(self.lines_of(keyword)) or None, "")
        at = plain.get(keyword.upper(), ())[number : number + 1]
        return _read(self.text[at[0] : at[0] + _LINE - 1]) if at else Read(None, "")

    def lines_of(self, keyword: str) -> list[str]:
        """Return the texts of all cards of COMMENT or HISTORY."""
        plain = self._places()
        if not plain:
            header = _whole(self.text)
            return [str(line) for line in header[keyword]] if keyword in header else []
        return [self.text[at + 8 : at + _LINE - 1].rstrip() for at in plain.get(keyword, ())]

    def parsed(self) -> fits.Header:
        """Return the header as astropy has it, a new one each time."""
        return parse_header(self.text)

    def _places(self) -> Mapping[str, tuple[int, ...]]:
        """Return where the cards of each keyword begin; nothing where astropy has to read them."""
        if self._found is None:
            ends = self.text[_LINE - 1 :: _LINE]
            even = len(self.text) % _LINE == _LINE - 1 and ends == "\n" * self.text.count("\n")
            self._found = _places(self._prefixes()) if even else {}
        return self._found

    def _prefixes(self) -> tuple[str, ...]:
        return tuple([self.text[at : at + 10] for at in range(0, len(self.text), _LINE)])


# the headers of a night have few different sets of keywords
@lru_cache(maxsize=256)
def _places(prefixes: tuple[str, ...]) -> Mapping[str, tuple[int, ...]]:
    """Return where the cards of each keyword begin; nothing for a header that is not plain."""
    if not all(map(_PLAIN.fullmatch, prefixes)):
        return {}
    found: dict[str, tuple[int, ...]] = {}
    for number, keyword in enumerate(_keywords(prefixes)):
        found[keyword] = (*found.get(keyword, ()), number * _LINE)
    return found


@lru_cache(maxsize=256)
def _keywords(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(prefix[:8].rstrip() for prefix in prefixes)


@lru_cache(maxsize=64)
def _whole(text: str) -> fits.Header:
    with warnings.catch_warnings():
        # remarks on the form of other people's cards: nobody can act upon them
        warnings.simplefilter("ignore")
        header = parse_header(text)
        for card in header.cards:
            with suppress(fits.VerifyError, ValueError):
                _ = card.value, card.comment
    return header


def _read(image: str) -> Read:
    """Read the card of a plain header."""
    match = _VALUE.fullmatch(image, 10)
    if match is None:
        return _read_by_astropy(_whole(image), (image[:8].rstrip(), 0))
    text, whole, real, truth, comment = match.groups()
    value: Any = text
    if whole is not None:
        value = int(whole)
    elif real is not None:
        value = float(real)
    elif truth is not None:
        value = truth == "T"
    return Read(value, (comment or "").rstrip())


def _read_by_astropy(header: fits.Header, card: tuple[str, int]) -> Read:
    """Read a card of whatever form."""
    return Read(value_of(header, card), comment_of(header, card))
