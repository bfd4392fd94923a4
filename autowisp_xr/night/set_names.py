"""Names of sets of frames, fit for files and stores."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from autowisp_xr.kinds import KINDS
from autowisp_xr.matching.traits import Traits


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
        result.append(free_name("_".join([name, *words]), result))
    return result


def _words(traits: Traits) -> tuple[str, str, str]:
    """List what may distinguish sets from each other: night, target, temperature."""
    degrees = "" if math.isnan(traits.temperature) else f"{traits.temperature:.0f}C"
    return traits.night, plain_name(traits.target), degrees


def plain_name(text: str) -> str:
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
        names[text] = free_name(plain_name(text) or "unnamed", names.values())
    return names


def free_name(stem: str, taken: Collection[str]) -> str:
    """Return a name that differs from those that are taken by more than letter case."""
    name, number, lower = stem, 2, {other.lower() for other in taken}
    while name.lower() in lower:
        name = f"{stem}-{number}"
        number += 1
    return name
