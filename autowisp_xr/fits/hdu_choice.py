"""Choose which units of a FITS file are the image, which belong to it, and which are left.

Errors, masks and counts are known by their IMAGETYP (this package, AutoWISP), by their HDUCLAS2
(ESO), or by their names: MASK and UNCERT of CCDData (astropy, ccdproc), ERR, VAR and DQ of HST,
Gemini and others, BPM of LCO.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from autowisp_xr.errors import BadImageError
from autowisp_xr.fits.units import Unit
from autowisp_xr.schema import NUMBERS_OF_VALUES

HduName = int | str
"""The number of an HDU, or its name: EXTNAME, or "EXTNAME,EXTVER"; letter case does not matter."""

HduChoice = HduName | Mapping[str, HduName] | None
"""Which HDU is the image; one for each channel; None for the first that holds one."""

Meaning = Literal["values", "flags", "faults", "deviation", "variance", "inverse variance"]
"""What the pixels of a plane are: of the image "values"; of a mask "flags", which are ours, or
"faults", where whatever is not 0 is bad; of errors what they are a measure of."""

_OURS = ("error", "mask", *NUMBERS_OF_VALUES)
_ERRORS: dict[str, Meaning] = {
    **dict.fromkeys(("ERR", "ERROR", "ERRORS", "SIGMA", "STD", "STDDEV", "RMS"), "deviation"),
    **dict.fromkeys(("UNCERT", "UNCERTAINTY", "UNC", "ERRDATA"), "deviation"),
    **dict.fromkeys(("VAR", "VARIANCE", "STAT"), "variance"),
    **dict.fromkeys(("IVAR", "INVVAR", "INVVARIANCE"), "inverse variance"),
}
_MASKS = ("MASK", "DQ", "BPM", "FLAG", "FLAGS", "BADPIX", "QUALITY", "QUALDATA")
# these go with an image, but nothing is made of them
_UNUSED = (
    *("COUNT", "WEIGHT", "WEIGHTS", "WHT", "EXPMAP", "EXPOSURE", "CON", "CTX", "PSFIMAGE"),
    *("RATE", "SCATTER", "RESPONSE"),
)
_KINDS_OF_NAMES = {
    **dict.fromkeys(_ERRORS, "error"),
    **dict.fromkeys(_MASKS, "mask"),
    **dict.fromkeys(_UNUSED, "count"),
}
# what a card states of errors: UTYPE of CCDData, HDUCLAS3 of ESO
_KINDS: dict[str, Meaning] = {
    **dict.fromkeys(("STD", "STDDEV", "STDDEVUNCERTAINTY", "RMSE"), "deviation"),
    **dict.fromkeys(("VAR", "VARIANCE", "VARIANCEUNCERTAINTY", "MSE"), "variance"),
    **dict.fromkeys(("IVAR", "INVERSEVARIANCE", "INVMSE"), "inverse variance"),
}
_KIND_CARDS = ("UTYPE", "HDUCLAS3")
_SQUARED = re.compile(r"(?P<base>.*?[^*^\d\s])\s*(\*\*|\^)?\s*2|(?P<plain>.*)")
_PICTURES = ("THUMB", "PREVIEW")


def frames_of(units: Sequence[Unit]) -> list[Unit]:
    """Return all units that hold an image but for those that are no frames by their names."""
    images = (unit for unit in units if unit.is_image)
    return [u for u in images if not (is_companion(u) or u.name.startswith(_PICTURES))]


def chosen_unit(path: str, units: Sequence[Unit], which: HduName | None) -> Unit:
    """Return the unit of a number or name; of None the first with an image, frames before others.

    Raises
    ------
    BadImageError
        If there is none, or it holds no image; the message names those that do.
    """
    labels = [unit.label for unit in units if unit.is_image]
    if which is None:
        if not labels:
            raise BadImageError(f"{path} holds no image in any of its {len(units)} HDUs")
        return next(iter(frames_of(units) or (unit for unit in units if unit.is_image)))
    found = _named(units, which) if isinstance(which, str) else dict(enumerate(units)).get(which)
    images = "; ".join(labels) or "nowhere"
    if found is None:
        asked = f"named {which!r}" if isinstance(which, str) else f"{which}"
        raise BadImageError(
            f"{path} has no HDU {asked}; it has {len(units)}, counted from 0, with images in: "
            f"{images}"
        )
    if not found.is_image:
        raise BadImageError(
            f"{path} has no image in HDU {found.index}"
            f"{f' ({found.name})' if found.name else ''}; there are images in: {images}"
        )
    return found


def _named(units: Sequence[Unit], text: str) -> Unit | None:
    """Return the unit of a name, with an image if several have it; a number is tried last."""
    text = text.strip().upper()
    name, comma, version = (part.strip() for part in text.rpartition(","))
    found = [unit for unit in units if unit.name == text]
    if not found and comma and version.isdigit():
        found = [unit for unit in units if (unit.name, unit.version) == (name, int(version))]
    if not found and text.isdigit():
        return dict(enumerate(units)).get(int(text))
    return next((unit for unit in found if unit.is_image), found[0] if found else None)


class Companion(NamedTuple):
    """A plane that belongs to an image."""

    unit: Unit
    meaning: Meaning


def is_companion(unit: Unit) -> bool:
    """Return whether a unit is a plane that belongs to an image."""
    return bool(_kind(unit))


def companions_of(
    units: Sequence[Unit], image: Unit
) -> tuple[dict[str, Companion], tuple[str, ...]]:
    """Find errors, mask and numbers of values of an image, and what is in doubt about them.

    Parameters
    ----------
    units
        All of the file.
    image
        Those of several images of one name have its EXTVER.

    Returns
    -------
    By their kind ("error", "mask", "count", ...) those that are understood; and a sentence for each
    that is not.
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
            f"{unit.label} is not read: nothing states of which image it is"
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
    """Return error, mask, count (also for what is not used), ...; "" for an image of its own."""
    kind = unit.values.get("IMAGETYP", "").lower()
    if kind in _OURS:
        return kind
    by_eso = {"ERROR": "error", "QUALITY": "mask"}.get(unit.values.get("HDUCLAS2", "").upper())
    return by_eso or _KINDS_OF_NAMES.get(_last_word(unit), "")


