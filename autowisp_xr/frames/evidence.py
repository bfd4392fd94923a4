"""Evidence of the type of a frame: a rule of the user, a card, or the name of its file.

Rules give types by card, file name or path, before any header.
"""

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from autowisp_xr.frames.names import natural_key
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import AnyHeader, value_of
from autowisp_xr.headers.coordinates import TypeCard, type_card
from autowisp_xr.headers.values import Cards
from autowisp_xr.kinds import IMAGE_TYPES, KINDS

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
