"""What in a header cannot be taken as it stands: a sentence each, with the card and a remedy."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from autowisp_xr.headers.cards import comment_of, value_of
from autowisp_xr.headers.exposure import EXPOSURES, exposure_card
from autowisp_xr.headers.facts import is_bayer
from autowisp_xr.headers.sections import read_areas
from autowisp_xr.headers.temperature import read_temperature
from autowisp_xr.headers.times import (
    Instant,
    clock_beside,
    is_old_date,
    middles_of_exposure,
    starts_of_exposure,
    time_scale,
)
from autowisp_xr.headers.values import Cards, known_values, to_number, to_text

__all__ = ["header_doubts"]

_REMARKS = ("", "COMMENT", "HISTORY", "CONTINUE")
_NUMBERS = ("temperature", "temperature_set", "gain", "offset", "coadds", "saturation")
_DATES = ("start", "start_time", "start_days", "middle", "middle_days")
_LONGEST = 86_400.0
_NO_START = re.compile(
    r"\bmid[- ]?(?:dle|point|exposure|time|of)\b|\bcent(?:re|er) of\b|\blocal\b"
    r"|\bend of (?:the )?(?:exposure|integration)\b|\bexposure end\b",
    re.IGNORECASE,
)
"""What the comment of a start does not say."""
_LATENCY = 5.0
"""Seconds that clocks of a camera and of its program may differ by, beside the exposure."""


def header_doubts(
    cards: Cards,
    keywords: Collection[str],
    coordinates: Mapping[str, Any],
    facts: Mapping[str, Any],
    size: tuple[int, int],
) -> Iterator[str]:
    """Doubts about the cards of a raw frame.

    Parameters
    ----------
    cards, keywords
        Of the image.
    coordinates, facts
        As they were read.
    size
        Height and width of the raw frame.
    """
    yield from _of_repetitions(cards, keywords)
    yield from _of_numbers(cards)
    yield from _of_exposure(cards, coordinates["exposure"])
    yield from filter(None, (read_temperature(cards).doubt,))
    yield from _of_time(cards, coordinates)
    yield from _of_colors(cards, coordinates["binning"], facts["channels"])
    yield from read_areas(cards, *size, coordinates["binning"]).doubts


def _of_repetitions(cards: Cards, keywords: Collection[str]) -> Iterator[str]:
    if len(set(keywords)) == len(keywords):
        return
    known = {name for names in cards.spellings.cards.values() for name in names}
    for name, number in Counter(keywords).items():
        if number == 1 or name in _REMARKS or name not in known:
            continue
        values = [value_of(cards.header, (name, i)) for i in range(number)]
        different = list(dict.fromkeys(repr(value) for value in values if value is not None))
        if len(different) > 1:
            yield (
                f"{name} is given {number} times, as {' and '.join(different)}: the first counts; "
                "if it is not the right one, correct the header"
            )


def _of_numbers(cards: Cards) -> Iterator[str]:
    for thing in _NUMBERS:
        said = list(cards.values(thing))
        if any(not math.isnan(to_number(value)) for _, value in said):
            continue
        for name, value in said:
            if isinstance(value, str) and any(map(str.isdigit, value)):
                yield (
                    f"{name} = {value!r} is no number that can be read, and counts as unknown; "
                    "correct it in the headers"
                )
                break


def _of_exposure(cards: Cards, seconds: float) -> Iterator[str]:
    if seconds > _LONGEST:
        card = exposure_card(cards)
        name = (
            "the exposure"
            if card is None
            else f"{card.name} = {value_of(cards.header, card.name)!r}"
        )
        yield (
            f"{name} is {seconds:g} s, longer than a day; if it counts in another unit, write that "
            "into its comment, such as [ms], or name the card as a spelling of "
            "'exposure_milliseconds'"
        )
    elif math.isnan(seconds):
        for name, value in cards.values(*EXPOSURES):
            if cards.tells(value):
                yield (
                    f"{name} = {value!r} is no exposure that can be read; correct it in the "
                    "headers, or name another card as a spelling of 'exposure'"
                )
                return


def _of_time(cards: Cards, coordinates: Mapping[str, Any]) -> Iterator[str]:
    known = not np.isnat(coordinates["time"])
    for name, value in cards.values("start"):
        if is_old_date(value) and known:
            yield (
                f"{name} = {value!r} is written in a form that ended in 1999; it is taken for a "
                "date of this century"
            )
    yield from _of_comment(cards)
    if known and len(cards.names(*_DATES)) == 1 and not cards.names("time_scale"):
        return  # nothing could disagree
    starts, middles = list(starts_of_exposure(cards)), list(middles_of_exposure(cards))
    scale = "".join(f"{name} = {value!r}" for name, value in list(cards.values("time_scale"))[:1])
    if time_scale(cards) is None and any(np.isnat(i.time) for i in (*starts, *middles)):
        yield (
            f"{scale} is no scale of time that can be converted to UTC, and the time counts as "
            "unknown; correct it to that of the dates (UTC, TT, TAI, GPS ...), or write their zone "
            "behind them"
        )
        return
    if to_text(cards.value("time_scale")).lower() == "ut1":
        yield f"{scale} is taken for UTC, which is up to 0.9 s off"
    said = [i for i in (*starts, *middles) if cards.tells(i.value)]
    if said and all(np.isnat(i.time) for i in said):
        clocks = "".join(
            f", nor {name} = {value!r} beside it,"
            for name, value in cards.values("start_time")
            if said[0].card in cards.names("start") and cards.tells(value)
        )
        yield (
            f"{said[0].card} = {said[0].value!r}{clocks} is no date with a time of day that can be "
            "read; correct it in the headers, or name another card as a spelling of 'start'"
        )
    first = next((i for i in starts if not np.isnat(i.time)), None)
    if first is not None:
        starts += filter(None, (clock_beside(cards, first),))
        yield from _of_disagreement(first, starts, middles, coordinates["exposure"])


def _of_comment(cards: Cards) -> Iterator[str]:
    """The card that counts as the start, where its comment says that it is something else."""
    for name, value in cards.values("start", "start_days"):
        found = _NO_START.search(comment_of(cards.header, name))
        if found is not None:
            yield (
                f"{name} = {value!r} counts as the start of the exposure in UTC, but its "
                f"comment says {found[0]!r}; if that is right, name another card as a spelling of "
                "'start', name this one as a spelling of 'middle', or say its zone in TIMESYS"
            )
        return


def _of_disagreement(
    first: Instant, starts: list[Instant], middles: list[Instant], exposure: float
) -> Iterator[str]:
    length = exposure if 0 <= exposure <= _LONGEST else 0.0
    half = np.timedelta64(round(length / 2 * 1e9), "ns")
    allowed = np.timedelta64(round((length + _LATENCY) * 1e9), "ns")
    for other in (*starts, *middles):
        of_middle = other in middles
        apart = abs((other.time - half if of_middle else other.time) - first.time)
        if apart > allowed + first.rounding + other.rounding:
            counted = other if of_middle else first
            yield (
                f"{first.card} = {first.value!r} and {other.card} = {other.value!r} are "
                f"{float(apart / np.timedelta64(1, 's')):.0f} s apart, more than the exposure; "
                f"{counted.card} counts; if the other is right, name it as a spelling of 'start'"
            )
            return


def _of_colors(cards: Cards, binning: str, channels: str | None) -> Iterator[str]:
    mono = "channels = {mono = {}}"
    words = cards.spellings.words
    no_pattern = words["unsaid"] | words["no_bayer"]
    texts = ((name, to_text(value)) for name, value in cards.values("bayer"))
    name, text = next((entry for entry in texts if entry[1].lower() not in no_pattern), ("", ""))
    if not name:
        return
    if channels is None and not is_bayer(text):
        yield (
            f"{name} = {text!r} is no pattern of R, G, G, B, and the frame is taken for "
            f"monochrome; if it has colours, say channels in a camera file, else {mono}"
        )
        return
    cameras = known_values(cards.header, ("TELESCOP", *cards.names("camera")))
    like_colors = tuple(words["bins_like_colours"])
    if binning not in ("", "1x1") and not any(
        to_text(camera).lower().startswith(like_colors) for _, camera in cameras
    ):
        yield (
            f"{name} = {text!r} beside a binning of {binning}: colours survive "
            "only where pixels of like colour were added; if each pixel holds all colours, say "
            f"{mono} in a camera file"
        )
