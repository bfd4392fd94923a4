"""Masters and calibrated frames as the page shows them, and previews of them as PNG."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import recipes, schema
from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.errors import AutowispError
from autowisp_xr.flags import Flag
from autowisp_xr.night import ReducedNight
from autowisp_xr.night.reduced_night import RecordedProduct
from autowisp_xr.night.sentences import DOUBT, by_reason, counted
from autowisp_xr.opening import open_fits
from autowisp_xr.plot import figures
from autowisp_xr.plot.stretches import MAD, StretchName
from autowisp_xr.readable_attributes import unit_in_words
from autowisp_xr.report import charts
from autowisp_xr.report.flow import anchor
from autowisp_xr.report.pictures import Picture, SmallPlane, as_file, in_page, shades, small_plane
from autowisp_xr.report.words import MAKES_DEFECTS, beside, number, share

_BAND = 64
"""Rows in the middle that show the uncertainty of a pixel."""

_DEFECTS = (("unusable", Flag.FAULT, (213, 94, 0)), ("hot", Flag.HOT, (0, 114, 178)))
"""The flags of a map of defects, and their colours (Okabe and Ito)."""
_WORDS = {Flag.FAULT: "unusable"}
_SENSOR = (214, 217, 220)

_MOST_SETS = 6
"""Sets of which a frame is shown before and after."""

_PREVIEWS = "previews"

_SIDE = 1600
"""Pixels along the longer side, at most."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One product."""

    anchor: str
    title: str
    what: str
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]
    doubts: int
    """How many there are about it."""
    pictures: Sequence[tuple[str, Picture]]
    """Each with its title."""
    chart: charts.Chart | None = None
    caption: str = ""


def masters_of(recorded: ReducedNight, side: float) -> Iterator[Card]:
    """Yield the card of each master; pictures have about so many pixels along their longer side."""
    masters = [one for one in recorded.made if one.is_master]
    for one in sorted(masters, key=lambda one: one.kind == MAKES_DEFECTS):
        master = recipes.open_zarr(recorded.store, group=one.group)
        yield (
            _defects(one, master, side) if one.kind == MAKES_DEFECTS else _master(one, master, side)
        )


def _master(one: RecordedProduct, master: xr.Dataset, side: float) -> Card:
    names = schema.names(master, "channel")
    channel = next((i for i, name in enumerate(names) if name.startswith("G")), 0)
    small = small_plane(master, channel, side)
    unit = unit_in_words(schema.units_of(master))
    of = f", channel {names[channel]}" if len(names) > 1 else ""
    relative = unit == "relative"
    label = "response, relative to the mean" if relative else f"value of a pixel [{unit}]"
    facts: list[tuple[str, str]] = []
    chart = None
    if small.sample.size:
        middle = float(np.median(small.sample))
        scatter = MAD * float(np.median(np.abs(small.sample - middle)))
        uncertainty = _uncertainty(master, channel)
        if relative:
            low, high = np.quantile(small.sample, (0.005, 0.995)).tolist()
            facts.append(("Response", f"{number(low, 3)} to {number(high, 3)} of the mean"))
            facts.append(("Uncertainty of a pixel", number(100 * uncertainty, 2, "%")))
        else:
            facts.append(("Level", f"{beside(middle, scatter)} {unit}"))
            facts.append(("Scatter between pixels", number(scatter, 2, unit)))
            facts.append(("Uncertainty of a pixel", number(uncertainty, 2, unit)))
        middle_word = beside(middle, scatter)
        alt = f"How many pixels of {one.name} have which value; the median is {middle_word}"
        chart = charts.Chart(charts.histogram(small.sample, label, f"h-{anchor(one)}"), alt)
    facts.append(("Flagged pixels", _flagged(small)))
    picture = in_page(
        shades({"": (small.values, small.good)}), f"The master {one.kind} {one.name}{of}"
    )
    return _card(one, facts, [("", picture)], chart, of.removeprefix(", "))


