"""Which filter a frame was taken through, of all wheels together."""

import re
from collections.abc import Iterable

from autowisp_xr.headers.values import Cards, to_number, to_text

_WORDS = re.compile(r"[a-z0-9]+")
_NOT_LETTERS = re.compile(r"[^a-z]+")
_MOST_SLOTS = 24


def filter_name(cards: Cards) -> str:
    """Name of the filter, such as "Bessel R"; of filters in several wheels, "R+Ha"; "" for none.

    An empty slot counts only where no wheel holds a filter, and so does the number of a slot where
    a name stands beside it. Of names that say the same (FILTER, and the wheel it is in), the first
    stands. A card that the user prefers is the only one that is asked.
    """
    for name, value in cards.values("filter", "filter_wheels"):
        if name in cards.aliases.preferred:
            return to_text(value)
    alone, wheels = (
        [to_text(value) for _, value in cards.values(thing)]
        for thing in ("filter", "filter_wheels")
    )
    empty = cards.aliases.words["empty_slots"]
    held_alone, held = (
        [name for name in names if _NOT_LETTERS.sub("", name.lower()) not in empty]
        for names in (alone, wheels)
    )
    filters = [*held_alone[:1], *held]
    named = [name for name in filters if not 0 <= to_number(name) <= _MOST_SLOTS]
    return "+".join(_different(named or filters or [*alone, *wheels][:1]))


def _different(names: Iterable[str]) -> list[str]:
    """Names each of which says something that those before it do not."""
    kept: list[str] = []
    words: set[str] = set()
    for name in names:
        own = set(_WORDS.findall(name.lower())) or {name}
        if not own <= words:
            kept.append(name)
            words |= own
    return kept
