"""Arrays of xarray over planes in files, which are read when values are asked for."""

import io
import pickle
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr._compat import LateArray, OuterKey, late_variable
from autowisp_xr.arrays import Image, Integers, Numbers
from autowisp_xr.fits.pixels import convert_companion, stored_pieces
from autowisp_xr.fits.planes import Hdu, Mosaic, as_tiles
from autowisp_xr.fits.temporary import Inflated, TemporaryFile, bytes_of, inflated, plane_in
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.schema import DIMS, NUMBERS_OF_VALUES

PlanesOfFrames: TypeAlias = Sequence[Sequence[Hdu | Mosaic]]
"""For each frame the HDU (or the mosaic of HDUs) of each channel."""


class _Cut(NamedTuple):
    """Rows and columns of a file that make a rectangle of a channel, and where to put it."""

    rows: range
    columns: range
    target: Numbers


class Planes(LateArray):
    """Pixels of (frame, channel, y, x), read when they are asked for, as what they mean.

    Planes of errors give their variance, those of masks flags.

    Parameters
    ----------
    planes
        Channels of one colour filter array share theirs.
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
        planes: PlanesOfFrames,
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
        self.keeps: object = None
        """What has to live as long as this array does in this process."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the temporary files of this process.

        Planes that are equal are the same bytes, whatever objects they share: dask makes the name
        of an array of them, by which work that was done already is known.
        """
        packed = io.BytesIO()
        pickler = pickle.Pickler(packed, pickle.HIGHEST_PROTOCOL)
        pickler.fast = True
        pickler.dump(self.planes)
        return {**self.__dict__, "planes": packed.getvalue(), "_inflated": {}, "keeps": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, planes=pickle.loads(state["planes"]))

    def __dask_tokenize__(self) -> Any:
        """Return a token that is the same for the same unchanged files and the same slices."""
        # as text: dask counts objects that are shared otherwise than those that are merely equal
        return type(self).__name__, repr(self.planes), repr(self.slices), self.shape, self.dtype.str

    def of_frames(self, numbers: Integers) -> "Planes":
        """Return the same planes of some frames."""
        planes = [self.planes[number] for number in numbers]
        part = Planes(planes, self.slices, (self.shape[2], self.shape[3]), self.dtype)
        part._inflated, part.keeps = self._inflated, self.keeps
        return part

    def read(self, key: OuterKey) -> Numbers:
        """Read values at a key, each file once."""
        frames, channels, y, x = (
            np.atleast_1d(np.arange(size)[index])
            for size, index in zip(self.shape, key, strict=True)
        )
        out = np.empty((frames.size, channels.size, y.size, x.size), self.dtype)
        if out.size:
            # straight into place, or the rectangle around what is wanted where that is not regular
            steps = [np.unique(np.diff(v)) for v in (y, x)]
            in_place = all(own.size < 2 and (own > 0).all() for own in steps)
            rows, columns = (
                range(int(v.min()), int(v.max()) + 1, int(own[0]) if in_place and own.size else 1)
                for v, own in zip((y, x), steps, strict=True)
            )
            for frame, into in zip(frames, out, strict=True):
                shape = (channels.size, len(rows), len(columns))
                box = into if in_place else np.empty(shape, self.dtype)
                cuts: dict[Hdu | Mosaic, list[_Cut]] = {}
                for channel, target in zip(channels, box, strict=True):
                    plane, cut = self.planes[frame][channel], self.slices[channel]
                    cuts.setdefault(plane, []).append(_cut(cut, rows, columns, target))
                for plane, of_plane in cuts.items():
                    self._read_plane(plane, of_plane)
                if not in_place:
                    into[...] = box[:, y[:, None] - rows.start, x - columns.start]
        # a number takes its axis away
        kept = (0 if isinstance(index, int | np.integer) else slice(None) for index in key)
        return out[tuple(kept)]

    def _read_plane(self, plane: Hdu | Mosaic, cuts: Sequence[_Cut]) -> None:
        """Read parts of a plane, tile by tile where it is a mosaic."""
        first, last = min(cut.rows[0] for cut in cuts), max(cut.rows[-1] for cut in cuts) + 1
        file = None
        if isinstance(plane, Mosaic):
            for cut in cuts:
                cut.target[...] = 0
            if plane.hdus and all(hdu.storage == "packed" for hdu in plane.hdus):
                file = inflated(bytes_of(plane.hdus))
                if 2 * (last - first) <= plane.height:
                    self._inflated.setdefault(plane.hdus[0], file)
        for tile in as_tiles(plane):
            start, stop = tile.rows(first, last)
            left, right = tile.into.xmin, tile.into.xmax
            wanted = [c for c in cuts if c.columns[0] < right and c.columns[-1] >= left]
            if start == stop or not wanted:
                continue
            if file is None:
                source = self._source(tile.hdu, start, stop)
            else:
                source = plane_in(file.plane(), tile.hdu)
            for row, stored in stored_pieces(source, start, stop):
                top, placed = tile.placed(row, stored)
                for cut in wanted:
                    rows, y = _among(cut.rows, top, placed.shape[0])
                    columns, x = _among(cut.columns, left, placed.shape[1])
                    convert_companion(source, placed[rows, columns], cut.target[y, x])

    def _source(self, plane: Hdu, first: int, last: int) -> Hdu:
        """Return where to read rows of a plane: for a part of what is whole, a plain file."""
        if not plane.is_whole or 2 * (last - first) > plane.height:
            return plane
        return self._inflated.setdefault(plane, inflated(plane)).plane()


def variables_of(
    planes: Mapping[str, PlanesOfFrames],
    slices: Sequence[ChannelSlice],
    shape: tuple[int, int],
    dtype: DTypeLike | None = None,
) -> dict[str, xr.Variable]:
    """Make variables (frame, channel, y, x) that read when they are asked for values; no dask.

    Parameters
    ----------
    planes
        "image" and, where there are any, "error", which becomes ``variance``, "mask" and those of
        ``NUMBERS_OF_VALUES``.
    slices, shape
        As for :class:`Planes`.
    dtype
        Of ``image`` and ``variance``; None for that of the files.
    """
    wanted = None if dtype is None else np.dtype(dtype)
    image = Planes(planes["image"], slices, shape, wanted)
    found = {"image": late_variable(image, DIMS)}
    for kind, name, kept in (
        ("error", "variance", image.dtype if image.dtype.kind == "f" else np.float32),
        ("mask", "mask", np.uint8),
        *((kind, kind, np.uint16) for kind in NUMBERS_OF_VALUES),
    ):
        if kind in planes:
            found[name] = late_variable(Planes(planes[kind], slices, shape, np.dtype(kept)), DIMS)
    return found


class Spool:
    """Images (y, x) of one shape, float64, which wait in a temporary file until they are stacked.

    Their file is gone once neither this object nor the variable that was made of it is left.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._number = 0
        self._file = TemporaryFile("images wait to be stacked")

    def append(self, image: Image) -> None:
        """Put an image away; an OSError that names the directory where it does not fit."""
        self._file.write(np.asarray(image, np.float64))
        self._number += 1

    def variable(self) -> xr.Variable:
        """Return all images over (frame, channel, y, x), lazily indexed; no more can be added."""
        status = self._file.status()
        height, width = self._shape
        kind: np.dtype[Any] = np.dtype(np.float64)
        length = height * width * kind.itemsize
        images = [
            Hdu(
                path=self._file.path,
                size=status.st_size,
                changed=status.st_mtime_ns,
                index=number,
                height=height,
                width=width,
                dtype=kind,
                storage="plain",
                offset=number * length,
                length=length,
                stored=kind,
            )
            for number in range(self._number)
        ]
        planes = Planes([[image] for image in images], [ChannelSlice()], self._shape)
        planes.keeps = self._file
        return late_variable(planes, DIMS)


def _cut(cut: ChannelSlice, rows: range, columns: range, target: Numbers) -> _Cut:
    """Return where in a file some rows and columns of a channel are."""
    y, x = (
        range(start + step * of.start, start + step * of.stop, step * of.step)
        for start, step, of in (
            (cut.y_offset, cut.y_step, rows),
            (cut.x_offset, cut.x_step, columns),
        )
    )
    return _Cut(y, x, target)


def _among(wanted: range, first: int, number: int) -> tuple[slice, slice]:
    """Return which numbers from ``first`` on are wanted, and which of the wanted they are."""
    low, high = (max(-((wanted.start - end) // wanted.step), 0) for end in (first, first + number))
    part = wanted[low:high]
    return slice(part.start - first, part.stop - first, part.step), slice(low, low + len(part))