def _defects(one: RecordedProduct, found: xr.Dataset, side: float) -> Card:
    planes = [
        small_plane(found[["mask"]].assign(image=found["mask"]), number, side)
        for number in range(found.sizes["channel"])
    ]
    flags = np.bitwise_or.reduce([plane.flags for plane in planes])
    picture = np.full((*flags.shape, 3), _SENSOR, np.uint8)
    facts: list[tuple[str, str]] = []
    pixels = sum(plane.pixels for plane in planes)
    for word, flag, colour in reversed(_DEFECTS):
        picture[_grown(flags & np.uint8(flag) != 0)] = colour
        count = sum(plane.counts[flag] for plane in planes)
        facts.insert(0, (word.capitalize(), f"{count} pixels, {share(count, pixels)}"))
    source = in_page(picture[::-1], "", drawn=True)
    shown = source._replace(alt=f"Where the defects are: {', '.join(map(': '.join, facts))}")
    caption = "Orange: unusable. Blue: hot."
    # the numbers stand in the sentence about it
    return _card(one, (), [("", shown)], None, caption)


def _grown(marked: Any) -> Any:
    """Let single pixels be seen: each marks its neighbours at the right and below, too."""
    grown = marked.copy()
    grown[1:] |= marked[:-1]
    grown[:, 1:] |= grown[:, :-1]
    return grown


def _card(
    one: RecordedProduct,
    facts: Sequence[tuple[str, str]],
    pictures: Sequence[tuple[str, Picture]],
    chart: charts.Chart | None,
    caption: str,
) -> Card:
    more = [("Corrected by", ", ".join(one.masters.values()))] if one.masters else []
    more += [("Missing", f"{', '.join(of)} ({why})") for why, of in by_reason(one.missing).items()]
    more += [("Made again", one.again)] if one.again else []
    return Card(
        anchor=anchor(one),
        title=one.name,
        what=_what(one),
        facts=[*facts, *more],
        notes=[note for note in one.notes if not _is_doubt(note)],
        doubts=sum(map(_is_doubt, one.notes)),
        pictures=pictures,
        chart=chart,
        caption=caption,
    )


def _what(one: RecordedProduct) -> str:
    if not one.is_master:
        return counted(one.inputs, "calibrated frame")
    what = "defective pixels" if one.kind == MAKES_DEFECTS else f"master {one.kind}"
    return f"{what}, of {counted(one.inputs, 'frame')}"


def _is_doubt(note: str) -> bool:
    return note.startswith((DOUBT, "WARNING: "))


def _flagged(small: SmallPlane) -> str:
    words = [
        f"{count} {_WORDS.get(flag, figures.FLAGS[flag][0])}"
        for flag, count in small.counts.items()
        if count and flag in figures.FLAGS
    ]
    return f"{share(small.marked, small.pixels)}: {', '.join(words)}" if words else "none"


