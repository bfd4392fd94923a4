"""Facts about the camera and its amplifiers, read from headers by the table of aliases."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from autowisp_xr.camera.amplifiers import Amplifier
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.assembly import Reader
from autowisp_xr.headers.cards import AnyHeader, parse_header
from autowisp_xr.headers.lit_areas import read_areas
from autowisp_xr.headers.readout import camera_name, read_binning, row_order
from autowisp_xr.headers.values import (
    ELECTRONS,
    Cards,
    adu,
    electrons,
    electrons_per_adu,
    first_known,
    first_number,
    known_values,
)
from autowisp_xr.regions import is_bayer

_BELIEVED = {"gain": (1e-4, 1e4), "read_noise": (0.05, 1e3)}
"""Possible values, in electrons per ADU and in electrons; those outside are not believed."""


def read_facts(cards: Cards, height: int, width: int) -> dict[str, Any]:
    """Return the facts that a header states about its camera.

    Parameters
    ----------
    cards
        As for :func:`~autowisp_xr.headers.coordinates.read_coordinates`.
    height, width
        Size of the raw frame, in pixels.

    Returns
    -------
    ``gain`` (electrons per ADU), ``read_noise``, ``saturation`` (ADU as stored),
    ``bias_level`` (ADU), ``channels`` (the pattern of the first two rows and columns as they are
    stored), ``image_area`` and ``overscan``, as :meth:`Camera.completed_by` takes them; ``camera``
    (its name, and its serial number behind it, as in "ESIS1 (6)"). None where the header lacks it,
    or states something impossible (a negative gain, a read noise of 0, a section called UNKNOWN, or
    one outside of the frame in stored and in unbinned pixels).
    """
    areas = cards.known(read_areas, height, width, read_binning(cards))
    gain = believed(cards.header, cards.names("electrons_per_adu"), "gain")
    numbers = {
        "gain": gain,
        "read_noise": believed(cards.header, cards.names("read_noise"), "read_noise", gain),
        "saturation": _saturation(cards.header, cards.names("saturation"), gain),
        "bias_level": cards.number("black_level", above=0.0),
    }
    sections = {"image_area": areas.image, "overscan": areas.overscan}
    return {
        **{name: _known(number) for name, number in numbers.items()},
        "channels": _bayer_pattern(cards, height),
        **{name: section and asdict(section.region()) for name, section in sections.items()},
        "camera": camera_name(cards) or None,
    }


def believed(header: AnyHeader, names: Sequence[str], what: str, gain: float = math.nan) -> float:
    """Return the first possible "gain" or "read_noise" among the named cards; NaN for none.

    The gain turns a read noise into electrons that its unit states in ADU.
    """
    low, high = _BELIEVED[what]
    read = electrons_per_adu if what == "gain" else partial(electrons, gain=gain)
    numbers = (read(header, *stated) for stated in known_values(header, names))
    return first_known(number for number in numbers if low <= number <= high)


def _saturation(header: AnyHeader, names: Sequence[str], gain: float) -> float:
    levels = (adu(header, *stated, gain) for stated in known_values(header, names))
    return first_known(levels)


def _bayer_pattern(cards: Cards, height: int) -> str | None:
    texts = (str(value).strip().upper() for _, value in cards.values("bayer"))
    pattern = next(filter(is_bayer, texts), None)
    if pattern is None:
        return None
    offsets = (cards.number(thing) for thing in ("bayer_y_offset", "bayer_x_offset"))
    down, right = (0 if math.isnan(offset) else round(offset) for offset in offsets)
    rows = (height - 1, height - 2) if row_order(cards) == "BOTTOM-UP" else (0, 1)
    return "".join(pattern[2 * ((y + down) % 2) + (x + right) % 2] for y in rows for x in (0, 1))


_OF_AMPLIFIER = {"read_noise": ["GTRON"], "electrons_per_adu": ["GTGAIN"], "saturation": []}
"""What the cards of an amplifier state, and further cards of the cameras of Cerro Tololo."""

_MOST_ELECTRONS = 50.0
"""Electrons per ADU; a larger number is the gain setting of a camera."""


def amplifier_facts(
    readers: Sequence[tuple[Reader, str]], aliases: KeywordAliases
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the facts that headers state about the amplifiers of a frame.

    Parameters
    ----------
    readers
        Amplifiers, each with the cards of its image, one a line; none of a file of one image.
    aliases
        The table of aliases.

    Returns
    -------
    ``gain``, ``read_noise`` where all amplifiers have the same, ``saturation`` (the lowest), and
    ``amplifiers`` where they differ or have overscan, as :meth:`Camera.completed_by` takes them, as
    far as they are stated. And a sentence about what was assumed: observatories write e/ADU into
    the GAIN of an amplifier, which is taken for that beside its read noise, and nowhere else. It is
    an assumption where all amplifiers have the same, and no comment calls it electrons.
    """
    if not readers:
        return {}, ()
    headers = {text: parse_header(text) for text in dict.fromkeys(text for _, text in readers)}
    stated, saturations, assumed = [], [], set()
    for reader, text in readers:
        header = headers[text]
        # among several in one image, those with the suffix of the amplifier
        own = {
            thing: [f"{name}{reader.suffix}" for name in (*aliases.cards[thing], *more)]
            for thing, more in _OF_AMPLIFIER.items()
        }
        gain = believed(header, own["electrons_per_adu"], "gain")
        noise = believed(header, own["read_noise"], "read_noise", gain)
        if math.isnan(gain) and not math.isnan(noise):
            card = f"GAIN{reader.suffix}"
            setting = first_number(header, (card,), 0.0)
            if setting < _MOST_ELECTRONS:
                gain = setting
                assumed.add(math.nan if ELECTRONS.search(header.comments[card]) else setting)
        stated.append({"gain": _known(gain), "read_noise": _known(noise)})
        saturations.append(_known(_saturation(header, own["saturation"], gain)))
    values = {name: {numbers[name] for numbers in stated} for name in _BELIEVED}
    facts: dict[str, Any] = {name: one.pop() for name, one in values.items() if len(one) == 1}
    facts["saturation"] = min((level for level in saturations if level), default=None)
    apart = [name for name in _BELIEVED if name not in facts]
    if apart or any(reader.overscan for reader, _ in readers):
        facts["amplifiers"] = tuple(
            Amplifier(
                region=reader.region,
                overscan=reader.overscan,
                name=reader.name,
                gain=numbers["gain"] if "gain" in apart else None,
                read_noise=numbers["read_noise"] if "read_noise" in apart else None,
            )
            for (reader, _), numbers in zip(readers, stated, strict=True)
        )
    facts = {name: fact for name, fact in facts.items() if fact is not None}
    guess = "GAIN of its amplifiers, beside their read noise, is taken for electrons per ADU"
    return facts, (guess,) if len(assumed) == 1 and not math.isnan(min(assumed)) else ()


def channel_facts(channels: Mapping[str, str], aliases: KeywordAliases) -> dict[str, Any]:
    """Return the facts in which the channels of one frame differ.

    Parameters
    ----------
    channels
        The cards of each, one a line.
    aliases
        The table of aliases.

    Returns
    -------
    ``gain`` and ``read_noise`` where they differ, by channel (None where some do not state it), and
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
    levels = (
        _saturation(
            header,
            aliases.cards["saturation"],
            believed(header, aliases.cards["electrons_per_adu"], "gain"),
        )
        for header in headers.values()
    )
    known = [level for level in levels if not math.isnan(level)]
    return facts | ({"saturation": min(known)} if known else {})


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
