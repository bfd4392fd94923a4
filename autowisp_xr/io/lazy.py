"""One lazily read array over the planes of many files, as xarray's backends have it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from autowisp_xr.io.inflated import Inflated, inflated
from autowisp_xr.io.layout import Hdu
from autowisp_xr.io.pixels import convert_companion, stored_pieces
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.schema import DIMS

__all__ = ["Planes", "as_variable"]


class Planes(BackendArray):
    """Pixels of (frame, channel, y, x), read when they are asked for, as what they mean.

    Planes of errors give their variance, those of masks flags.

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

    Notes
    -----
    Any outer index is one read a file: of the rows between the first and the last that are
    asked for, once for all channels of a mosaic. Nothing is kept open or in memory, so the array
    can be pickled, and read from many threads. Files inside gzip or bzip2 of which a part is asked
    for are inflated, as a whole, into temporary files, which each process keeps as long as the
    array.
    """

    def __init__(
        self,
        planes: Sequence[Sequence[Hdu]],
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
        cuts = [_cut(self.slices[channel], top, height, left, width) for channel in channels]
        for frame, into in zip(frames, out, strict=True):
            planes = [self.planes[frame][channel] for channel in channels]
            shared: dict[int, list[int]] = {}
            for j, plane in enumerate(planes):
                shared.setdefault(id(plane), []).append(j)
            for members in shared.values():
                first = min(cuts[j].start for j in members)
                last = max(cuts[j].stop for j in members)
                source = self._source(planes[members[0]], first, last)
                targets = [
                    into[j] if whole else np.empty((height, width), self.dtype) for j in members
                ]
                for row, stored in stored_pieces(source, first, last):
                    for j, target in zip(members, targets, strict=True):
                        low, part = cuts[j].among(row, stored)
                        convert_companion(source, part, target[low : low + len(part)])
                if not whole:
                    for j, target in zip(members, targets, strict=True):
                        into[j] = target[np.ix_(y - top, x - left)]

    def _source(self, plane: Hdu, first: int, last: int) -> Hdu:
        """Where rows of a plane are read: of a part of what is packed, a plain file."""
        if plane.storage != "packed" or 2 * (last - first) > plane.height:
            return plane
        return self._inflated.setdefault(plane, inflated(plane)).plane()


def as_variable(planes: Planes) -> xr.Variable:
    """Variable (frame, channel, y, x) that reads when it is asked for values; no dask."""
    return xr.Variable(DIMS, indexing.LazilyIndexedArray(planes))


def _is_run(indices: np.ndarray[Any, Any]) -> bool:
    return bool((np.diff(indices) == 1).all())


class _Cut(NamedTuple):
    """Rows and columns of a file that make a rectangle of a channel."""

    start: int
    stop: int
    step: int
    columns: slice

    def among(self, row: int, stored: np.ndarray[Any, Any]) -> tuple[int, np.ndarray[Any, Any]]:
        """Those of them that are among rows from ``row`` on, and the number of the first."""
        low = max(-((self.start - row) // self.step), 0)
        start, stop = self.start + low * self.step - row, max(self.stop - row, 0)
        return low, stored[start : stop : self.step, self.columns]


def _cut(cut: ChannelSlice, top: int, height: int, left: int, width: int) -> _Cut:
    y, x = cut.y_offset + cut.y_step * top, cut.x_offset + cut.x_step * left
    return _Cut(
        y,
        y + cut.y_step * (height - 1) + 1,
        cut.y_step,
        slice(x, x + cut.x_step * (width - 1) + 1, cut.x_step),
    )
