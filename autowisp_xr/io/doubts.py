"""What a user should look at: where a header and the name of a file, or two cards, do not agree."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.cards import first_value
from autowisp_xr.headers.exposure import exposure_card
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import known_values, to_number
from autowisp_xr.io.evidence import Evidence
from autowisp_xr.io.type_names import NamedType, pattern_like

__all__ = ["doubts_of"]

_LONGEST_BIAS = 1.0


def doubts_of(
    path: str,
    header: fits.Header,
    spellings: Spellings,
    coordinates: Mapping[str, Any],
    facts: Mapping[str, Any],
    evidence: Evidence,
) -> tuple[str, ...]:
    """Doubts about a raw frame: for each a sentence with both sides, and what can be done.

    Parameters
    ----------
    path, header, spellings
        Of the file.
    coordinates, facts
        As they were read.
    evidence
        What says which type it is of; a rule of the user is not doubted.
    """
    found: list[str] = []
    # what is of no known type takes no part in anything
    if coordinates["image_type"] != "other":
        found += _of_type(path, header, spellings, coordinates["exposure"], evidence)
        found += _unknowns(coordinates)
    found += _of_noise(header, spellings, facts)
    if facts["channels"] is None and _is_pattern(coordinates["filter"]):
        found.append(_of_colour(header, spellings))
    return tuple(found)


def _of_type(
    path: str, header: fits.Header, spellings: Spellings, seconds: float, evidence: Evidence
) -> Iterator[str]:
    """What speaks against the type."""
    kind, card, name = evidence.kind, evidence.card, evidence.name
    if evidence.rule is not None:
        return
    if card is not None:
        who = f"{card.name} = {card.value!r} says {kind}"
    elif name is not None:
        who = f"{name.where} says {kind} ({name.word!r})"
    if card is not None and name is not None and _speaks_against(name, kind):
        yield (
            f"{who}, but {name.where} says {name.kind} ({name.word!r}); if the name is right, give "
            f"a type rule such as {pattern_like(path, name)!r} = {name.kind}"
        )
        return
    better = ""
    if kind == "bias" and seconds > _LONGEST_BIAS:
        better = "dark"
    elif kind in ("dark", "object") and seconds == 0:
        better = "bias"
    exposed = exposure_card(header, spellings) if better else None
    if exposed is not None:
        yield (
            f"{who}, but {exposed.name} = {exposed.seconds:g} s; if it is a {better}, give a type "
            f"rule such as {pattern_like(path, name)!r} = {better}"
        )


def _speaks_against(name: NamedType, kind: str) -> bool:
    # folders hold more than what they are named for: calibration frames often lie among others
    return name.kind != kind and (kind == "object" or not name.of_folder)


def _unknowns(coordinates: Mapping[str, Any]) -> Iterator[str]:
    if coordinates["image_type"] != "bias" and math.isnan(coordinates["exposure"]):
        yield (
            "no card says how long it was exposed (EXPTIME, EXPOSURE or the like); name the card "
            "that does, as a spelling of 'exposure'"
        )
    if np.isnat(coordinates["time"]):
        yield (
            "no card says when it was exposed (DATE-OBS or the like); name the card that does, "
            "as a spelling of 'start'"
        )


def _of_noise(header: fits.Header, spellings: Spellings, facts: Mapping[str, Any]) -> Iterator[str]:
    """What drivers write that do not know the gain or the read noise."""
    cards = {"gain": spellings.electrons_per_adu, "read_noise": spellings.read_noise}
    for what, names in cards.items():
        # a negative number says that it is not known
        wrong = [(card, value) for card, value in known_values(header, names) if _counts(value)]
        if facts[what] is None and wrong:
            card, value = wrong[0]
            yield (
                f"{card} = {value!r} cannot be, and is not believed; the {what.replace('_', ' ')} "
                "is measured where there are two flats and two biases, or "
                f"--{what.replace('_', '-')} says it"
            )


def _counts(value: Any) -> bool:
    return to_number(value) >= 0


def _is_pattern(text: str) -> bool:
    return sorted(text.upper()) == ["B", "G", "G", "R"]


def _of_colour(header: fits.Header, spellings: Spellings) -> str:
    card, value = next(known_values(header, spellings.filter))
    written = first_value(header, spellings.bayer)
    other = "there is no BAYERPAT" if written is None else f"BAYERPAT is {written!r}"
    return (
        f"{card} = {value!r} looks like a Bayer pattern, but {other}, which would say so; if the "
        "camera has one, give it channels = the colours of the first two rows as they are stored, "
        "which need not be these"
    )