def _last_word(unit: Unit) -> str:
    """Return the last word of a name such as "SCI_VAR" or "CHIP1.DQ"."""
    return re.split(r"[^A-Z0-9]", unit.name)[-1] if unit.index else ""


def _goes_with(unit: Unit, image: Unit) -> bool:
    before = unit.name.removesuffix(_last_word(unit)).strip("_-. ")
    return unit.version == image.version and before in ("", image.name)


def _understood(kind: str, unit: Unit, image: Unit, primary: Unit) -> Companion | str | None:
    """Return what a plane is, or why it cannot be used; None for what is of no use here."""
    ours = unit.values.get("IMAGETYP", "").lower() == kind
    if kind in NUMBERS_OF_VALUES:
        if ours and unit.shape == image.shape:
            return Companion(unit, "values")
        # what this package writes has its name as its type, too
        known = {"COUNT", unit.values.get("IMAGETYP", "").upper()}
        return None if ours or _last_word(unit) in known else "no use is made of such planes"
    if not ours and unit.shape != image.shape:
        return f"the image in {image.label} has another shape"
    stated = next((unit.values[card] for card in _KIND_CARDS if unit.values.get(card)), "")
    if kind == "mask":
        # the standard of ESO knows masks of what is good
        if stated.upper() == "MASKZERO":
            return "HDUCLAS3 = MASKZERO states that 0 is bad, where a mask should be 0 for good"
        return Companion(unit, "flags" if ours else "faults")
    if ours:
        return Companion(unit, "deviation")
    meaning = _KINDS.get(stated.upper()) if stated else _ERRORS.get(_last_word(unit))
    if meaning is None:
        return (
            f"it states {stated!r} of its kind of errors, which are standard deviations, variances "
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
    """Split a unit into its base and whether it is squared, as "adu2" and "adu**2" are."""
    match = _SQUARED.fullmatch(units.strip().lower())
    if match is None or match["base"] is None:
        return units.strip().lower().rstrip("s"), False
    return match["base"].rstrip("s"), True


def doubts_of_unread(
    units: Sequence[Unit], images: Sequence[Unit], which: HduChoice
) -> Iterable[str]:
    """Yield a doubt if a file has further images, and nobody has chosen among them.

    Parameters
    ----------
    units
        All of the file.
    images
        Those that are read, without their companions.
    which
        What was chosen.
    """
    others = [
        unit for unit in units if unit.is_image and unit not in images and not is_companion(unit)
    ]
    if isinstance(which, str):
        # what has the same name may have been meant as well
        others = [unit for unit in others if unit.name == which.strip().upper()]
    elif which is not None:
        return
    if others:
        read = " and ".join(unit.label for unit in images)
        yield (
            f"only {read} is read of {len(others) + len(images)} images in the file, not "
            f"{'; '.join(unit.label for unit in others)}; choose one by number or name with hdu= "
            "(--hdu), or several, as channels, with hdu={'a': 1, 'b': 2} in open_fits"
        )
