"""The kinds of frames, with all that depends on the kind, from ``kinds.toml``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from autowisp_xr.own_tables import table_beside

TEMPERATURE_TOLERANCE = 2.0
"""Largest difference between frames and the biases and darks that correct them, in degrees."""

EXPOSURE_TOLERANCE = 0.01
"""Largest relative difference; shutters are not exact."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of frame: its names, the masters that it needs, and the traits that have to agree."""

    name: str
    words: tuple[str, ...]
    """Its names in headers; letter case, blanks and punctuation do not matter. "CARD=value" holds
    for this card only, as the numbers of CCDSoft do."""
    card: str
    """IMAGETYP of such a frame; that of a master is "Master" and this without "Frame"."""
    in_names: str
    """Its names in names of files, as a regular expression that matches a whole word."""
    needs: tuple[str, ...] = ()
    """Kinds of the masters that correct it, in the order in which they are chosen."""
    takes: tuple[str, ...] = ()
    """Kinds of further masters that correct it where one is given; without, nothing is missed."""
    master_unit: str = ""
    """Unit of a master of this kind; "" where there are none."""
    stands_for: str = ""
    """The kind in whose place a master of this kind is applied; "" for a place of its own."""
    made_for: str = ""
    """Kind of the frames that such masters are made for, before those that they stand for."""
    made_of: str = ""
    """Kind of the frames that such a master is made of, where no frame is of this kind itself."""
    also_of: tuple[str, ...] = ()
    """Kinds of further frames that such a master may be made of."""
    alike: tuple[str, ...] = ()
    """Traits in which frames of this kind agree that are averaged, or calibrated, together."""
    serves: tuple[str, ...] = ()
    """Traits in which a master of this kind agrees with the frames that it corrects."""
    name_parts: tuple[str, ...] = ()
    """The parts of the name of a set of such frames: its kind, filter or exposure."""

    @property
    def place(self) -> str:
        """The kind in whose place a master of this kind is applied: mostly its own."""
        return self.stands_for or self.name

    @property
    def master_card(self) -> str:
        """IMAGETYP of a master."""
        return f"Master {self.card.removesuffix(' Frame').removesuffix(' Field')}"

    @property
    def sees_light(self) -> bool:
        """Whether such frames are exposed to light."""
        return "filter" in self.alike


def _kinds() -> dict[str, Kind]:
    table = table_beside(__file__)
    groups = table["groups"]
    kinds = {}
    for name, row in table["kinds"].items():
        for field in ("alike", "serves"):
            names = row.get(field, ())
            row[field] = [trait for one in names for trait in groups.get(one, [one])]
        lists = {field: tuple(value) for field, value in row.items() if isinstance(value, list)}
        kinds[name] = Kind(name=name, **row | lists)
    return kinds


KINDS: Mapping[str, Kind] = _kinds()
"""The kinds by name, in the order in which they are processed."""

FRAMES = tuple(name for name, kind in KINDS.items() if not kind.made_of)
"""Kinds of frames that a camera takes."""

AVERAGED = tuple(name for name in FRAMES if KINDS[name].master_unit)
"""Kinds of frames that are averaged to masters."""

MASTERS = tuple(name for name in AVERAGED if not KINDS[name].stands_for)
"""Kinds of masters that each have a place of their own in a calibration."""

OTHER = "other"
"""The type of frames of no known kind."""

IMAGE_TYPES = (*KINDS, OTHER)


def may_be(stated: str, kind: str) -> bool:
    """Return whether a master that states a type may be one of a kind.

    What is of no known type may be anything.

    Examples
    --------
    >>> may_be("darkflat", "dark"), may_be("", "dark"), may_be("dark", "bias")
    (True, True, False)
    """
    own = KINDS.get(stated)
    return own is None or kind in (stated, own.place) or stated == KINDS[kind].made_of


def may_make(stated: str, kind: str) -> bool:
    """Return whether frames that state a type may make a master of a kind."""
    return may_be(stated, kind) or stated in KINDS[kind].also_of


_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=256)
def type_key(text: str) -> str:
    """Return the value of an image type card without letter case, blanks and punctuation."""
    return _NOT_LETTERS.sub("", text.lower())


def checked_types(given: Mapping[str, str]) -> dict[str, str]:
    """Return {value: type} with each value as its :func:`type_key`; ValueError for no type."""
    if not isinstance(given, Mapping):
        raise ValueError(f"image types are {{value: type}}, such as {{sky: 'flat'}}, not {given!r}")
    for value, kind in given.items():
        if kind not in IMAGE_TYPES:
            raise ValueError(
                f"the image type of {value!r} is one of {', '.join(IMAGE_TYPES)}, not {kind!r}"
            )
    return {type_key(value): kind for value, kind in given.items()}


DEFAULT_TYPES = {type_key(word): kind.name for kind in KINDS.values() for word in kind.words}
