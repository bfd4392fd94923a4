"""Find the planes of a file by reading its headers, once, without its pixels."""

import math
import os
import re
import stat
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from autowisp_xr.errors import BadImageError
from autowisp_xr.filesystem.addresses import file_of
from autowisp_xr.fits.assembling import assembled
from autowisp_xr.fits.hdu_choice import (
    HduChoice,
    HduName,
    Meaning,
    chosen_unit,
    companions_of,
    doubts_of_unread,
)
from autowisp_xr.fits.image_cards import cards_of, split_history
from autowisp_xr.fits.planes import FileLayout, Hdu
from autowisp_xr.fits.tiles import tile_table
from autowisp_xr.fits.units import Unit, read_units
from autowisp_xr.fits.unpacking import UNREADABLE, is_packed, likely_length, unpacked
from autowisp_xr.formats.pictures import MOST_PIXELS_A_BYTE, format_of, look
from autowisp_xr.headers.aliases import KeywordAliases

_HEADER = 4 * 2880
"""Bytes that are read at once: those of most headers."""

_STORED = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

_BYTES = {"L": 1, "X": 1 / 8, "B": 1, "A": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8}
_BYTES |= {"C": 8, "M": 16, "P": 8, "Q": 16}
"""Bytes of an element of a column, by the letter of its TFORM."""


def read_layout(
    path: str, hdu: HduChoice = None, aliases: KeywordAliases | None = None
) -> FileLayout:
    """Find the image of a file and the planes that belong to it.

    Parameters
    ----------
    path
        A FITS file, plain, with tile-compressed images, or inside gzip or bzip2 (whatever
        its name), or one of another format, by its ending.
    hdu
        Which HDU is the image: None for the first that holds one (and is not named as a mask, an
        error or a thumbnail), a number, a name (EXTNAME, or "EXTNAME,EXTVER"), or
        {channel: number or name} where each channel is an HDU of its own.
    aliases
        Which cards state where images lie on a detector, for files in which several of them are one
        frame (:mod:`autowisp_xr.headers.assembly`); None to read the first of them.

    Raises
    ------
    BadImageError
        If it is no FITS file, is empty or truncated, has no such image, an image that is not
        two-dimensional (axes of length one do not count), or error and mask planes of our own that
        do not fit the image; for several images that do not fit together.
    FileNotFoundError
        If there is no such file.
    """
    if format_of(path):
        return _of_picture(path, hdu)
    status, units, packed = _units_of(path)
    if hdu is None and aliases is not None:
        frame = assembled(path, units, partial(_plane, path, status, packed), aliases)
        if frame is not None:
            return frame
    return _layout(path, status, units, hdu, packed)


def read_header(path: str, hdu: HduName | None = None, *, inherit: bool = True) -> str:
    """Read the cards of an image, one a line, whatever its dimensions, without our own history.

    Parameters
    ----------
    path, hdu
        As for :func:`read_layout`.
    inherit
        Whether there are also the cards that an extension inherits from the primary HDU.

    Raises
    ------
    BadImageError, FileNotFoundError
        As for :func:`read_layout`.
    """
    if format_of(path):
        _status_of(path)
        return look(path).header
    _, units, _ = _units_of(path)
    some = hdu is not None or any(unit.is_image for unit in units)
    image = chosen_unit(path, units, hdu) if some else units[0]
    return "\n".join(split_history(cards_of(units, image, inherit=inherit))[0])


def _status_of(path: str) -> os.stat_result:
    """Return the status of a file, which opening a pipe or a device would wait for."""
    status = os.stat(file_of(path))
    if not stat.S_ISREG(status.st_mode):
        raise BadImageError(f"{path} is no ordinary file; name a file of frames")
    return status


