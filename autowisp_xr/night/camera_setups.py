"""Camera setups: how the camera was set for each frame, and the folders of setups.

Headers may lack a part of a setting; what has less than a single other one is part of that.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from pathlib import Path

from autowisp_xr.kinds import FRAMES, KINDS
from autowisp_xr.matching.traits import Traits, comparable, is_known
from autowisp_xr.night.sentences import WIDTH_OF_SOME, by_key, named, sentence
from autowisp_xr.night.set_names import free_name, plain_name

SETTING = tuple(
    name for name in KINDS[FRAMES[0]].alike if all(name in KINDS[kind].alike for kind in FRAMES)
)
"""Traits in which all frames of a setup agree, whatever their kind."""

Key = tuple[object, ...]
"""Values of the traits of a setting, in a form that can be compared; None is not known."""

_ALWAYS_NAMED = ("size", "channels", "binning", "gain_setting")
_IF_VARIED = ("camera", "detector", "offset", "coadds", "readout_mode", "readout_speed")
_LABELS = {"gain_setting": "gain{:g}", "offset": "offset{:g}", "coadds": "{:g}coadds"}


def key_of(traits: Traits, names: Sequence[str]) -> Key:
    """Return values of traits without what makes no difference, None where they are not known."""
    return _key(tuple(names), attrgetter(*names)(traits))


# the frames of a night have few different settings
@lru_cache(maxsize=1024)
def _key(names: tuple[str, ...], values: tuple[object, ...]) -> Key:
    known = {name for name, value in zip(names, values, strict=True) if is_known(value)}
    if "gain_setting" in known:
        # programs write EGAIN for other depths of the pixels
        known.discard("egain")
    pairs = zip(names, values, strict=True)
    return tuple(comparable(value) if name in known else None for name, value in pairs)


def _agree(one: Key, other: Key) -> bool:
    """Whether two are the same as far as both are known."""
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _more_specific(one: Key, other: Key) -> bool:
    """Whether one has all that another has, and more."""
    return one != other and all(b is None or a == b for a, b in zip(one, other, strict=True))


def _setup_of_each(traits: Sequence[Traits]) -> list[Key]:
    """Return the setup of each frame; one that has less than a single other one is part of that."""
    keys = [key_of(one, SETTING) for one in traits]
    different = list(dict.fromkeys(keys))
    fuller = {key: [one for one in different if _more_specific(one, key)] for key in different}
    home = {}
    for key, others in fuller.items():
        fullest = [other for other in others if not fuller[other]]
        home[key] = fullest[0] if len(fullest) == 1 else key
    return [home[key] for key in keys]


def take_colours(traits: dict[str, Traits], notes: list[str]) -> None:
    """Give the Bayer pattern of a camera to those of its frames that do not state it.

    That of most frames is taken where they do not agree, which is a doubt; so is one that few of
    any kind state.
    """
    names = [name for name in SETTING if name != "channels"]
    camera = names.index("camera")
    keys = {path: key_of(one, names) for path, one in traits.items()}
    stating: dict[Key, list[str]] = {}
    silent: dict[Key, list[str]] = {}
    for path, key in keys.items():
        (silent if traits[path].channels is None else stating).setdefault(key, []).append(path)
    alike: dict[tuple[str, ...], list[str]] = {}
    for own, paths in silent.items():
        # of a camera that nobody names, or of the very same
        same = [key for key in stating if _agree(own, key) and own[camera] == key[camera]]
        if same:
            known = tuple(path for key in same for path in stating[key])
            alike.setdefault(known, []).extend(paths)
    for known, paths in alike.items():
        notes.append(_take(known, paths, traits))


def _take(stating: Sequence[str], silent: Sequence[str], traits: dict[str, Traits]) -> str:
    """Give frames the pattern that others state, and return a line on it."""
    by_pattern = by_key(stating, lambda path: traits[path].channels)
    channels, *others = sorted(by_pattern, key=lambda one: -len(by_pattern[one]))
    known, unknown = (Counter(traits[path].kind for path in of) for of in (stating, silent))
    few = all(number < unknown[kind] for kind, number in known.items())
    traits.update((path, replace(traits[path], channels=channels)) for path in silent)
    stated = {
        one: f"{' '.join(name for name, _ in one or ())} "
        f"({named([Path(path).name for path in by_pattern[one]], WIDTH_OF_SOME)})"
        for one in by_pattern
    }
    return sentence(
        "patterns_differ" if others else "pattern_of_few" if few else "pattern_taken",
        number=len(silent),
        pattern=stated[channels],
        others=" and ".join(stated[one] for one in others),
        option="".join(name[0] for name, _ in channels or ()),
    )


def places_of(traits: Sequence[Traits]) -> list[str]:
    """Return for each frame the folder of its setup; "" where there is one setup only."""
    setups = _setup_of_each(traits)
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
        stem = plain_name("-".join(part for part in parts if part)) or "unnamed"
        names[setup] = free_name(stem, names.values())
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
