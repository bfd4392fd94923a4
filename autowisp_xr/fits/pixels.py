"""Read rows of planes as numbers; a file is opened for each read, and closed after it."""

import os
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from io import FileIO
from math import ceil
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from autowisp_xr._compat import again_if_interrupted
from autowisp_xr.arrays import Floats, Image
from autowisp_xr.errors import BadImageError
from autowisp_xr.filesystem.addresses import file_of
from autowisp_xr.fits.planes import Hdu
from autowisp_xr.fits.tiles import decoded_pieces, read_fully
from autowisp_xr.fits.unpacking import UNREADABLE, Unpacked, is_packed, unpacked
from autowisp_xr.flags import Flag
from autowisp_xr.formats.pictures import decode

# catch_warnings swaps state of the whole process, so threads must take turns with it
_OPENING = threading.Lock()

# small enough for the cache, large enough that two threads seldom wait for each other's turn
_PIECE = 1 << 20


def read_rows(plane: Hdu, start: int, stop: int) -> Image:
    """Read rows ``start`` to ``stop`` of a plane.

    Parameters
    ----------
    plane
        As :func:`autowisp_xr.fits.layout.read_layout` found it.
    start, stop
        Half-open interval of rows, within the plane.

    Returns
    -------
    (stop - start, width), in ``plane.dtype``, native byte order, C-contiguous. Of a plain file, or
    a tile-compressed one, the other rows are not read.

    Raises
    ------
    BadImageError
        If the file is no longer what was opened, or its pixels cannot be read.
    """
    out = np.empty((stop - start, plane.width), plane.dtype)
    for row, stored in stored_pieces(plane, start, stop):
        convert(plane, stored, out[row - start : row - start + len(stored)])
    return out


def stored_pieces(plane: Hdu, start: int, stop: int) -> Iterator[tuple[int, Image]]:
    """Yield rows of a plane as the file has them: before BZERO, BSCALE and BLANK, a few at a time.

    A few rows stay in the cache of the processor until they are converted to where they belong,
    which makes reading three times as fast as a pass over the whole frame for each.

    Parameters
    ----------
    plane, start, stop
        As for :func:`read_rows`.

    Yields
    ------
    The number of the first row, and rows (y, x) in any byte order, which are valid until the next
    are asked for.

    Raises
    ------
    BadImageError
        As for :func:`read_rows`.
    """
    with _opened(plane) as file:
        status = os.fstat(file.fileno())
        same = (status.st_size, status.st_mtime_ns) == (plane.size, plane.changed)
        if not same and plane.storage != "spooled":
            raise BadImageError(
                f"{plane.path} has changed since it was opened (it had {plane.size} bytes, now it "
                f"has {status.st_size}); open it again"
            )
        if start == stop:
            return
        if plane.storage == "decoded":
            yield start, decode(plane.path)[start:stop]
        elif plane.storage in ("plain", "spooled"):
            yield from _plain_pieces(plane, file, start, stop)
        elif plane.storage == "packed":
            try:
                with unpacked(file) as inside:
                    yield from _plain_pieces(plane, inside, start, stop)
                    _to_its_end(inside)
            except UNREADABLE as error:
                raise _unreadable(plane, error) from error
        else:
            if plane.tiles is not None:
                shape = (plane.height, plane.width)
                for row, rows in decoded_pieces(file, plane.tiles, shape, start, stop):
                    yield row, rows
                    start = row + len(rows)
            if start < stop:
                if is_packed(os.pread(file.fileno(), 3, 0)):
                    try:
                        with unpacked(file) as inside:
                            _to_its_end(inside)
                    except UNREADABLE as error:
                        raise _unreadable(plane, error) from error
                yield start, _from_tiles(plane, start, stop)


def _to_its_end(inside: Unpacked) -> None:
    """Read what is left of a packed file, at whose end it compares what it gave with its own sum.

    Where the image is all that is inside, that is a few bytes.
    """
    while inside.read(_PIECE):
        pass


def _opened(plane: Hdu) -> FileIO:
    try:
        return open(file_of(plane.path), "rb", buffering=0)
    except FileNotFoundError as error:
        raise BadImageError(
            f"{plane.path} was removed or renamed since it was opened; put it back, or open it anew"
        ) from error


