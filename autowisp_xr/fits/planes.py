"""Types that describe planes of a FITS file: HDUs, mosaics of HDUs, and all that a file holds."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.fits.hdu_choice import Meaning
from autowisp_xr.fits.tiles import TileTable
from autowisp_xr.headers.assembly import Reader
from autowisp_xr.regions import Region


@dataclass(frozen=True, kw_only=True)
class Hdu:
    """A plane of a file: where its pixels are, and how to make numbers of them."""

    path: str
    size: int
    """Size of the file, in bytes; with ``changed``, shows whether it is still what was opened."""
    changed: int
    """Time of the last change of the file, in nanoseconds."""
    index: int
    height: int
    width: int
    dtype: np.dtype[Any]
    """As the user sees it: unsigned integers stay so; what is scaled or has BLANK is float."""
    storage: Literal["plain", "packed", "tiles", "decoded", "spooled"]
    """"packed" is inside gzip or bzip2, "tiles" in a table (also if that is packed), "decoded" is
    what a library makes of another format, "spooled" lies in a temporary file among others."""
    offset: int
    """Place of the first pixel, or of the table, in bytes of the (unpacked) file."""
    length: int
    """Length of the pixels, or of the table, in bytes."""
    stored: np.dtype[Any]
    bscale: float = 1.0
    bzero: float = 0.0
    blank: int | None = None
    tiles: TileTable | None = None
    """The tiles of a compressed image that can be decoded without astropy."""
    meaning: Meaning = "values"
    start: int = 0
    """Place of its header, in bytes of the (unpacked) file."""
    datasum: int | None = None
    """Sum of the words of these bytes, as the header states it; None where it does not."""

    @property
    def is_whole(self) -> bool:
        """Whether rows cannot be read without all that are above them."""
        return self.storage in ("packed", "decoded")

    @property
    def hdus(self) -> tuple["Hdu", ...]:
        """The plane itself; of a mosaic, all that it is made of."""
        return (self,)

    @property
    def ceiling(self) -> float:
        """The largest value that its integers can have; infinity for floats."""
        if self.stored.kind not in "iu":
            return math.inf
        info = np.iinfo(self.stored)
        return self.bzero + self.bscale * float(info.max if self.bscale > 0 else info.min)


@dataclass(frozen=True)
class Tile:
    """A rectangle of a plane, and where it lies in the frame."""

    hdu: Hdu
    source: Region
    into: Region
    flip_y: bool = False
    flip_x: bool = False

    def rows(self, first: int, last: int) -> tuple[int, int]:
        """Return the rows of the plane that hold rows of the frame; there may be none."""
        low, high = max(first, self.into.ymin), min(last, self.into.ymax)
        if self.flip_y:
            low, high = (self.into.ymin + self.into.ymax - end for end in (high, low))
        shift = self.source.ymin - self.into.ymin
        return low + shift, max(high, low) + shift

    def placed(self, row: int, stored: Image) -> tuple[int, Image]:
        """Return the row of the frame at which rows of the plane begin, and their pixels."""
        stored = stored[:, self.source.xmin : self.source.xmax]
        if self.flip_x:
            stored = stored[:, ::-1]
        start = row - self.source.ymin + self.into.ymin
        if not self.flip_y:
            return start, stored
        return self.into.ymin + self.into.ymax - start - len(stored), stored[::-1]


@dataclass(frozen=True, kw_only=True)
class Mosaic:
    """A plane of tiles, which do not overlap; between them, and where there are none, are zeros."""

    tiles: tuple[Tile, ...]
    height: int
    width: int

    @property
    def meaning(self) -> Meaning:
        """The meaning of its pixels."""
        return self.tiles[0].hdu.meaning

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.tiles[0].hdu.path

    @property
    def index(self) -> int:
        """The number of the first HDU."""
        return min(tile.hdu.index for tile in self.tiles)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that holds the values of all planes."""
        return np.result_type(*{tile.hdu.dtype for tile in self.tiles})

    @property
    def ceiling(self) -> float:
        """The smallest of the ceilings of all planes."""
        return min(tile.hdu.ceiling for tile in self.tiles)

    @property
    def hdus(self) -> tuple[Hdu, ...]:
        """The planes that it is made of."""
        return tuple({tile.hdu.index: tile.hdu for tile in self.tiles}.values())


def as_tiles(plane: Hdu | Mosaic) -> Iterator[Tile]:
    """Yield the tiles of a mosaic, or the one that a plane is."""
    if isinstance(plane, Mosaic):
        yield from plane.tiles
        return
    whole = Region(xmin=0, xmax=plane.width, ymin=0, ymax=plane.height)
    yield Tile(plane, whole, whole)


@dataclass(frozen=True, kw_only=True)
class FileLayout:
    """The contents of a FITS file; empty where it could not be read."""

    header: str = ""
    """All cards of the image, one a line, as they stand in the file (of a compressed image, as
    they were before), and below them those of the primary HDU that it inherits; but for our own
    history, which is in ``history``."""
    history: str = ""
    """History that this package wrote into the header, as JSON; "" where there is none."""
    planes: Mapping[str, Hdu | Mosaic] = field(default_factory=dict)
    """"image", and "error" and "mask" where the file has them; a plane a channel where one was
    chosen for each; a mosaic where several images are one frame."""
    readers: tuple[tuple[Reader, str], ...] = ()
    """The amplifiers of a mosaic, each with the cards of its own image, one a line."""
    channels: Mapping[str, str] = field(default_factory=dict)
    """The cards of each of the channels that were chosen, one a line."""
    doubts: tuple[str, ...] = ()
    """About the file itself: what it holds and is not read, though nobody said so."""
    guesses: tuple[str, ...] = ()
    """Assumptions about the file itself, in words."""
