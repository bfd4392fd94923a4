"""Pixels of tiles that were compressed with the Rice algorithm.

A tile begins with its first pixel, as it is, and goes on with the differences of neighbours, block
by block, mapped to non-negative numbers (0, -1, 1, -2 ... become 0, 1, 2, 3 ...). A block begins
with a code for how many low bits its differences keep as they are; what is above them is a
number of zeros and a one. The code 0 stands for a block without differences, the largest one for a
block whose differences are stored whole.

References
----------
FITS Standard 4.0, section 10.4.1; R. A. White and P. Becker, "On-board compression of IRAS
images" (1998).
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels.jit import kernel

PADDING = 8
"""Bytes behind the last tile that can be read; what they hold changes nothing."""

_AT_ONCE = np.uint64(57 - 8)


@kernel
def decode_tiles(data: Any, starts: Any, lengths: Any, sizes: Any, block: int, out: Any) -> int:
    """Decode tiles into ``out``, one behind the other.

    Parameters
    ----------
    data : uint8
        Holds the tiles; :data:`PADDING` bytes follow the last of them.
    starts, lengths : (tile) int64
        Where in ``data`` the bytes of each tile are.
    sizes : (tile) int64
        How many pixels each tile has.
    block
        How many pixels share a code.
    out : uint8, uint16 or uint32, written
        As wide as the compressed numbers, whose differences wrap around; signed ones are theirs in
        two's complement.

    Returns
    -------
    How many tiles were decoded: fewer than there are where the next one is damaged (it ends before
    its last pixel or a byte after it, has a code that means nothing, or does not lie within
    ``data``).
    """
    done = 0
    for tile in range(starts.size):
        start, length, size = starts[tile], lengths[tile], sizes[tile]
        if start < 0 or length < out.itemsize or length > data.size - PADDING - start:
            return tile
        if size < 0 or size > out.size - done or block < 1:
            return tile
        if not _decode(data, start, start + length, block, out[done : done + size]):
            return tile
        done += size
    return starts.size


@kernel
def _decode(data: Any, start: int, stop: int, block: int, out: Any) -> bool:
    """Whether the bytes from ``start`` to ``stop`` are a tile, whose pixels then fill ``out``."""
    width = out.itemsize
    code_bits = np.uint64(3 if width == 1 else 4 if width == 2 else 5)
    whole = np.uint64(7 if width == 1 else 15 if width == 2 else 26)
    mask = np.uint64(255 if width == 1 else 65535 if width == 2 else 4294967295)
    last = _bits(data, np.uint64(8 * start)) >> np.uint64(64 - 8 * width)
    # positions are counted in bits; nothing is read at or behind the end but padding
    at, end = np.uint64(8 * (start + width)), np.uint64(8 * stop)
    for first in range(0, out.size, block):
        pixels = out[first : min(first + block, out.size)]
        if at >= end:
            return False
        code = _bits(data, at) >> (np.uint64(64) - code_bits)
        at += code_bits
        if code == 0:
            for pixel in range(pixels.size):
                pixels[pixel] = last
        elif code == whole:
            for pixel in range(pixels.size):
                if at >= end:
                    return False
                last = _next(last, _bits(data, at) >> np.uint64(64 - 8 * width), mask)
                at += np.uint64(8 * width)
                pixels[pixel] = last
        elif code < whole:
            low = code - np.uint64(1)
            bits, used = _bits(data, at), np.uint64(0)
            for pixel in range(pixels.size):
                # as long as they hold a short run of zeros, the one, and what is kept
                if used + code > _AT_ONCE:
                    at += used
                    if at >= end:
                        return False
                    bits, used = _bits(data, at), np.uint64(0)
                above = np.uint64(0)
                while bits >> np.uint64(56) == 0:
                    above += np.uint64(8)
                    at += used + np.uint64(8)
                    if at >= end:
                        return False
                    bits, used = _bits(data, at), np.uint64(0)
                zeros = _leading_zeros(bits)
                # two shifts, since one by all 64 bits has no meaning
                kept = bits << (zeros + np.uint64(1)) >> np.uint64(1) >> (np.uint64(63) - low)
                bits <<= zeros + code
                used += zeros + code
                last = _next(last, (above + zeros) << low | kept, mask)
                pixels[pixel] = last
            at += used
        else:
            return False
    # the last byte may have bits left over, but there is no other behind it
    return bool(at <= end and end - at < np.uint64(8))


@kernel
def _next(last: Any, mapped: Any, mask: Any) -> Any:
    """The pixel behind another one."""
    # differences have 32 bits, whatever a damaged tile claims
    half = (mapped & np.uint64(4294967295)) >> np.uint64(1) & mask
    return (last + (mask - half if mapped & np.uint64(1) else half)) & mask


@kernel
def _bits(data: Any, at: Any) -> Any:
    """At least 57 bits from a position on, the first of them on top."""
    byte = at >> np.uint64(3)
    word = np.uint64(0)
    for step in range(8):
        word = word << np.uint64(8) | np.uint64(data[byte + np.uint64(step)])
    return word << (at & np.uint64(7))


@kernel
def _leading_zeros(bits: Any) -> Any:
    # compilers know this loop, and have one instruction for it: a third of the time of a tile
    zeros = np.uint64(64)
    while bits:
        bits >>= np.uint64(1)
        zeros -= np.uint64(1)
    return zeros
