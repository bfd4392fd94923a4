"""Raw files of cameras (DNG, CR2, NEF, ARW ...), decoded by LibRaw.

A frame is what LibRaw calls the visible area: masked pixels beside it are left out, as by other
programs, so that masters of these go with it. Pixels are as the camera stored them, with its black
level in them.

Decision: the black level that a file states becomes the ``bias_level`` of its Camera. Frames
without a bias or dark then have no level that a flat would stretch, and where there are such
frames, the same number is subtracted from both. Canon's cameras measure it anew in each frame, and
2047 and 2048 are the same level: next to a power of two, it is that.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.errors import BadImageError
from autowisp_xr.formats.exif import NO_ZONE, cards_of, read_tags
from autowisp_xr.formats.pictures import TOP_DOWN, CardOf, Picture, bayer_cards, library

_NOMINAL = 2e-3
"""Relative distance of a measured black level from that of the camera's electronics."""


def look(path: str) -> list[Picture]:
    """Look into a raw file, without decoding its pixels."""
    with _opened(path) as raw:
        sizes, pattern = raw.sizes, _pattern(path, raw)
        cards, guesses = cards_of(read_tags(path))
        known = {card.keyword for card in cards}
        # LibRaw knows where other readers find no Exif
        other = raw.other
        if "EXPTIME" not in known and other.shutter_speed > 0:
            cards.append(CardOf("EXPTIME", float(other.shutter_speed), "[s] exposure time"))
        if "ISOSPEED" not in known and other.iso_speed > 0:
            cards.append(CardOf("ISOSPEED", round(other.iso_speed), "sensitivity that was set"))
        if "DATE-OBS" not in known and other.timestamp.timestamp() > 0:
            cards.append(CardOf("DATE-OBS", other.timestamp.isoformat(), "start of the exposure"))
            guesses = (NO_ZONE,)
        if pattern:
            cards += bayer_cards(pattern)
        cards.append(TOP_DOWN)
        if raw.white_level:
            cards.append(CardOf("SATURATE", int(raw.white_level), "[adu] white level"))
        black = _nominal(raw.black_level_per_channel)
        if black:
            cards.append(CardOf("BLACKADU", black, "[adu] level of pixels without light"))
        size = {"height": sizes.height, "width": sizes.width}
        return [Picture(**size, stored=np.dtype(np.uint16), cards=cards, guesses=guesses)]


def decode(path: str, number: int) -> Image:
    """Return the pixels (y, x) of the visible area."""
    with _opened(path) as raw:
        raw.unpack()
        # what LibRaw gives is memory that it frees
        return np.array(raw.raw_image_visible)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    rawpy = library("rawpy", path)
    raw = rawpy.RawPy()
    try:
        raw.open_file(path)
        yield raw
    except rawpy.LibRawError as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise BadImageError(
            f"{path} cannot be decoded by LibRaw ({reason}); copy it again, or let Adobe's "
            "converter make a DNG of it"
        ) from error
    finally:
        raw.close()


def _pattern(path: str, raw: Any) -> str:
    """Return the colours of the first two rows of the frame; "" of a monochrome sensor."""
    colours = raw.color_desc.decode()
    if raw.raw_type.name != "Flat":
        raise BadImageError(
            f"{path} holds no raw pixels, but colours that the camera has mixed (linear DNG, sRAW "
            "or the like); let the camera write full raw files"
        )
    if raw.num_colors == 1:
        return ""
    shape = np.shape(raw.raw_pattern)
    if shape != (2, 2) or set(colours) != set("RGB"):
        raise BadImageError(
            f"{path}: the colours {colours} of its pixels repeat every "
            f"{' x '.join(map(str, shape))}; a Bayer pattern of R, G, G, B "
            "every 2 x 2 is read. Let another program debayer it, and give FITS files"
        )
    top, left = raw.sizes.top_margin, raw.sizes.left_margin
    return "".join(colours[raw.raw_color(top + y, left + x)] for y in (0, 1) for x in (0, 1))


def _nominal(levels: Any) -> int:
    """Return the black level of all channels, as the camera's electronics have it."""
    level = round(float(np.mean(levels)))
    power = 1 << round(math.log2(level)) if level > 0 else 0
    return power if abs(level - power) <= _NOMINAL * power else level
