"""Lines on what is known of a camera, and on what headers state of it."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from autowisp_xr.camera import Camera
from autowisp_xr.camera.library import Nominal, nominal
from autowisp_xr.errors import HeaderError
from autowisp_xr.first_names import first_of
from autowisp_xr.frames import FileRecord
from autowisp_xr.frames.camera_of_files import resolve_camera
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.values import Cards
from autowisp_xr.night.sentences import plain, sentence
from autowisp_xr.readable_attributes import UNITS as UNITS
from autowisp_xr.readable_attributes import camera_phrases, number_words

_ALIKE = 1e-3
"""Relative difference within which two headers state the same."""

_CARDS = {"gain": "electrons_per_adu", "read_noise": "read_noise"}


def resolved(records: Sequence[FileRecord], camera: Camera | None) -> Camera | None:
    """Return a camera completed by what headers state; None where these contradict each other."""
    try:
        return resolve_camera(records, camera, None)
    except HeaderError:
        return None


def describe(records: Sequence[FileRecord], camera: Camera | None, unseen: str = "") -> str:
    """Describe in a line what is known of the camera of a setup: given, in headers, or measured.

    Parameters
    ----------
    records
        All of the setup.
    camera
        What the user states, or was measured.
    unseen
        A line where nobody knows where it saturates, after a look at its frames.
    """
    known = resolved(records, camera)
    if known is None:
        return ""
    phrases = camera_phrases(json.loads(known.to_json()))
    parts = [phrases[name] for name in (*UNITS, "image_area", "overscan") if name in phrases]
    if known.amplifiers:
        parts.append(_amplifiers(known))
    parts += [unseen] if unseen and known.saturation is None else []
    return f"the camera: {'; '.join(parts)}" if parts else ""


def _amplifiers(camera: Camera) -> str:
    """Describe how many amplifiers there are, and between what their numbers lie."""
    parts = [f"{len(camera.amplifiers)} amplifiers"]
    for name in ("gain", "read_noise"):
        own = [getattr(one, name) for one in camera.amplifiers if getattr(one, name) is not None]
        if own:
            ends = " to ".join(number_words(number) for number in sorted({min(own), max(own)}))
            parts.append(f"{plain(name)} {ends} {UNITS[name]}")
    if any(one.overscan for one in camera.amplifiers):
        parts.append("overscan of their own")
    return ", ".join(parts)


def stated_by(records: Sequence[FileRecord], name: str) -> dict[float, list[str]]:
    """Return what headers state of gain or read noise, and the files of each value."""
    stated: dict[float, list[str]] = {}
    for record in records:
        value = record.facts.get(name)
        if value is not None:
            near = (known for known in stated if math.isclose(known, value, rel_tol=_ALIKE))
            stated.setdefault(next(near, float(value)), []).append(record.path)
    return stated


def card(records: Sequence[FileRecord], name: str) -> str:
    """Return the card of gain or read noise, as it is called in these headers."""
    names = KeywordAliases().cards[_CARDS[name]]
    found = (card for record in records for card in names if value_of(record.header, card))
    return next(found, names[0])


def model_of(record: FileRecord) -> Nominal | None:
    """Return what is known of the model of the camera of a frame; None of a binned one."""
    stated = record.coordinates
    if stated.get("binning", "") not in ("", "1x1"):
        return None
    model = Cards(record.header, KeywordAliases()).text("camera")
    found = nominal(model, stated.get("gain_setting", math.nan), record.facts.get("saturation"))
    return found if found.values else None


def disagreement(name: str, stated: Mapping[float, Sequence[str]]) -> str:
    """Report that headers do not agree, with all values and files."""
    values = [
        f"{value:g} ({first_of([Path(path).name for path in paths])})"
        for value, paths in sorted(stated.items(), reverse=True)
    ]
    return f"the headers disagree on the {plain(name)}: {' and '.join(values)}"


def setting_hint(records: Sequence[FileRecord], unknown: Sequence[str]) -> str:
    """Suggest that a GAIN in the headers may be what is asked for, where there is one."""
    found = (value_of(record.header, "GAIN") for record in records if "gain" in unknown)
    stated = next((value for value in found if value is not None), None)
    return "" if stated is None else sentence("setting_hint", value=stated)
