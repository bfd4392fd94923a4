"""What the name of a file says about the frame in it: whole words, such as FLAT in Sky.FLAT.FIT."""

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from autowisp_xr.frames.names import natural_key
from autowisp_xr.kinds import KINDS

_DIGITS = re.compile(r"\d+")
_RUN = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?=[A-Z][a-z])|[A-Z]+|[^\W\d_]")
_WORD = re.compile(
    r"(?P<master>masters?)?("
    + "|".join(f"(?P<{name}>{kind.in_names})" for name, kind in KINDS.items())
    + ")?(frames?)?",
    re.IGNORECASE,
)
# most names say nothing, and a look into each word takes time
_HINT = re.compile("|".join(kind.in_names for kind in KINDS.values()), re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class NamedType:
    """What a name says."""

    kind: str
    """bias, dark, flat or object."""
    word: str
    """That says so, as it is written."""
    of_folder: bool
    """Whether it is in the name of the folder, not of the file."""

    @property
    def where(self) -> str:
        """Where the word is, in words."""
        return f"the name of its {'folder' if self.of_folder else 'file'}"

    def __str__(self) -> str:
        article = "an" if self.kind == "object" else "a"
        return f"by {self.word!r} in {self.where} it is {article} {self.kind}"


def named_type(path: str) -> NamedType | None:
    """Type that the name of a file says, else that of the folder that it is in.

    A name is split into words at all that is no letter, and at capitals inside ("MasterDark60"). A
    name that says two types says none; "dark flat" is one, a dark.

    Examples
    --------
    >>> named_type("slitview.00000352.BIAS.FIT").kind, named_type("night/darks/x.fit").kind
    ('bias', 'dark')
    >>> named_type("flats_and_darks.fits"), named_type("flatland.fits")
    (None, None)
    """
    folder, name = os.path.split(path)
    for text, of_folder in ((name, False), (os.path.basename(folder), True)):
        if _HINT.search(text) is None:
            continue
        found = _types_in(text)
        if len(found) > 1:
            return None
        for kind, word in found.items():
            return NamedType(kind=kind, word=word, of_folder=of_folder)
    return None


def master_word(path: str) -> str:
    """Word that makes the name of a file that of a master: "master", "masterflat"; "" for none."""
    name = os.path.basename(path)
    for run in _RUN.findall(name) if "master" in name.lower() else ():
        for word in _pieces(run):
            match = _WORD.fullmatch(word)
            if match is not None and match["master"]:
                return word
    return ""


def pattern_like(path: str, named: NamedType | None) -> str:
    """A pattern of a type rule that fits a file and those named like it.

    Examples
    --------
    >>> pattern_like("flat-expos23s.0001.FIT", named_type("flat-expos23s.0001.FIT"))
    'flat-*'
    >>> pattern_like("20240102_cap7.fits", None)
    '20240102_cap7.fits'
    """
    folder, name = os.path.split(path)
    if named is None:
        stem, *number = natural_key(name)
        return f"{_literal(str(stem))}*" if stem and number else _literal(name)
    if named.of_folder:
        return f"{_literal(os.path.basename(folder))}/*"
    before, word, after = name.partition(named.word)
    if any(character.isdigit() for character in before):
        return f"*{word}*"
    return f"{_literal(before)}{word}{after[:1] if after[:1] in '-_.' else ''}*"


def _literal(text: str) -> str:
    """Text as a pattern that fits it: in a type rule, an equals sign would stand for a card."""
    return glob.escape(text).replace("=", "?")


def _types_in(text: str) -> dict[str, str]:
    """{type: word} of all types that a text names."""
    found: dict[str, str] = {}
    for phrase in _DIGITS.split(text):
        words = [word for run in _RUN.findall(phrase) for word in _pieces(run)]
        position = 0
        while position < len(words):
            # the longest that says something: "dark flat" is no dark and no flat
            for count in (2, 1):
                part = words[position : position + count]
                kind = _kind("".join(part))
                if kind:
                    word = next((word for word in part if _kind(word) == kind), part[0])
                    found.setdefault(kind, word)
                    break
            position += count
    return found


def _pieces(run: str) -> Iterator[str]:
    match = _WORD.fullmatch(run)
    if match is not None:
        yield run
    else:
        yield from _HUMP.findall(run)


def _kind(word: str) -> str | None:
    match = _WORD.fullmatch(word)
    if match is None:
        return None
    return next((kind for kind in KINDS if match[kind]), None)
