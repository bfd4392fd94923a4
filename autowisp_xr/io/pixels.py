"""Rows of planes as numbers: a file is opened by its path for each read, and closed after it."""

import gzip
import os
import threading
import warnings
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from autowisp_xr.errors import BadImageError
from autowisp_xr.io.layout import Hdu

__all__ = ["convert", "read_rows", "stored_rows"]

# catch_warnings swaps state of the whole process, so threads must take turns with it
_OPENING = threading.Lock()


def read_rows(plane: Hdu, start: int, stop: int) -> np.ndarray[Any, Any]:
    """Rows ``start`` to ``stop`` of a plane.

    Parameters
    ----------
    plane
        As :func:`autowisp_xr.io.layout.read_layout` found it.
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
    stored = stored_rows(plane, start, stop)
    out = np.empty(stored.shape, plane.dtype)
    convert(plane, stored, out)
    return out


def stored_rows(plane: Hdu, start: int, stop: int) -> np.ndarray[Any, Any]:
    """Rows of a plane as the file has them: before BZERO, BSCALE and BLANK, in its byte order."""
    _check_unchanged(plane)
    if plane.storage == "tiles":
        return _from_tiles(plane, start, stop)
    row = plane.width * plane.stored.itemsize
    count = (stop - start) * plane.width
    if plane.storage == "plain":
        with open(plane.path, "rb", buffering=0) as file:
            values = np.fromfile(file, plane.stored, count, offset=plane.offset + start * row)
    else:
        try:
            with gzip.open(plane.path, "rb") as file:
                file.seek(plane.offset + start * row)
                content = file.read(count * plane.stored.itemsize)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(plane, error) from error
        values = np.frombuffer(
            content[: len(content) // plane.stored.itemsize * plane.stored.itemsize], plane.stored
        )
    if values.size != count:
        raise BadImageError(
            f"{plane.path} ended while it was read: it was truncated since it was opened"
        )
    return values.reshape(stop - start, plane.width)


def convert(plane: Hdu, stored: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
    """Write stored pixels as numbers into ``out``, in one pass where the type of ``out`` allows.

    Parameters
    ----------
    plane
        Where the pixels come from.
    stored
        Any part of what :func:`stored_rows` gives.
    out
        Of the same shape; any real type, in which the values are cast.
    """
    if plane.dtype == plane.stored.newbyteorder("=") and _is_plain_scale(plane):
        np.copyto(out, stored, casting="unsafe")
    elif plane.dtype.kind in "ui":
        unsigned = np.dtype(f"u{plane.stored.itemsize}")
        sign = unsigned.type(1 << (8 * plane.stored.itemsize - 1))
        bits = stored.view(unsigned.newbyteorder(stored.dtype.byteorder))
        if out.dtype == plane.dtype:
            np.bitwise_xor(bits, sign, out=out.view(unsigned))
        else:
            np.copyto(out, np.bitwise_xor(bits, sign).view(plane.dtype), casting="unsafe")
    else:
        scaled: npt.NDArray[np.float64] = stored.astype(np.float64)
        scaled *= plane.bscale
        scaled += plane.bzero
        if plane.blank is not None:
            scaled[stored == plane.blank] = np.nan
        np.copyto(out, scaled, casting="unsafe")


def _is_plain_scale(plane: Hdu) -> bool:
    return plane.bscale == 1 and plane.bzero == 0 and plane.blank is None


def _check_unchanged(plane: Hdu) -> None:
    status = os.stat(plane.path)
    if (status.st_size, status.st_mtime_ns) != (plane.size, plane.changed):
        raise BadImageError(
            f"{plane.path} has changed since it was opened (it had {plane.size} bytes, now it has "
            f"{status.st_size}); open it again"
        )


def _from_tiles(plane: Hdu, start: int, stop: int) -> np.ndarray[Any, Any]:
    try:
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hdus = fits.open(
                plane.path, memmap=False, lazy_load_hdus=True, do_not_scale_image_data=True
            )
        with hdus:
            section = np.asarray(hdus[plane.index].section[start:stop, :])
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


def _unreadable(plane: Hdu, error: Exception) -> BadImageError:
    return BadImageError(
        f"{plane.path}: the pixels of HDU {plane.index} cannot be decompressed ({error}); the file "
        "is damaged, copy it again"
    )
