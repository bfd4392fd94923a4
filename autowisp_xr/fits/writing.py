"""Write images to a FITS file, plain or tile-compressed, with CHECKSUM and DATASUM.

astropy makes the headers, and compresses. It goes over the pixels of a plain image four times
(copy, checksum, byte order, write), each time through main memory. Here a few rows at a time go
through all of it while they are in the cache of the processor, and what is left is the time of
writing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits

from autowisp_xr._compat import again_if_interrupted
from autowisp_xr.arrays import Image
from autowisp_xr.fits.checksums import folded, word_sum
from autowisp_xr.stats.floats import native_type

_BLOCK = 2880
_CARD = 80

_NAMES = ("EXTNAME", "EXTVER", "EXTLEVEL")
"""Cards by which HDUs are known."""

_END = b"END".ljust(_CARD)
_PIECE = 1 << 18


@dataclass(frozen=True)
class NewHdu:
    """An image that is to be an HDU of a file."""

    header: fits.Header
    """Without structural cards."""
    values: Any
    """(y, x), in any layout; or what has a ``shape`` and gives rows when it is asked for them."""
    dtype: np.dtype[Any]
    """Type of the pixels in the file; float32 or float64 for floats of other lengths."""
    squared: bool = False
    """Whether ``values`` are squares of the pixels, of which those below zero have NaN for root."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", native_type(self.dtype))

    def rows(self, start: int, stop: int) -> Image:
        """Return rows ``start`` to ``stop`` as the file has them, but in native byte order."""
        part = self.values[start:stop]
        if self.squared:
            # of a float32, the root in float32 is the root in float64, rounded
            with np.errstate(invalid="ignore"):
                part = np.sqrt(part, dtype=np.result_type(part, self.dtype))
        return part.astype(self.dtype, copy=False)


