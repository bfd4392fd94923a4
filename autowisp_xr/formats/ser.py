"""SER, the videos of planetary and occultation cameras: a header, plain frames, a time for each.

The format is that of Wilson and Heiko, "SER file format", version 3: 178 bytes of header in little
endian, the frames, and for each the ticks of 100 ns since the year 1, in UTC. Its flag of
endianness is written, and read, by nearly all programs as the opposite of what the document states:
0 is little endian.
"""

import os
import struct

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.errors import BadImageError
from autowisp_xr.formats.pictures import (
    TOP_DOWN,
    CardOf,
    Picture,
    bayer_cards,
    refuse_colors,
    refuse_truncated,
)

_HEADER = struct.Struct("<14s7i40s40s40s2q")
_BEGINNING = b"LUCAM-RECORDER"
_MONO, _MIXED = 0, (100, 101)
_PATTERNS = {8: "RGGB", 9: "GRBG", 10: "GBRG", 11: "BGGR"}
_TICKS = 10_000_000
"""In a second."""

_YEAR_1 = np.datetime64("0001-01-01", "us")

_GUESS = (
    "a SER file states no exposure: the time between its frames is taken for it, and the times of "
    "frames for its starts"
)


def look(path: str) -> list[Picture]:
    """Look into a video: at each of its frames."""
    with open(path, "rb") as file:
        start = file.read(_HEADER.size)
        if len(start) < _HEADER.size or not start.startswith(_BEGINNING):
            raise BadImageError(f"{path} is no SER video, as it does not begin like one")
        _, _, color, big, width, height, depth, number, *texts, _, _ = _HEADER.unpack(start)
        if color in _MIXED:
            refuse_colors(path)
        if color != _MONO and color not in _PATTERNS:
            raise BadImageError(
                f"{path} has a pattern of cyan, yellow and magenta (ColorID {color}); R, G, G, B "
                "is read: let another program debayer it"
            )
        if min(width, height, number) < 1 or not 1 <= depth <= 16:
            raise BadImageError(
                f"{path} has {number} frames of {height} x {width} pixels of {depth} bits, by its "
                "header; it was not closed when it was written, which SER Player and others repair"
            )
        kind = np.dtype(np.uint8 if depth <= 8 else ">u2" if big else "<u2")
        length = width * height * kind.itemsize
        # before anything is made of a number of frames that may be anything
        end = _HEADER.size + number * length
        refuse_truncated(path, end, os.fstat(file.fileno()).st_size)
        file.seek(end)
        ticks = np.frombuffer(file.read(8 * number), "<i8")
    stated = zip(("OBSERVER", "INSTRUME", "TELESCOP"), texts, strict=True)
    cards = [
        CardOf(keyword, text.split(b"\0")[0].decode("latin-1"))
        for keyword, text in stated
        if text.strip(b"\0 ")
    ]
    cards += [*(bayer_cards(_PATTERNS[color]) if color else ()), TOP_DOWN]
    times = [_time(tick) for tick in ticks] if len(ticks) == number and ticks.all() else None
    between = float(np.median(np.diff(ticks))) / _TICKS if times and number > 1 else 0.0
    cards += [CardOf("EXPTIME", between, "[s] time between frames")] if between > 0 else []
    return [
        Picture(
            height=height,
            width=width,
            stored=kind,
            cards=[*cards, *([CardOf("DATE-OBS", times[one])] if times else [])],
            offset=_HEADER.size + one * length,
            guesses=(_GUESS,) if times else (),
        )
        for one in range(number)
    ]


def decode(path: str, number: int) -> Image:
    """Refuse, as frames are plain."""
    raise BadImageError(f"frame {number} of {os.path.basename(path)} is read as it lies")


def _time(ticks: np.int64) -> str:
    return str(_YEAR_1 + np.timedelta64(int(ticks) // 10, "us"))
