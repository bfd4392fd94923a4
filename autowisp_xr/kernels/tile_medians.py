"""What is around pixels: medians of tiles and what lies between these, and bad neighbours.

A median is looked for by cutting the values in two at a pivot, again and again, without a branch
that depends on a value, of which processors guess half wrong.
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels.jit import kernel


@kernel
def tile_medians(values: Any, about: Any, side: int) -> Any:
    """Return the medians (channel, down, across) of square tiles of planes, by :func:`median_of`.

    Parameters
    ----------
    values
        (channel, y, x); NaN takes no part. The last tiles of an axis may be smaller.
    about
        The same shape, or of size 0: of what the distances count instead of the values.
    side
        Pixels of a tile.

    Returns
    -------
    NaN for tiles of nothing but NaN.
    """
    channels, height, width = values.shape
    down, across = (height + side - 1) // side, (width + side - 1) // side
    out = np.empty((channels, down, across))
    room = np.empty((3, side * side))
    for c in range(channels):
        for tile in range(down * across):
            top, left = tile // across * side, tile % across * side
            number = 0
            for y in range(top, min(top + side, height)):
                row = values[c, y]
                for x in range(left, min(left + side, width)):
                    value = abs(row[x] - about[c, y, x]) if about.size else row[x]
                    room[0, number] = value
                    number += value == value
            out[c, tile // across, tile % across] = median_of(room, number)
    return out


@kernel
def median_of(room: Any, number: int) -> float:
    """Return the median of the first values of ``room[0]``, of an even number the middle of two.

    The other two rows, which are as long, are to work in; so is the first one then.
    """
    source, below, above = room[0], room[1], room[2]
    left, rank, ceiling = number, (number - 1) // 2, np.nan
    while left:
        first, last, middle = source[0], source[left - 1], source[left // 2]
        pivot = max(min(first, last), min(max(first, last), middle))
        under = over = 0
        for i in range(left):
            value = source[i]
            below[under] = value
            above[over] = value
            under += value < pivot
            over += value > pivot
        if rank < under:
            source, below = below, source
            left, ceiling = under, pivot
        elif rank >= left - over:
            source, above = above, source
            left, rank = over, rank - (left - over)
        else:
            if number % 2 == 1 or rank + 1 < left - over:
                return pivot
            for i in range(over):
                ceiling = above[i] if i == 0 or above[i] < ceiling else ceiling
            return 0.5 * (pivot + ceiling)
    return np.nan


@kernel
def between_tiles(medians: Any, down: Any, across: Any, share_down: Any, share_across: Any) -> Any:
    """Return the level (channel, y, x) of pixels, on straight lines from tile to tile.

    Parameters
    ----------
    medians
        (channel, down, across).
    down, across
        (y) and (x): the tile whose middle is before a row or column.
    share_down, share_across
        How far these are on the way to the middle of the next one.
    """
    channels, rows, columns = medians.shape
    out = np.empty((channels, down.size, across.size))
    along = np.empty(columns)
    for c in range(channels):
        for y in range(down.size):
            before, after = medians[c, down[y]], medians[c, min(down[y] + 1, rows - 1)]
            for tile in range(columns):
                along[tile] = (1.0 - share_down[y]) * before[tile] + share_down[y] * after[tile]
            for x in range(across.size):
                left, right = along[across[x]], along[min(across[x] + 1, columns - 1)]
                out[c, y, x] = (1.0 - share_across[x]) * left + share_across[x] * right
    return out


@kernel
def beside_bad(bad: Any, run: int, most: int) -> tuple[Any, Any]:
    """Return which pixels are in bad lines, and which among bad neighbours.

    Parameters
    ----------
    bad
        (channel, y, x).
    run
        Pixels of a column or row, an odd number, of which more than half are bad in a bad line;
        fewer at the ends of the plane.
    most
        How many of the eight pixels around one are bad.
    """
    channels, height, width = bad.shape
    in_line, among = np.zeros(bad.shape, np.bool_), np.zeros(bad.shape, np.bool_)
    half = run // 2
    of_column, of_three = np.zeros(width, np.int64), np.zeros(width + 2, np.int64)
    for c in range(channels):
        of_column[:] = 0
        for y in range(-half, height):
            if y + half < height:
                for x in range(width):
                    of_column[x] += bad[c, y + half, x]
            if y < 0:
                continue
            if y > half:
                for x in range(width):
                    of_column[x] -= bad[c, y - half - 1, x]
            of_three[:] = 0
            for row in range(max(y - 1, 0), min(y + 2, height)):
                for x in range(width):
                    of_three[x + 1] += bad[c, row, x]
            rows = min(y + half, height - 1) - max(y - half, 0) + 1
            of_row = 0
            for x in range(min(half, width)):
                of_row += bad[c, y, x]
            for x in range(width):
                of_row += bad[c, y, x + half] if x + half < width else 0
                of_row -= bad[c, y, x - half - 1] if x > half else 0
                columns = min(x + half, width - 1) - max(x - half, 0) + 1
                in_line[c, y, x] = 2 * of_column[x] > rows or 2 * of_row > columns
                around = of_three[x] + of_three[x + 1] + of_three[x + 2] - bad[c, y, x]
                among[c, y, x] = around >= most
    return in_line, among
