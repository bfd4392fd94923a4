"""Headers read through the table of aliases: facts about the camera."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from astropy.io import fits

from autowisp_xr.camera import is_bayer
from autowisp_xr.headers.readout import camera_name, read_binning, row_order
from autowisp_xr.headers.sections import read_areas
from autowisp_xr.headers.values import Cards, first_known, known_values, to_number

_BELIEVED = {"gain": (1e-4, 1e4), "read_noise": (0.05, 1e3)}
"""Electrons per ADU, and electrons, that cameras have; what lies outside nobody has measured."""


def read_facts(cards: Cards, height: int, width: int) -> dict[str, Any]:
    """Facts that a header states about its camera.

    Parameters
    ----------
    cards
        As for :func:`~autowisp_xr.headers.coordinates.read_coordinates`.
    height, width
        Of the raw frame, in pixels.

    Returns
    -------
    ``gain`` (electrons per ADU), ``read_noise``, ``saturation`` (ADU as stored), ``channels`` (the
    pattern of the first two rows and columns as they are stored), ``image_area`` and ``overscan``,
    as :meth:`Camera.completed_by` takes them; ``camera`` (its name, and its serial number behind
    it, as in "ESIS1 (6)"). None where the header does not say, or says something impossible (a
    negative gain, a read noise of 0, a section called UNKNOWN or outside of the frame, whatever
    its pixels count).
    """
    areas = read_areas(cards, height, width, read_binning(cards))
    numbers = {
        "gain": believed(cards.header, cards.names("electrons_per_adu"), "gain"),
        "read_noise": believed(cards.header, cards.names("read_noise"), "read_noise"),
        "saturation": cards.number("saturation", above=0.0),
    }
    sections = {"image_area": areas.image, "overscan": areas.overscan}
    return {
        **{name: None if math.isnan(number) else number for name, number in numbers.items()},
        "channels": _bayer_pattern(cards, height),
        **{name: section and asdict(section.region()) for name, section in sections.items()},
        "camera": camera_name(cards) or None,
    }


def believed(header: fits.Header, names: Sequence[str], what: str) -> float:
    """First number of cards that a camera can have of "gain" or "read_noise"; else NaN."""
    low, high = _BELIEVED[what]
    numbers = (to_number(value) for _, value in known_values(header, names))
    return first_known(number for number in numbers if low <= number <= high)


def _bayer_pattern(cards: Cards, height: int) -> str | None:
    texts = (str(value).strip().upper() for _, value in cards.values("bayer"))
    pattern = next(filter(is_bayer, texts), None)
    if pattern is None:
        return None
    offsets = (cards.number(thing) for thing in ("bayer_y_offset", "bayer_x_offset"))
    down, right = (0 if math.isnan(offset) else round(offset) for offset in offsets)
    rows = (height - 1, height - 2) if row_order(cards) == "BOTTOM-UP" else (0, 1)
    return "".join(pattern[2 * ((y + down) % 2) + (x + right) % 2] for y in rows for x in (0, 1))
