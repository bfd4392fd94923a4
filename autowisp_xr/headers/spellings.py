"""What headers call things: one table of spellings, which a user can extend.

Observatories do not agree on keywords, and less so on their values. ``spellings.toml`` beside this
module lists, for each thing that a frame set wants to know, the cards that may say it, best first,
and says what each list is; the readers in :mod:`autowisp_xr.headers` go through it. A new card is
a word there, and nothing else.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

from autowisp_xr.kinds import DEFAULT_TYPES, IMAGE_TYPES, checked_types, type_key

__all__ = ["IMAGE_TYPES", "Spellings"]


@cache
def _usual() -> dict[str, Any]:
    with Path(__file__).with_name("spellings.toml").open("rb") as file:
        return tomllib.load(file)


def _cards(name: str) -> Any:
    """Field whose default is the list of this name in the file."""
    return field(default_factory=partial(_usual_cards, name))


def _usual_cards(name: str) -> tuple[str, ...]:
    return tuple(_usual()[name])


def _words(name: str) -> Any:
    """Field of words that are values, which the file lists in small letters."""
    return field(default_factory=partial(_usual_words, name))


def _usual_words(name: str) -> frozenset[str]:
    return frozenset(_usual()[name])


@dataclass(frozen=True, kw_only=True)
class Spellings:
    """Names of the cards that may say each thing, best first; ``spellings.toml`` explains each.

    Examples
    --------
    A camera that calls its exposure IMG_SEC, and frames of a lamp flats:

    >>> mine = Spellings().extended(exposure="IMG_SEC", image_types={"LED on": "flat"})
    >>> mine.exposure[0], mine.image_type_of("led on"), mine.image_type_of("Bias Frame")
    ('IMG_SEC', 'flat', 'bias')
    """

    exposure: tuple[str, ...] = _cards("exposure")
    time_unit: tuple[str, ...] = _cards("time_unit")
    exposure_milliseconds: tuple[str, ...] = _cards("exposure_milliseconds")
    exposure_microseconds: tuple[str, ...] = _cards("exposure_microseconds")
    elapsed: tuple[str, ...] = _cards("elapsed")
    image_type: tuple[str, ...] = _cards("image_type")
    image_type_code: tuple[str, ...] = _cards("image_type_code")
    filter: tuple[str, ...] = _cards("filter")
    filter_wheels: tuple[str, ...] = _cards("filter_wheels")
    object: tuple[str, ...] = _cards("object")
    ra: tuple[str, ...] = _cards("ra")
    dec: tuple[str, ...] = _cards("dec")
    temperature: tuple[str, ...] = _cards("temperature")
    temperature_set: tuple[str, ...] = _cards("temperature_set")
    gain: tuple[str, ...] = _cards("gain")
    amplification: tuple[str, ...] = _cards("amplification")
    offset: tuple[str, ...] = _cards("offset")
    readout_mode: tuple[str, ...] = _cards("readout_mode")
    readout_speed: tuple[str, ...] = _cards("readout_speed")
    coadds: tuple[str, ...] = _cards("coadds")
    binning: tuple[str, ...] = _cards("binning")
    binning_x: tuple[str, ...] = _cards("binning_x")
    binning_y: tuple[str, ...] = _cards("binning_y")
    camera: tuple[str, ...] = _cards("camera")
    camera_serial: tuple[str, ...] = _cards("camera_serial")
    detector: tuple[str, ...] = _cards("detector")
    window: tuple[str, ...] = _cards("window")
    window_x: tuple[str, ...] = _cards("window_x")
    window_y: tuple[str, ...] = _cards("window_y")
    window_x_unbinned: tuple[str, ...] = _cards("window_x_unbinned")
    window_y_unbinned: tuple[str, ...] = _cards("window_y_unbinned")
    window_x_from_one: tuple[str, ...] = _cards("window_x_from_one")
    window_y_from_one: tuple[str, ...] = _cards("window_y_from_one")
    window_corners: tuple[str, ...] = _cards("window_corners")
    physical: tuple[str, ...] = _cards("physical")
    flip: tuple[str, ...] = _cards("flip")
    flip_x: tuple[str, ...] = _cards("flip_x")
    flip_y: tuple[str, ...] = _cards("flip_y")
    time_scale: tuple[str, ...] = _cards("time_scale")
    start: tuple[str, ...] = _cards("start")
    start_time: tuple[str, ...] = _cards("start_time")
    start_days: tuple[str, ...] = _cards("start_days")
    middle: tuple[str, ...] = _cards("middle")
    middle_days: tuple[str, ...] = _cards("middle_days")
    electrons_per_adu_raw: tuple[str, ...] = _cards("electrons_per_adu_raw")
    electrons_per_adu: tuple[str, ...] = _cards("electrons_per_adu")
    read_noise: tuple[str, ...] = _cards("read_noise")
    saturation: tuple[str, ...] = _cards("saturation")
    bayer: tuple[str, ...] = _cards("bayer")
    bayer_x_offset: tuple[str, ...] = _cards("bayer_x_offset")
    bayer_y_offset: tuple[str, ...] = _cards("bayer_y_offset")
    row_order: tuple[str, ...] = _cards("row_order")
    image_area: tuple[str, ...] = _cards("image_area")
    data_area: tuple[str, ...] = _cards("data_area")
    overscan: tuple[str, ...] = _cards("overscan")
    empty_slots: frozenset[str] = _words("empty_slots")
    no_bayer: frozenset[str] = _words("no_bayer")
    bins_like_colours: frozenset[str] = _words("bins_like_colours")
    unsaid: frozenset[str] = _words("unsaid")

    image_types: Mapping[str, str] = field(default_factory=DEFAULT_TYPES.copy)
    """Values of cards -> bias, dark, flat, object or other; letter case, blanks and punctuation do
    not matter, and "master" may stand in front. "CARD=value" holds for this card only."""

    preferred: tuple[str, ...] = ()
    """Cards that settle a contradiction: where one of these speaks, no other is asked. Filled by
    :meth:`extended`."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name == "image_types":
                object.__setattr__(self, entry.name, checked_types(value))
            elif not isinstance(value, frozenset):
                object.__setattr__(self, entry.name, _names(value))

    def extended(self, **more: Any) -> Self:
        """Make a table in which the given card names are tried first and settle contradictions.

        Parameters
        ----------
        **more
            For any field, a card name or several (of words that are values, more of them);
            ``image_types`` takes {value: type}.

        Raises
        ------
        TypeError
            For something that is not a field, naming those that are.
        ValueError
            For an image type other than bias, dark, flat, object or other.
        """
        known = [entry.name for entry in fields(self)]
        unknown = sorted(set(more) - set(known))
        if unknown:
            raise TypeError(f"no spellings of {', '.join(unknown)}; there are {', '.join(known)}")
        changes: dict[str, Any] = {}
        preferred = self.preferred
        for name, given in more.items():
            if name == "image_types":
                changes[name] = {**self.image_types, **checked_types(given)}
            elif isinstance(getattr(self, name), frozenset):
                changes[name] = getattr(self, name) | {word.lower() for word in _names(given)}
            else:
                names = _names(given)
                changes[name] = tuple(dict.fromkeys((*names, *getattr(self, name))))
                preferred = tuple(dict.fromkeys((*names, *preferred)))
        return replace(self, **{"preferred": preferred, **changes})

    def image_type_of(self, value: Any, card: str = "") -> str | None:
        """Normalised type of the value of an image type card; None where it is not known."""
        key = type_key(str(value))
        found = self.image_types.get(type_key(card) + key) if card else None
        if found is None:
            found = self.image_types.get(key)
        if found is None and key.startswith("master"):
            found = self.image_types.get(key.removeprefix("master"))
        return found

    def among(self, keywords: Collection[str]) -> Self:
        """The same table without the cards that are not among the keywords of a header."""
        table = object.__new__(type(self))
        for name, value in vars(self).items():
            if isinstance(value, tuple):
                value = tuple(keyword for keyword in value if keyword in keywords)
            object.__setattr__(table, name, value)
        return table


def _names(given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    return tuple(str(name).strip().upper() for name in names)
