"""Names of sets and of the folders of setups, fit for files and stores."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from autowisp_xr.kinds import KINDS
from autowisp_xr.night.setups import SETTING, Key, key_of
from autowisp_xr.traits import Traits, comparable

__all__ = ["name_of_set", "names_for", "own_names", "places_of"]

_ALWAYS_NAMED = ("size", "channels", "binning", "gain_setting")
_IF_VARIED = ("camera", "detector", "offset", "coadds", "readout_mode", "readout_speed")
_LABELS = {"gain_setting": "gain{:g}", "offset": "offset{:g}", "coadds": "{:g}coadds"}


def name_of_set(traits: Traits, seconds: float, bands: Mapping[str, str]) -> str:
    """Name of a set by its kind, filter and exposure; ``bands`` has a name for each filter."""
    parts = {"kind": traits.kind, "exposure": f"{seconds:g}s", "filter": bands[traits.filter]}
    named = [parts[part] for part in KINDS[traits.kind].name_parts]
    return "_".join(part for part in named if part)


def own_names(named: Sequence[tuple[str, Traits]]) -> list[str]:
    """Names of the sets of one setup; the same ones get what the sets differ in behind them."""
    taken: set[str] = set()
    result = []
    for name, traits in named:
        same = [other for other_name, other in named if other_name == name]
        told = [words for words in _TELLING if len({words(other) for other in same}) > 1]
        # one word is enough, if it is one for each of them
        alone = (words for words in told if len({words(o) for o in same} - {""}) == len(same))
        enough = next(alone, None)
        chosen = told if enough is None else [enough]
        own = "_".join([name, *(words(traits) for words in chosen if words(traits))])
        result.append(_free(own, taken))
        taken.add(result[-1].lower())
    return result


def _night_name(traits: Traits) -> str:
    return traits.night


def _target_name(traits: Traits) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", traits.target).strip("-.")


def _temperature_name(traits: Traits) -> str:
    return "" if math.isnan(traits.temperature) else f"{traits.temperature:.0f}C"


_TELLING = (_night_name, _target_name, _temperature_name)


def names_for(texts: Iterable[str]) -> dict[str, str]:
    """A name for each text, fit for files and stores; texts that differ have names that differ.

    Examples
    --------
    >>> names_for(["g", "g'", "Sloan z"])
    {'g': 'g', "g'": 'g-2', 'Sloan z': 'Sloan-z'}
    """
    names: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        stem = re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-.") or "unnamed"
        names[text] = _free(stem, {taken.lower() for taken in names.values()})
    return names


def _free(stem: str, taken: set[str]) -> str:
    name, number = stem, 2
    while name.lower() in taken:
        name = f"{stem}-{number}"
        number += 1
    return name


def places_of(setups: Sequence[Key], traits: Sequence[Traits]) -> list[str]:
    """For each frame the folder of its setup; "" where there is one setup only."""
    # what a frame says most of stands for its setup
    fullest = {
        setup: one
        for setup, one in zip(setups, traits, strict=True)
        if key_of(one, SETTING) == setup
    }
    if len(fullest) < 2:
        return [""] * len(setups)
    varied = [
        name
        for name in _IF_VARIED
        if len({comparable(getattr(one, name)) for one in fullest.values() if one.known([name])})
        > 1
    ]
    names: dict[Key, str] = {}
    for setup in dict.fromkeys(setups):
        one = fullest[setup]
        parts = [_part(one, name) for name in (*_ALWAYS_NAMED, *varied) if one.known([name])]
        (stem,) = names_for(["-".join(part for part in parts if part)]).values()
        names[setup] = _free(stem, {taken.lower() for taken in names.values()})
    return [names[setup] for setup in setups]


def _part(traits: Traits, name: str) -> str:
    """What a trait adds to the name of a folder."""
    value = getattr(traits, name)
    if name == "size":
        return f"{value[1]}x{value[0]}"
    if name == "channels":
        return "".join(cell[0] for cell, _ in value) if len(value) > 1 else ""
    if name == "binning":
        return "" if value == "1x1" else f"bin{value}"
    return _LABELS.get(name, "{}").format(value)
