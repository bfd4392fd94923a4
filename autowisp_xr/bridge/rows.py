"""Frames that are too large to be whole in memory: some rows of all their planes at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Numbers
from autowisp_xr.bridge.sizes import made_of
from autowisp_xr.bridge.threads import Threads

Result = TypeVar("Result")


def come_by_rows(
    planes: Sequence[xr.Variable | None], *, of_frames: bool = False, common: bool = False
) -> bool:
    """Return whether rows of planes can be had without the rest of them, and at no greater price.

    Parameters
    ----------
    planes
        What is asked for.
    of_frames
        Whether it is asked for once for each frame.
    common
        Whether it is asked for by each frame, but is the same for all: what was to be made of all
        frames would be made again with each.
    """
    return all(
        _comes_by_rows(plane, of_frames, common or (of_frames and "frame" not in plane.dims))
        for plane in planes
        if plane is not None
    )


def _comes_by_rows(plane: xr.Variable, of_frames: bool, common: bool) -> bool:
    if common and "frame" in plane.dims:
        return False
    made = made_of(plane)
    # numbers of each frame, of which some pixels are looked at, are made with each part of it; what
    # is stored may call its axes by other names
    if plane.chunks is None or "y" not in (plane if made is None else made.source).dims:
        return True
    if made is None or made.is_part or "y" not in made.source.free:
        return False
    framed = of_frames or "frame" in plane.dims
    return come_by_rows(made.source.operands, of_frames=framed, common=common)


_TOGETHER = 2**22
"""Pixels of a plane that are looked at together, where all that is looked for are numbers."""


def pieces(planes: Sequence[xr.Variable], unit: int = 1) -> Iterator[tuple[slice, list[Numbers]]]:
    """Yield some rows of planes (..., y, x) after the others: where, and those of each.

    They are the same in any chunks, and of few pixels in whole multiples of a ``unit``.
    """
    height = planes[0].shape[-2]
    number = max(_TOGETHER // (planes[0].size // height) // unit, 1) * unit
    if not come_by_rows(planes):
        whole = _values(planes, None)
        planes = [xr.Variable(of.dims, values) for of, values in zip(planes, whole, strict=True)]
    elif number < height and any(plane.chunks for plane in planes):
        from autowisp_xr.bridge.derived import numbers_below, settled

        planes = settled(planes, numbers_below(planes))
    for start in range(0, height, number):
        where = slice(start, min(start + number, height))
        yield where, _values([plane[..., where, :] for plane in planes], None)


@dataclass(frozen=True)
class Rows:
    """Planes of a master (channel, y, x), or of frames, some rows of which are in memory at a time.

    Those of all planes, and of all of these frames, are made together.
    """

    planes: Sequence[xr.Variable]
    number: int
    """How many rows."""
    scheduler: Any = "synchronous"
    """As dask has it."""

    def of_channel(self, channel: int) -> "list[LatePlane]":
        """Return what stands for each plane (y, x) of a channel of a master."""
        return _late(self.planes, lambda where: self.at((channel, *where)))

    def bands(self, unit: int) -> Iterator[tuple[slice, list[Numbers]]]:
        """Yield the rows of all channels: where they are, and those of each plane.

        So many that go together are gathered of those that are made at a time. A plane that has
        fewer rows than others gives those that it has.
        """
        height = max(plane.shape[-2] for plane in self.planes)
        together = max(self.number // unit, 1) * unit
        for start in range(0, height, together):
            stop = min(start + together, height)
            yield slice(start, stop), self._gathered(start, stop)

    def at(self, where: tuple[Any, ...]) -> list[Numbers]:
        """Return a part of each plane."""
        return _values([_in_one(plane[where]) for plane in self.planes], self.scheduler)

    def _gathered(self, start: int, stop: int) -> list[Numbers]:
        if stop - start <= self.number:
            return self.at((..., slice(start, stop), slice(None)))
        whole = [np.empty(plane[..., start:stop, :].shape, plane.dtype) for plane in self.planes]
        for first in range(start, stop, self.number):
            where = slice(first, min(first + self.number, stop))
            for plane, part in zip(whole, self.at((..., where, slice(None))), strict=True):
                plane[..., where.start - start : where.stop - start, :] = part
        return whole


def runs(
    numbers: Sequence[int], most: int, kind: Callable[[int], object] = lambda number: None
) -> Iterator[list[int]]:
    """Yield numbers that follow each other and are of one kind, so many at most."""
    run: list[int] = []
    for number in numbers:
        if run and (len(run) == most or number != run[-1] + 1 or kind(number) != kind(run[0])):
            yield run
            run = []
        run.append(number)
    if run:
        yield run


class InStep:
    """Frames of which the same rows are made together, for threads that each take those of one.

    All of them ask for the same parts, one after the other: the next is made when all have come to
    it, and there is no more than one.

    Parameters
    ----------
    rows
        Of the frames (frame, channel, y, x).
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._number = rows.planes[0].shape[0]
        self._wanted: Any = None
        self._made: Sequence[Numbers] = ()
        self._all = Barrier(self._number, self._make)

    def each(
        self, work: "Callable[[int, Callable[[int], list[LatePlane]]], Result]"
    ) -> list[Result]:
        """Call ``work`` with each number of a frame, and what gives its planes of a channel.

        After an error, which is raised, the others end as well.
        """

        def one(frame: int) -> Result:
            try:
                return work(frame, partial(self._of_channel, frame))
            except BaseException:
                self._all.abort()
                raise

        with Threads(self._number) as pool:
            futures = [pool.submit(one, frame) for frame in range(self._number)]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                # those who wait for one that has failed, or for nobody
                self._all.abort()
                # this and the barrier know each other: only the collector would let go of planes
                self._made = ()
        errors = [error for future in futures if (error := future.exception())]
        for error in errors:
            if not isinstance(error, BrokenBarrierError):
                raise error
        return [future.result() for future in futures]

    def _of_channel(self, frame: int, channel: int) -> "list[LatePlane]":
        def made(where: tuple[Any, ...]) -> list[Numbers]:
            self._wanted = (slice(None), channel, *where)
            self._all.wait()
            return [of_frames[frame] for of_frames in self._made]

        return _late(self._rows.planes, made)

    def _make(self) -> None:
        self._made = ()
        self._made = self._rows.at(self._wanted)


