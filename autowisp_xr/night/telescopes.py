"""Flats that another telescope has lit: of one camera and filter, but of another focal length."""

from collections.abc import Iterable

from autowisp_xr.night.sentences import sentence
from autowisp_xr.traits import Traits

_OTHER = 1.1
"""By which factor focal lengths differ that are those of two telescopes."""

_OTHER_UNIT = 20.0
"""By which factor, and more, centimetres, inches and metres differ from millimetres."""


def doubts_on_telescopes(flats: Iterable[tuple[str, Traits, str, Traits]]) -> list[str]:
    """List the flats whose headers state another focal length than the frames that they correct.

    Parameters
    ----------
    flats
        For each set of frames with a flat: its name and traits, those of the flat.
    """
    lines = []
    for frames, own, flat, other in flats:
        less, more = sorted((own.focal_length, other.focal_length))
        if less > 0 and _OTHER < more / less < _OTHER_UNIT:
            lengths = {"own": own.focal_length, "other": other.focal_length}
            lines.append(sentence("other_telescope", frames=frames, flat=flat, **lengths))
    return lines
