"""Frames that are too large to be whole in memory: some rows of all their planes at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Numbers
from autowisp_xr.bridge.sizes import made_of


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


@dataclass(frozen=True)
class Rows:
    """Planes (channel, y, x) of a frame, some rows of which are in memory at a time.

    Those of all planes are made together, in the thread that asks for them.
    """

    planes: Sequence[xr.Variable]
    number: int
    """How many rows."""
    scheduler: Any = "synchronous"
    """As dask has it."""

    def of_channel(self, channel: int) -> "list[LatePlane]":
        """Return what stands for each plane of a channel, (y, x)."""
        together = _Together([plane[channel] for plane in self.planes], self.scheduler)
        return [
            LatePlane(together, number, plane.shape[1:], plane.dtype)
            for number, plane in enumerate(self.planes)
        ]

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

    def _gathered(self, start: int, stop: int) -> list[Numbers]:
        if stop - start <= self.number:
            return self._at(slice(start, stop))
        whole = [np.empty(plane[..., start:stop, :].shape, plane.dtype) for plane in self.planes]
        for first in range(start, stop, self.number):
            where = slice(first, min(first + self.number, stop))
            for plane, part in zip(whole, self._at(where), strict=True):
                plane[..., where.start - start : where.stop - start, :] = part
        return whole

    def _at(self, where: slice) -> list[Numbers]:
        return _values([plane[..., where, :] for plane in self.planes], self.scheduler)


class _Together:
    """Planes of which the same rows are made, those that were asked for last kept."""

    def __init__(self, planes: Sequence[xr.Variable], scheduler: Any) -> None:
        self.planes, self.scheduler = planes, scheduler
        self._last: tuple[str, Sequence[Numbers]] = "", ()

    def at(self, key: Any) -> Sequence[Numbers]:
        """Return a part of each plane."""
        if self._last[0] != repr(key):
            self._last = "", ()
            parts = [plane[key] for plane in self.planes]
            self._last = repr(key), _values(parts, self.scheduler)
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


def _values(parts: Sequence[xr.Variable], scheduler: Any) -> list[Numbers]:
    """Return values, of what is made together in one go."""
    done = xr.Dataset({str(number): part for number, part in enumerate(parts)})
    return [one.values for one in done.compute(scheduler=scheduler).values()]
