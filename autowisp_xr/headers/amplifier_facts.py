"""What the headers of the images of one frame state about its amplifiers, or its channels."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from autowisp_xr.amplifiers import Amplifier
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.assembly import Reader
from autowisp_xr.headers.cards import parse_header
from autowisp_xr.headers.facts import believed
from autowisp_xr.headers.values import Cards, first_number

_NUMBERS = ("gain", "read_noise")
_ELECTRONS = re.compile(r"electron|\be-?\s*/|\be-", re.IGNORECASE)
_MOST_ELECTRONS = 50.0
"""Per ADU; what is more is the setting of a camera."""


def amplifier_facts(
    readers: Sequence[tuple[Reader, str]], aliases: KeywordAliases
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Facts about the amplifiers of a frame.

    Parameters
    ----------
    readers
        Amplifiers, each with the cards of its image, one a line; none of a file of one image.
    aliases
        Which cards say what.

    Returns
    -------
    ``gain``, ``read_noise`` where all amplifiers have the same, ``saturation`` (the lowest), and
    ``amplifiers`` where they differ or have overscan, as :meth:`Camera.completed_by` takes them, as
    far as it is said. And what was assumed, in words: observatories write e/ADU into the
    GAIN of an amplifier, which is taken for that beside its read noise, and nowhere else. It is
    an assumption where all amplifiers have the same, which no comment calls electrons.
    """
    if not readers:
        return {}, ()
    headers = {text: parse_header(text) for text in dict.fromkeys(text for _, text in readers)}
    stated, saturations, assumed = [], [], set()
    for reader, text in readers:
        header = headers[text]
        # among several in one image, those with the letter of the amplifier
        own = {
            thing: [f"{name}{reader.suffix}" for name in aliases.cards[thing]]
            for thing in ("read_noise", "electrons_per_adu", "saturation")
        }
        noise = believed(header, own["read_noise"], "read_noise")
        gain = believed(header, own["electrons_per_adu"], "gain")
        if math.isnan(gain) and not math.isnan(noise):
            card = f"GAIN{reader.suffix}"
            setting = first_number(header, (card,), 0.0)
            if setting < _MOST_ELECTRONS:
                gain = setting
                assumed.add(math.nan if _ELECTRONS.search(header.comments[card]) else setting)
        stated.append({"gain": _known(gain), "read_noise": _known(noise)})
        saturations.append(_known(first_number(header, own["saturation"], 0.0)))
    values = {name: {numbers[name] for numbers in stated} for name in _NUMBERS}
    facts: dict[str, Any] = {name: one.pop() for name, one in values.items() if len(one) == 1}
    facts["saturation"] = min((level for level in saturations if level), default=None)
    apart = [name for name in _NUMBERS if name not in facts]
    if apart or any(reader.overscan for reader, _ in readers):
        facts["amplifiers"] = tuple(
            Amplifier(
                region=reader.region,
                overscan=reader.overscan,
                name=reader.name,
                **{name: numbers[name] for name in apart},
            )
            for (reader, _), numbers in zip(readers, stated, strict=True)
        )
    facts = {name: fact for name, fact in facts.items() if fact is not None}
    guess = "GAIN of its amplifiers, beside their read noise, is taken for electrons per ADU"
    return facts, (guess,) if len(assumed) == 1 and not math.isnan(min(assumed)) else ()


def channel_facts(channels: Mapping[str, str], aliases: KeywordAliases) -> dict[str, Any]:
    """Facts that channels of one frame do not have in common.

    Parameters
    ----------
    channels
        The cards of each, one a line.
    aliases
        Which cards say what.

    Returns
    -------
    ``gain`` and ``read_noise`` where they differ, by channel (None where some do not say it), and
    the lowest ``saturation``.
    """
    if len(channels) < 2:
        return {}
    headers = {name: parse_header(text) for name, text in channels.items()}
    facts: dict[str, Any] = {}
    for what, thing in (("gain", "electrons_per_adu"), ("read_noise", "read_noise")):
        cards = aliases.cards[thing]
        stated = {name: _known(believed(header, cards, what)) for name, header in headers.items()}
        if len(set(stated.values())) > 1:
            facts[what] = None if None in stated.values() else stated
    levels = (Cards(header, aliases).number("saturation", 0.0) for header in headers.values())
    known = [level for level in levels if not math.isnan(level)]
    return facts | ({"saturation": min(known)} if known else {})


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
