"""Traits of the files of a night and of sets of them, for the judge of what goes together."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from autowisp_xr.camera import Camera
from autowisp_xr.frames import FileRecord
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.values import Cards
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching.traits import NUMBERS, TEXTS, Channels, Traits, comparable, is_known
from autowisp_xr.regions import Region

_FIELDS = {
    "egain": ("electrons_per_adu_raw", "electrons_per_adu"),
    "gain_setting": ("gain",),
    "channels": ("bayer",),
    "orientation": ("row_order", "flip", "flip_x", "flip_y"),
    "filter": ("filter", "filter_wheels"),
    "readout_mode": ("readout_mode", "amplification", "gain"),
    "temperature": ("temperature", "temperature_set"),
    "window": (
        *("window", "window_x", "window_x_unbinned", "window_x_from_one", "window_corners"),
        "physical",
    ),
}
"""Fields of the table of aliases that do not bear the name of their trait."""

_UNKNOWN = Camera()

_DAY = np.timedelta64(1, "D").astype("timedelta64[ns]")
_SHORTEST_DAY = np.timedelta64(5, "h")


def nights_of(records: Sequence[FileRecord]) -> dict[str, str]:
    """Return the date of the evening of each frame, by path, where its time is known.

    A day ends in the middle of the longest stretch of the 24 hours in which no frame sees light,
    since headers seldom state reliably where on Earth they are. Where there is no such stretch of
    five hours, no night is distinguished from the next.
    """
    stated = {r.path: np.datetime64(r.coordinates.get("time", "NaT"), "ns") for r in records}
    times = {path: time for path, time in stated.items() if not np.isnat(time)}
    if not times:
        return {}
    lit = {r.path for r in records if KINDS[r.coordinates["image_type"]].sees_light}
    seen = [time for path, time in times.items() if path in lit] or times.values()
    hours = np.sort([time - time.astype("datetime64[D]") for time in seen])
    gaps = np.diff(np.append(hours, hours[0] + _DAY))
    longest = int(np.argmax(gaps))
    if gaps[longest] < _SHORTEST_DAY:
        return {}
    noon = (hours[longest] + gaps[longest] / 2) % _DAY
    return {path: str((time - noon).astype("datetime64[D]")) for path, time in times.items()}


def traits_of_file(
    record: FileRecord, camera: Camera | None, keywords: Sequence[str], night: str
) -> Traits:
    """Return the traits of a raw frame.

    Parameters
    ----------
    record
        As :func:`autowisp_xr.frames.scan` gives it.
    camera
        What the user states of it; a pattern or area goes before that of the header.
    keywords
        Cards that are traits, too.
    night
        In which it was taken; "" where that is not known.
    """
    camera = camera or _UNKNOWN
    height, width = record.shape or (0, 0)
    area = camera.image_area or record.facts.get("image_area")
    return Traits.of(
        record.coordinates,
        size=(height, width),
        area=Region.parse(area) if area else Region(xmin=0, xmax=width, ymin=0, ymax=height),
        channels=channels_of(camera) or _channels_of_pattern(record.facts.get("channels")),
        night=night,
        others=tuple((word, str(value_of(record.header, word) or "")) for word in keywords),
    )


def channels_of(camera: Camera) -> Channels | None:
    """List the channels of a camera in the order of their pixels; None where it has none."""
    if not camera.channels:
        return None
    channels = camera.channels.items()
    return tuple(sorted(channels, key=lambda item: (item[1].y_offset, item[1].x_offset)))


@lru_cache(maxsize=16)
def _channels_of_pattern(pattern: str | None) -> Channels | None:
    """List the channels of a Bayer pattern; they are the same for many files."""
    return channels_of(Camera(channels=pattern))


def traits_of_set(
    kind: str, members: Sequence[Traits], records: Sequence[FileRecord] = ()
) -> Traits:
    """Return the traits of frames that are alike; what is not known of one is that of the others.

    Parameters
    ----------
    kind
        Of all.
    members
        Traits of each.
    records
        Their files, whose cards are named in reasons.
    """
    merged, names = members[0], (*TEXTS, *NUMBERS, "channels")
    for name in set(names) - set(merged.known(names)):
        known = (one for one in members[1:] if is_known(getattr(one, name)))
        first_known = next(known, None)
        if first_known is not None:
            merged = merged.completed_by(first_known, [name])
    exposures = [value for one in members for value in one.exposure if value == value]
    if kind in KINDS and KINDS[kind].place == "dark" and exposures:
        exposures = [float(np.median(exposures))]
    times = np.sort(np.array([one.time for one in members], "datetime64[ns]"))
    times = times[~np.isnat(times)]
    common: dict[str, Any] = {}
    for name in ("filter", "night", "target"):
        different = {getattr(one, name) for one in members}
        alike = len(set(map(comparable, different))) == 1
        common[name] = getattr(members[0], name) if alike else ""
    if records:
        common |= {"cards": _cards(records[0]), "focal_length": _focal_length(records[0])}
    return replace(
        merged,
        kind=kind,
        **common,
        exposure=(min(exposures), max(exposures)) if exposures else (math.nan, math.nan),
        temperature=median_of_known(one.temperature for one in members),
        time=times[len(times) // 2] if len(times) else merged.time,
    )


def median_of_known(numbers: Iterable[float]) -> float:
    """Return the median of those numbers that are known; NaN where none is."""
    known = [number for number in numbers if number == number]
    return float(np.median(known)) if known else math.nan


def _aliases(record: FileRecord) -> KeywordAliases:
    return record.options.get("aliases") or KeywordAliases()


def _focal_length(record: FileRecord) -> float:
    return Cards(record.header, _aliases(record)).number("focal_length", above=0.0)


def _cards(record: FileRecord) -> dict[str, str]:
    """Return for each trait the card of a header that is asked first, if any is there."""
    aliases = _aliases(record)
    found: dict[str, str] = {}
    for trait in (*TEXTS, *NUMBERS, "channels"):
        fields = _FIELDS.get(trait, (trait,))
        cards = (card for name in fields for card in aliases.cards.get(name, ()))
        card = next((card for card in cards if card in record.header), "")
        found |= {trait: card} if card else {}
    return found
