"""Rules of users that give types to frames by card, file name or path, before any header."""

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import AnyHeader, value_of
from autowisp_xr.kinds import IMAGE_TYPES

_Test = Callable[[str, AnyHeader], bool]

_CARD = re.compile(r"[A-Z0-9_-]{1,8}|(HIERARCH )?[A-Z0-9_-]+( [A-Z0-9_-]+)+")
_FOLDERS = "**"


@dataclass(frozen=True)
class TypeRule:
    """A rule that gives a type to what fits a pattern."""

    pattern: str
    """As the user wrote it."""
    kind: str
    """bias, dark, darkflat, flat, object or other."""
    is_master: bool
    """Whether the user wrote "master" before the type."""
    fits: _Test
    """Whether the pattern fits a file: (path, header) -> bool."""


def type_rules(
    types: Mapping[str, str] | None, aliases: KeywordAliases | None = None
) -> list[TypeRule]:
    """Parse the rules of a user, in order.

    Parameters
    ----------
    types
        {pattern: type}. A pattern with "=" looks at a card: "IMAGETYP=Light Frame",
        "OBJECT=dome*"; "OBJECT=" fits what has no such card, or an empty one. Any other pattern
        looks at the name of the file, "flat-*", or, with "/" in it, at the end of its path:
        "flats/*", or "flats/**" for all below. Patterns are globs in which neither letter case nor
        outer blanks matter; a number is compared as text, 30.0 also as 30. A type is bias, dark,
        darkflat, flat, object or other, or what headers call it ("Dark Flat"); with "master" before
        it, the file is a master.
    aliases
        Which words mean which type; None for the usual ones.

    Raises
    ------
    TypeError
        If ``types`` is no mapping.
    ValueError
        For a type that there is not, or a pattern that means nothing, with the rule.
    """
    if types is None:
        return []
    if not isinstance(types, Mapping):
        raise TypeError(f"types is {{pattern: type}}, such as {{'flat-*': 'flat'}}, not {types!r}")
    words = aliases or KeywordAliases()
    rules = []
    for pattern, kind in types.items():
        text = kind.strip().lower() if isinstance(kind, str) else ""
        known = text if text in IMAGE_TYPES else words.image_type_of(text)
        if known is None:
            raise ValueError(
                f"the type rule {pattern!r} = {kind!r} names no type; there are "
                f"{', '.join(IMAGE_TYPES)}"
            )
        rules.append(TypeRule(pattern, known, text.startswith("master"), _test_of(pattern)))
    return rules


def rule_for(rules: Iterable[TypeRule], path: str, header: AnyHeader) -> TypeRule | None:
    """Return the first rule that a file fits."""
    return next((rule for rule in rules if rule.fits(path, header)), None)


def _test_of(pattern: str) -> _Test:
    text = pattern.strip() if isinstance(pattern, str) else ""
    card, is_card, value = text.partition("=")
    if is_card:
        return _card_test(card.strip().upper(), value.strip(), pattern)
    if not text:
        raise ValueError(
            f"the type rule {pattern!r} fits nothing; give a card ('OBJECT=dome*') or the name of "
            "a file ('flat-*', 'flats/*')"
        )
    return _path_test(text)


def _card_test(card: str, value: str, pattern: str) -> _Test:
    if not _CARD.fullmatch(card):
        raise ValueError(
            f"the type rule {pattern!r} has an equals sign, but {card!r} is the name of no card; "
            "in the name of a file, write '?' for an equals sign"
        )
    wanted = _glob(value)

    def fits_card(path: str, header: AnyHeader) -> bool:
        found = value_of(header, card)
        if found is None:
            return not value
        return any(wanted.fullmatch(text) for text in _texts(found))

    return fits_card


def _texts(value: object) -> list[str]:
    if isinstance(value, bool):
        return [str(value), "T" if value else "F"]
    if isinstance(value, float):
        return [str(value), f"{value:g}"]
    return [str(value).strip()]


def _path_test(text: str) -> _Test:
    parts = text.replace(os.sep, "/").removeprefix("./").split("/")
    if parts[-1] in ("", _FOLDERS):
        parts = [*parts[:-1], *parts[-1:] * (parts[-1] == _FOLDERS), "*"]
    wanted = [None if part == _FOLDERS else _glob(part) for part in reversed(parts)]

    def fits_path(path: str, header: AnyHeader) -> bool:
        return _fit(wanted, path.replace(os.sep, "/").split("/")[::-1])

    return fits_path


def _fit(wanted: Sequence[re.Pattern[str] | None], names: Sequence[str]) -> bool:
    """Return whether names fit patterns one by one; names may be left over."""
    if not wanted:
        return True
    first, rest = wanted[0], wanted[1:]
    if first is None:
        return any(_fit(rest, names[count:]) for count in range(len(names) + 1))
    return bool(names) and first.fullmatch(names[0]) is not None and _fit(rest, names[1:])


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern), re.IGNORECASE)