def _of_picture(path: str, hdu: HduChoice) -> FileLayout:
    """Return the layout of a file of another format, which has no HDUs."""
    status = _status_of(path)
    if hdu is not None:
        raise BadImageError(f"{path} has no HDUs, of which {hdu!r} is to be read; leave out hdu=")
    picture = look(path)
    native = picture.stored.newbyteorder("=")
    image = Hdu(
        path=path,
        size=status.st_size,
        changed=status.st_mtime_ns,
        index=0,
        height=picture.height,
        width=picture.width,
        dtype=native,
        storage="decoded" if picture.offset is None else "plain",
        offset=picture.offset or 0,
        length=picture.height * picture.width * native.itemsize,
        stored=picture.stored,
    )
    return FileLayout(header=picture.header, planes={"image": image}, guesses=picture.guesses)


def _units_of(path: str) -> tuple[os.stat_result, list[Unit], bool]:
    """Read the status and units of a FITS file, and whether it is inside gzip or bzip2."""
    status = _status_of(path)
    if status.st_size == 0:
        raise BadImageError(f"{path} is empty; copy it again")
    with open(path, "rb", _HEADER) as file:
        start = file.read(3)
        file.seek(0)
        if not is_packed(start):
            return status, read_units(path, file, status.st_size), False
        try:
            # where the first unit fills what is inside, nothing else needs to be unpacked
            length = likely_length(file)
            with unpacked(file) as inside:
                units = read_units(path, inside, None, likely_end=length)
        except UNREADABLE as error:
            raise BadImageError(
                f"{path} cannot be decompressed ({error}); it is truncated, copy it again"
            ) from error
    return status, units, True


def _layout(
    path: str, status: os.stat_result, units: list[Unit], hdu: HduChoice, packed: bool
) -> FileLayout:
    plane = partial(_plane, path, status, packed)
    doubts: tuple[str, ...] = ()
    chosen: dict[str, Unit] = {}
    if isinstance(hdu, Mapping):
        if not hdu:
            raise BadImageError(f"{path}: no channel is chosen; hdu is {{channel: number}}")
        chosen = {str(name): chosen_unit(path, units, which) for name, which in hdu.items()}
        planes: dict[str, Hdu] = {name: plane(unit) for name, unit in chosen.items()}
        images = sorted(chosen.values(), key=lambda unit: unit.index)
        unused = [
            found.unit.label for one in images for found in companions_of(units, one)[0].values()
        ]
        if unused:
            doubts = (f"{'; '.join(unused)} not read: each channel has an HDU of its own",)
    else:
        image = chosen_unit(path, units, hdu)
        companions, doubts = companions_of(units, image)
        planes = {"image": plane(image)}
        for kind, found in companions.items():
            planes[kind] = plane(found.unit, found.meaning)
        images = [image]
        mask = planes.get("mask")
        if mask is not None and mask.meaning == "flags" and mask.stored.itemsize != 1:
            raise BadImageError(
                f"{path}: the mask in HDU {mask.index} has {mask.stored.itemsize} bytes a pixel, "
                "flags are one byte (BITPIX 8)"
            )
    _check_shapes(path, planes)
    header, history = split_history(cards_of(units, images[0]))
    if not chosen and "mask" not in planes and any(verb in history for verb in _FLAGGING):
        doubts = (*doubts, _WITHOUT_MASK)
    return FileLayout(
        header="\n".join(header),
        history=history,
        planes=planes,
        channels={name: "\n".join(cards_of(units, unit)) for name, unit in chosen.items()},
        doubts=(*doubts_of_unread(units, images, hdu), *doubts),
    )


_FLAGGING = ('"verb": "calibrate"', '"verb": "stack"')
"""In a history: what has flagged pixels."""

_WITHOUT_MASK = (
    "the mask that it was written with is not there, so that no pixel is flagged: unless somebody "
    "has removed it, the file was cut off; copy it again, or make it again"
)