def convert(plane: Hdu, stored: Image, out: Image) -> None:
    """Write stored pixels as numbers into ``out``, in one pass where the type of ``out`` allows.

    Parameters
    ----------
    plane
        Where the pixels come from.
    stored
        Any part of what :func:`stored_pieces` gives.
    out
        Of the same shape; any real type, in which the values are cast.
    """
    if plane.bscale == 1 and plane.bzero == 0 and plane.blank is None:
        np.copyto(out, stored, casting="unsafe")
    elif plane.dtype.kind in "ui":
        # numpy swaps the bytes of what lies in the cache as fast as compiled code could write it
        unsigned = np.dtype(f"u{stored.itemsize}")
        sign = unsigned.type(1 << (8 * stored.itemsize - 1))
        bits = stored.view(unsigned.newbyteorder(stored.dtype.byteorder))
        if out.dtype == plane.dtype:
            np.bitwise_xor(bits, sign, out=out.view(unsigned))
        else:
            np.copyto(out, np.bitwise_xor(bits, sign).view(plane.dtype), casting="unsafe")
    else:
        scaled: Floats = stored.astype(np.float64)
        scaled *= plane.bscale
        scaled += plane.bzero
        if plane.blank is not None:
            scaled[stored == plane.blank] = np.nan
        np.copyto(out, scaled, casting="unsafe")


def convert_companion(plane: Hdu, stored: Image, out: Image) -> None:
    """Write stored pixels as flags or variances into ``out``, by what the plane means.

    Parameters
    ----------
    plane, stored, out
        As for :func:`convert`.

    Notes
    -----
    Faults, whatever is not 0, become ``Flag.FAULT``. Variances are formed in float64 (of errors,
    their squares); what is below zero, and of inverse variances also zero, becomes NaN: not known.
    """
    if plane.meaning in ("values", "flags"):
        convert(plane, stored, out)
        return
    if plane.meaning == "faults":
        faults = np.empty(stored.shape, plane.dtype)
        convert(plane, stored, faults)
        np.multiply(faults != 0, out.dtype.type(Flag.FAULT), out=out)
        return
    # float64 throughout: the error of a master was stored so that this gives its variance back
    values = np.empty(stored.shape, np.float64)
    convert(plane, stored, values)
    inverse = plane.meaning not in ("deviation", "variance")
    values[values <= 0 if inverse else values < 0] = np.nan
    if plane.meaning == "deviation":
        np.multiply(values, values, out=values)
    elif inverse:
        np.divide(1, values, out=values)
    np.copyto(out, values, casting="same_kind")


def _plain_pieces(
    plane: Hdu, file: BinaryIO | Unpacked, start: int, stop: int
) -> Iterator[tuple[int, Image]]:
    row = plane.width * plane.stored.itemsize
    # pieces of about the same size: a small one takes nearly as long
    pieces = ceil((stop - start) * row / _PIECE)
    together = ceil((stop - start) / pieces)
    buffer = np.empty(together * row, np.uint8)
    file.seek(plane.offset + start * row)
    for first in range(start, stop, together):
        number = min(together, stop - first)
        content = buffer[: number * row]
        if read_fully(file, content) != content.size:
            raise BadImageError(
                f"{plane.path} ended while it was read: it was truncated since it was opened"
            )
        yield first, content.view(plane.stored).reshape(number, plane.width)


def _from_tiles(plane: Hdu, start: int, stop: int) -> Image:
    try:
        section = again_if_interrupted(partial(_decompressed, plane, start, stop))
    except MemoryError:
        raise
    except Exception as error:  # a damaged tile surfaces as whatever the decoder stumbles over
        raise _unreadable(plane, error) from error
    if section.shape != (stop - start, plane.width):
        raise BadImageError(
            f"{plane.path}: the tiles of HDU {plane.index} hold {section.shape} pixels where "
            f"({stop - start}, {plane.width}) were expected; the file is damaged, copy it again"
        )
    return section


def _decompressed(plane: Hdu, start: int, stop: int) -> Image:
    with _OPENING, warnings.catch_warnings():
        # threads undo one another's filters: what stays ignored should be of no use to anybody
        warnings.simplefilter("ignore", AstropyWarning)
        hdus = fits.open(
            plane.path, memmap=False, lazy_load_hdus=True, do_not_scale_image_data=True
        )
    with hdus:
        hdu = hdus[plane.index]
        if len(hdu.shape) == 2:
            return np.asarray(hdu.section[start:stop, :])
        # axes of length one do not count
        return np.asarray(hdu.section[...].reshape(plane.height, -1)[start:stop])


def _unreadable(plane: Hdu, error: Exception) -> BadImageError:
    return BadImageError(
        f"{plane.path}: the pixels of HDU {plane.index} cannot be decompressed ({error}); the file "
        "is damaged, copy it again"
    )