def _uncertainty(master: xr.Dataset, channel: int) -> float:
    """Return the median uncertainty of the pixels in the middle."""
    if "variance" not in master:
        return np.nan
    middle = master.sizes["y"] // 2
    rows = slice(max(middle - _BAND // 2, 0), middle + _BAND // 2)
    variances: Floats = master["variance"].isel(channel=channel, y=rows).values
    known = variances[np.isfinite(variances)]
    return float(np.sqrt(np.median(known))) if known.size else np.nan


def sets_of(recorded: ReducedNight, side: float) -> Iterator[Card]:
    """Yield the card of each set of calibrated frames: one of them before and after."""
    sets = [one for one in recorded.made if not one.is_master]
    for place, one in enumerate(sets):
        made = recipes.open_zarr(recorded.store, group=one.group)
        facts: list[tuple[str, str]] = []
        pictures: list[tuple[str, Picture]] = []
        caption = ""
        if place < _MOST_SETS:
            middle = made.sizes["frame"] // 2
            name = schema.names(made, "frame")[middle]
            after = planes_of(made.isel(frame=middle), side)
            before = _raw(recorded, one, made.isel(frame=[middle]))
            caption = f"Frame {name}"
            if before is None:
                caption += "; the raw frame is neither in the results nor where it was read from"
            else:
                caption += ", with the same contrast before and after"
                raw = planes_of(_area_of(made, before), side)
                alike = after if list(raw) == list(after) else None
                pictures.append(("Before", _shown(raw, f"{name} as read", like=alike)))
                facts.append(("Level before", _level(raw)))
            pictures.append(("After", _shown(after, f"{name}, calibrated")))
            facts.append(("Level after", _level(after)))
            facts.append(("Flagged pixels", _flagged(next(iter(after.values())))))
        yield _card(one, facts, pictures, None, caption)


def _area_of(made: xr.Dataset, before: xr.Dataset) -> xr.Dataset:
    """Return the pixels of a raw frame that became some, so that both are shown alike."""
    inside = {dim: np.flatnonzero(before[dim].isin(made[dim]).values) for dim in ("y", "x")}
    return before.isel({dim: slice(at[0], at[-1] + 1) for dim, at in inside.items() if at.size})


def planes_of(ds: xr.Dataset, side: float) -> dict[str, SmallPlane]:
    """Return the channels of a frame or master, small, by their names."""
    names = schema.names(ds, "channel")
    return {name: small_plane(ds, number, side) for number, name in enumerate(names)}


def _shown(
    planes: Mapping[str, SmallPlane], alt: str, *, like: Mapping[str, SmallPlane] | None = None
) -> Picture:
    return in_page(shades(drawn(planes), like=None if like is None else drawn(like)), alt)


def drawn(planes: Mapping[str, SmallPlane]) -> dict[str, tuple[Floats, Bools]]:
    """Return what is drawn of channels: their values, and which are good."""
    return {name: (one.values, one.good) for name, one in planes.items()}


def _level(planes: Mapping[str, SmallPlane]) -> str:
    """Return the median of each channel."""
    words = []
    for name, one in planes.items():
        if one.sample.size:
            middle = float(np.median(one.sample))
            scatter = MAD * float(np.median(np.abs(one.sample - middle)))
            words.append(f"{name + ' ' if len(planes) > 1 else ''}{beside(middle, scatter)}")
    return f"{', '.join(words)} ADU" if words else "not known"


def _raw(recorded: ReducedNight, one: RecordedProduct, made: xr.Dataset) -> xr.Dataset | None:
    """Return a frame as it was read, of the store or else of its file; None where it is gone."""
    kept = recipes.outline(recorded.store, group=one.group)
    if "image" in kept and "variance" not in kept:
        number = schema.names(kept, "frame").index(schema.names(made, "frame")[0])
        return kept[["image"]].isel(frame=number)
    path = Path(str(made["path"].values[0]))
    try:
        opened = open_fits(path, camera=schema.camera_of(made))
    except (AutowispError, OSError, ValueError):
        return None
    return opened[["image"]].isel(frame=0)


def previews(recorded: ReducedNight, stretch: StretchName) -> Iterator[tuple[str, bytes]]:
    """Yield the place of each preview in the results, and the bytes of its file.

    Sets of a Bayer pattern are in colour. One frame at a time is read.
    """
    for one in recorded.made:
        if one.kind != MAKES_DEFECTS:
            made = recipes.open_zarr(recorded.store, group=one.group)
            for name, frame in _frames(one, made):
                picture = shades(drawn(planes_of(frame, _SIDE)), stretch)
                place = f"{_PREVIEWS}/{name.replace('/', '_')}.png"
                yield place, as_file(np.ascontiguousarray(picture), "PNG")


def _frames(one: RecordedProduct, made: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    if one.is_master:
        yield one.group, made
        return
    for place, name in enumerate(schema.names(made, "frame")):
        yield f"{one.group}/{name}", made.isel(frame=place)
