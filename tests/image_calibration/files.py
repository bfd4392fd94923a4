"""FITS files as observers have them, made by astropy alone; and products read by astropy alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits

BAYER = {
    "R": (slice(0, None, 2), slice(0, None, 2)),
    "G1": (slice(0, None, 2), slice(1, None, 2)),
    "G2": (slice(1, None, 2), slice(0, None, 2)),
    "B": (slice(1, None, 2), slice(1, None, 2)),
}

WHEN = {"DATE-OBS": "2024-03-01", "TIME-OBS": "01:02:03.5", "EXPTIME": 30.0, "IMAGETYP": "object"}


class Planes(NamedTuple):
    """Image, error and mask, each (y, x)."""

    image: Any
    error: Any
    mask: Any

    def at(self, place: Any) -> "Planes":
        """The same planes at some pixels."""
        return Planes(*(plane[place] for plane in self))


def write_raw(
    path: str | Path, image: Any, cards: Mapping[str, Any] | fits.Header | None = None
) -> str:
    """A raw frame; compressed, behind an empty primary HDU, where the name ends in .fz."""
    header = cards if isinstance(cards, fits.Header) else fits.Header({**WHEN, **(cards or {})})
    if str(path).endswith(".fz"):
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image, header)]).writeto(path)
    else:
        fits.PrimaryHDU(image, header).writeto(path)
    return str(path)


def write_planes(
    path: str | Path,
    image: Any,
    error: Any = None,
    mask: Any = None,
    cards: Mapping[str, Any] | fits.Header | None = None,
) -> str:
    """A calibrated frame or a master."""
    hdus = fits.HDUList([fits.PrimaryHDU(np.asarray(image), fits.Header(cards or WHEN))])
    for kind, plane in (("error", error), ("mask", mask)):
        if plane is not None:
            hdus.append(fits.ImageHDU(np.asarray(plane), fits.Header({"IMAGETYP": kind})))
    hdus.writeto(path)
    return str(path)


def read_planes(path: str | Path) -> Planes:
    """Planes of a product, found by IMAGETYP."""
    with fits.open(path) as hdus:
        full = [hdu for hdu in hdus if hdu.header["NAXIS"]]
        kinds = {hdu.header["IMAGETYP"]: hdu.data for hdu in full[1:]}
        assert sorted(kinds) == ["error", "mask"]
        return Planes(full[0].data, kinds["error"], kinds["mask"])


def header_of(path: str | Path) -> fits.Header:
    """Header of the first HDU with an image."""
    with fits.open(path) as hdus:
        return next(hdu.header for hdu in hdus if hdu.header["NAXIS"])


def noisy_master(rng: Any, shape: tuple[int, int], level: float, scatter: float) -> Planes:
    """A master with errors, and flags of which some concern frames."""
    image = rng.normal(level, scatter, shape)
    error = rng.uniform(0.5, 1.5, shape) * scatter / 4
    mask = np.zeros(shape, np.uint8)
    mask.flat[rng.permutation(mask.size)[:6]] = [1, 2, 16, 32, 48, 68]
    return Planes(image, error, mask)
