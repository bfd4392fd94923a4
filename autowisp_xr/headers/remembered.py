"""What follows from headers, remembered by the cards from which it was read.

Decision: the frames of a night state the same of their camera in the same cards, and to read it in
each took two thirds of the time of a scan. What a function reads in a header follows from the cards
that it asks for; so these are noted, and where the next header of the same keywords has the same
text in all of them, the result is known. No list of what a function reads has to be kept.
"""

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, NamedTuple

from autowisp_xr.headers.lazy_header import LazyHeader, Read

_MOST_RESULTS = 1024
"""Results of a function for headers of the same keywords; those of a night have few."""

_MOST_ASKED = 8
"""Sets of cards that are compared: which a function asks for depends on what they state."""

_UNKNOWN = object()


class _Noting(LazyHeader):
    """A header that notes which cards are asked for."""

    __slots__ = ("asked",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.asked: set[str] = set()

    def read(self, keyword: str, number: int = 0) -> Read:
        self.asked.add(keyword.upper())
        return super().read(keyword, number)

    def lines_of(self, keyword: str) -> list[str]:
        self.asked.add(keyword)
        return super().lines_of(keyword)


class _Asked(NamedTuple):
    """What follows from some cards."""

    texts: "itemgetter[Any]"
    """Gives their texts in a header."""
    results: dict[Any, Any]
    """By these texts."""


class Remembered:
    """What follows from headers that have the same keywords, all at the same places."""

    def __init__(self) -> None:
        self._known: dict[tuple[Hashable, ...], dict[tuple[tuple[int, int], ...], _Asked]] = {}

    def result(self, work: Callable[..., Any], cards: Any, others: tuple[Hashable, ...]) -> Any:
        """Return what a function makes of :class:`~autowisp_xr.headers.values.Cards`.

        Parameters
        ----------
        work
            It reads cards one by one, changes nothing, and its results are never changed.
        cards
            Those of a header, and always with the same aliases.
        others
            What else it is given.
        """
        header = cards.header
        if not header.is_plain:
            return work(cards, *others)
        known = self._known.setdefault((work, *others), {})
        # another thread may add to them
        for asked in tuple(known.values()):
            result = asked.results.get(asked.texts(header.text), _UNKNOWN)
            if result is not _UNKNOWN:
                return result
        noting = _Noting(header.text)
        result = work(cards._replace(header=noting, remembered=None), *others)
        places = tuple(header.places_of(noting.asked))
        if places not in known and len(known) == _MOST_ASKED:
            return result
        if places not in known:
            # of one place it would give a text, and none cannot be asked for
            slices = [slice(0), slice(0), *(slice(*ends) for ends in places)]
            known[places] = _Asked(itemgetter(*slices), {})
        asked = known[places]
        if len(asked.results) == _MOST_RESULTS:
            asked.results.clear()
        asked.results[asked.texts(header.text)] = result
        return result
