"""Which filter a frame was taken through, of all wheels together."""

import re
from collections.abc import Iterable

from astropy.io import fits

from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import known_values, to_number, to_text

__all__ = ["filter_name"]

_WORDS = re.compile(r"[a-z0-9]+")
_NOT_LETTERS = re.compile(r"[^a-z]+")
_MOST_SLOTS = 24


def filter_name(header: fits.Header, spellings: Spellings) -> str:
    """Name of the filter, such as "Bessel R"; of filters in several wheels, "R+Ha"; "" for none.

    An empty slot counts only where no wheel holds a filter, and so does the number of a slot where
    a name stands beside it. Of names that say the same (FILTER, and the wheel it is in), the first
    stands. A card that the user prefers is the only one that is asked.
    """
    cards = (*spellings.filter, *spellings.filter_wheels)
    for _, value in known_values(header, [name for name in cards if name in spellings.preferred]):
        return to_text(value)
    alone = [to_text(value) for _, value in known_values(header, spellings.filter)]
    wheels = [to_text(value) for _, value in known_values(header, spellings.filter_wheels)]
    filters = [name for name in alone if not _is_empty(name, spellings.empty_slots)][:1]
    filters += [name for name in wheels if not _is_empty(name, spellings.empty_slots)]
    named = [name for name in filters if not 0 <= to_number(name) <= _MOST_SLOTS]
    return "+".join(_different(named or filters or [*alone, *wheels][:1]))


def _is_empty(name: str, empty_slots: Iterable[str]) -> bool:
    return _NOT_LETTERS.sub("", name.lower()) in empty_slots


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
