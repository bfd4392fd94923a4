"""The kinds of frames: one row each, with all that depends on the kind.

A new kind of master is a row here, and the recipe that makes it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

__all__ = [
    "DEFAULT_TYPES",
    "EXPOSURE_TOLERANCE",
    "FRAMES",
    "IMAGE_TYPES",
    "KINDS",
    "MASTERS",
    "OTHER",
    "TEMPERATURE_TOLERANCE",
    "Kind",
    "checked_types",
    "type_key",
]

_SETTING = (
    "camera",
    "detector",
    "size",
    "area",
    "window",
    "binning",
    "orientation",
    "channels",
    "unit",
    "gain_setting",
    "egain",
    "readout_mode",
    "readout_speed",
)
"""Traits of how the camera was set, which have to agree whatever the kind."""

TEMPERATURE_TOLERANCE = 2.0
"""Degrees between frames and the biases and darks that correct them."""

EXPOSURE_TOLERANCE = 0.01
"""Relative; shutters are not exact."""

_LEVEL = ("pixel_type", "offset", "coadds")
"""Traits that decide the level of pixels without light, which a flat is free of."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a kind of frame is called, needs, and has to agree in."""

    name: str
    words: tuple[str, ...]
    """What headers call it; letter case, blanks and punctuation do not matter."""
    card: str
    """IMAGETYP of such a frame; that of a master is "Master" and its first word."""
    in_names: str
    """What names of files call it, as a regular expression that fits a whole word."""
    needs: tuple[str, ...] = ()
    """Kinds of the masters that correct it, in the order in which they are chosen."""
    master_unit: str = ""
    """Of a master of this kind; "" where there are no masters of it."""
    made_of: str = ""
    """Kind of the frames that a master is made of, where no frame is of this kind itself."""
    alike: tuple[str, ...] = ()
    """Traits in which frames of this kind agree that are averaged, or calibrated, together."""
    serves: tuple[str, ...] = ()
    """Traits in which a master of this kind agrees with the frames that it corrects."""
    name_parts: tuple[str, ...] = ()
    """What the name of a set of such frames is made of: its kind, filter or exposure."""

    @property
    def sees_light(self) -> bool:
        """Whether such frames are exposed to light."""
        return "filter" in self.alike


_ROWS = (
    Kind(
        name="bias",
        words=(
            *("bias", "biases", "bias frame", "zero", "zeros", "zero frame"),
            *("offset", "offsets", "offset frame"),
        ),
        card="Bias Frame",
        in_names="bias(es)?|zeros?|offsets?",
        master_unit="adu",
        alike=(*_SETTING, *_LEVEL, "temperature"),
        serves=(*_SETTING, *_LEVEL, "temperature"),
        name_parts=("kind",),
    ),
    Kind(
        name="dark",
        words=(
            *("dark", "darks", "dark frame"),
            *("dark flat", "dark flat frame", "flat dark", "flat dark frame"),
        ),
        card="Dark Frame",
        in_names="darks?|darkflats?|flatdarks?",
        needs=("bias",),
        master_unit="adu",
        alike=(*_SETTING, *_LEVEL, "temperature", "exposure"),
        serves=(*_SETTING, *_LEVEL, "temperature", "exposure"),
        name_parts=("kind", "exposure"),
    ),
    Kind(
        name="flat",
        words=(
            *("flat", "flats", "flat frame", "flat field", "dome flat", "lamp flat", "sky flat"),
            *("twilight", "twilight flat", "twi flat", "projector flat"),
            # as ESO writes them: FLAT,SKY
            *("flat dome", "flat lamp", "flat led", "flat sky", "flat twilight"),
        ),
        card="Flat Field",
        in_names="(dome|sky|lamp|twi|twilight)?flats?(fields?)?",
        needs=("bias", "dark"),
        master_unit="1",
        alike=(*_SETTING, *_LEVEL, "filter", "night"),
        serves=(*_SETTING, "filter"),
        name_parts=("kind", "filter"),
    ),
    Kind(
        name="object",
        words=(
            *("light", "lights", "light frame", "object", "science", "science frame", "sky"),
            # of the Las Cumbres Observatory; standard stars; and MaxIm DL for colour cameras
            *("spectrum", "experimental", "expose", "target", "standard", "std", "tricolor image"),
        ),
        card="Light Frame",
        in_names="lights?|objects?|sci|science",
        needs=("bias", "dark", "flat"),
        alike=(*_SETTING, *_LEVEL, "filter", "exposure", "night"),
        name_parts=("filter", "exposure"),
    ),
    Kind(
        name="fringe",
        words=("fringe", "fringes", "fringe frame"),
        card="Fringe Frame",
        in_names="fringes?",
        master_unit="1",
        made_of="object",
        alike=(*_SETTING, "filter"),
        serves=(*_SETTING, "filter"),
        name_parts=("kind", "filter"),
    ),
)

KINDS: Mapping[str, Kind] = {row.name: row for row in _ROWS}
"""The kinds by name, in the order in which they are worked on."""

FRAMES = tuple(name for name, kind in KINDS.items() if not kind.made_of)
"""Kinds of frames that a camera takes."""

MASTERS = tuple(name for name in FRAMES if KINDS[name].master_unit)
"""Kinds of frames of which there are masters."""

OTHER = "other"
"""What is of no known kind."""

IMAGE_TYPES = (*KINDS, OTHER)

_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


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


DEFAULT_TYPES = {type_key(word): kind.name for kind in _ROWS for word in kind.words} | {
    # numbers of CCDSoft
    type_key(f"CCDSFPT={number}"): kind
    for number, kind in enumerate(("object", "bias", "dark", "flat"), start=1)
}
