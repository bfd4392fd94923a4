"""What headers call things: one table of aliases, which a user can extend.

Observatories do not agree on keywords, and less so on their values. ``aliases.toml`` beside this
module lists, for each thing that a frame set wants to know, the cards that may say it, best first,
and says what each list is; the readers in :mod:`autowisp_xr.headers` go through it by
:class:`~autowisp_xr.headers.values.Cards`. A new card is a word there, and nothing else.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from autowisp_xr.kinds import DEFAULT_TYPES, checked_types, type_key


@cache
def _usual() -> tuple[dict[str, tuple[str, ...]], dict[str, frozenset[str]]]:
    """Lists of cards, and sets of words, of the file."""
    with Path(__file__).with_name("aliases.toml").open("rb") as file:
        listed = tomllib.load(file)
    words = {name: frozenset(values) for name, values in listed.pop("words").items()}
    return {name: tuple(cards) for name, cards in listed.items()}, words


@dataclass(frozen=True, kw_only=True)
class KeywordAliases:
    """Names of the cards that may say each thing, best first; ``aliases.toml`` explains each.

    Examples
    --------
    A camera that calls its exposure IMG_SEC, and frames of a lamp flats:

    >>> mine = KeywordAliases().extended(exposure="IMG_SEC", image_types={"LED on": "flat"})
    >>> mine.cards["exposure"][0], mine.image_type_of("led on"), mine.image_type_of("Bias Frame")
    ('IMG_SEC', 'flat', 'bias')
    """

    cards: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _usual()[0])
    """Thing -> the cards that may say it."""

    words: Mapping[str, frozenset[str]] = field(default_factory=lambda: _usual()[1])
    """Words that are values, in small letters, by what they say."""

    image_types: Mapping[str, str] = field(default_factory=DEFAULT_TYPES.copy)
    """Values of cards -> bias, dark, flat, object or other; letter case, blanks and punctuation do
    not matter, and "master" may stand in front. "CARD=value" holds for this card only."""

    preferred: tuple[str, ...] = ()
    """Cards that resolve a contradiction: where one of these speaks, no other is asked. Filled by
    :meth:`extended`."""

    def extended(self, **more: Any) -> Self:
        """Make a table in which the given card names are tried first and resolve contradictions.

        Parameters
        ----------
        **more
            For any list of ``aliases.toml``, a card name or several (of words that are values,
            more of them); ``image_types`` takes {value: type}.

        Raises
        ------
        TypeError
            For something of which there is no list, naming those that there are.
        ValueError
            For an image type other than bias, dark, flat, object or other.
        """
        known = [*self.cards, *self.words, "image_types"]
        unknown = sorted(set(more) - set(known))
        if unknown:
            raise TypeError(f"no aliases of {', '.join(unknown)}; there are {', '.join(known)}")
        types = {**self.image_types, **checked_types(more.pop("image_types", {}))}
        cards, words, preferred = dict(self.cards), dict(self.words), self.preferred
        for name, given in more.items():
            listed = (given,) if isinstance(given, str) else tuple(given)
            if name in words:
                words[name] |= {str(word).strip().lower() for word in listed}
            else:
                keywords = [str(keyword).strip().upper() for keyword in listed]
                cards[name] = _united(keywords, cards[name])
                preferred = _united(keywords, preferred)
        return replace(self, cards=cards, words=words, image_types=types, preferred=preferred)

    def image_type_of(self, value: object, card: str = "") -> str | None:
        """Normalised type of the value of an image type card; None where it is not known."""
        key = type_key(str(value))
        for word in (f"{type_key(card)}{key}", key, key.removeprefix("master")):
            if word in self.image_types:
                return self.image_types[word]
        return None

    def among(self, keywords: Collection[str]) -> Self:
        """The same table without the cards that are not among the keywords of a header."""
        cards = {
            name: tuple(keyword for keyword in listed if keyword in keywords)
            for name, listed in self.cards.items()
        }
        preferred = tuple(keyword for keyword in self.preferred if keyword in keywords)
        return replace(self, cards=cards, preferred=preferred)


def _united(first: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *others)))
