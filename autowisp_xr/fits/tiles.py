"""Decode tile-compressed images of whole numbers that were compressed with RICE_1.

That is what nearly all compressed raw frames are. What is compressed otherwise, or not quite as
the standard states, is left to astropy, which also judges tiles that cannot be decoded here.

References
----------
FITS Standard 4.0, section 10.1 (tiled image compression) and 7.3.5 (variable-length arrays).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, BinaryIO, Literal

import numpy as np

from autowisp_xr.arrays import Bits, Image, Integers
from autowisp_xr.fits.units import Unit

_NUMBERS = {1: "u1", 2: "i2", 4: "i4"}
_DESCRIPTORS: dict[str, Literal[8, 16]] = {"P": 8, "Q": 16}
# beside the tiles, columns of those that would not compress
_COLUMNS = {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA"}

_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class TileTable:
    """The place of the tiles of an image in its file, and how they were compressed."""

    offset: int
    """Place of the table, in bytes of the file."""
    row: int
    """Length of a row of the table, in bytes."""
    descriptor: int
    """Where in a row it states how long a tile is, and where it begins."""
    descriptor_size: Literal[8, 16]
    """Size of these two numbers, together, in bytes."""
    heap: int
    """Where in the file the tiles are counted from."""
    heap_size: int
    height: int
    """Height of a tile; those of the last row of tiles may have less."""
    width: int
    """Width of a tile; the last tile of a row may have less."""
    block: int
    """How many pixels share a code."""
    numbers: np.dtype[Any]
    """The type of the numbers that were compressed."""


def tile_table(unit: Unit) -> TileTable | None:
    """Return the tiles of an image of two dimensions; None where astropy is to read it."""
    if unit.values.get("ZCMPTYPE") not in ("RICE_1", "RICE_ONE"):
        return None
    settings = {"BLOCKSIZE": 32, "BYTEPIX": 4}
    number = 1
    while f"ZNAME{number}" in unit.values:
        settings[unit.values[f"ZNAME{number}"]] = unit.whole(f"ZVAL{number}")
        number += 1
    stored = unit.whole("ZBITPIX") // 8
    if stored not in _NUMBERS or settings["BYTEPIX"] != stored:
        return None
    place = 0
    columns: dict[str, tuple[int, Literal[8, 16], str]] = {}
    for number in range(1, min(unit.whole("TFIELDS"), len(_COLUMNS)) + 1):
        form = unit.values.get(f"TFORM{number}", "").removeprefix("1")
        size = _DESCRIPTORS.get(form[:1])
        if size is None:
            return None
        columns[unit.values.get(f"TTYPE{number}", "")] = (place, size, form[1:2])
        place += size
    height, width = unit.shape
    tile_width, tile_height = (
        unit.whole(f"ZTILE{axis}", width if axis == 1 else 1) for axis in unit.axes
    )
    odd = (
        unit.whole("TFIELDS") != len(columns)
        or not columns.keys() <= _COLUMNS
        or "COMPRESSED_DATA" not in columns
        or columns["COMPRESSED_DATA"][2] != "B"
        or any(f"Z{name}" in unit.values for name in ("SCALE", "ZERO", "BLANK", "MASKCMP"))
        or not (0 < tile_height <= height and 0 < tile_width <= width)
        or not 0 < settings["BLOCKSIZE"] < 1 << 31
    )
    table = unit.whole("NAXIS1") * unit.whole("NAXIS2")
    heap = unit.whole("THEAP", table)
    tiles = -(-height // max(tile_height, 1)) * -(-width // max(tile_width, 1))
    if odd or heap < table or unit.whole("NAXIS1") != place or unit.whole("NAXIS2") != tiles:
        return None
    return TileTable(
        offset=unit.offset,
        row=place,
        descriptor=columns["COMPRESSED_DATA"][0],
        descriptor_size=columns["COMPRESSED_DATA"][1],
        heap=unit.offset + heap,
        heap_size=table + unit.whole("PCOUNT") - heap,
        height=tile_height,
        width=tile_width,
        block=settings["BLOCKSIZE"],
        numbers=np.dtype(_NUMBERS[stored]),
    )


def decoded_pieces(
    file: BinaryIO, table: TileTable, shape: tuple[int, int], start: int, stop: int
) -> Iterator[tuple[int, Image]]:
    """Yield rows of an image, a few at a time; other tiles than theirs are not read.

    Parameters
    ----------
    file
        Open and unbuffered.
    table
        As :func:`tile_table` found it.
    shape
        (height, width) of the image.
    start, stop
        Half-open interval of rows.

    Yields
    ------
    The number of the first row, and rows (y, x) in ``table.numbers``, which are valid until the
    next are asked for. They end early before a tile that cannot be decoded here: it is damaged, or
    kept in another column, or lies far from its neighbours.
    """
    # numba is loaded only where something is compressed
    from autowisp_xr.kernels.rice import PADDING, decode_tiles

    height, width = shape
    widths = _sizes(width, table.width)
    begin = start - start % table.height
    # pieces of about the same size: a small one takes nearly as long
    pieces = ceil((stop - begin) * width * table.numbers.itemsize / _PIECE)
    together = ceil(ceil((stop - begin) / table.height) / max(pieces, 1)) * table.height
    for top in range(begin, stop, together):
        bottom = min(top + together, -(-stop // table.height) * table.height, height)
        heights = _sizes(bottom - top, table.height)
        found = _find(file, table, top // table.height * widths.size, heights.size * widths.size)
        if found is None:
            return
        first, starts, lengths = found
        size = int((starts + lengths).max())
        content = np.empty(size + PADDING, np.uint8)
        file.seek(table.heap + first)
        if read_fully(file, content[:size]) != size:
            return
        sizes = np.outer(heights, widths).ravel()
        flat = np.empty(int(sizes.sum()), table.numbers)
        bits = flat.view(f"u{flat.itemsize}")
        if decode_tiles(content, starts, lengths, sizes, table.block, bits) != sizes.size:
            return
        rows = flat.reshape(-1, width) if widths.size == 1 else _joined(flat, heights, widths)
        yield max(top, start), rows[max(start - top, 0) : stop - top]


def read_fully(file: Any, buffer: Bits) -> int:
    """Fill a buffer from a file; the number of bytes is less than its size only at the end."""
    view, done = buffer.data, 0
    while done < buffer.size:
        count = file.readinto(view[done:])
        if not count:
            break
        done += count
    return done


def _sizes(length: int, tile: int) -> Integers:
    """Return the lengths of the tiles along an axis."""
    return np.diff(np.append(np.arange(0, length, tile), length))


def _find(
    file: BinaryIO, table: TileTable, first: int, number: int
) -> tuple[int, Integers, Integers] | None:
    """Return where in the heap some tiles begin, each of them after that, and their lengths."""
    content = np.empty(number * table.row, np.uint8)
    file.seek(table.offset + first * table.row)
    if read_fully(file, content) != content.size:
        return None
    rows = content.reshape(number, table.row)
    cells = rows[:, table.descriptor : table.descriptor + table.descriptor_size]
    pairs = np.ascontiguousarray(cells).view(f">i{table.descriptor_size // 2}").astype(np.int64)
    lengths, starts = np.ascontiguousarray(pairs.T)
    if lengths.min() < 1 or starts.min() < 0 or lengths.max() > table.heap_size:
        return None
    if (starts > table.heap_size - lengths).any():
        return None
    lowest = int(starts.min())
    # one read for all; tiles that lie far apart, or share their bytes, are not worth a second way
    if int((starts + lengths).max()) - lowest > 2 * int(lengths.sum()) + _PIECE:
        return None
    return lowest, starts - lowest, lengths


def _joined(flat: Image, heights: Integers, widths: Integers) -> Image:
    """Join tiles that follow each other, in rows of tiles, to rows of an image."""
    tiles = iter(np.split(flat, np.cumsum(np.outer(heights, widths))[:-1]))
    return np.block([[next(tiles).reshape(height, -1) for _ in widths] for height in heights])
