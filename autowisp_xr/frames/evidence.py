"""Evidence of the type of a frame: a rule of the user, a card, or the name of its file."""

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from autowisp_xr.frames.names import natural_key
from autowisp_xr.frames.type_rules import TypeRule, rule_for
from autowisp_xr.headers.coordinates import TypeCard, type_card
from autowisp_xr.headers.values import Cards
from autowisp_xr.kinds import KINDS

_DIGITS = re.compile(r"\d+")
_RUN = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?=[A-Z][a-z])|[A-Z]+|[^\W\d_]")
# AstroImageJ writes mbias, mdark and mflat; a superflat may be a frame to make one of
_MASTER = r"masters?|m(?=bias|dark|flat)|super(?=bias|dark)"
_WORD = re.compile(
    rf"(?P<master>{_MASTER})?("
    + "|".join(f"(?P<{name}>{kind.in_names})" for name, kind in KINDS.items())
    + ")?(frames?)?",
    re.IGNORECASE,
)
# most names give no type, and a look into each word takes time
_HINT = re.compile("|".join(kind.in_names for kind in KINDS.values()), re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _NamedType:
    """The type that a name gives."""

    kind: str
    """bias, dark, darkflat, flat or object."""
    word: str
    """The word that gives it, as it is written."""
    of_folder: bool
    """True if it is in the name of the folder, not of the file."""

    @property
    def where(self) -> str:
        """The place of the word, in words."""
        return f"the name of its {'folder' if self.of_folder else 'file'}"

    def __str__(self) -> str:
        article = "an" if self.kind == "object" else "a"
        return f"by {self.word!r} in {self.where} it is {article} {self.kind}"


def named_type(path: str) -> _NamedType | None:
    """Return the type that the name of a file gives, else that of the folder that it is in.

    A name is split into words at all that is no letter, and at capitals inside ("MasterDark60"). A
    name of two types gives none; "dark flat" is one.

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
            return _NamedType(kind=kind, word=word, of_folder=of_folder)
    return None


def master_word(path: str) -> str:
    """Return the word that makes a file a master by its name, such as "mflat"; "" for none."""
    name = os.path.basename(path)
    for run in _RUN.findall(name) if re.search(_MASTER, name, re.IGNORECASE) else ():
        for word in _pieces(run):
            match = _WORD.fullmatch(word)
            if match is not None and match["master"]:
                return word
    return ""


def pattern_like(path: str, named: _NamedType | None) -> str:
    """Return a pattern of a type rule that fits a file and those named like it.

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
    """Escape a text as a pattern: in a type rule, an equals sign would stand for a card."""
    return glob.escape(text).replace("=", "?")


def _types_in(text: str) -> dict[str, str]:
    """Return {type: word} for all types that a text names."""
    found: dict[str, str] = {}
    for phrase in _DIGITS.split(text):
        words = [word for run in _RUN.findall(phrase) for word in _pieces(run)]
        position = 0
        while position < len(words):
            # the longest that gives a type: "dark flat" is no dark and no flat
            for count in (2, 1):
                part = words[position : position + count]
                kind = _kind("".join(part))
                if kind:
                    word = next((word for word in part if _kind(word) == kind), part[0])
                    found.setdefault(kind, word)
                    break
            position += count
    return found


def _pieces(run: str) -> list[str]:
    """Split letters at capitals, unless together they are a word that gives a type."""
    return [run] if _WORD.fullmatch(run) else _HUMP.findall(run)


@lru_cache(maxsize=4096)
def _kind(word: str) -> str | None:
    match = _WORD.fullmatch(word)
    return next((kind for kind in KINDS if match and match[kind]), None)


@dataclass(frozen=True)
class Evidence:
    """The evidence for the type of a frame: a rule is stronger than a card, a card than a name."""

    rule: TypeRule | None
    card: TypeCard | None
    """None also where there is a rule: then cards are not asked, and may contradict each other."""
    name: _NamedType | None

    @property
    def kind(self) -> str:
        """bias, dark, darkflat, flat, object or other."""
        strongest = self.rule or self.card or self.name
        return "other" if strongest is None else strongest.kind

    @property
    def is_guess(self) -> bool:
        """True if it is the name that decides."""
        return self.rule is None and self.card is None and self.name is not None


def evidence_of(path: str, cards: Cards, rules: Iterable[TypeRule]) -> Evidence:
    """Find the evidence for the type of the frame in a file.

    Raises
    ------
    HeaderError
        If two cards contradict each other, and no rule decides.
    """
    rule = rule_for(rules, path, cards.header)
    card = None if rule else cards.known(type_card)
    return Evidence(rule, card, named_type(path))
