"""The unit of the pixels of a file, as BUNIT gives it."""

import re

COUNTED = ("adu", "electron")
"""Units in which the photon noise follows from the value of a pixel."""

_WORDS = {
    "adu": (
        *("adu", "adus", "count", "counts", "ct", "cts", "dn", "dns", "du"),
        *("data number", "data numbers", "digital number", "digital numbers"),
    ),
    "electron": ("electron", "electrons", "e", "e-", "elec", "photoelectron", "photoelectrons"),
    "1": (
        *("1", "dimensionless", "unitless", "normalised", "normalized", "norm", "relative"),
        *("ratio", "fraction"),
    ),
    "adu/s": ("cps",),
}
_UNITS = {word: unit for unit, words in _WORDS.items() for word in words}

_PER_PIXEL = re.compile(r"\s*/\s*(?:pix|pixels?|px)\b\.?|\s+pix(?:el)?\s*(?:\*\*|\^)?\s*\(?-1\)?")
_PER_SECOND = re.compile(
    r"\s*/\s*(?:s|secs?|seconds?)\b\.?|\s+per\s+(?:s|sec|second)\b"
    r"|(?:\s+|[.*])s\s*(?:\*\*|\^)?\s*\(?-1\)?"
)


def unit_of(text: object) -> str:
    """Return the unit of a BUNIT: "adu", "electron", "1", each also "/s", or the text as it is.

    The words of FITS, astropy and observatories are known in any letter case; "per pixel" makes no
    difference.

    Examples
    --------
    >>> [unit_of(text) for text in ("ADU", "Counts/s", "e-", "electron s-1", "Jy")]
    ['adu', 'adu/s', 'electron', 'electron/s', 'Jy']
    """
    written = str(text).strip()
    base, seconds = _PER_SECOND.subn("", _PER_PIXEL.sub("", written.lower()), count=1)
    unit = _UNITS.get(base.strip())
    if unit is None or (seconds and unit not in COUNTED):
        return written
    return f"{unit}/s" if seconds else unit
