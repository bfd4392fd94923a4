"""Camera setups: how the camera was set for each frame, though headers lack a part of it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from operator import attrgetter

from autowisp_xr.kinds import FRAMES, KINDS
from autowisp_xr.night.sentences import sentence
from autowisp_xr.traits import Traits, comparable, is_known

SETTING = tuple(
    name for name in KINDS[FRAMES[0]].alike if all(name in KINDS[kind].alike for kind in FRAMES)
)
"""Traits in which all frames of a setup agree, whatever their kind."""

Key = tuple[object, ...]
"""Values of the traits of a setting, in a form that can be compared; None is not known."""


def key_of(traits: Traits, names: Sequence[str]) -> Key:
    """Return values of traits without what makes no difference, None where they are not known."""
    names = tuple(names)
    return _key(names, _getter(names)(traits))


_getter = cache(lambda names: attrgetter(*names))
"""Gives the values of several attributes."""


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


def setup_of_each(traits: Sequence[Traits]) -> list[Key]:
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
    """Give the Bayer pattern of a camera to those of its frames that do not state it."""
    stating = [one for one in traits.values() if one.channels is not None]
    patterns = dict.fromkeys(one.channels for one in stating)
    names = [name for name in SETTING if name != "channels"]
    camera = names.index("camera")
    of_key = {key_of(one, names): one.channels for one in stating}
    taken = 0
    for path in [path for path, one in traits.items() if one.channels is None and of_key]:
        own = key_of(traits[path], names)
        # of a camera that nobody names, or of the very same
        same = [key for key in of_key if _agree(own, key) and own[camera] == key[camera]]
        found = {of_key[key] for key in same}
        if len(found) == 1:
            taken += 1
            traits[path] = replace(traits[path], channels=found.pop())
    if taken:
        stated = " and ".join(" ".join(name for name, _ in pattern or ()) for pattern in patterns)
        notes.append(sentence("pattern_taken", number=taken, patterns=stated))
