"""Traits of the files of a night, for the judge of what goes together."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from autowisp_xr.camera import Camera
from autowisp_xr.frames import FileRecord
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import value_of
from autowisp_xr.kinds import KINDS
from autowisp_xr.regions import Region
from autowisp_xr.traits import NUMBERS, TEXTS, Channels, Traits

_SPELT_OTHERWISE = {
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


_DAY = np.timedelta64(1, "D")
_SHORTEST_DAY = np.timedelta64(5, "h")


def nights_of(records: Sequence[FileRecord]) -> dict[str, str]:
    """Date of the evening of each frame, by path; frames whose time is not known have none.

    A day ends in the middle of the longest stretch of the 24 hours in which no frame sees light,
    since headers seldom say reliably where on Earth they are. Where there is no such stretch of
    five hours, no night is told from the next.
    """
    stated = ((one, np.datetime64(one.coordinates.get("time", "NaT"), "ns")) for one in records)
    timed = [(record, time) for record, time in stated if not np.isnat(time)]
    if not timed:
        return {}
    lit = {name for name, kind in KINDS.items() if kind.sees_light}
    times = {record.path: time for record, time in timed}
    seen = [time for record, time in timed if record.coordinates["image_type"] in lit]
    hours = np.sort([time - time.astype("datetime64[D]") for time in seen or times.values()])
    gaps = np.diff(np.append(hours, hours[0] + _DAY.astype("timedelta64[ns]")))
    longest = int(np.argmax(gaps))
    if gaps[longest] < _SHORTEST_DAY:
        return {}
    noon = (hours[longest] + gaps[longest] / 2) % _DAY.astype("timedelta64[ns]")
    return {path: str((time - noon).astype("datetime64[D]")) for path, time in times.items()}


def traits_of_file(
    record: FileRecord, camera: Camera | None, keywords: Sequence[str], night: str
) -> Traits:
    """Traits of a raw frame.

    Parameters
    ----------
    record
        As :func:`autowisp_xr.frames.scan` gives it.
    camera
        What the user says of it; a pattern or area goes before that of the header.
    keywords
        Cards that are traits, too.
    night
        In which it was taken; "" where that is not known.
    """
    camera = camera or Camera()
    height, width = record.shape or (0, 0)
    area = camera.image_area or record.facts.get("image_area")
    channels = channels_of(camera)
    if channels is None:
        channels = _channels_of_pattern(record.facts.get("channels"))
    return Traits.of(
        record.coordinates,
        size=(height, width),
        area=Region.parse(area) if area else Region(xmin=0, xmax=width, ymin=0, ymax=height),
        channels=channels,
        night=night,
        others=tuple((word, str(value_of(record.header, word) or "")) for word in keywords),
    )


def channels_of(camera: Camera) -> Channels | None:
    """Channels of a camera, in the order of their pixels; None where it does not say any."""
    if not camera.channels:
        return None
    return tuple(
        sorted(camera.channels.items(), key=lambda item: (item[1].y_offset, item[1].x_offset))
    )


@lru_cache(maxsize=16)
def _channels_of_pattern(pattern: str | None) -> Channels | None:
    return channels_of(Camera(channels=pattern))


def traits_of_set(
    kind: str, members: Sequence[Traits], records: Sequence[FileRecord] = ()
) -> Traits:
    """Traits of frames that are alike; what is not known of one is that of the others.

    Parameters
    ----------
    kind
        Of all.
    members
        Traits of each.
    records
        Their files, whose cards are named in reasons.
    """
    merged = members[0]
    for one in members[1:]:
        merged = merged.completed_by(one, (*TEXTS, *NUMBERS, "channels"))
    exposures = [value for one in members for value in one.exposure if value == value]
    if kind == "dark" and exposures:
        exposures = [float(np.median(exposures))]
    temperatures = [one.temperature for one in members if one.temperature == one.temperature]
    times = np.sort(np.array([one.time for one in members], "datetime64[ns]"))
    times = times[~np.isnat(times)]
    return replace(
        merged,
        kind=kind,
        filter=_common([one.filter for one in members]),
        night=_common([one.night for one in members]),
        target=_common([one.target for one in members]),
        exposure=(min(exposures), max(exposures)) if exposures else (math.nan, math.nan),
        temperature=float(np.median(temperatures)) if temperatures else math.nan,
        time=times[len(times) // 2] if len(times) else merged.time,
        cards=_cards(records[0]) if records else merged.cards,
    )


def _common(values: Sequence[str]) -> str:
    different = set(values)
    return different.pop() if len(different) == 1 else ""


def _cards(record: FileRecord) -> dict[str, str]:
    """For each trait the card of a header that is asked first, if any is there."""
    aliases: KeywordAliases = record.options.get("aliases") or KeywordAliases()
    found = {}
    for trait in (*TEXTS, *NUMBERS, "channels"):
        names = _SPELT_OTHERWISE.get(trait, (trait,))
        cards = (card for name in names for card in aliases.cards.get(name, ()))
        card = next((card for card in cards if card in record.header), "")
        if card:
            found[trait] = card
    return found
