"""Compare pixels with DATASUM, the sum of the words of a data unit as it was written.

Many programs edit a header and leave CHECKSUM, which holds for both, as it was: the pixels are no
worse for that, as long as DATASUM is right. Others make new pixels, and write them with the old
sums in a new header; this differs from damage by the header, which still agrees with both sums if
only the pixels are others.

References
----------
FITS Standard 4.0, section 4.4.2.7 and appendix J.
"""

from collections.abc import Iterator

import numpy as np

from autowisp_xr.arrays import Bits
from autowisp_xr.errors import BadImageError
from autowisp_xr.fits.planes import Hdu
from autowisp_xr.fits.tiles import read_fully
from autowisp_xr.fits.unpacking import UNREADABLE, opened

# whole words, and small enough for the cache
_PIECE = 1 << 18
# what a unit with its checksums adds up to
_ALL_ONES = 0xFFFFFFFF


def word_sum(content: bytes | Bits) -> int:
    """Return the sum of the words of 32 bits of bytes, whose number four divides."""
    words = np.frombuffer(content, np.dtype(">u4"))
    return int(words.sum(dtype=np.uint64))


def folded(total: int) -> int:
    """Return a sum in ones' complement: what goes over 32 bits comes back at the low end."""
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def check_sum(plane: Hdu) -> str:
    """Compare the bytes of a plane with the DATASUM of its header, if it has one.

    Returns
    -------
    "", or a doubt where the header was changed as well since the sums were written, so that they
    state nothing of the pixels.

    Raises
    ------
    BadImageError
        If the bytes are others, while the header is still the one that was written (or there is no
        CHECKSUM that would tell); it names the file and both sums. Or if it cannot be unpacked.
    OSError
        If it cannot be read.
    """
    if plane.datasum is None:
        return ""
    try:
        found = folded(sum(map(word_sum, _pieces(plane, plane.offset, plane.length))))
        if found == folded(plane.datasum):
            return ""
        size = plane.offset - plane.start
        header = b"".join(map(bytes, _pieces(plane, plane.start, size)))
    except OSError:
        raise
    except UNREADABLE as error:
        raise BadImageError(
            f"{plane.path} cannot be decompressed ({error}); copy it again"
        ) from error
    if b"CHECKSUM=" in header and folded(word_sum(header) + plane.datasum) != _ALL_ONES:
        return (
            f"neither DATASUM holds for the pixels of HDU {plane.index} nor CHECKSUM for its "
            "header: a program changed the file and left both as they were, so that nothing "
            "shows whether the pixels are right; copy the file again if you know of no such program"
        )
    raise BadImageError(
        f"{plane.path}: the pixels of HDU {plane.index} are garbled: they add up to {found}, "
        f"DATASUM states {plane.datasum}; copy the file again, or, if you know better, do not "
        "compare (checksum=False, --no-checksum)"
    )


def _pieces(plane: Hdu, start: int, size: int) -> Iterator[Bits]:
    """Yield bytes of the (unpacked) file of a plane, filled up with zeros to whole words."""
    buffer = np.empty(_PIECE, np.uint8)
    with opened(plane.path) as file:
        file.seek(start)
        for done in range(0, size, _PIECE):
            content = buffer[: min(_PIECE, size - done)]
            number = read_fully(file, content)
            whole = -(-number // 4) * 4
            buffer[number:whole] = 0
            yield buffer[:whole]
