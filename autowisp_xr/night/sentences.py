"""What a night reports: one table of sentences, ``sentences.toml``, and lines about many files.

Each line is stated once, with a few of the names that it is about.

Decision: lines that are the same in every letter go together always; those that are the same but
for names and numbers only where there are too many to be read, for then the first stands for all.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from autowisp_xr.first_names import first_of
from autowisp_xr.own_tables import table_beside

DOUBT = "DOUBT: "
"""How a sentence about something that may be wrong begins."""

_SENTENCES = table_beside(__file__)

_Item = TypeVar("_Item")
_Key = TypeVar("_Key")

_VALUE = re.compile(r"'[^']*'|\S*(?:[\d/\\]|\.fi?ts?\b)\S*", re.IGNORECASE)
_WIDTH = 88
WIDTH_OF_SOME = 40
_LONGEST = 480
_MANY = {"pixel_type": "kinds of pixels", "egain": "gains", "size": "sizes"}


def sentence(name: str, /, **values: object) -> str:
    """Return a sentence of the table, with its values put in.

    Examples
    --------
    >>> sentence("no_good_pixel", frames="a.fits")
    'DOUBT: no pixel is good in a.fits'
    """
    return str(_SENTENCES[name]).format(**values)


class Doubts:
    """The doubts about a product, a line each, and about each of its frames.

    Parameters
    ----------
    frames
        Their names; none for a master.
    """

    def __init__(self, frames: Sequence[str] = ()) -> None:
        self.notes: list[str] = []
        self.levels: dict[str, tuple[float, float]] = {}
        """Of frames that were looked at, by the paths of their files: sky and noise of a pixel."""
        self._names = list(frames)
        self._of_frames: list[list[str]] = [[] for _ in frames]

    def add(self, name: str, which: ArrayLike | None = None, **values: object) -> None:
        """Add a sentence of the table about some frames; None: about all, or a master."""
        about = range(len(self._names)) if which is None else np.flatnonzero(which).tolist()
        frames = some_of([self._names[i] for i in about], len(self._names))
        self.notes.append(sentence(name, frames=frames, **values))
        for i in about:
            self._of_frames[i].append(self.notes[-1])

    def marked(self, made: xr.Dataset, notes: Sequence[str]) -> xr.Dataset:
        """Give a product its doubts as the coordinate ``doubts``, which goes to its header.

        Parameters
        ----------
        made
            The product.
        notes
            Other lines about all of it, of which those count that are doubts.
        """
        common = [note for note in notes if note.startswith(DOUBT)]
        of_each = self._of_frames if self._names else [self.notes]
        texts = ["\n".join([*lines, *common]) for lines in of_each]
        if not any(texts):
            return made
        dims, values = (("frame",), texts) if self._names else ((), texts[0])
        return made.assign_coords(doubts=(dims, np.array(values, dtype=np.dtypes.StringDType())))


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
    return first_of(names, shown)


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
