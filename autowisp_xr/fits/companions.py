"""Planes that belong to an image in the same file: its errors, its mask, counts.

They are told by their IMAGETYP (this package, AutoWISP), by their HDUCLAS2 (ESO), or by their
names: MASK and UNCERT of CCDData (astropy, ccdproc), ERR, VAR and DQ of HST, Gemini and others, BPM
of LCO.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from autowisp_xr.fits.units import Unit

Meaning = Literal["values", "flags", "faults", "deviation", "variance", "inverse variance"]
"""What the pixels of a plane are: of the image "values"; of a mask "flags", which are ours, or
"faults", where whatever is not 0 is bad; of errors what they are a measure of."""

_OURS = ("error", "mask", "count")
_ERRORS: dict[str, Meaning] = {
    **dict.fromkeys(("ERR", "ERROR", "ERRORS", "SIGMA", "STD", "STDDEV", "RMS"), "deviation"),
    **dict.fromkeys(("UNCERT", "UNCERTAINTY", "UNC", "ERRDATA"), "deviation"),
    **dict.fromkeys(("VAR", "VARIANCE", "STAT"), "variance"),
    **dict.fromkeys(("IVAR", "INVVAR", "INVVARIANCE"), "inverse variance"),
}
_MASKS = ("MASK", "DQ", "BPM", "FLAG", "FLAGS", "BADPIX", "QUALITY", "QUALDATA")
# these go with an image, but nothing is made of them
_UNUSED = ("COUNT", "WEIGHT", "WEIGHTS", "WHT", "EXPMAP", "EXPOSURE", "CON", "CTX", "PSFIMAGE")
# what a card says of errors: UTYPE of CCDData, HDUCLAS3 of ESO
_KINDS: dict[str, Meaning] = {
    **dict.fromkeys(("STD", "STDDEV", "STDDEVUNCERTAINTY", "RMSE"), "deviation"),
    **dict.fromkeys(("VAR", "VARIANCE", "VARIANCEUNCERTAINTY", "MSE"), "variance"),
    **dict.fromkeys(("IVAR", "INVERSEVARIANCE", "INVMSE"), "inverse variance"),
}
_KIND_CARDS = ("UTYPE", "HDUCLAS3")
_SQUARED = re.compile(r"(?P<base>.*?[^*^\d\s])\s*(\*\*|\^)?\s*2|(?P<plain>.*)")


class Companion(NamedTuple):
    """A plane that belongs to an image."""

    unit: Unit
    meaning: Meaning


def is_companion(unit: Unit) -> bool:
    """Whether a unit is a plane that belongs to an image."""
    return bool(_kind(unit))


def companions_of(
    units: Sequence[Unit], image: Unit
) -> tuple[dict[str, Companion], tuple[str, ...]]:
    """Errors, mask and counts of an image, and what is in doubt about its planes.

    Parameters
    ----------
    units
        All of the file.
    image
        Those of several images of one name have its EXTVER.

    Returns
    -------
    By their kind ("error", "mask", "count") those that are understood; and a sentence for each that
    is not.
    """
    found: dict[str, Companion] = {}
    doubts = []
    of_kind: dict[str, list[Unit]] = {}
    for unit in units:
        kind = _kind(unit)
        if kind and unit.is_image and unit is not image:
            of_kind.setdefault(kind, []).append(unit)
    images = [unit for unit in units if unit.is_image and not is_companion(unit)]
    for kind, among in of_kind.items():
        own = [unit for unit in among if _goes_with(unit, image)]
        if not own and images == [image]:
            own = among
        doubts += [
            f"{unit.label} is not read: nothing says of which image it is"
            for unit in among
            if unit not in own and not any(_goes_with(unit, other) for other in images)
        ]
        for unit in own:
            companion = _understood(kind, unit, image, units[0])
            if isinstance(companion, str):
                doubts.append(f"{unit.label} is not read: {companion}")
            elif companion is not None and kind in found:
                doubts.append(
                    f"{unit.label} is not read: {found[kind].unit.label} is a plane of {kind}, too"
                )
            elif companion is not None:
                found[kind] = companion
    return found, tuple(doubts)


def _kind(unit: Unit) -> str:
    """error, mask or count (also for what is not used); "" for what is an image of its own."""
    kind = unit.values.get("IMAGETYP", "").lower()
    if kind in _OURS:
        return kind
    meant = unit.values.get("HDUCLAS2", "").upper()
    if meant in ("ERROR", "QUALITY"):
        return "error" if meant == "ERROR" else "mask"
    name = _last_word(unit)
    if name in _ERRORS:
        return "error"
    if name in _MASKS:
        return "mask"
    return "count" if name in _UNUSED else ""


def _last_word(unit: Unit) -> str:
    """Of a name such as "SCI_VAR" or "CHIP1.DQ"."""
    return re.split(r"[^A-Z0-9]", unit.name)[-1] if unit.index else ""


def _goes_with(unit: Unit, image: Unit) -> bool:
    before = unit.name.removesuffix(_last_word(unit)).strip("_-. ")
    return unit.version == image.version and before in ("", image.name)


def _understood(kind: str, unit: Unit, image: Unit, primary: Unit) -> Companion | str | None:
    """What a plane is, or why it cannot be used; None for what is of no use here."""
    ours = unit.values.get("IMAGETYP", "").lower() == kind
    if kind == "count":
        if ours and unit.shape == image.shape:
            return Companion(unit, "values")
        return None if ours or _last_word(unit) == "COUNT" else "no use is made of such planes"
    if not ours and unit.shape != image.shape:
        return f"the image in {image.label} has another shape"
    stated = next((unit.values[card] for card in _KIND_CARDS if unit.values.get(card)), "")
    if kind == "mask":
        # the standard of ESO knows masks of what is good
        if stated.upper() == "MASKZERO":
            return "HDUCLAS3 = MASKZERO says that 0 is bad, where a mask should be 0 for good"
        return Companion(unit, "flags" if ours else "faults")
    if ours:
        return Companion(unit, "deviation")
    meaning = _KINDS.get(stated.upper()) if stated else _ERRORS.get(_last_word(unit))
    if meaning is None:
        return (
            f"it says {stated!r} of its kind of errors, which are standard deviations, variances "
            "or inverse variances"
        )
    of_image = image.values.get("BUNIT") or primary.values.get("BUNIT", "")
    units = unit.values.get("BUNIT", ""), of_image
    if all(units) and meaning != "inverse variance":
        (base, squared), (plain, _) = map(_squared, units)
        if base != plain or squared != (meaning == "variance"):
            return f"its BUNIT is {units[0]!r}, that of the image {units[1]!r}, for a {meaning}"
    return Companion(unit, meaning)


def _squared(units: str) -> tuple[str, bool]:
    """A unit, and whether it is squared, as "adu2", "adu**2" and "adu^2" are."""
    match = _SQUARED.fullmatch(units.strip().lower())
    if match is None or match["base"] is None:
        return units.strip().lower().rstrip("s"), False
    return match["base"].rstrip("s"), True