def _check_shapes(path: str, planes: Mapping[str, Hdu]) -> None:
    name, first = next(iter(planes.items()))
    for other, plane in planes.items():
        if (plane.height, plane.width) != (first.height, first.width):
            raise BadImageError(
                f"{path}: {other!r} in HDU {plane.index} is {plane.height} x {plane.width}, "
                f"{name!r} in HDU {first.index} is {first.height} x {first.width} (rows x columns)"
            )


def _plane(
    path: str, status: os.stat_result, packed: bool, unit: Unit, meaning: Meaning = "values"
) -> Hdu:
    shape = unit.shape
    if unit.is_tiles:
        _check_tiles(path, unit)
    if len(shape) != 2:
        raise BadImageError(
            f"{path}: the image in HDU {unit.index} has {len(shape)} dimensions "
            f"({' x '.join(map(str, shape))}), a frame has two; choose another HDU with hdu= "
            "(--hdu), or write its planes as separate images"
        )
    bitpix = unit.whole(unit.prefix + "BITPIX")
    if bitpix not in _STORED:
        raise BadImageError(f"{path}: BITPIX of HDU {unit.index} is {bitpix}, which FITS has not")
    stored = np.dtype(_STORED[bitpix])
    if not unit.is_tiles and math.prod(shape) * stored.itemsize > unit.length:
        raise BadImageError(
            f"{path}: PCOUNT and GCOUNT of HDU {unit.index} leave {unit.length} bytes for "
            f"{' x '.join(map(str, shape))} pixels; copy the file again, or leave it out"
        )
    bscale, bzero = _scaling(path, unit, "BSCALE", 1.0), _scaling(path, unit, "BZERO", 0.0)
    blank = None
    if bitpix > 0:
        keyword = "ZBLANK" if unit.is_tiles and "BLANK" not in unit.values else "BLANK"
        # an unreadable BLANK, or one that the type cannot hold, marks no pixel
        value = unit.whole(keyword, -1 << 70)
        info = np.iinfo(stored)
        blank = value if info.min <= value <= info.max else None
    return Hdu(
        path=path,
        size=status.st_size,
        changed=status.st_mtime_ns,
        index=unit.index,
        height=shape[0],
        width=shape[1],
        dtype=_seen_dtype(stored, bscale, bzero, blank),
        storage="tiles" if unit.is_tiles else "packed" if packed else "plain",
        offset=unit.offset,
        length=unit.length,
        stored=stored,
        bscale=bscale,
        bzero=bzero,
        blank=blank,
        tiles=tile_table(unit) if unit.is_tiles and not packed else None,
        meaning=meaning,
        start=unit.start,
        datasum=unit.whole("DATASUM", -1) if unit.values.get("DATASUM", "").isdigit() else None,
    )


def _scaling(path: str, unit: Unit, keyword: str, default: float) -> float:
    """Return the value of BSCALE or BZERO, without which pixels would be other numbers."""
    stated = unit.values.get(keyword)
    value = default if stated is None else unit.real(keyword, math.nan)
    if not math.isfinite(value) or (keyword == "BSCALE" and value == 0):
        raise BadImageError(
            f"{path}: {keyword} of HDU {unit.index} is {stated!r}, and no pixels can be scaled by "
            "that; correct the card, or leave the file out"
        )
    return value


def _seen_dtype(
    stored: np.dtype[Any], bscale: float, bzero: float, blank: int | None
) -> np.dtype[Any]:
    native = stored.newbyteorder("=")
    if stored.kind == "f" or (bscale == 1 and bzero == 0 and blank is None):
        return native
    if bscale == 1 and blank is None:
        # FITS writes the other signedness as an offset of half the range
        if stored.itemsize == 1 and bzero == -128:
            return np.dtype(np.int8)
        if stored.itemsize > 1 and bzero == 2.0 ** (8 * stored.itemsize - 1):
            return np.dtype(f"u{stored.itemsize}")
    return np.dtype(np.float32 if stored.itemsize <= 2 else np.float64)


def _check_tiles(path: str, unit: Unit) -> None:
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
    if pixels > MOST_PIXELS_A_BYTE * size:
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
