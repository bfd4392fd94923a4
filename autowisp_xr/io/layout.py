"""Where the planes of a FITS file lie: headers read once, pixels not."""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from autowisp_xr.errors import BadImageError
from autowisp_xr.io.history import split_history
from autowisp_xr.io.tiles import TileTable, tile_table
from autowisp_xr.io.units import Unit, image_cards, read_units

__all__ = ["FileLayout", "Hdu", "read_header", "read_layout"]

_STORED = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_COMPANIONS = ("error", "mask")


@dataclass(frozen=True, kw_only=True)
class Hdu:
    """One plane of one file: where its pixels are, and how to make numbers of them."""

    path: str
    size: int
    """Of the file, in bytes; with ``changed``, tells whether it is still what was opened."""
    changed: int
    """Time of the last change of the file, in nanoseconds."""
    index: int
    height: int
    width: int
    dtype: np.dtype[Any]
    """As the user sees it: unsigned integers stay so; what is scaled or has BLANK is float."""
    storage: Literal["plain", "gzip", "tiles"]
    offset: int
    """Of the first pixel, in bytes of the (decompressed) file."""
    stored: np.dtype[Any]
    bscale: float = 1.0
    bzero: float = 0.0
    blank: int | None = None
    tiles: TileTable | None = None
    """Of a tile-compressed image that can be decoded without astropy."""

    @property
    def ceiling(self) -> float:
        """Largest value that its integers can have; infinity for floats."""
        if self.stored.kind not in "iu":
            return math.inf
        info = np.iinfo(self.stored)
        return self.bzero + self.bscale * float(info.max if self.bscale > 0 else info.min)


@dataclass(frozen=True, kw_only=True)
class FileLayout:
    """What is in a FITS file."""

    path: str
    header: str
    """All cards of the image, one a line, as they stand in the file (of a compressed image, as
    they were before); but for our own history, which is in ``history``."""
    history: str
    """History that this package wrote into the header, as JSON; "" where there is none."""
    planes: Mapping[str, Hdu] = field(default_factory=dict)
    """"image", and "error" and "mask" where the file has them; a plane a channel where one was
    chosen for each."""


def read_layout(path: str, hdu: int | Mapping[str, int] | None = None) -> FileLayout:
    """Where the planes of a FITS file lie.

    Parameters
    ----------
    path
        A FITS file, plain, with tile-compressed images, or inside gzip (told by its content).
    hdu
        Which HDU is the image: None for the first that holds one, a number, or
        {channel: number} where each channel is an HDU of its own.

    Raises
    ------
    BadImageError
        If it is no FITS file, is empty or truncated, has no such image, an image that is not
        two-dimensional, or error and mask planes that do not fit the image.
    FileNotFoundError
        If there is no such file.
    """
    status, units, gzipped = _units_of(path)
    return _layout(path, status, units, hdu, gzipped=gzipped)


def read_header(path: str, hdu: int | None = None) -> str:
    """Cards of an image, one a line, whatever its dimensions; without our own history.

    Parameters
    ----------
    path, hdu
        As for :func:`read_layout`.

    Raises
    ------
    BadImageError, FileNotFoundError
        As for :func:`read_layout`.
    """
    _, units, _ = _units_of(path)
    if hdu is None:
        image = next((unit for unit in units if unit.is_image), units[0])
    else:
        image = _chosen(path, units, hdu)
    return "\n".join(split_history(image_cards(image))[0])


def _units_of(path: str) -> tuple[os.stat_result, list[Unit], bool]:
    """Status and units of a FITS file, and whether it is inside gzip."""
    status = os.stat(path)
    if status.st_size == 0:
        raise BadImageError(f"{path} is empty; copy it again")
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return status, read_units(path, file, status.st_size), False
        try:
            # size of what is inside, at the end of a gzip file (modulo 2^32, of its last member):
            # where the first unit fills it, nothing else needs to be decompressed
            file.seek(-4, os.SEEK_END)
            (length,) = struct.unpack("<I", file.read(4))
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as inside:
                units = read_units(path, inside, None, likely_end=length)
        except (OSError, EOFError, OverflowError, zlib.error) as error:
            raise BadImageError(
                f"{path} cannot be decompressed ({error}); it is truncated, copy it again"
            ) from error
    return status, units, True


