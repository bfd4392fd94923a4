"""What is known of an image in a file that is no FITS, and which module reads it."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import numpy as np
from astropy.io import fits

from autowisp_xr.arrays import Image
from autowisp_xr.errors import BadImageError
from autowisp_xr.filesystem.addresses import file_of, is_ordinary, number_in_file
from autowisp_xr.formats.foreign_letters import spelled_out
from autowisp_xr.own_tables import table_beside


class CardOf(NamedTuple):
    """A card of the header that a file would have if it were FITS."""

    keyword: str
    value: str | int | float | bool
    comment: str = ""


TOP_DOWN = CardOf("ROWORDER", "TOP-DOWN", "the first row is the top of the picture")
"""What is true of all formats but FITS."""


def bayer_cards(pattern: str) -> list[CardOf]:
    """Return the cards of a pattern of the first two rows."""
    first = CardOf("BAYERPAT", pattern, "colors of the first two rows")
    return [first, CardOf("XBAYROFF", 0), CardOf("YBAYROFF", 0)]


MOST_PIXELS_A_BYTE = 2**16
"""No compression makes more of a byte: of zeros alone, HCOMPRESS and PLIO some thousands."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image in a file."""

    height: int
    width: int
    stored: np.dtype[Any]
    """The type of its pixels in the file, or as they are decoded."""
    cards: Sequence[CardOf] = ()
    """What the file states, by the keywords that FITS has for it."""
    offset: int | None = None
    """Place of the first pixel where they lie row by row; None of those that are decoded."""
    guesses: tuple[str, ...] = ()
    """Assumptions about this file, in words."""

    @property
    def header(self) -> str:
        """The cards, one a line."""
        shape = (CardOf("NAXIS", 2), CardOf("NAXIS1", self.width), CardOf("NAXIS2", self.height))
        return "\n".join(line for card in (*shape, *self.cards) for line in _lines(card))


class _Format(Protocol):
    """A module that reads a format."""

    def look(self, path: str) -> Sequence[Picture]:
        """Look into a file, without reading its pixels: at each of its frames."""

    def decode(self, path: str, number: int) -> Image:
        """Return the pixels (y, x) of a frame of a file."""


@cache
def endings() -> dict[str, str]:
    """Return the format of each ending, in small letters and without its dot."""
    return {ending: name for name, one in _formats().items() for ending in one["endings"]}


@cache
def _formats() -> dict[str, dict[str, Any]]:
    return table_beside(__file__, "formats")


def names() -> dict[str, str]:
    """Return what a user calls each format, in the order in which folders are searched for them."""
    return {name: one["named"] for name, one in _formats().items()}


def format_of(path: str) -> str:
    """Return the name of the format of a file, by its ending; "" where it may be FITS.

    Examples
    --------
    >>> format_of("night/IMG_0001.CR2"), format_of("night/a.fits")
    ('raw', '')
    """
    return endings().get(os.path.splitext(file_of(path))[1][1:].lower(), "")


def frames_in(path: str) -> list[str]:
    """Return a path for each of the frames in a file; the path itself where there is one."""
    many = _formats().get(format_of(path), {}).get("many") and number_in_file(path) is None
    try:
        number = len(_pictures(path)) if many and is_ordinary(path) else 1
    except (BadImageError, OSError):
        # the reason is given by what reads it
        number = 1
    return [path] if number == 1 else [f"{path}[{one}]" for one in range(number)]


def look(path: str) -> Picture:
    """Look into a file whose :func:`format_of` is known, without reading its pixels.

    Raises
    ------
    BadImageError
        If it cannot be read, is of a kind that no frame is, or the library is not there; with what
        can be done.
    FileNotFoundError
        If there is no such file.
    """
    pictures, number = _pictures(file_of(path)), number_in_file(path) or 0
    if number >= len(pictures):
        raise BadImageError(f"{path} is not there: the file has {len(pictures)} frames, from 0")
    return pictures[number]


def _pictures(path: str) -> Sequence[Picture]:
    status = os.stat(path)
    if status.st_size == 0:
        raise BadImageError(f"{path} is empty; copy it again")
    return _looked_into(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _looked_into(path: str, size: int, changed: int) -> Sequence[Picture]:
    """Look into this version of a file, which each of its frames asks for."""
    pictures = _module(path).look(path)
    ends = [
        one.offset + one.height * one.width * one.stored.itemsize
        for one in pictures
        if one.offset is not None
    ]
    if not pictures:
        raise BadImageError(f"{path} holds no image that can be found; copy it again")
    refuse_truncated(path, max(ends, default=0), size)
    for one in pictures:
        if one.height * one.width > MOST_PIXELS_A_BYTE * size:
            raise BadImageError(
                f"{path} states {one.height} x {one.width} pixels, which its {size} bytes cannot "
                "hold; copy it again"
            )
    return pictures


def decode(path: str) -> Image:
    """Return the pixels (y, x) of a file that was looked into, as they are stored."""
    return _module(path).decode(file_of(path), number_in_file(path) or 0)


def checked_type(path: str, kind: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the pixels of a frame, which are integers."""
    if kind.kind not in "ui":
        raise BadImageError(
            f"{path} holds floating-point numbers whose scale nothing states (programs write 0 to "
            "1 for what was 0 to 65535); save it as FITS, or in 16 bits"
        )
    return kind


def refuse_truncated(path: str, needed: int, size: int) -> None:
    """Refuse a file that is shorter than what it states to hold."""
    if needed > size:
        raise BadImageError(
            f"{path} is truncated: it needs {needed} bytes, and has {size}; copy it again"
        )


def refuse_colors(path: str) -> None:
    """Refuse a picture whose pixels have several colours each."""
    raise BadImageError(
        f"{path} holds several colours in each pixel, as a program has mixed them; a frame has the "
        "pixels of the detector: give what the camera wrote, or each colour as a FITS file"
    )


def _module(path: str) -> _Format:
    module: Any = import_module(f"autowisp_xr.formats.{format_of(path)}")
    return module


def library(name: str, path: str, extra: str = "raw") -> Any:
    """Import a library that reads a file, or state how to get it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise BadImageError(
            f"{path} is read by {name}, which is not installed: pip install '.[{extra}]'"
        ) from error


_UNPRINTABLE = re.compile(r"[^ -~]")
_LINE = 80


def _lines(card: CardOf) -> Iterator[str]:
    """Yield the lines of a card; a comment for which there is no room is left out."""
    value = _printable(card.value) if isinstance(card.value, str) else card.value
    text, comment = fits.Card(card.keyword, value).image, _printable(card.comment)
    if comment and len(text.rstrip()) + len(comment) + 3 <= _LINE:
        text = fits.Card(card.keyword, value, comment).image
    for start in range(0, len(text), _LINE):
        yield text[start : start + _LINE]


def _printable(text: str) -> str:
    """Return a text in the letters that FITS has."""
    return _UNPRINTABLE.sub("?", spelled_out(text)).strip()
