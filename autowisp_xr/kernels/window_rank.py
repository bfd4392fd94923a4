r"""The value of a given rank, such as the median, in a window that slides over an image.

An image is cut into tiles, and the pixels of a tile, with the margin of half a window that they
need, are sorted once. From then on only ranks matter, and the window is a set of bits, one for each
rank: a pixel that enters or leaves flips one of them. The wanted bit is looked for from the word of
64 where it was for the pixel before; how many bits are set below that word is counted along. A tile
is small enough for all of this to stay in the fastest cache, and its ranks are dense enough for the
wanted bit to be near.

References
----------
T. S. Huang, G. J. Yang and G. Y. Tang, *A fast two-dimensional median filtering algorithm*, IEEE
Trans. Acoust. Speech Signal Process. 27 (1979) 13: the window slides, and the rank is followed.
J. Suomela, *Median filtering is equivalent to sorting*, arXiv:1406.1717 (2014): sorted blocks.
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels.jit import kernel

# 100 to 250 are equally fast for windows of 8 to 60 pixels on a side
_TILE = 128

# of a signed and an unsigned number numba makes a float
_ONE = np.uint64(1)


@kernel
def _bits(word: Any) -> int:
    """Count the bits of a word that are set; the compiler makes one instruction of the loop."""
    number = 0
    while word:
        word &= word - _ONE
        number += 1
    return number


@kernel
def _flip(words: Any, ranks: Any, word: int) -> int:
    """Flip the bits of some ranks; how many of them are in words below ``word``."""
    below = 0
    for rank in ranks:
        words[rank >> 6] ^= _ONE << np.uint64(rank & 63)
        below += (rank >> 6) < word
    return below


@kernel
def _slide(
    order: Any, values: Any, size: tuple[int, int], rank: int, shape: tuple[int, int]
) -> Any:
    """Value of a rank in each of the windows that fit into a tile, as many as ``shape`` has.

    ``order`` are the places of the pixels of the tile, flattened, from the smallest on, and
    ``values`` what they are there.
    """
    out = np.empty(shape)
    height, width = shape[0] + size[0] - 1, shape[1] + size[1] - 1
    # by columns, because these enter and leave
    ranks = np.empty((width, height), np.int32)
    for i in range(order.size):
        ranks[order[i] % width, order[i] // width] = i
    words = np.empty((order.size + 63) // 64, np.uint64)
    word = 0
    for y in range(shape[0]):
        words[:] = 0
        below = 0
        for x in range(size[1]):
            below += _flip(words, ranks[x, y : y + size[0]], word)
        for x in range(shape[1]):
            if x > 0:
                below -= _flip(words, ranks[x - 1, y : y + size[0]], word)
                below += _flip(words, ranks[x + size[1] - 1, y : y + size[0]], word)
            while below > rank:
                word -= 1
                below -= _bits(words[word])
            inside = _bits(words[word])
            while below + inside <= rank:
                below += inside
                word += 1
                inside = _bits(words[word])
            left = words[word]
            for _ in range(rank - below):
                left &= left - _ONE
            # the lowest bit that is left, and those below it
            out[y, x] = values[64 * word + _bits(left ^ (left - _ONE)) - 1]
    return out


def windowed_rank(image: Any, size: tuple[int, int], rank: int) -> Any:
    """Value of a rank among the pixels of each window that fits into an image.

    Parameters
    ----------
    image : (y, x) float64
        At least as large as a window in each direction, and without NaN.
    size
        Of the window, (y, x).
    rank
        From 0, the smallest value, to one less than there are pixels in a window.

    Returns
    -------
    Array (y, x), smaller than the image by ``size - 1``. The GIL is released, but for a moment
    between tiles.
    """
    out = np.empty([whole - part + 1 for whole, part in zip(image.shape, size, strict=True)])
    # the margins of a large window must not outgrow its tiles
    step = max(_TILE, *size)
    for y in range(0, out.shape[0], step):
        for x in range(0, out.shape[1], step):
            height, width = (min(step, n - at) for n, at in zip(out.shape, (y, x), strict=True))
            pixels = image[y : y + height + size[0] - 1, x : x + width + size[1] - 1].ravel()
            order = np.argsort(pixels)
            tile = _slide(order, pixels[order], size, rank, (height, width))
            out[y : y + height, x : x + width] = tile
    return out
