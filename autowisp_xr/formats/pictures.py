"""What is known of an image in a file that is no FITS, and which module reads it."""

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from astropy.io import fits

from autowisp_xr.arrays import Image
from autowisp_xr.errors import BadImageError


class CardOf(NamedTuple):
    """A card of the header that a file would have if it were FITS."""

    keyword: str
    value: str | int | float | bool
    comment: str = ""


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
        # FITS ends a text where a line of ours, or a letter beyond ASCII, begins
        cards = (
            fits.Card(card.keyword, _plain(card.value), card.comment).image
            for card in (*shape, *self.cards)
        )
        return "\n".join(cards)


class _Format(Protocol):
    """A module that reads a format."""

    def look(self, path: str) -> Picture:
        """Look into a file, without reading its pixels."""

    def decode(self, path: str) -> Image:
        """Return the pixels of a file (y, x)."""


@cache
def endings() -> dict[str, str]:
    """Return the format of each ending, in small letters and without its dot."""
    return {ending: name for name, one in _formats().items() for ending in one["endings"]}


@cache
def _formats() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("formats.toml").read_text("utf-8"))


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
    return endings().get(os.path.splitext(path)[1][1:].lower(), "")


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
    if os.stat(path).st_size == 0:
        raise BadImageError(f"{path} is empty; copy it again")
    return _module(path).look(path)


def decode(path: str) -> Image:
    """Return the pixels (y, x) of a file that was looked into, as they are stored."""
    return _module(path).decode(path)


def _module(path: str) -> _Format:
    module: Any = import_module(f"autowisp_xr.formats.{format_of(path)}")
    return module


def library(name: str, path: str) -> Any:
    """Import a library that reads a file, or state how to get it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise BadImageError(
            f"{path} is read by {name}, which is not installed: pip install '.[raw]'"
        ) from error


_UNPRINTABLE = re.compile(r"[^ -~]")


def _plain(value: Any) -> Any:
    return _UNPRINTABLE.sub("?", value).strip() if isinstance(value, str) else value
