"""A search for defects in rows of a camera that are asked for, a band at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock

import numpy as np

from autowisp_xr._compat import LateArray, OuterKey
from autowisp_xr.arrays import Numbers, Planes
from autowisp_xr.measure.defect_search import PLANES, DefectSearch
from autowisp_xr.measure.frame_moments import LeveledFrames
from autowisp_xr.measure.pixel_scatter import REGION

_BAND = 2**20
"""Pixels that are looked at together, of which each takes some 100 bytes. Of fewer, more would be
read twice: what is around a band, too."""

_SEARCHING = Lock()
"""Threads that ask for planes at a time take turns, since one search takes much of the memory."""


class SearchedRows:
    """The planes of a search; those of the rows that were asked for last are kept.

    Parameters
    ----------
    sets
        What is looked at, biases first, flats last.
    search
        Begins a search, given the ``reason`` to fill.
    shape
        (channel, y, x).
    """

    def __init__(
        self,
        sets: Sequence[LeveledFrames],
        search: Callable[..., DefectSearch],
        shape: tuple[int, ...],
    ) -> None:
        self._sets, self._search, self.shape = sets, search, shape
        self._rows, self._planes = range(0), dict[str, Planes]()
        self._band, self._of_band = range(0), dict[str, Planes]()

    def at(self, rows: range) -> Mapping[str, Planes]:
        """Return the planes of rows that follow each other."""
        with _SEARCHING:
            return self._at(rows)

    def _at(self, rows: range) -> Mapping[str, Planes]:
        if rows != self._rows:
            self._rows, self._planes = range(0), {}
            shape = self.shape[0], len(rows), self.shape[2]
            planes: dict[str, Planes] = {n: np.empty(shape, kind) for n, kind in PLANES.items()}
            for band in self._bands(rows):
                first, stop = max(band.start, rows.start), min(band.stop, rows.stop)
                for name, plane in self._found(band).items():
                    part = plane[:, first - band.start : stop - band.start]
                    planes[name][:, first - rows.start : stop - rows.start] = part
            self._rows, self._planes = rows, planes
        return self._planes

    def _bands(self, rows: range) -> Iterator[range]:
        """Yield the bands that rows are in: the same for all, they begin where tiles do."""
        _, height, width = self.shape
        step = max(_BAND // width // REGION, 2) * REGION
        for start in range(rows.start // step * step, rows.stop, step):
            yield range(start, min(start + step, height))

    def _found(self, band: range) -> Mapping[str, Planes]:
        """Return what is found in a band; rows are asked for that begin where others have ended."""
        if band != self._band:
            self._band, self._of_band = range(0), {}
            first, stop = max(band.start - REGION, 0), min(band.stop + REGION, self.shape[1])
            shape = self.shape[0], stop - first, self.shape[2]
            search = self._search(reason=np.zeros(shape, PLANES["reason"]))
            for one in self._sets:
                search.look_at(one.rows(slice(first, stop)))
            inner = slice(band.start - first, band.stop - first)
            self._of_band = {name: of[:, inner] for name, of in search.planes().items()}
            self._band = band
        return self._of_band


class SearchedPlane(LateArray):
    """One of the planes of a search."""

    def __init__(self, rows: SearchedRows, name: str) -> None:
        self.rows, self.name = rows, name
        self.shape, self.dtype = rows.shape, np.dtype(PLANES[name])

    def read(self, key: OuterKey) -> Numbers:
        """Return values at a key."""
        channels, y, x = key
        wanted = np.arange(self.shape[1])[y]
        rows = range(
            int(np.min(wanted, initial=self.shape[1])), int(np.max(wanted, initial=-1)) + 1
        )
        plane = self.rows.at(rows)[self.name]
        # all that was looked for is no copy
        every = isinstance(y, slice) and np.array_equal(wanted, rows)
        part: Numbers = plane[channels][..., slice(None) if every else wanted - rows.start, :]
        return part[..., x]
