"""Whether what a header counts can be in its file at all, before memory is taken for it."""

import math
import re

from autowisp_xr.errors import BadImageError
from autowisp_xr.fits.units import Unit

_MOST_PIXELS_A_BYTE = 2**16
"""No compression makes more of a byte: of zeros alone, HCOMPRESS and PLIO some thousands."""

_BYTES = {"L": 1, "X": 1 / 8, "B": 1, "A": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8}
_BYTES |= {"C": 8, "M": 16, "P": 8, "Q": 16}
"""Bytes of an element of a column, by the letter of its TFORM."""


def check_tiles(path: str, unit: Unit) -> None:
    """Refuse a compressed image that is larger than the bytes of its tiles can make.

    Raises
    ------
    BadImageError
        Naming the file, the card and what it should be.
    """
    tiles = math.prod(
        -(-unit.whole(f"ZNAXIS{axis}") // max(unit.whole(f"ZTILE{axis}", default), 1))
        for axis in range(1, unit.whole("ZNAXIS") + 1)
        for default in (unit.whole("ZNAXIS1") if axis == 1 else 1,)
    )
    if tiles != unit.whole("NAXIS2"):
        raise BadImageError(
            f"{path}: ZNAXISn and ZTILEn of HDU {unit.index} make {tiles} tiles, and its table has "
            f"{unit.whole('NAXIS2')} (NAXIS2); copy the file again, or leave it out"
        )
    row = math.ceil(sum(_width(path, unit, n) for n in range(1, unit.whole("TFIELDS") + 1)))
    if row != unit.whole("NAXIS1"):
        raise BadImageError(
            f"{path}: the columns of HDU {unit.index} (TFORMn) take {row} bytes a row, and NAXIS1 "
            f"states {unit.whole('NAXIS1')}; copy the file again, or leave it out"
        )
    pixels, size = math.prod(unit.shape), unit.length
    if pixels > _MOST_PIXELS_A_BYTE * size:
        raise BadImageError(
            f"{path}: ZNAXISn of HDU {unit.index} state {' x '.join(map(str, unit.shape))} pixels, "
            f"which its {size} bytes cannot hold; copy the file again, or leave it out"
        )


def _width(path: str, unit: Unit, number: int) -> float:
    form = unit.values.get(f"TFORM{number}", "")
    found = re.match(r"(\d*)([LXBAIJKEDCMPQ])", form)
    if found is None:
        raise BadImageError(f"{path}: TFORM{number} of HDU {unit.index} is {form!r}, no column")
    return int(found[1] or 1) * _BYTES[found[2]]
