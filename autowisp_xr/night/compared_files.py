"""How two FITS files differ, in pixels and cards."""

from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.arrays import Image
from autowisp_xr.night.sentences import counted

_OF_FILE = {"CHECKSUM", "DATASUM", "DATE", "COMMENT", "HISTORY", "", "EXTNAME", "EXTEND"}
"""Cards that describe a file, or may differ for the same product."""


def differences(path: str, again: str) -> list[str]:
    """Return how a file differs from one that was made again, a line for each plane and card."""
    with fits.open(path) as ours, fits.open(again) as theirs:
        mine, other = _planes(ours), _planes(theirs)
        found = [
            f"{name}: there is no such plane in {'the file' if name in other else 'what is made'}"
            for name in {**mine, **other}
            if name not in mine or name not in other
        ]
        for name in mine:
            if name in other:
                found += _of_pixels(name, mine[name].data, other[name].data)
        found += _of_cards(mine["image"].header, other["image"].header)
    return found


def _planes(hdus: fits.HDUList) -> dict[str, Any]:
    images = [hdu for hdu in hdus if hdu.is_image and hdu.data is not None]
    names = ["image", *(hdu.name.lower() for hdu in images[1:])]
    return dict(zip(names, images, strict=True))


def _of_pixels(name: str, mine: Image, other: Image) -> list[str]:
    if mine.shape != other.shape:
        return [f"{name}: {mine.shape} pixels, made again {other.shape}"]
    differ = ~((mine == other) | ((mine != mine) & (other != other)))
    if not differ.any():
        return []
    y, x = np.argwhere(differ)[0].tolist()
    apart = np.abs(mine[differ].astype(np.float64) - other[differ].astype(np.float64))
    largest = float(np.nanmax(apart)) if np.isfinite(apart).any() else float("nan")
    return [
        f"{name}: {counted(int(differ.sum()), 'pixel')} of {differ.size}, by {largest:.6g} at most;"
        f" the first at column {x}, row {y}: {mine[y, x]:g}, made again {other[y, x]:g}"
    ]


def _of_cards(mine: fits.Header, other: fits.Header) -> list[str]:
    found = []
    for card in dict.fromkeys((*mine, *other)):
        values = [header.get(card) for header in (mine, other)]
        if card not in _OF_FILE and values[0] != values[1]:
            stated = ["no such card" if value is None else repr(value) for value in values]
            found.append(f"{card}: {stated[0]}, made again {stated[1]}")
    return found
