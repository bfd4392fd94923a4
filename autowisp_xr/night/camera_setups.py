"""How the camera was set: of which setup each frame is, though many do not say all of it."""

from collections.abc import Sequence
from dataclasses import replace

from autowisp_xr.kinds import FRAMES, KINDS
from autowisp_xr.night.sentences import sentence
from autowisp_xr.traits import Traits, comparable

SETTING = tuple(
    name for name in KINDS[FRAMES[0]].alike if all(name in KINDS[kind].alike for kind in FRAMES)
)
"""Traits in which all frames of a setup agree, whatever their kind."""

Key = tuple[object, ...]
"""Values of the traits of a setting, in a form that can be compared; None is not known."""


def key_of(traits: Traits, names: Sequence[str]) -> Key:
    """Values of traits without what makes no difference, None where they are not known."""
    known = set(traits.known(names))
    if "gain_setting" in known:
        # programs write EGAIN for other depths of the pixels
        known.discard("egain")
    return tuple(comparable(getattr(traits, name)) if name in known else None for name in names)


def _agree(one: Key, other: Key) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _more_specific(one: Key, other: Key) -> bool:
    """Whether one says all that another does, and more."""
    return one != other and all(b is None or a == b for a, b in zip(one, other, strict=True))


def setup_of_each(traits: Sequence[Traits]) -> list[Key]:
    """For each frame its setup; one that says less than a single other one belongs to that."""
    keys = [key_of(one, SETTING) for one in traits]
    different = list(dict.fromkeys(keys))
    fullest = [
        key for key in different if not any(_more_specific(other, key) for other in different)
    ]
    home = {}
    for key in different:
        fuller = [other for other in fullest if _more_specific(other, key)]
        home[key] = fuller[0] if len(fuller) == 1 else key
    return [home[key] for key in keys]


def take_colours(traits: dict[str, Traits], notes: list[str]) -> None:
    """Give the Bayer pattern of a camera to those of its frames that do not say it."""
    patterns = dict.fromkeys(one.channels for one in traits.values() if one.channels is not None)
    silent = [path for path, one in traits.items() if one.channels is None]
    if not patterns or not silent:
        return
    names = [name for name in SETTING if name != "channels"]
    stating = {key_of(one, names): one for one in traits.values() if one.channels is not None}
    taken = 0
    for path in silent:
        own = key_of(traits[path], names)
        camera = names.index("camera")
        found = {
            one.channels
            for key, one in stating.items()
            # of a camera that nobody names, or of the very same
            if _agree(own, key) and own[camera] == key[camera]
        }
        if len(found) == 1:
            taken += 1
            traits[path] = replace(traits[path], channels=found.pop())
    if taken:
        stated = " and ".join(" ".join(name for name, _ in pattern or ()) for pattern in patterns)
        notes.append(sentence("pattern_taken", number=taken, patterns=stated))
