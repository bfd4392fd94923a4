"""Doubts about raw frames: where a header and the name of a file, or two cards, do not agree."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from autowisp_xr.frames.evidence import Evidence, named_type, pattern_like
from autowisp_xr.headers.doubts import header_doubts
from autowisp_xr.headers.exposure import EXPOSURES, exposure_card
from autowisp_xr.headers.recognition import processed_by
from autowisp_xr.headers.values import Cards, with_unit
from autowisp_xr.kinds import AVERAGED, KINDS
from autowisp_xr.regions import is_bayer

_LONGEST_BIAS = 1.0


def doubts_of(
    path: str,
    cards: Cards,
    keywords: Collection[str],
    coordinates: Mapping[str, Any],
    facts: Mapping[str, Any],
    size: tuple[int, int],
    evidence: Evidence,
    floats: bool,
) -> tuple[str, ...]:
    """Return doubts about a raw frame: sentences with both sides, and what can be done.

    Parameters
    ----------
    path, cards, keywords
        Of the file.
    coordinates, facts
        As they were read.
    size
        Height and width of the raw frame.
    evidence
        The evidence for its type; a rule of the user is not doubted.
    floats
        Whether its pixels are stored so.
    """
    found: list[str] = []
    # what is of no known type takes no part in anything
    if coordinates["image_type"] != "other":
        found += _of_type(path, cards, coordinates["exposure"], evidence)
        found += _unknowns(cards, coordinates["image_type"])
    found += header_doubts(cards, keywords, coordinates, facts, size)
    found += _of_noise(cards, facts)
    if floats and (program := processed_by(cards.header)):
        found.append(
            f"{program}, and its pixels are floats: it may be calibrated already; a type rule such "
            "as 'pp_*' = other leaves out what is"
        )
    if facts["channels"] is None and is_bayer(coordinates["filter"]):
        found.append(_of_colour(cards))
    return tuple(found)


def _of_type(path: str, cards: Cards, seconds: float, evidence: Evidence) -> Iterator[str]:
    """Yield what speaks against the type."""
    kind, card, name = evidence.kind, evidence.card, evidence.name
    if evidence.rule is not None:
        return
    if card is not None:
        who = f"{card.name} = {card.value!r} means {kind}"
    elif name is not None:
        who = f"{name.where} means {kind} ({name.word!r})"
    # folders hold more than what they are named for: calibration frames often lie among others
    # a dark flat is a dark, too, and many programs call it one
    same = name is not None and kind in (name.kind, KINDS[name.kind].place)
    if card and name and not same and (kind == "object" or not name.of_folder):
        yield (
            f"{who}, but {name.where} means {name.kind} ({name.word!r}); if the name is right, "
            f"give a type rule such as {pattern_like(path, name)!r} = {name.kind}"
        )
        return
    if card and kind == "object":
        yield from _of_target(cards, who)
    better = ""
    if kind == "bias" and seconds > _LONGEST_BIAS:
        better = "dark"
    elif kind in ("dark", "darkflat", "object") and seconds == 0:
        better = "bias"
    exposed = exposure_card(cards) if better else None
    if exposed is not None:
        yield (
            f"{who}, but {exposed.name} = {exposed.seconds:g} s; if it is a {better}, give a type "
            f"rule such as {pattern_like(path, name)!r} = {better}"
        )


def _of_target(cards: Cards, who: str) -> Iterator[str]:
    """Yield that a light has a target called as flats are, or biases or darks."""
    for target, value in cards.values("image_type_target"):
        named = named_type(str(value))
        # there are dark nebulae
        by_word = named.kind if named and named.kind in ("bias", "flat") else ""
        meant = cards.aliases.image_type_of(value, target) or by_word
        if meant in AVERAGED:
            yield (
                f"{who}, but {target} = {value!r} means {meant}; if the latter is right, give a "
                f"type rule such as '{target}={value}' = {meant}"
            )


def _unknowns(cards: Cards, kind: str) -> Iterator[str]:
    """Yield what no card gives; a value that cannot be read is a doubt about its card."""
    for what, example, alias, things in (
        ("how long", "EXPTIME, EXPOSURE", "exposure", () if kind == "bias" else EXPOSURES),
        ("when", "DATE-OBS", "start", ("start", "start_days", "middle", "middle_days")),
    ):
        if things and not any(cards.informative(value) for _, value in cards.values(*things)):
            yield (
                f"no card states {what} it was exposed ({example} or the like); name the card that "
                f"does, as an alias of {alias!r}"
            )


def _of_noise(cards: Cards, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what drivers write that do not know the gain or the read noise."""
    for what, thing in (("gain", "electrons_per_adu"), ("read_noise", "read_noise")):
        # a negative number means that it is not known
        wrong = [stated for stated in cards.values(thing) if with_unit(stated[1])[0] >= 0]
        if facts[what] is None and wrong:
            card, value = wrong[0]
            yield (
                f"{card} = {value!r} cannot be, and is not believed; the {what.replace('_', ' ')} "
                "is measured where there are two flats and two biases, or "
                f"--{what.replace('_', '-')} states it"
            )


def _of_colour(cards: Cards) -> str:
    """Describe a filter that looks like the pattern of a camera."""
    card, value = next(cards.values("filter"))
    written = cards.value("bayer")
    other = "there is no BAYERPAT" if written is None else f"BAYERPAT is {written!r}"
    return (
        f"{card} = {value!r} looks like a Bayer pattern, but {other}, which would show it; if the "
        "camera has one, --channels with the colours of the first two rows as they are stored, "
        "which need not be these, chooses them"
    )


def guesses_of(
    coordinates: Mapping[str, Any], evidence: Evidence, master_word: str, cards: Cards
) -> tuple[str, ...]:
    """Return what was assumed about a file, in the same words for all files of which it was.

    ``master_word`` is what in its name makes it a master; "" where nothing does.
    """
    guesses = []
    if evidence.is_guess:
        stated = next((f" ({card} = {to!r})" for card, to in cards.values("image_type")), "")
        guesses.append(f"no card states a known type{stated}; {evidence.name}")
    if master_word:
        guesses.append(f"by {master_word!r} in the name of its file it is a master")
    exposed = coordinates["image_type"] != "bias"
    if exposed and math.isnan(coordinates["exposure"]) and not np.isnat(coordinates["time"]):
        guesses.append("the exposure is not known; a start counts as the middle")
    return tuple(guesses)
