"""Raw files of a camera, as a converter to DNG writes them."""

import math
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

_UNITY = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
START = "2025:01:02 23:04:05"
BLACK, WHITE = 512, 4000


def write_dng(
    path: Path,
    pixels: np.ndarray[Any, Any],
    *,
    pattern: str = "RGGB",
    seconds: float = 10.0,
    iso: int = 800,
    start: str = START,
    zone: str = "",
    black: int = BLACK,
    white: int = WHITE,
) -> Path:
    """Write pixels (y, x), uint16, with what a camera notes down beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    side = math.isqrt(len(pattern))
    time = Fraction(seconds).limit_denominator(10_000)
    tags: list[tuple[int, str, int, Any, bool]] = [
        (271, "s", 0, "Maker Corp.", True),
        (272, "s", 0, "Model X", True),
        (33421, "H", 2, (side, side), True),  # CFARepeatPatternDim
        (33422, "B", side * side, bytes("RGB".index(color) for color in pattern), True),
        (33434, "2I", 1, (time.numerator, time.denominator), True),
        (34855, "H", 1, iso, True),
        (36867, "s", 0, start, True),
        (37521, "s", 0, "25", True),  # SubSecTimeOriginal
        (50706, "B", 4, bytes((1, 4, 0, 0)), True),  # DNGVersion
        (50708, "s", 0, "Maker Model X", True),
        (50714, "H", 1, black, True),
        (50717, "H", 1, white, True),
        (50721, "2i", 9, _UNITY, True),  # ColorMatrix1
    ]
    if zone:
        tags.append((36881, "s", 0, zone, True))  # OffsetTimeOriginal
    when = datetime.strptime(start, "%Y:%m:%d %H:%M:%S")
    tifffile.imwrite(
        path, pixels, photometric="CFA", metadata=None, datetime=when, extratags=sorted(tags)
    )
    return path
