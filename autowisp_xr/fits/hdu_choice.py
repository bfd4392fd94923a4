"""Which units of a FITS file are the image that is asked for, and which are left."""

from collections.abc import Iterable, Mapping, Sequence

from autowisp_xr.errors import BadImageError
from autowisp_xr.fits.companions import is_companion
from autowisp_xr.fits.units import Unit

HduName = int | str
"""The number of an HDU, or its name: EXTNAME, or "EXTNAME,EXTVER"; letter case does not matter."""

HduChoice = HduName | Mapping[str, HduName] | None
"""Which HDU is the image; one for each channel; None for the first that holds one."""

_PICTURES = ("THUMB", "PREVIEW")


def default_unit(path: str, units: Sequence[Unit]) -> Unit:
    """The first unit that holds an image, before those that are no frames by their names.

    Raises
    ------
    BadImageError
        If there is none.
    """
    images = [unit for unit in units if unit.is_image]
    if not images:
        raise BadImageError(f"{path} holds no image in any of its {len(units)} HDUs")
    return next(iter(frames_of(units)), images[0])


def frames_of(units: Sequence[Unit]) -> list[Unit]:
    """All units that hold an image but for those that are no frames by their names."""
    images = (unit for unit in units if unit.is_image)
    return [u for u in images if not (is_companion(u) or u.name.startswith(_PICTURES))]


def chosen_unit(path: str, units: Sequence[Unit], which: HduName) -> Unit:
    """The unit of a number or name.

    Raises
    ------
    BadImageError
        If there is none, or it holds no image; the message names those that do.
    """
    numbered = dict(enumerate(units))
    found = _named(units, which) if isinstance(which, str) else numbered.get(which)
    images = "; ".join(unit.label for unit in units if unit.is_image) or "nowhere"
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
    """The unit of a name, with an image if several have it; a number is tried last."""
    text = text.strip().upper()
    name, comma, version = (part.strip() for part in text.rpartition(","))
    found = [unit for unit in units if unit.name == text]
    if not found and comma and version.isdigit():
        found = [unit for unit in units if (unit.name, unit.version) == (name, int(version))]
    if not found and text.isdigit():
        return dict(enumerate(units)).get(int(text))
    return next((unit for unit in found if unit.is_image), found[0] if found else None)


def doubts_of_unread(
    units: Sequence[Unit], images: Sequence[Unit], which: HduChoice
) -> Iterable[str]:
    """That there are further images in a file, where nobody has chosen among them.

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
