"""Where the planes of a FITS file lie, and how to make numbers of their bytes."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.fits.companions import Meaning
from autowisp_xr.fits.tiles import TileTable
from autowisp_xr.headers.assembly import Reader
from autowisp_xr.regions import Region


@dataclass(frozen=True, kw_only=True)
class Hdu:
    """One plane of one file: where its pixels are, and how to make numbers of them."""

    path: str
    size: int
    """Of the file, in bytes; with ``changed``, tells whether it is still what was opened."""
    changed: int
    """Time of the last change of the file, in nanoseconds."""
    index: int
    height: int
    width: int
    dtype: np.dtype[Any]
    """As the user sees it: unsigned integers stay so; what is scaled or has BLANK is float."""
    storage: Literal["plain", "packed", "tiles"]
    """"packed" is inside gzip or bzip2, "tiles" in a table (also if that is packed)."""
    offset: int
    """Of the first pixel, or of the table, in bytes of the (unpacked) file."""
    length: int
    """Of the pixels, or of the table, in bytes."""
    stored: np.dtype[Any]
    bscale: float = 1.0
    bzero: float = 0.0
    blank: int | None = None
    tiles: TileTable | None = None
    """Of a tile-compressed image that can be decoded without astropy."""
    meaning: Meaning = "values"
    start: int = 0
    """Of its header, in bytes of the (unpacked) file."""
    datasum: int | None = None
    """Sum of the words of these bytes, as the header says it; None where it does not."""

    @property
    def hdus(self) -> tuple["Hdu", ...]:
        """The plane itself; of a mosaic, all that it is made of."""
        return (self,)

    @property
    def ceiling(self) -> float:
        """Largest value that its integers can have; infinity for floats."""
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
        """Rows of the plane that hold those of the frame from ``first`` to ``last``; maybe none."""
        low, high = max(first, self.into.ymin), min(last, self.into.ymax)
        if self.flip_y:
            low, high = (self.into.ymin + self.into.ymax - end for end in (high, low))
        shift = self.source.ymin - self.into.ymin
        return low + shift, max(high, low) + shift

    def placed(self, row: int, stored: Image) -> tuple[int, Image]:
        """Row of the frame at which rows of the plane from ``row`` on begin, and their pixels."""
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
        """What its pixels are."""
        return self.tiles[0].hdu.meaning

    @property
    def path(self) -> str:
        """Of the file."""
        return self.tiles[0].hdu.path

    @property
    def index(self) -> int:
        """Of the first HDU."""
        return min(tile.hdu.index for tile in self.tiles)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That holds the values of all planes."""
        return np.result_type(*{tile.hdu.dtype for tile in self.tiles})

    @property
    def ceiling(self) -> float:
        """The smallest of the ceilings of all planes."""
        return min(tile.hdu.ceiling for tile in self.tiles)

    @property
    def hdus(self) -> tuple[Hdu, ...]:
        """All planes that it is made of."""
        return tuple({tile.hdu.index: tile.hdu for tile in self.tiles}.values())


def as_tiles(plane: Hdu | Mosaic) -> Iterator[Tile]:
    """Tiles of a mosaic, or the one that a plane is."""
    if isinstance(plane, Mosaic):
        yield from plane.tiles
        return
    whole = Region(xmin=0, xmax=plane.width, ymin=0, ymax=plane.height)
    yield Tile(plane, whole, whole)


@dataclass(frozen=True, kw_only=True)
class FileLayout:
    """What is in a FITS file; nothing, where it could not be read."""

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
    """Of a mosaic the amplifiers, each with the cards of its own image, one a line."""
    channels: Mapping[str, str] = field(default_factory=dict)
    """Of channels that were chosen, the cards of each, one a line."""
    doubts: tuple[str, ...] = ()
    """About the file itself: what it holds and is not read, though nobody said so."""
