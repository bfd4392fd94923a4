"""Names of sets and of the folders of camera setups, fit for files and stores."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from autowisp_xr.kinds import KINDS
from autowisp_xr.night.camera_setups import SETTING, Key, key_of, setup_of_each
from autowisp_xr.traits import Traits, comparable

_ALWAYS_NAMED = ("size", "channels", "binning", "gain_setting")
_IF_VARIED = ("camera", "detector", "offset", "coadds", "readout_mode", "readout_speed")
_LABELS = {"gain_setting": "gain{:g}", "offset": "offset{:g}", "coadds": "{:g}coadds"}


def name_of_set(traits: Traits, seconds: float, bands: Mapping[str, str]) -> str:
    """Name a set by its kind, filter and exposure; ``bands`` has a name for each filter."""
    parts = {"kind": traits.kind, "exposure": f"{seconds:g}s", "filter": bands[traits.filter]}
    named = [parts[part] for part in KINDS[traits.kind].name_parts]
    return "_".join(part for part in named if part)


def own_names(named: Sequence[tuple[str, Traits]]) -> list[str]:
    """Name the sets of one setup; the same names get what the sets differ in behind them."""
    result: list[str] = []
    for name, traits in named:
        same = list(zip(*(_words(other) for also, other in named if also == name), strict=True))
        differ = [i for i, words in enumerate(same) if len(set(words)) > 1]
        # one word is enough, if it is one for each of them
        alone = ([i] for i in differ if len(set(same[i]) - {""}) == len(same[i]))
        own = _words(traits)
        words = [own[i] for i in next(alone, differ) if own[i]]
        result.append(_free("_".join([name, *words]), result))
    return result


def _words(traits: Traits) -> tuple[str, str, str]:
    """List what may distinguish sets from each other: night, target, temperature."""
    degrees = "" if math.isnan(traits.temperature) else f"{traits.temperature:.0f}C"
    return traits.night, _plain(traits.target), degrees


def _plain(text: str) -> str:
    """Keep of a text the signs that are fit for files."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-.")


def names_for(texts: Iterable[str]) -> dict[str, str]:
    """Make a name for each text, fit for files and stores; names differ where texts differ.

    Examples
    --------
    >>> names_for(["g", "g'", "Sloan z"])
    {'g': 'g', "g'": 'g-2', 'Sloan z': 'Sloan-z'}
    """
    names: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        names[text] = _free(_plain(text) or "unnamed", names.values())
    return names


def _free(stem: str, taken: Collection[str]) -> str:
    """Return a name that differs from those that are taken by more than letter case."""
    name, number, lower = stem, 2, {other.lower() for other in taken}
    while name.lower() in lower:
        name = f"{stem}-{number}"
        number += 1
    return name


def places_of(traits: Sequence[Traits]) -> list[str]:
    """Return for each frame the folder of its setup; "" where there is one setup only."""
    setups = setup_of_each(traits)
    # a frame that states all that is known of its setup stands for it
    pairs = zip(setups, traits, strict=True)
    fullest = {setup: one for setup, one in pairs if key_of(one, SETTING) == setup}
    if len(fullest) < 2:
        return [""] * len(setups)
    varied = []
    for name in _IF_VARIED:
        stated = {comparable(getattr(one, name)) for one in fullest.values() if one.known([name])}
        varied += [name] if len(stated) > 1 else []
    names: dict[Key, str] = {}
    for setup in dict.fromkeys(setups):
        one = fullest[setup]
        parts = [_part(one, name) for name in (*_ALWAYS_NAMED, *varied) if one.known([name])]
        stem = _plain("-".join(part for part in parts if part)) or "unnamed"
        names[setup] = _free(stem, names.values())
    return [names[setup] for setup in setups]


def _part(traits: Traits, name: str) -> str:
    """Return what a trait adds to the name of a folder."""
    value = getattr(traits, name)
    if name == "size":
        return f"{value[1]}x{value[0]}"
    if name == "channels":
        return "".join(cell[0] for cell, _ in value) if len(value) > 1 else ""
    if name == "binning":
        return "" if value == "1x1" else f"bin{value}"
    return _LABELS.get(name, "{}").format(value)
