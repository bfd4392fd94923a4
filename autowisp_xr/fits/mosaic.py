"""A plane that is made of rectangles of several planes of one file, read where they are wanted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autowisp_xr.regions import Region

if TYPE_CHECKING:
    from autowisp_xr.fits.companions import Meaning
    from autowisp_xr.fits.layout import Hdu

__all__ = ["Mosaic", "Tile", "as_tiles"]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A rectangle of a plane, and where it lies in the frame."""

    hdu: "Hdu"
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

    def placed(self, row: int, stored: np.ndarray[Any, Any]) -> tuple[int, np.ndarray[Any, Any]]:
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
    """A plane of tiles, which do not overlap; between them are zeros."""

    tiles: tuple[Tile, ...]
    height: int
    width: int

    @property
    def meaning(self) -> "Meaning":
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
    def hdus(self) -> tuple["Hdu", ...]:
        """All planes that it is made of."""
        return tuple({tile.hdu.index: tile.hdu for tile in self.tiles}.values())


def as_tiles(plane: "Hdu | Mosaic") -> Iterator[Tile]:
    """Tiles of a mosaic, or the one that a plane is."""
    if isinstance(plane, Mosaic):
        yield from plane.tiles
        return
    whole = Region(xmin=0, xmax=plane.width, ymin=0, ymax=plane.height)
    yield Tile(hdu=plane, source=whole, into=whole)
