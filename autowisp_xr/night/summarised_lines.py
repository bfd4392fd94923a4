"""Lines about many files or sets, of which each is stated once, with a few of their names.

Decision: lines that are the same in every letter go together always; those that are the same but
for names and numbers only where there are too many to be read, for then the first stands for all.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

_Item = TypeVar("_Item")
_Key = TypeVar("_Key")

_VALUE = re.compile(r"'[^']*'|\S*(?:[\d/\\]|\.fi?ts?\b)\S*", re.IGNORECASE)
_WIDTH = 88
WIDTH_OF_SOME = 40
_LONGEST = 480
_MANY = {"pixel_type": "kinds of pixels", "egain": "gains", "size": "sizes"}


class Group(NamedTuple):
    """Names of which one thing is reported."""

    line: str
    """What is reported, of bounded length."""
    names: tuple[str, ...]


def by_key(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    """Group items that have a key in common, in the order in which the first of each come."""
    groups: dict[_Key, list[_Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def alike(lines: Iterable[tuple[str, str]], most: int) -> list[Group]:
    """Group pairs of a name and a line on it by their lines; into few groups, if they can be.

    Examples
    --------
    >>> lines = [("a", "60 s, not 5 s"), ("b", "60 s, not 5 s"), ("c", "60 s, not 9 s")]
    >>> [group.names for group in alike(lines, most=2)]
    [('a', 'b'), ('c',)]
    >>> alike(lines, most=1)[0].line
    '60 s, not 5 s (and the like, with other values)'
    """
    pairs = list(lines)
    many = len({text for _, text in pairs}) > most
    groups = []
    for of in by_key(pairs, lambda pair: _VALUE.sub("#", pair[1]) if many else pair[1]).values():
        differ = len({text for _, text in of}) > 1
        line = shortened(of[0][1]) + (" (and the like, with other values)" if differ else "")
        groups.append(Group(line, tuple(dict.fromkeys(name for name, _ in of))))
    return groups


def by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Group names by the reason that they have in common."""
    return by_key(reasons, lambda name: reasons[name])


def named(names: Sequence[str], width: int = _WIDTH) -> str:
    """List as many of the names as a line holds, one at least, and the number of the others.

    Examples
    --------
    >>> named(["a.fits", "b.fits"]), named(["a.fits", "b.fits", "c.fits"], width=14)
    ('a.fits, b.fits', 'a.fits, b.fits and 1 more')
    """
    shown = 1
    while shown < len(names) and len(", ".join(names[: shown + 1])) <= width:
        shown += 1
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more else "")


def some_of(names: Sequence[str], of: int) -> str:
    """State how many frames, and the names of a few: "2 of 9 frames (a, b)"; "" of no frames."""
    if len(names) == of:
        return f"all {of} frames" if of > 1 else "".join(names)
    return f"{len(names)} of {of} frames ({named(names, WIDTH_OF_SOME)})"


def counted(number: int, name: str) -> str:
    """State a number of things: "1 frame", "5 frames"."""
    return f"{number} {name}" + ("" if number == 1 else "s")


def shortened(line: str) -> str:
    """Cut out the middle of a line, if it is too long: the remedy stands at its end."""
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST * 3 // 5].rstrip()} ... {line[-_LONGEST * 2 // 5 :].lstrip()}"


def in_few_words(why_not: Mapping[str, str], traits: Mapping[str, str], kind: str) -> list[str]:
    """Report what keeps masters of a kind away: of one in full, of several in few words a trait.

    Parameters
    ----------
    why_not
        The reason against each, by name.
    traits
        The trait in which it differs; other reasons are given as they are.
    kind
        Kind of the masters.

    Examples
    --------
    >>> exposed = {name: f"exposed {name}, not 5 s" for name in ("20 s", "60 s")}
    >>> in_few_words(exposed, dict.fromkeys(exposed, "exposure"), "dark")
    ['2 darks: other exposures']
    """
    groups = by_key(
        why_not, lambda name: f"other {_plural(traits[name])}" if name in traits else why_not[name]
    )
    plural = "biases" if kind == "bias" else f"{kind}s"
    return [
        f"{names[0]}: {why_not[names[0]]}" if len(names) == 1 else f"{len(names)} {plural}: {what}"
        for what, names in groups.items()
    ]


def plain(name: str) -> str:
    """Write the name of a fact or trait as people do: "read noise"."""
    return name.replace("_", " ")


def _plural(trait: str) -> str:
    """Write the plural of a trait."""
    words = plain(trait)
    return _MANY.get(trait, words if words.endswith("s") else f"{words}s")
