"""One lazily read array over the planes of many files, as xarray's backends have it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from dask.base import normalize_token
from xarray.backends import BackendArray
from xarray.core import indexing

from autowisp_xr.io.layout import Hdu
from autowisp_xr.io.pixels import convert, stored_rows
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.schema import DIMS

__all__ = ["Planes", "as_variable"]


class Planes(BackendArray):
    """Pixels of (frame, channel, y, x), read when they are asked for.

    Parameters
    ----------
    planes
        For each frame the HDU of each channel; channels of one mosaic share theirs.
    slices
        For each channel which pixels of its HDU it has.
    shape
        (y, x) of each channel.
    dtype
        What the values are cast to; None for the type that holds those of all files.
    squared
        Whether to return squares (of an error: a variance), formed in float64.

    Notes
    -----
    Any outer index is one read a file: of the rows between the first and the last that are
    asked for, once for all channels of a mosaic. Nothing is kept open or in memory, so the array
    can be pickled, and read from many threads.
    """

    def __init__(
        self,
        planes: Sequence[Sequence[Hdu]],
        slices: Sequence[ChannelSlice],
        shape: tuple[int, int],
        dtype: np.dtype[Any] | None = None,
        *,
        squared: bool = False,
    ) -> None:
        self.planes = tuple(tuple(frame) for frame in planes)
        self.slices = tuple(slices)
        self.squared = squared
        self.shape = (len(self.planes), len(self.slices), *shape)
        if dtype is None:
            dtype = np.result_type(*{plane.dtype for frame in self.planes for plane in frame})
        self.dtype = np.dtype(dtype)

    def __dask_tokenize__(self) -> Any:
        """Token that is the same for the same unchanged files and the same slices."""
        return normalize_token(
            (type(self).__name__, self.planes, self.slices, self.shape, self.dtype, self.squared)
        )

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> np.ndarray[Any, Any]:
        """Values at an outer index: an integer, a slice, or an array of integers for each axis."""
        wanted = [
            np.atleast_1d(np.arange(size)[index])
            for size, index in zip(self.shape, key, strict=True)
        ]
        out = np.empty([len(indices) for indices in wanted], self.dtype)
        if out.size:
            self._fill(out, *wanted)
        # an integer takes its axis away
        return out[
            tuple(0 if np.ndim(k) == 0 and not isinstance(k, slice) else slice(None) for k in key)
        ]

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
        for i, frame in enumerate(frames):
            planes = self.planes[frame]
            by_plane: dict[Hdu, list[int]] = {}
            for j, channel in enumerate(channels):
                by_plane.setdefault(planes[channel], []).append(j)
            for plane, members in by_plane.items():
                rows = [_span(self.slices[channels[j]], top, height) for j in members]
                first, last = min(start for start, _ in rows), max(stop for _, stop in rows)
                stored = stored_rows(plane, first, last)
                for j in members:
                    cut = self.slices[channels[j]]
                    start = cut.y_offset + cut.y_step * top - first
                    part = stored[
                        start :: cut.y_step, cut.x_offset + cut.x_step * left :: cut.x_step
                    ]
                    part = part[:height, :width]
                    if whole:
                        self._convert(plane, part, out[i, j])
                    else:
                        rectangle = np.empty(part.shape, self.dtype)
                        self._convert(plane, part, rectangle)
                        out[i, j] = rectangle[np.ix_(y - top, x - left)]

    def _convert(self, plane: Hdu, stored: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
        if not self.squared:
            convert(plane, stored, out)
            return
        # float64 throughout: the error of a master was stored so that this gives its variance back
        values = np.empty(stored.shape, np.float64)
        convert(plane, stored, values)
        np.multiply(values, values, out=values)
        np.copyto(out, values, casting="same_kind")


def as_variable(planes: Planes) -> xr.Variable:
    """Variable (frame, channel, y, x) that reads when it is asked for values; no dask."""
    return xr.Variable(DIMS, indexing.LazilyIndexedArray(planes))


def _is_run(indices: np.ndarray[Any, Any]) -> bool:
    return bool((np.diff(indices) == 1).all())


def _span(cut: ChannelSlice, top: int, height: int) -> tuple[int, int]:
    """Rows of the file from the first to the last row of a channel that is wanted."""
    start = cut.y_offset + cut.y_step * top
    return start, start + cut.y_step * (height - 1) + 1
