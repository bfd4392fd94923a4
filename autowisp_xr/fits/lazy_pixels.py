"""One lazily read array over the planes of many files, as xarray's backends have it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr._compat import LateArray, OuterKey, late_variable
from autowisp_xr.fits.inflated import Inflated, bytes_of, inflated, plane_in
from autowisp_xr.fits.layout import Hdu
from autowisp_xr.fits.mosaic import Mosaic, as_tiles
from autowisp_xr.fits.pixels import convert_companion, stored_pieces
from autowisp_xr.regions import ChannelSlice, Region
from autowisp_xr.schema import DIMS

__all__ = ["Planes", "as_variable"]


class _Cut(NamedTuple):
    """Rows and columns of a file that make a rectangle of a channel."""

    rows: slice
    columns: slice

    def meets(self, region: Region) -> bool:
        """Whether columns of it may lie in a region."""
        return self.columns.start < region.xmax and self.columns.stop > region.xmin

    def among(
        self, row: int, column: int, stored: np.ndarray[Any, Any]
    ) -> tuple[int, int, np.ndarray[Any, Any]]:
        """Those among pixels from a row and column on, and how many of them come before."""
        y, rows = _among(self.rows, row)
        x, columns = _among(self.columns, column)
        return y, x, stored[rows, columns]


def _among(wanted: slice, first: int) -> tuple[int, slice]:
    """What is wanted of numbers from ``first`` on: how many come before, and a slice of those."""
    low = max(-((wanted.start - first) // wanted.step), 0)
    start, stop = wanted.start + low * wanted.step - first, max(wanted.stop - first, 0)
    return low, slice(start, stop, wanted.step)


class Planes(LateArray):
    """Pixels of (frame, channel, y, x), read when they are asked for, as what they mean.

    Planes of errors give their variance, those of masks flags.

    Parameters
    ----------
    planes
        For each frame the HDU (or the mosaic of HDUs) of each channel; channels of one colour
        filter array share theirs.
    slices
        For each channel which pixels of its HDU it has.
    shape
        (y, x) of each channel.
    dtype
        What the values are cast to; None for the type that holds those of all files.

    Notes
    -----
    Any outer index is one read a file: of the rows between the first and the last that are
    asked for, once for all channels of a mosaic. Nothing is kept open or in memory, so the array
    can be pickled, and read from many threads. Files inside gzip or bzip2 of which a part is asked
    for are inflated, as a whole, into temporary files, which each process keeps as long as the
    array; those of mosaics always, and for a read of more than half of the rows as long as that.
    """

    def __init__(
        self,
        planes: Sequence[Sequence[Hdu | Mosaic]],
        slices: Sequence[ChannelSlice],
        shape: tuple[int, int],
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        self.planes = tuple(tuple(frame) for frame in planes)
        self.slices = tuple(slices)
        self.shape = (len(self.planes), len(self.slices), *shape)
        if dtype is None:
            dtype = np.result_type(*{plane.dtype for frame in self.planes for plane in frame})
        self.dtype = np.dtype(dtype)
        self._inflated: dict[Hdu, Inflated] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the temporary files of this process."""
        return {**self.__dict__, "_inflated": {}}

    def __dask_tokenize__(self) -> Any:
        """Token that is the same for the same unchanged files and the same slices."""
        # only who has dask loaded asks for a token
        from dask.base import normalize_token

        return normalize_token(
            (type(self).__name__, self.planes, self.slices, self.shape, self.dtype)
        )

    def read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        """Values at a key, which is one read a file."""
        wanted = [
            np.atleast_1d(np.arange(size)[index])
            for size, index in zip(self.shape, key, strict=True)
        ]
        out = np.empty([len(indices) for indices in wanted], self.dtype)
        if out.size:
            self._fill(out, *wanted)
        # a number takes its axis away
        kept = (0 if isinstance(index, int | np.integer) else slice(None) for index in key)
        return out[tuple(kept)]

    def _fill(
        self,
        out: np.ndarray[Any, Any],
        frames: np.ndarray[Any, Any],
        channels: np.ndarray[Any, Any],
        y: np.ndarray[Any, Any],
        x: np.ndarray[Any, Any],
    ) -> None:
        # read the rectangle around what is wanted; straight into place where that is all of it
        top, left = int(y.min()), int(x.min())
        height, width = int(y.max()) + 1 - top, int(x.max()) + 1 - left
        whole = _is_run(y) and _is_run(x)
        cuts = [_cut(self.slices[channel], top, height, left, width) for channel in channels]
        for frame, into in zip(frames, out, strict=True):
            planes = [self.planes[frame][channel] for channel in channels]
            shared: dict[int, list[int]] = {}
            for j, plane in enumerate(planes):
                shared.setdefault(id(plane), []).append(j)
            for members in shared.values():
                first = min(cuts[j].rows.start for j in members)
                last = max(cuts[j].rows.stop for j in members)
                targets = [
                    into[j] if whole else np.empty((height, width), self.dtype) for j in members
                ]
                self._read_plane(
                    planes[members[0]], first, last, [cuts[j] for j in members], targets
                )
                if not whole:
                    for j, target in zip(members, targets, strict=True):
                        into[j] = target[np.ix_(y - top, x - left)]

    def _read_plane(
        self,
        plane: Hdu | Mosaic,
        first: int,
        last: int,
        cuts: Sequence[_Cut],
        targets: Sequence[np.ndarray[Any, Any]],
    ) -> None:
        """Read rows of a plane into a target for each cut, tile by tile where it is a mosaic."""
        file = None
        if isinstance(plane, Mosaic):
            for target in targets:
                target[...] = 0
            if all(hdu.storage == "packed" for hdu in plane.hdus):
                file = inflated(bytes_of(plane.hdus))
                if 2 * (last - first) <= plane.height:
                    self._inflated.setdefault(plane.hdus[0], file)
        for tile in as_tiles(plane):
            start, stop = tile.rows(first, last)
            if start == stop or not any(cut.meets(tile.into) for cut in cuts):
                continue
            if file is None:
                source = self._source(tile.hdu, start, stop)
            else:
                source = plane_in(file.plane(), tile.hdu)
            for row, stored in stored_pieces(source, start, stop):
                top, placed = tile.placed(row, stored)
                for cut, target in zip(cuts, targets, strict=True):
                    y, x, part = cut.among(top, tile.into.xmin, placed)
                    convert_companion(
                        source, part, target[y : y + part.shape[0], x : x + part.shape[1]]
                    )

    def _source(self, plane: Hdu, first: int, last: int) -> Hdu:
        """Where rows of a plane are read: of a part of what is packed, a plain file."""
        if plane.storage != "packed" or 2 * (last - first) > plane.height:
            return plane
        return self._inflated.setdefault(plane, inflated(plane)).plane()


def as_variable(planes: Planes) -> xr.Variable:
    """Variable (frame, channel, y, x) that reads when it is asked for values; no dask."""
    return late_variable(planes, DIMS)


def _is_run(indices: np.ndarray[Any, Any]) -> bool:
    return bool((np.diff(indices) == 1).all())


def _cut(cut: ChannelSlice, top: int, height: int, left: int, width: int) -> _Cut:
    y, x = cut.y_offset + cut.y_step * top, cut.x_offset + cut.x_step * left
    return _Cut(
        slice(y, y + cut.y_step * (height - 1) + 1, cut.y_step),
        slice(x, x + cut.x_step * (width - 1) + 1, cut.x_step),
    )
