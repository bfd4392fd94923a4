"""Headers read through the table of spellings: facts about the camera."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from astropy.io import fits

from autowisp_xr.headers.cards import first_value
from autowisp_xr.headers.readout import camera_name, read_binning
from autowisp_xr.headers.sections import Section, read_areas
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import (
    first_known,
    first_number,
    known_values,
    to_number,
    to_text,
)

__all__ = ["believed", "is_bayer", "read_facts"]

_BELIEVED = {"gain": (1e-4, 1e4), "read_noise": (0.05, 1e3)}
"""Electrons per ADU, and electrons, that cameras have; what lies outside nobody has measured."""


def read_facts(
    header: fits.Header, spellings: Spellings, height: int, width: int
) -> dict[str, Any]:
    """Facts that a header states about its camera.

    Parameters
    ----------
    header, spellings
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
    areas = read_areas(header, spellings, height, width, read_binning(header, spellings))
    facts: dict[str, Any] = {
        "gain": believed(header, spellings.electrons_per_adu, "gain"),
        "read_noise": believed(header, spellings.read_noise, "read_noise"),
        "saturation": first_number(header, spellings.saturation, above=0.0),
        "channels": _bayer_pattern(header, spellings, height),
        "image_area": _region(areas.image),
        "overscan": _region(areas.overscan),
        "camera": camera_name(header, spellings) or None,
    }
    return {
        name: None if isinstance(fact, float) and math.isnan(fact) else fact
        for name, fact in facts.items()
    }


def believed(header: fits.Header, names: Sequence[str], what: str) -> float:
    """First number of cards that a camera can have of "gain" or "read_noise"; else NaN."""
    low, high = _BELIEVED[what]
    numbers = (to_number(value) for _, value in known_values(header, names))
    return first_known(number for number in numbers if low <= number <= high)


def is_bayer(pattern: str) -> bool:
    """Whether a text is a Bayer pattern, such as "RGGB"."""
    return sorted(pattern.upper()) == ["B", "G", "G", "R"]


def _bayer_pattern(header: fits.Header, spellings: Spellings, height: int) -> str | None:
    for _, value in known_values(header, spellings.bayer):
        pattern = str(value).strip().upper()
        if is_bayer(pattern):
            break
    else:
        return None
    offsets = [
        first_number(header, names)
        for names in (spellings.bayer_y_offset, spellings.bayer_x_offset)
    ]
    down, right = (0 if math.isnan(offset) else round(offset) for offset in offsets)
    order = to_text(first_value(header, spellings.row_order)).upper().replace("_", "-")
    bottom_up = order == "BOTTOM-UP"

    def cell(y: int, x: int) -> str:
        row = height - 1 - y if bottom_up else y
        return pattern[2 * ((row + down) % 2) + (x + right) % 2]

    return "".join(cell(y, x) for y in (0, 1) for x in (0, 1))


def _region(section: Section | None) -> Mapping[str, int] | None:
    return None if section is None else asdict(section.region())
