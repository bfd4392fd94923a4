"""XISF, the format of PixInsight, which N.I.N.A. writes, too; its header is one of FITS inside."""

import re
from typing import Any

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.errors import BadImageError
from autowisp_xr.formats.pictures import (
    TOP_DOWN,
    CardOf,
    Picture,
    checked_type,
    library,
    refuse_colors,
)

_WHOLE, _REAL = re.compile(r"[+-]?\d+"), re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?")
_STATED = re.compile(
    r"(?!(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|BZERO|BSCALE|[PG]COUNT|COMMENT|HISTORY|END)$)"
    r"[A-Z0-9_-]{1,8}"
)
"""Matches keywords of cards that do not describe the file, or are remarks."""


def look(path: str) -> list[Picture]:
    """Look into a file: at each of its images."""
    found = []
    for meta in _opened(path).get_images_metadata():
        width, height, colors = meta["geometry"]
        if colors != 1:
            refuse_colors(path)
        kind = checked_type(path, np.dtype(meta["dtype"]))
        cards = [
            CardOf(keyword, _value(one["value"]), one["comment"])
            for keyword, stated in meta["FITSKeywords"].items()
            for one in stated[:1]
            if _STATED.fullmatch(keyword)
        ]
        keywords = {card.keyword for card in cards}
        cards += [] if "ROWORDER" in keywords else [TOP_DOWN]
        where, *place = meta["location"]
        plain = where == "attachment" and "compression" not in meta
        found.append(
            Picture(
                height=height,
                width=width,
                stored=kind.newbyteorder("<") if plain else kind,
                cards=cards,
                offset=place[0] if plain else None,
            )
        )
    return found


def decode(path: str, number: int) -> Image:
    """Return the pixels of an image that is compressed."""
    try:
        image = _opened(path).read_image(number, data_format="channels_first")
    except BadImageError:
        raise
    except Exception as error:  # a damaged block surfaces as whatever the decoder stumbles over
        raise BadImageError(f"{path} cannot be decoded ({error}); copy it again") from error
    return np.ascontiguousarray(image[0])


def _opened(path: str) -> Any:
    reader = library("xisf", path, "xisf")
    try:
        return reader.XISF(path)
    except Exception as error:  # its XML may be anything
        raise BadImageError(f"{path} is no XISF file, or is damaged: {error}") from error


def _value(text: str) -> str | int | float | bool:
    """Return the value of a card, of which XISF has the text."""
    if text in ("T", "F"):
        return text == "T"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(re.sub("[Dd]", "E", text)) if _REAL.fullmatch(text) else text
