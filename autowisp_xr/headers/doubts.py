"""Doubts about the cards of a header: a sentence each, with the card and a remedy."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from autowisp_xr.headers.cards import comment_of, value_of
from autowisp_xr.headers.exposure import EXPOSURES, exposure_card
from autowisp_xr.headers.lit_areas import read_areas
from autowisp_xr.headers.readout import gain_setting
from autowisp_xr.headers.sections import NUMBERS, QUADRANTS, SUFFIXES
from autowisp_xr.headers.sentences import doubt, named
from autowisp_xr.headers.temperature import in_celsius, read_temperature
from autowisp_xr.headers.times import (
    Instant,
    clock_beside,
    instants,
    is_old_date,
    time_scale,
)
from autowisp_xr.headers.values import Cards, known_values, to_number, to_text
from autowisp_xr.regions import is_bayer

_REMARKS = ("", "COMMENT", "HISTORY", "CONTINUE")
_NUMBERS = {
    **dict.fromkeys(("offset", "coadds", "saturation"), to_number),
    **dict.fromkeys(("temperature", "temperature_set"), lambda value: in_celsius(value, "")[0]),
    "gain": gain_setting,
}
"""Quantities that are numbers, and how these are read."""
_DATES = ("start", "start_time", "start_days", "middle", "middle_days", "end", "end_days")
_LONGEST = 86_400.0
_NO_START = re.compile(
    r"\bmid[- ]?(?:dle|point|exposure|time|of)\b|\bcent(?:re|er) of\b|\blocal\b"
    r"|\bend of (?:the )?(?:exposure|integration)\b|\bexposure end\b",
    re.IGNORECASE,
)
"""Matches words that do not belong into the comment of a start."""
_OF_AMPLIFIERS = frozenset(
    [f"BIASSEC{ending}" for ending in (*SUFFIXES, *NUMBERS)] + [f"BSEC{q}" for q in QUADRANTS]
)
_LONGER = 1.1
"""By which factor an exposure may seem longer than it took by other times."""
_LATENCY = 5.0
"""Seconds by which clocks of a camera and of its program may differ, beside the exposure."""


def header_doubts(
    cards: Cards,
    keywords: Collection[str],
    coordinates: Mapping[str, Any],
    facts: Mapping[str, Any],
    size: tuple[int, int],
) -> Iterator[str]:
    """Give the doubts about the cards of a raw frame.

    Parameters
    ----------
    cards, keywords
        The header of the image, and all its keywords.
    coordinates, facts
        What was read from it.
    size
        Height and width of the raw frame.
    """
    binning = coordinates["binning"]
    if len(set(keywords)) < len(keywords):
        yield from _of_repetitions(cards, keywords)
    yield from cards.known(_of_numbers)
    yield from _of_exposure(cards, coordinates)
    yield from filter(None, (cards.known(read_temperature).doubt,))
    yield from _of_time(cards, coordinates)
    yield from cards.known(_of_colors, binning, facts["channels"])
    yield from cards.known(read_areas, *size, binning).doubts
    if not (facts["overscan"] or _OF_AMPLIFIERS.isdisjoint(keywords)):
        yield from cards.known(_of_amplifiers)


def _of_repetitions(cards: Cards, keywords: Collection[str]) -> Iterator[str]:
    known = {name for names in cards.aliases.cards.values() for name in names}
    for name, number in Counter(keywords).items():
        if number == 1 or name in _REMARKS or name not in known:
            continue
        values = [value_of(cards.header, (name, i)) for i in range(number)]
        different = list(dict.fromkeys(repr(value) for value in values if value is not None))
        if len(different) > 1:
            yield doubt("repeated", name=name, number=number, values=" and ".join(different))


def _of_numbers(cards: Cards) -> list[str]:
    doubts: list[str] = []
    for thing, number_of in _NUMBERS.items():
        stated = list(cards.values(thing))
        garbled = (one for one in stated if re.search(r"\d", to_text(one[1])))
        if all(math.isnan(number_of(value)) for _, value in stated):
            doubts += [doubt("no_number", card=named(*one)) for one in islice(garbled, 1)]
    return doubts


def _of_exposure(cards: Cards, coordinates: Mapping[str, Any]) -> Iterator[str]:
    seconds = coordinates["exposure"]
    if seconds > _LONGEST:
        card = exposure_card(cards)
        what = named(card.name, value_of(cards.header, card.name)) if card else "the exposure"
        yield doubt("too_long", what=what, seconds=seconds)
    # some programs write -1 where nothing is exposed
    elif math.isnan(seconds) and coordinates["image_type"] != "bias":
        stated = (entry for entry in cards.values(*EXPOSURES) if cards.informative(entry[1]))
        yield from (doubt("no_exposure", card=named(*entry)) for entry in islice(stated, 1))


def _of_time(cards: Cards, coordinates: Mapping[str, Any]) -> Iterator[str]:
    known = not np.isnat(coordinates["time"])
    for name, value in cards.values("start"):
        if is_old_date(value) and known:
            yield doubt("old_date", card=named(name, value))
    for name, value in islice(cards.values("start", "start_days"), 1):
        found = _NO_START.search(comment_of(cards.header, name))
        if found is not None:
            yield doubt("no_start", card=named(name, value), stated=found[0])
    if known and len(cards.names(*_DATES)) == 1 and not cards.names("time_scale"):
        return  # nothing could disagree
    starts, middles = list(instants(cards, "start")), list(instants(cards, "middle"))
    written = next(cards.values("time_scale"), ("TIMESYS", ""))
    if time_scale(cards) is None and any(np.isnat(i.time) for i in (*starts, *middles)):
        yield doubt("no_scale", card=named(*written))
        return
    if to_text(written[1]).lower() == "ut1":
        yield doubt("ut1", card=named(*written))
    stated = [i for i in (*starts, *middles) if cards.informative(i.value)]
    if stated and all(np.isnat(i.time) for i in stated):
        clocks = cards.values("start_time") if stated[0].card in cards.names("start") else ()
        beside = [
            doubt("no_clock", card=named(*one)) for one in clocks if cards.informative(one[1])
        ]
        yield doubt("no_date", card=named(*stated[0][:2]), clocks="".join(beside))
    first = next((i for i in starts if not np.isnat(i.time)), None)
    if first is not None:
        starts += filter(None, (clock_beside(cards, first),))
        yield from _of_disagreement(first, starts, middles, coordinates["exposure"])
        ends = [(one, 1) for one in instants(cards, "end")] + [(one, 2) for one in middles]
        yield from _of_length(cards, first, ends, coordinates["exposure"])


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
            yield doubt(
                "times_apart",
                card=named(*first[:2]),
                other=named(*other[:2]),
                seconds=float(apart / np.timedelta64(1, "s")),
                counted=other.card if of_middle else first.card,
            )
            return


def _of_length(
    cards: Cards, start: Instant, others: list[tuple[Instant, int]], exposure: float
) -> Iterator[str]:
    """Doubt an exposure that is longer than a later time of its own leaves room for.

    Parameters
    ----------
    others
        Ends and middles, each with how often the time from the start to it is in the exposure.
    """
    card = exposure_card(cards)
    if card is None or exposure > _LONGEST:
        return
    for other, parts in others:
        since, rounding = (
            parts * span / np.timedelta64(1, "s")
            for span in (other.time - start.time, other.rounding + start.rounding)
        )
        # a comparison with NaT is false; who writes the start twice states no other time
        if since > _LATENCY and exposure > _LONGER * since + _LATENCY + rounding:
            yield doubt(
                "longer_than_times",
                card=named(card.name, value_of(cards.header, card.name)),
                start=named(*start[:2]),
                other=named(*other[:2]),
                seconds=exposure,
                room=since,
            )
            return


def _of_colors(cards: Cards, binning: str, channels: str | None) -> list[str]:
    words = cards.aliases.words
    no_pattern = words["unstated"] | words["no_bayer"]
    texts = ((name, to_text(value)) for name, value in cards.values("bayer"))
    name, text = next((entry for entry in texts if entry[1].lower() not in no_pattern), ("", ""))
    if name and channels is None and not is_bayer(text):
        return [doubt("no_pattern", card=named(name, text))]
    if name and binning not in ("", "1x1"):
        cameras = known_values(cards.header, ("TELESCOP", *cards.names("camera")))
        like_colors = tuple(words["bins_like_colours"])
        if not any(to_text(camera).lower().startswith(like_colors) for _, camera in cameras):
            return [doubt("binned_colors", card=named(name, text), binning=binning)]
    return []


def _of_amplifiers(cards: Cards) -> list[str]:
    """Doubt the overscan of amplifiers that make up no frame by their sections."""
    named_so = known_values(cards.header, sorted(_OF_AMPLIFIERS))
    stated = (entry for entry in named_so if cards.informative(entry[1]))
    return [doubt("overscan_of_amplifiers", card=named(*one)) for one in islice(stated, 1)]