def write_plain(file: BinaryIO, planes: Sequence[NewHdu], rows: int | None = None) -> None:
    """Write images as a FITS file, the first in the primary HDU.

    Parameters
    ----------
    file
        Open for writing, seekable, at its end.
    planes
        At least one.
    rows
        How many rows of each are written in turn, where those of all are made together; a multiple
        of four. None for one image after the other.

    Notes
    -----
    The bytes are those of ``astropy.io.fits.HDUList.writeto(..., checksum=True)``. Sums are in
    ones' complement, over words of 32 bits, and encoded as FITS Standard 4.0, appendix J, has it.
    """
    texts = list(_headers(planes))
    places, end = [], file.tell()
    for text, plane in zip(texts, planes, strict=True):
        places.append(end)
        height, width = plane.values.shape
        end += len(text) + -(-height * width * plane.dtype.itemsize // _BLOCK) * _BLOCK
    totals = [0] * len(planes)
    highest = max(plane.values.shape[0] for plane in planes)
    for start in range(0, highest, rows or highest):
        for number, plane in enumerate(planes):
            height, width = plane.values.shape
            if start >= height:
                continue
            stop = min(start + (rows or highest), height)
            row = width * plane.dtype.itemsize
            file.seek(places[number] + len(texts[number]) + start * row)
            part = replace(plane, values=np.asarray(plane.values[start:stop]))
            filling = -height * row % _BLOCK if stop == height else 0
            totals[number] += _write_pixels(file, part, filling)
    for place, text, total in zip(places, texts, totals, strict=True):
        file.seek(place)
        file.write(_sealed(text, total))
    file.seek(end)


def write_tiled(file: BinaryIO, planes: Sequence[NewHdu], quantize: float | None) -> None:
    """Write images as a FITS file, compressed tile by tile, behind an empty primary HDU.

    Parameters
    ----------
    file, planes
        As for :func:`write_plain`.
    quantize
        None for lossless, else floats are rounded to the scatter of a row divided by this.

    Notes
    -----
    As a CompImageHDU, astropy would put the cards of the header in an order of its own, and drop
    those that repeat a keyword: they are added to the tables that the images are in a file.
    """
    file.write(again_if_interrupted(partial(_tiled, planes, quantize)).getbuffer())


def _tiled(planes: Sequence[NewHdu], quantize: float | None) -> BytesIO:
    content, whole = BytesIO(), BytesIO()
    arrays = (np.ascontiguousarray(plane.rows(0, len(plane.values))) for plane in planes)
    images = [_tiled_image(array, quantize) for array in arrays]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(content)
    content.seek(0)
    hdus = fits.open(content, disable_image_compression=True, lazy_load_hdus=False)
    for hdu, plane in zip(hdus[1:], planes, strict=True):
        hdu.header.remove("EXTNAME", ignore_missing=True)
        append_cards(hdu, plane.header)
    hdus.writeto(whole, output_verify="silentfix+ignore", checksum=True)
    return whole


def _tiled_image(values: Image, quantize: float | None) -> fits.CompImageHDU:
    options: dict[str, Any] = {"compression_type": "RICE_1"}
    if values.dtype.kind == "f" and quantize is not None:
        options |= {"quantize_level": quantize, "quantize_method": fits.hdu.compressed.NO_DITHER}
    elif values.dtype.kind == "f":
        options = {"compression_type": "GZIP_2", "quantize_level": 0.0}
    elif values.dtype.itemsize > 4:
        # RICE is not defined for 64 bits
        options = {"compression_type": "GZIP_2"}
    return fits.CompImageHDU(values, tile_shape=(1, values.shape[1]), **options)


def _headers(planes: Sequence[NewHdu]) -> Iterator[bytes]:
    """Yield whole headers, in which the checksums are still to be filled in."""
    stubs = [np.zeros((1, 1), plane.dtype) for plane in planes]
    hdus = fits.HDUList([fits.PrimaryHDU(stubs[0]), *map(fits.ImageHDU, stubs[1:])])
    for hdu, plane in zip(hdus, planes, strict=True):
        append_cards(hdu, plane.header)
    content = BytesIO()
    hdus.writeto(content, output_verify="silentfix+ignore", checksum=True)
    text = content.getvalue()
    for plane in planes:
        end = next(i for i in range(0, len(text), _CARD) if text.startswith(_END, i))
        size = -(-(end + _CARD) // _BLOCK) * _BLOCK
        header, text = text[:size], text[size + _BLOCK :]
        for axis, length in ((1, plane.values.shape[1]), (2, plane.values.shape[0])):
            stub = b"NAXIS%d  = %20d" % (axis, 1)
            header = header.replace(stub, b"NAXIS%d  = %20d" % (axis, length), 1)
        yield header


def append_cards(hdu: fits.PrimaryHDU | fits.ImageHDU, header: fits.Header) -> None:
    """Put cards behind the structural ones of an HDU, one by one.

    Handing the header over would merge cards that repeat a keyword, and trip over those that
    cannot be read. The name of an HDU is read in any case: one that cannot be becomes a text.
    """
    for card in header.cards:
        if card.keyword in _NAMES:
            card.verify("silentfix+ignore")
        hdu.header.append(card, useblanks=False, end=True)


def _write_pixels(file: BinaryIO, plane: NewHdu, filling: int) -> int:
    """Write rows of a data unit, then so many zeros, and return the sum of their words."""
    height, width = plane.values.shape
    row = width * plane.dtype.itemsize
    # four rows are whole words, in any type
    together = max(_PIECE // (4 * row), 1) * 4
    buffer = np.empty(min(together, height) * row + _BLOCK, np.uint8)
    total = 0
    for start in range(0, height, together):
        stop = min(start + together, height)
        size = (stop - start) * row
        _store(plane.rows(start, stop), buffer[:size])
        if stop == height:
            buffer[size : size + filling] = 0
            size += filling
        total += word_sum(buffer[:size])
        file.write(buffer[:size].data)
    return total


def _store(rows: Image, out: Image) -> None:
    """Store rows as FITS has them: the other signedness as an offset of half the range."""
    kind, size = rows.dtype.kind, rows.dtype.itemsize
    if (kind == "u" and size > 1) or (kind == "i" and size == 1):
        unsigned = np.dtype(f"u{size}")
        sign = unsigned.type(1 << (8 * size - 1))
        bits = out.view(unsigned.newbyteorder(">")).reshape(rows.shape)
        np.bitwise_xor(rows.view(unsigned), sign, out=bits)
    else:
        np.copyto(out.view(rows.dtype.newbyteorder(">")).reshape(rows.shape), rows)


def _sealed(text: bytes, total: int) -> bytes:
    """Return a header with its checksums, given the sum of the words of its data."""
    cards = [text[i : i + _CARD] for i in range(0, len(text), _CARD)]
    where = next(i for i, card in enumerate(cards) if card.startswith(b"DATASUM "))
    comment = fits.Card.fromstring(cards[where]).comment
    cards[where] = fits.Card("DATASUM", str(folded(total)), comment).image.encode()
    where = next(i for i, card in enumerate(cards) if card.startswith(b"CHECKSUM"))
    start, end = cards[where][:11], cards[where][27:]
    cards[where] = start + b"0" * 16 + end
    whole = folded(total + word_sum(b"".join(cards)))
    cards[where] = start + _encoded(~whole & 0xFFFFFFFF) + end
    return b"".join(cards)


def _encoded(value: int) -> bytes:
    """Return 16 letters and digits that, as words, add up to a value and the "0"s they replace."""
    # four characters for each byte of the value; each word takes one for each byte
    words = zip(*(_four_characters(byte) for byte in value.to_bytes(4, "big")), strict=True)
    text = bytes(chain.from_iterable(words))
    # the value of a card starts at its twelfth character, the last of a word
    return text[-1:] + text[:-1]


def _four_characters(byte: int) -> list[int]:
    """Return codes of four letters or digits that add up to a byte and four "0"s."""
    quarter, rest = divmod(byte, 4)
    codes = [ord("0") + quarter + rest, *[ord("0") + quarter] * 3]
    for first, second in ((0, 1), (2, 3)):
        # moved apart, past punctuation, a pair keeps its sum
        while not (chr(codes[first]).isalnum() and chr(codes[second]).isalnum()):
            codes[first] += 1
            codes[second] -= 1
    return codes
