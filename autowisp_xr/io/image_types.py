"""Kinds of frames, and what headers call them."""

import re
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["DEFAULT_TYPES", "IMAGE_TYPES", "checked_types", "type_key"]

IMAGE_TYPES = ("bias", "dark", "flat", "object", "other")

_NOT_LETTERS = re.compile(r"[^a-z0-9]+")

_VALUES = {
    "bias": "bias, biases, bias frame, offset, offsets, zero, zeros, zero frame",
    "dark": "dark, darks, dark frame, dark flat, dark flat frame, flat dark, flat dark frame",
    "flat": (
        "flat, flats, flat frame, flat field, dome flat, lamp flat, sky flat, twilight, "
        # as ESO writes them: FLAT,SKY
        "twilight flat, twi flat, flat dome, flat lamp, flat led, flat sky, flat twilight"
    ),
    "object": (
        "light, lights, light frame, object, science, science frame, sky, spectrum, "
        # of the Las Cumbres Observatory; standard stars; and MaxIm DL for colour cameras
        "experimental, expose, target, standard, std, tricolor image"
    ),
}


@lru_cache(maxsize=256)
def type_key(text: str) -> str:
    """What makes a value of an image type card: neither letter case, blanks nor punctuation."""
    return _NOT_LETTERS.sub("", text.lower())


def checked_types(given: Mapping[str, str]) -> dict[str, str]:
    """{value: type} with the values as keys, or a ValueError if there is no such type."""
    for value, kind in given.items():
        if kind not in IMAGE_TYPES:
            raise ValueError(
                f"the image type of {value!r} is one of {', '.join(IMAGE_TYPES)}, not {kind!r}"
            )
    return {type_key(value): kind for value, kind in given.items()}


DEFAULT_TYPES = {
    type_key(value): kind for kind, values in _VALUES.items() for value in values.split(", ")
} | {
    # numbers of CCDSoft
    type_key(f"CCDSFPT={number}"): kind
    for number, kind in enumerate(("object", "bias", "dark", "flat"), start=1)
}
