"""What in a header cannot be taken as it stands: a sentence each, with the card and a remedy."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.headers.cards import comment_of, first_value, value_of
from autowisp_xr.headers.exposure import exposure_card, exposure_lists
from autowisp_xr.headers.facts import is_bayer
from autowisp_xr.headers.sections import read_areas
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.temperature import read_temperature
from autowisp_xr.headers.times import (
    Instant,
    clock_beside,
    is_old_date,
    middles_of_exposure,
    starts_of_exposure,
    time_scale,
)
from autowisp_xr.headers.values import known_values, to_number, to_text

__all__ = ["header_doubts"]

_REMARKS = ("", "COMMENT", "HISTORY", "CONTINUE")
_NUMBERS = ("temperature", "temperature_set", "gain", "offset", "coadds", "saturation")
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
    header: fits.Header,
    spellings: Spellings,
    keywords: Collection[str],
    coordinates: Mapping[str, Any],
    facts: Mapping[str, Any],
    size: tuple[int, int],
) -> Iterator[str]:
    """Doubts about the cards of a raw frame.

    Parameters
    ----------
    header, keywords
        Of the image.
    spellings
        Those of its cards.
    coordinates, facts
        As they were read.
    size
        Height and width of the raw frame.
    """
    yield from _of_repetitions(header, spellings, keywords)
    yield from _of_numbers(header, spellings)
    yield from _of_exposure(header, spellings, coordinates)
    yield from filter(None, (read_temperature(header, spellings).doubt,))
    yield from _of_time(header, spellings, coordinates)
    yield from _of_colours(header, spellings, coordinates, facts)
    yield from read_areas(header, spellings, *size, coordinates["binning"]).doubts


def _of_repetitions(
    header: fits.Header, spellings: Spellings, keywords: Collection[str]
) -> Iterator[str]:
    if len(set(keywords)) == len(keywords):
        return
    known = {card for cards in vars(spellings).values() for card in cards}
    for name, number in Counter(keywords).items():
        if number == 1 or name in _REMARKS or name not in known:
            continue
        values = [value_of(header, (name, i)) for i in range(number)]
        different = list(dict.fromkeys(repr(value) for value in values if value is not None))
        if len(different) > 1:
            yield (
                f"{name} is given {number} times, as {' and '.join(different)}: the first counts; "
                "if it is not the right one, correct the header"
            )


def _unread(value: Any, spellings: Spellings) -> bool:
    return to_text(value).lower() not in spellings.unsaid


def _of_numbers(header: fits.Header, spellings: Spellings) -> Iterator[str]:
    for field in _NUMBERS:
        said = list(known_values(header, getattr(spellings, field)))
        if any(not math.isnan(to_number(value)) for _, value in said):
            continue
        for name, value in said:
            if isinstance(value, str) and any(map(str.isdigit, value)):
                yield (
                    f"{name} = {value!r} is no number that can be read, and counts as unknown; "
                    "correct it in the headers"
                )
                break


def _of_exposure(
    header: fits.Header, spellings: Spellings, coordinates: Mapping[str, Any]
) -> Iterator[str]:
    seconds = coordinates["exposure"]
    if seconds > _LONGEST:
        card = exposure_card(header, spellings)
        name = "the exposure" if card is None else f"{card.name} = {value_of(header, card.name)!r}"
        yield (
            f"{name} is {seconds:g} s, longer than a day; if it counts in another unit, write that "
            "into its comment, such as [ms], or name the card as a spelling of "
            "'exposure_milliseconds'"
        )
    elif math.isnan(seconds):
        for names, _ in exposure_lists(spellings):
            for name, value in known_values(header, names):
                if _unread(value, spellings):
                    yield (
                        f"{name} = {value!r} is no exposure that can be read; correct it in the "
                        "headers, or name another card as a spelling of 'exposure'"
                    )
                    return


def _of_time(
    header: fits.Header, spellings: Spellings, coordinates: Mapping[str, Any]
) -> Iterator[str]:
    for name, value in known_values(header, spellings.start):
        if is_old_date(value) and not np.isnat(coordinates["time"]):
            yield (
                f"{name} = {value!r} is written in a form that ended in 1999; it is taken for a "
                "date of this century"
            )
    yield from _of_comment(header, spellings)
    dates = (
        *(spellings.start, spellings.start_time, spellings.start_days),
        *(spellings.middle, spellings.middle_days),
    )
    if not np.isnat(coordinates["time"]) and sum(map(len, dates)) == 1 and not spellings.time_scale:
        return  # nothing could disagree
    written = first_value(header, spellings.time_scale)
    starts = list(starts_of_exposure(header, spellings))
    middles = list(middles_of_exposure(header, spellings))
    if time_scale(header, spellings) is None and any(np.isnat(i.time) for i in (*starts, *middles)):
        yield (
            f"{spellings.time_scale[0]} = {written!r} is no scale of time that can be converted to "
            "UTC, and the time counts as unknown; correct it to that of the dates (UTC, TT, TAI, "
            "GPS ...), or write their zone behind them"
        )
        return
    if to_text(written).lower() == "ut1":
        yield f"{spellings.time_scale[0]} = {written!r} is taken for UTC, which is up to 0.9 s off"
    said = [i for i in (*starts, *middles) if _unread(i.value, spellings)]
    if said and all(np.isnat(i.time) for i in said):
        clocks = "".join(
            f", nor {name} = {value!r} beside it,"
            for name, value in known_values(header, spellings.start_time)
            if said[0].card in spellings.start and _unread(value, spellings)
        )
        yield (
            f"{said[0].card} = {said[0].value!r}{clocks} is no date with a time of day that can be "
            "read; correct it in the headers, or name another card as a spelling of 'start'"
        )
    known = [i for i in starts if not np.isnat(i.time)]
    beside = clock_beside(header, spellings, known[0]) if known else None
    starts += [beside] if beside is not None else []
    yield from _of_disagreement(starts, middles, coordinates["exposure"])


def _of_comment(header: fits.Header, spellings: Spellings) -> Iterator[str]:
    """The card that counts as the start, where its comment says that it is something else."""
    name, value = next(known_values(header, (*spellings.start, *spellings.start_days)), ("", None))
    found = _NO_START.search(comment_of(header, name)) if name else None
    if found is not None:
        yield (
            f"{name} = {value!r} counts as the start of the exposure in UTC, but its "
            f"comment says {found[0]!r}; if that is right, name another card as a spelling of "
            "'start', name this one as a spelling of 'middle', or say its zone in TIMESYS"
        )


def _of_disagreement(
    starts: list[Instant], middles: list[Instant], exposure: float
) -> Iterator[str]:
    known = [i for i in starts if not np.isnat(i.time)]
    if not known:
        return
    length = exposure if 0 <= exposure <= _LONGEST else 0.0
    half = np.timedelta64(round(length / 2 * 1e9), "ns")
    others = [(i, i.time) for i in known[1:]]
    others += [(i, i.time - half) for i in middles if not np.isnat(i.time)]
    for other, start in others:
        apart = abs(start - known[0].time)
        allowed = np.timedelta64(round((length + _LATENCY) * 1e9), "ns")
        if apart > allowed + known[0].rounding + other.rounding:
            first = other if other in middles else known[0]
            yield (
                f"{known[0].card} = {known[0].value!r} and {other.card} = {other.value!r} are "
                f"{float(apart / np.timedelta64(1, 's')):.0f} s apart, more than the exposure; "
                f"{first.card} counts; if the other is right, name it as a spelling of 'start'"
            )
            return


def _of_colours(
    header: fits.Header,
    spellings: Spellings,
    coordinates: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Iterator[str]:
    mono = "channels = {mono = {}}"
    for name, value in known_values(header, spellings.bayer):
        text = to_text(value)
        if text.lower() in (spellings.unsaid | spellings.no_bayer):
            continue
        if facts["channels"] is None and not is_bayer(text):
            yield (
                f"{name} = {text!r} is no pattern of R, G, G, B, and the frame is taken for "
                f"monochrome; if it has colours, say channels in a camera file, else {mono}"
            )
        elif coordinates["binning"] not in ("", "1x1") and not _bins_like_colours(
            header, spellings
        ):
            yield (
                f"{name} = {text!r} beside a binning of {coordinates['binning']}: colours survive "
                "only where pixels of like colour were added; if each pixel holds all colours, say "
                f"{mono} in a camera file"
            )
        return


def _bins_like_colours(header: fits.Header, spellings: Spellings) -> bool:
    names = known_values(header, ("TELESCOP", *spellings.camera))
    return any(
        to_text(name).lower().startswith(tuple(spellings.bins_like_colours)) for _, name in names
    )