def _layout(
    path: str,
    status: os.stat_result,
    units: list[Unit],
    hdu: int | Mapping[str, int] | None,
    gzipped: bool,
) -> FileLayout:
    def plane(unit: Unit) -> Hdu:
        return _plane(path, status, unit, gzipped)

    if isinstance(hdu, Mapping):
        if not hdu:
            raise BadImageError(f"{path}: no channel is chosen; hdu is {{channel: number}}")
        chosen = {str(name): _chosen(path, units, number) for name, number in hdu.items()}
        planes = {name: plane(unit) for name, unit in chosen.items()}
        image = min(chosen.values(), key=lambda unit: unit.index)
        _check_shapes(path, planes)
    else:
        if hdu is None:
            image = next((unit for unit in units if unit.is_image), units[0])
            if not image.is_image:
                raise BadImageError(f"{path} holds no image in any of its {len(units)} HDUs")
        else:
            image = _chosen(path, units, hdu)
        planes = {"image": plane(image)}
        for unit in units[image.index + 1 :]:
            kind = unit.values.get("IMAGETYP", "").lower()
            if kind in _COMPANIONS and kind not in planes and unit.is_image:
                planes[kind] = plane(unit)
        _check_shapes(path, planes)
        mask = planes.get("mask")
        if mask is not None and mask.stored.itemsize != 1:
            raise BadImageError(
                f"{path}: the mask in HDU {mask.index} has {mask.stored.itemsize} bytes a pixel, "
                "flags are one byte (BITPIX 8)"
            )
    header, history = split_history(image_cards(image))
    return FileLayout(path=path, header="\n".join(header), history=history, planes=planes)


def _chosen(path: str, units: list[Unit], number: int) -> Unit:
    if not 0 <= number < len(units):
        raise BadImageError(f"{path} has no HDU {number}; it has {len(units)}, counted from 0")
    if not units[number].is_image:
        images = [unit.index for unit in units if unit.is_image]
        raise BadImageError(f"{path} has no image in HDU {number}; there are images in {images}")
    return units[number]


def _check_shapes(path: str, planes: Mapping[str, Hdu]) -> None:
    name, first = next(iter(planes.items()))
    for other, plane in planes.items():
        if (plane.height, plane.width) != (first.height, first.width):
            raise BadImageError(
                f"{path}: {other!r} in HDU {plane.index} is {plane.height} x {plane.width}, "
                f"{name!r} in HDU {first.index} is {first.height} x {first.width} (rows x columns)"
            )


def _plane(path: str, status: os.stat_result, unit: Unit, gzipped: bool) -> Hdu:
    prefix = unit.prefix
    axes = unit.whole(prefix + "NAXIS")
    if axes != 2:
        sizes = " x ".join(str(unit.whole(f"{prefix}NAXIS{i}")) for i in range(axes, 0, -1))
        raise BadImageError(
            f"{path}: the image in HDU {unit.index} has {axes} dimensions ({sizes}), a frame has "
            "two; choose another HDU with hdu=, or write its planes as separate images"
        )
    bitpix = unit.whole(prefix + "BITPIX")
    if bitpix not in _STORED:
        raise BadImageError(f"{path}: BITPIX of HDU {unit.index} is {bitpix}, which FITS has not")
    stored = np.dtype(_STORED[bitpix])
    bscale, bzero = unit.real("BSCALE", 1.0), unit.real("BZERO", 0.0)
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
        height=unit.whole(prefix + "NAXIS2"),
        width=unit.whole(prefix + "NAXIS1"),
        dtype=_seen_dtype(stored, bscale, bzero, blank),
        storage="tiles" if unit.is_tiles else "gzip" if gzipped else "plain",
        offset=unit.offset,
        stored=stored,
        bscale=bscale,
        bzero=bzero,
        blank=blank,
        tiles=tile_table(unit) if unit.is_tiles and not gzipped else None,
    )


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
