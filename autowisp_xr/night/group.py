"""Which files of a night belong together: by type, size, channels, gain, filter, exposure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from autowisp_xr import schema
from autowisp_xr.cards import value_of
from autowisp_xr.io import FileRecord, Spellings

__all__ = ["Setup", "names_for", "sort_frames"]


@dataclass(kw_only=True)
class Setup:
    """Frames of one size, channel layout and gain setting, which can correct each other."""

    name: str
    """What tells it from other setups, fit for a file name."""

    bias: list[FileRecord] = field(default_factory=list)
    dark: dict[float, list[FileRecord]] = field(default_factory=dict)
    """By exposure in seconds."""
    flat: dict[str, list[FileRecord]] = field(default_factory=dict)
    """By filter."""
    science: dict[tuple[str, float], list[FileRecord]] = field(default_factory=dict)
    """By filter and exposure."""


def sort_frames(records: Iterable[FileRecord]) -> tuple[list[Setup], dict[str, str]]:
    """Setups of a night, and the reason for each file that is in none.

    Parameters
    ----------
    records
        As :func:`autowisp_xr.io.scan` gives them.

    Returns
    -------
    The setups, in the order in which their first frames appear, and {path: reason} of what was left
    out. Every record is in exactly one of the two.
    """
    left_out: dict[str, str] = {}
    setups: dict[tuple[object, ...], list[FileRecord]] = {}
    for record in records:
        reason = _reason_against(record)
        if reason:
            left_out[record.path] = reason
        else:
            setups.setdefault(_setup_key(record), []).append(record)
    return [_setup(members) for members in setups.values()], left_out


def names_for(texts: Iterable[str]) -> dict[str, str]:
    """A name for each text, fit for files and stores; texts that differ have names that differ.

    Examples
    --------
    >>> names_for(["g", "g'", "Sloan z"])
    {'g': 'g', "g'": 'g-2', 'Sloan z': 'Sloan-z'}
    """
    names: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        name = stem = re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-.") or "unnamed"
        number = 2
        while name.lower() in {taken.lower() for taken in names.values()}:
            name = f"{stem}-{number}"
            number += 1
        names[text] = name
    return names


def _reason_against(record: FileRecord) -> str:
    if record.error is not None:
        return str(record.error)
    if record.is_master:
        return "a master already (IMAGETYP or NUMFCOMB says so), not a raw frame"
    if record.place is not None or len(record.planes) > 1:
        return "calibrated already (it has IMAGAREA, CLRCHNL, or an error or mask plane)"
    kind = record.coordinates["image_type"]
    if kind not in ("bias", "dark", "flat", "object"):
        return f"of no known type: {_type_cards(record)}"
    if kind in ("dark", "object") and not np.isfinite(record.coordinates["exposure"]):
        return f"{kind} frame whose exposure is not known (no EXPTIME, EXPOSURE or the like)"
    return ""


def _type_cards(record: FileRecord) -> str:
    keywords = Spellings().image_type
    found = [
        f"{word} = {value_of(record.header, word)!r}" for word in keywords if word in record.header
    ]
    if found:
        return f"{', '.join(found)} is none of bias, dark, flat, object"
    return f"it has none of the cards {', '.join(keywords)}"


def _setup_key(record: FileRecord) -> tuple[object, ...]:
    gain = record.coordinates["gain"]
    return (record.shape, str(record.facts.get("channels")), None if gain != gain else gain)


def _setup(members: list[FileRecord]) -> Setup:
    height, width = members[0].shape or (0, 0)
    gain = members[0].coordinates["gain"]
    channels = "".join(members[0].facts.get("channels") or ())
    parts = [f"{width}x{height}", channels, "" if gain != gain else f"gain{gain:g}"]
    setup = Setup(name="-".join(part for part in parts if part))
    for record in members:
        facts = record.coordinates
        exposure, band = float(facts["exposure"]), str(facts["filter"])
        if facts["image_type"] == "bias":
            setup.bias.append(record)
        elif facts["image_type"] == "dark":
            setup.dark.setdefault(_known(exposure, setup.dark), []).append(record)
        elif facts["image_type"] == "flat":
            setup.flat.setdefault(band, []).append(record)
        else:
            alike = _known(exposure, [e for f, e in setup.science if f == band])
            setup.science.setdefault((band, alike), []).append(record)
    return setup


def _known(exposure: float, exposures: Iterable[float]) -> float:
    return next((known for known in exposures if schema.same_exposure(known, exposure)), exposure)
