"""Which frames of a night belong together: by type, setup, filter, temperature and exposure."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.cards import value_of
from autowisp_xr.io import FileRecord, Spellings
from autowisp_xr.night.matching import Matching
from autowisp_xr.night.traits import Setup, Traits, setup_of, traits_of

__all__ = ["FrameSet", "names_for", "sort_frames"]


@dataclass(frozen=True, kw_only=True)
class FrameSet:
    """Frames that are averaged, or calibrated, together."""

    name: str
    """Fit for files and stores, such as ``dark_60s``; no other set in the place bears it."""
    place: str
    """Folder of the setup in the results; "" where a night has one setup only."""
    traits: Traits
    records: tuple[FileRecord, ...]

    @property
    def path(self) -> str:
        """Place and name."""
        return "/".join(part for part in (self.place, self.name) if part)


def sort_frames(
    records: Iterable[FileRecord],
    camera: Camera | None = None,
    matching: Matching | None = None,
) -> tuple[list[FrameSet], dict[str, str]]:
    """Sets of frames of a night, and the reason for each file that is in none.

    Parameters
    ----------
    records
        As :func:`autowisp_xr.io.scan` gives them.
    camera
        What the user says of the camera.
    matching
        How far temperatures and exposures of one set may be apart.

    Returns
    -------
    The sets: biases, darks by exposure, both by temperature; flats by filter, whatever their
    temperature, which the response of pixels does not depend on; science frames by filter and
    exposure; of each type in the order in which their first frames appear. And
    {path: reason} of what was left out. Every record is in exactly one of the two.
    """
    matching = matching or Matching()
    left_out: dict[str, str] = {}
    members: dict[Setup, dict[str, list[FileRecord]]] = {}
    for record in records:
        reason = _reason_against(record)
        if reason:
            left_out[record.path] = reason
            continue
        kinds = members.setdefault(setup_of(record, camera), {})
        kinds.setdefault(record.coordinates["image_type"], []).append(record)
    sets = []
    places = _places(list(members))
    for setup, kinds in members.items():
        of_setup: list[FrameSet] = []
        bands = names_for(
            band for group in kinds.values() for band in map(_band, group) if band
        ) | {"": ""}
        for kind in schema.IMAGE_TYPES:
            for group in _alike(kind, kinds.get(kind, []), matching):
                traits = traits_of(kind, group, setup)
                of_setup.append(
                    FrameSet(
                        name=_base_name(traits, _exposure(group[0]), bands),
                        place=places[setup],
                        traits=traits,
                        records=tuple(group),
                    )
                )
        sets += with_own_names(of_setup)
    return sets, left_out


def with_own_names(sets: Sequence[FrameSet]) -> list[FrameSet]:
    """Sets of one setup; those that would bear the same name get their temperature behind it."""
    taken: set[str] = set()
    result = []
    for one in sets:
        name, degrees = one.name, one.traits.temperature
        if sum(other.name == one.name for other in sets) > 1 and np.isfinite(degrees):
            name = f"{name}_{degrees:.0f}C"
        result.append(replace(one, name=_free(name, taken)))
        taken.add(result[-1].name.lower())
    return result


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


def _reason_against(record: FileRecord) -> str:
    if record.error is not None:
        return str(record.error)
    if record.master_because:
        return f"a master already ({record.master_because}), not a raw frame"
    if record.calibrated_because:
        return f"calibrated already ({record.calibrated_because})"
    kind = record.coordinates["image_type"]
    if kind not in ("bias", "dark", "flat", "object"):
        if record.type_rule:
            return f"of the type other, as the type rule {record.type_rule!r} says"
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
        rule = found[0].replace(" = ", "=").replace("'", "")
        return (
            f"{', '.join(found)} is none of bias, dark, flat, object; if it is one, a type rule "
            f"such as '{rule}' = object says which"
        )
    return (
        "neither a card (IMAGETYP or the like) nor its name says what it is; a type rule such as "
        "'M31-*' = object does, for files whose names begin so"
    )


def _band(record: FileRecord) -> str:
    return str(record.coordinates["filter"])


def _exposure(record: FileRecord) -> float:
    return float(record.coordinates["exposure"])


def _alike(kind: str, records: list[FileRecord], matching: Matching) -> list[list[FileRecord]]:
    """Frames of one type and setup, sorted into sets."""
    groups = [records] if records else []
    if kind in ("flat", "object"):
        groups = [part for group in groups for part in _split(group, _band)]
    if kind in ("dark", "object"):
        groups = [part for group in groups for part in _by_exposure(group, matching.exposure)]
    if kind in ("bias", "dark") and "temperature" not in matching.ignore:
        groups = [part for group in groups for part in _by_temperature(group, matching.temperature)]
    return groups


def _split(
    records: list[FileRecord], key: Callable[[FileRecord], object]
) -> list[list[FileRecord]]:
    parts: dict[object, list[FileRecord]] = {}
    for record in records:
        parts.setdefault(key(record), []).append(record)
    return list(parts.values())


def _by_exposure(records: list[FileRecord], tolerance: float) -> list[list[FileRecord]]:
    known: list[float] = []
    # what is averaged agrees within 1 %, however much it may differ from what it corrects
    tolerance = min(tolerance, schema.EXPOSURE_TOLERANCE)

    def key(record: FileRecord) -> float:
        exposure = _exposure(record)
        found = next(
            (seen for seen in known if schema.same_exposure(seen, exposure, tolerance)), None
        )
        if found is None:
            known.append(exposure)
        return exposure if found is None else found

    return _split(records, key)


def _by_temperature(records: list[FileRecord], tolerance: float) -> list[list[FileRecord]]:
    """Sets whose temperatures span no more than the tolerance; the unknown are one of their own.

    The widest gaps part them, so that a frame of a camera that was still warm leaves the others
    together.
    """
    degrees = [float(record.coordinates.get("temperature", np.nan)) for record in records]
    coldest = _lowest_of_parts(sorted(value for value in degrees if np.isfinite(value)), tolerance)
    of_record = {
        id(record): int(np.searchsorted(coldest, value, side="right")) if np.isfinite(value) else -1
        for record, value in zip(records, degrees, strict=True)
    }
    return _split(records, lambda record: of_record[id(record)])


def _lowest_of_parts(values: list[float], tolerance: float) -> list[float]:
    """The lowest value of each part of sorted values that spans no more than the tolerance."""
    lowest, pending = [], [values] if values else []
    while pending:
        part = pending.pop()
        if part[-1] - part[0] <= tolerance:
            lowest.append(part[0])
        else:
            cut = int(np.argmax(np.diff(part))) + 1
            pending += [part[:cut], part[cut:]]
    return sorted(lowest)


def _base_name(traits: Traits, seconds: float, bands: dict[str, str]) -> str:
    exposure = f"{seconds:g}s"
    parts = {
        "bias": ["bias"],
        "dark": ["dark", exposure],
        "flat": ["flat", bands[traits.band]],
        "object": [bands[traits.band], exposure],
    }
    return "_".join(part for part in parts[traits.kind] if part)


def _places(setups: Sequence[Setup]) -> dict[Setup, str]:
    """A folder for each setup; none where there is one setup only."""
    if len(setups) == 1:
        return {setups[0]: ""}
    cameras = {setup.camera for setup in setups}
    texts = {}
    for setup in setups:
        height, width = setup.shape or (0, 0)
        cells = [name for name, _ in setup.channels]
        parts = [
            f"{width}x{height}",
            "".join(name[0] for name in cells) if len(cells) > 1 else "",
            "" if setup.binning in ("", "1x1") else f"bin{setup.binning}",
            "" if setup.gain is None else f"gain{setup.gain:g}",
            setup.camera if len(cameras) > 1 else "",
        ]
        texts[setup] = "-".join(part for part in parts if part)
    names: dict[Setup, str] = {}
    for setup, text in texts.items():
        (stem,) = names_for([text]).values()
        names[setup] = _free(stem, {taken.lower() for taken in names.values()})
    return names
