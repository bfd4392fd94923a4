"""The table of keyword aliases, by which headers are read and which a user can extend.

Observatories do not agree on keywords, and less so on their values. ``aliases.toml`` beside this
module lists, for each quantity that is read from a header, the cards that may give it, best first,
and explains each list; the readers in :mod:`autowisp_xr.headers` look cards up in it by
:class:`~autowisp_xr.headers.values.Cards`. A new keyword is a word there, and nothing else.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Self

from autowisp_xr.kinds import DEFAULT_TYPES, checked_types, type_key
from autowisp_xr.own_tables import table_beside


@cache
def _usual() -> tuple[dict[str, tuple[str, ...]], dict[str, frozenset[str]]]:
    """Return the lists of cards and the sets of words of the file."""
    listed = table_beside(__file__)
    words = {name: frozenset(values) for name, values in listed.pop("words").items()}
    return {name: tuple(cards) for name, cards in listed.items()}, words


@dataclass(frozen=True, kw_only=True)
class KeywordAliases:
    """The cards that may give each quantity, best first; ``aliases.toml`` explains each list.

    Examples
    --------
    A camera that calls its exposure IMG_SEC, and frames of a lamp flats:

    >>> mine = KeywordAliases().extended(exposure="IMG_SEC", image_types={"LED on": "flat"})
    >>> mine.cards["exposure"][0], mine.image_type_of("led on"), mine.image_type_of("Bias Frame")
    ('IMG_SEC', 'flat', 'bias')
    """

    cards: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _usual()[0])
    """The cards that may give each quantity, by its name."""

    words: Mapping[str, frozenset[str]] = field(default_factory=lambda: _usual()[1])
    """Words that occur as values, in small letters, by their meaning."""

    image_types: Mapping[str, str] = field(default_factory=DEFAULT_TYPES.copy)
    """The type (bias, dark, darkflat, flat, object or other) that each value of a card stands for;
    letter case, blanks and punctuation do not matter, "master" may stand in front, and an "s"
    behind. "CARD=value" holds for this card only."""

    preferred: tuple[str, ...] = ()
    """Cards that resolve a contradiction: where one of these has a value, no other is read. Filled
    by :meth:`extended`."""

    def extended(self, **more: Any) -> Self:
        """Return a table in which the given cards are tried first and resolve contradictions.

        Parameters
        ----------
        **more
            For any list of ``aliases.toml``, a card name or several (of words that are values,
            more of them); ``image_types`` takes {value: type}.

        Raises
        ------
        TypeError
            For a name that is no list of the table; the message names those that are.
        ValueError
            For an image type other than bias, dark, darkflat, flat, object or other.
        """
        known = [*self.cards, *self.words, "image_types"]
        unknown = sorted(set(more) - set(known))
        if unknown:
            raise TypeError(f"no aliases of {', '.join(unknown)}; there are {', '.join(known)}")
        types = {**self.image_types, **checked_types(more.pop("image_types", {}))}
        cards, words, preferred = dict(self.cards), dict(self.words), self.preferred
        for name, given in more.items():
            many = given if isinstance(given, list | tuple | set | frozenset) else (given,)
            if not all(isinstance(one, str) and one.strip() for one in many):
                raise ValueError(f"aliases of {name} are a text or several, not {given!r}")
            listed = [one.strip() for one in many]
            if name in words:
                words[name] |= {word.lower() for word in listed}
            else:
                keywords = [keyword.upper() for keyword in listed]
                cards[name] = tuple(dict.fromkeys((*keywords, *cards[name])))
                preferred = tuple(dict.fromkeys((*keywords, *preferred)))
        return replace(self, cards=cards, words=words, image_types=types, preferred=preferred)

    def image_type_of(self, value: object, card: str = "") -> str | None:
        """Return the type that a value of an image type card stands for; None if unknown."""
        key = type_key(str(value))
        plain = key.removeprefix("master")
        for word in (f"{type_key(card)}{key}", key, plain, plain.removesuffix("s")):
            if word in self.image_types:
                return self.image_types[word]
        return None

    def among(self, keywords: Collection[str]) -> Self:
        """Return the table without the cards that are not among the keywords of a header."""
        cards = {
            name: tuple(keyword for keyword in listed if keyword in keywords)
            for name, listed in self.cards.items()
        }
        preferred = tuple(keyword for keyword in self.preferred if keyword in keywords)
        return replace(self, cards=cards, preferred=preferred)