class _Together:
    """Planes of which the same part is made, the one that was asked for last kept."""

    def __init__(self, make: Callable[[tuple[Any, ...]], Sequence[Numbers]]) -> None:
        self._make = make
        self._last: tuple[str, Sequence[Numbers]] = "", ()

    def at(self, key: Any) -> Sequence[Numbers]:
        """Return a part of each plane."""
        if self._last[0] != repr(key):
            self._last = "", ()
            where = key if isinstance(key, tuple) else (key, slice(None))
            self._last = repr(key), self._make(where)
        return self._last[1]


@dataclass(frozen=True, eq=False)
class LatePlane:
    """One of several planes, of which a part is made when it is asked for."""

    together: _Together
    number: int
    shape: tuple[int, ...]
    dtype: Any

    def __getitem__(self, key: Any) -> Numbers:
        return self.together.at(key)[self.number]


def _late(
    planes: Sequence[xr.Variable], make: Callable[[tuple[Any, ...]], Sequence[Numbers]]
) -> list[LatePlane]:
    """Return what stands for planes, given what makes a part (y, x) of each."""
    together = _Together(make)
    return [
        LatePlane(together, number, plane.shape[-2:], plane.dtype)
        for number, plane in enumerate(planes)
    ]


def _in_one(part: xr.Variable) -> xr.Variable:
    """Return a part in one chunk of each frame, as far as it is made afresh.

    It may lie in several chunks of a plane, for each of which masters would be read once more.
    """
    if made_of(part) is None or "frame" not in part.dims:
        return part
    return part.chunk({dim: -1 for dim in part.dims if dim != "frame"})


def _values(parts: Sequence[xr.Variable], scheduler: Any) -> list[Numbers]:
    """Return values, of what is made together in one go."""
    done = xr.Dataset({str(number): part for number, part in enumerate(parts)})
    return [one.values for one in done.compute(scheduler=scheduler).values()]
