"""Frames and masters whose numbers show that they do not belong, or count in other units.

Flats of one camera and filter may have been lit by another telescope; darks that are as long as
their lights may state it in milliseconds.
"""

from collections.abc import Iterable, Iterator

from autowisp_xr.matching import same_exposure
from autowisp_xr.matching.traits import Traits
from autowisp_xr.night.choosing import Choice, Choices
from autowisp_xr.night.sentences import sentence

_OTHER_TELESCOPE = 1.1
"""By which factor focal lengths differ that are those of two telescopes."""

_OTHER_UNIT = 20.0
"""By which factor, and more, centimetres, inches and metres differ from millimetres."""

_THOUSANDS = (1e3, 1e6)
"""Milliseconds and microseconds in a second."""


def doubts_on_pairs(products: Iterable[tuple[str, Traits, Choices]]) -> list[str]:
    """List the pairs of frames and masters that are doubtful by their headers, a line each.

    Parameters
    ----------
    products
        Name and traits of each set of frames, and the masters that were chosen.
    """
    lines: dict[str, None] = {}
    for name, own, choices in products:
        if "flat" in choices:
            lines |= dict.fromkeys(_of_telescope(name, own, choices["flat"]))
        # flats may well be a thousand times shorter
        if "dark" in choices and own.kind == "object":
            lines |= dict.fromkeys(_of_exposure(name, own, choices["dark"]))
    return list(lines)


def _of_telescope(name: str, own: Traits, choice: Choice) -> Iterator[str]:
    if choice.chosen is None:
        return
    lengths = own.focal_length, choice.chosen.traits.focal_length
    less, more = sorted(lengths)
    if less > 0 and _OTHER_TELESCOPE < more / less < _OTHER_UNIT:
        values = {"own": lengths[0], "other": lengths[1]}
        yield sentence("other_telescope", frames=name, flat=choice.chosen.name, **values)


def _of_exposure(name: str, own: Traits, choice: Choice) -> Iterator[str]:
    if choice.chosen and not choice.scaled:
        # a night may well have exposures of 0.3 s and of 300 s, and darks of both
        return
    scaled = [choice.chosen] if choice.chosen else []
    unfit = [one.candidate for one in choice.refused.values() if one.trait == "exposure"]
    for dark in scaled + unfit:
        less, more = sorted((own.exposure[1], dark.traits.exposure[0]))
        if any(same_exposure(more, less * factor) for factor in _THOUSANDS):
            values = {"own": own.exposure[1], "other": dark.traits.exposure[0]}
            yield sentence("other_unit", frames=name, dark=dark.name, **values)
