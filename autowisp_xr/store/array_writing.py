"""Write into the arrays of a group, of which each chunk is whole from when it is there.

Chunks in a directory that are written whole are written by zarrs, compiled code: Zarr takes 1.5 ms
of Python for each, and a night has thousands. It writes in place, so under another name, which goes
away when the chunk is whole.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from zarr.storage import LocalStore

from autowisp_xr._compat import wait_for, write_by_zarrs
from autowisp_xr.arrays import Bits, Planes
from autowisp_xr.flags import Flag
from autowisp_xr.store.group import MARKS, PART, Group
from autowisp_xr.store.soundness import BARE_MARKS, chunk_name, chunks_at

if TYPE_CHECKING:
    import zarr


_PROCESS = os.getpid()


def has_zarrs() -> bool:
    """Return whether zarrs works here: a process that is forked has none of its threads."""
    return os.getpid() == _PROCESS


@dataclass(frozen=True)
class Arrays:
    """The arrays of a group, opened once for all tasks that write into them."""

    group: Group
    named: Mapping[str, "zarr.AsyncArray[Any]"]

    def write(
        self, planes: Mapping[str, Planes], where: Any = ..., *, in_turn: bool = False
    ) -> None:
        """Write parts of arrays at one place of each; pixels that are NaN are flagged there.

        What is compressed is in memory twice: all of them together, or one array in turn after the
        other.
        """
        parts = [(self.named[name], part) for name, part in _with_nan_flagged(planes).items()]
        if in_turn:
            for array, part in parts:
                wait_for(_write(array, where, part))
            return

        async def all_at_once() -> None:
            await asyncio.gather(*(_write(array, where, part) for array, part in parts))

        wait_for(all_at_once())

    def shard_rows(self, name: str) -> int:
        """Return how many rows of an array are written together."""
        array = self.named[name]
        return (array.shards or array.chunks)[-2] if array.ndim > 2 else 1

    def marks(self) -> Bits:
        """Return the marks of all frames; none are written where one cannot be read."""
        try:
            marks: Bits = np.asarray(wait_for(self.named[MARKS].getitem(...)))
        except ValueError:
            return np.zeros(self.named[MARKS].shape, np.uint8)
        return marks

    def bare(self, planes: Mapping[str, Planes]) -> np.uint8:
        """Return the bits in the mark of a frame for flags that are as if none was written."""
        return np.bitwise_or.reduce(
            [
                bit
                for name, bit in BARE_MARKS.items()
                if name in planes and _is_bare(self.named[name], planes[name])
            ],
            dtype=np.uint8,
        )

    def __dask_tokenize__(self) -> Any:
        return self.group.__dask_tokenize__()


def _with_nan_flagged(planes: Mapping[str, Planes]) -> Mapping[str, Planes]:
    """Return planes in which no pixel is NaN without a flag, whatever a user has made of them."""
    image, mask = planes.get("image"), planes.get("mask")
    if image is None or mask is None or image.dtype.kind != "f" or not image.size:
        return planes
    # the least is NaN where any is, and found four times as fast as where
    if not np.isnan(image.min()):
        return planes
    bad = np.isnan(image) & (mask == 0)
    return {**planes, "mask": mask | np.uint8(Flag.FAULT) * bad} if bad.any() else planes


def _is_bare(array: "zarr.AsyncArray[Any]", part: Planes) -> bool:
    """Return whether flags have the fill value alone; images hardly ever do."""
    return bool((part == array.metadata.fill_value).all())


async def _write(array: "zarr.AsyncArray[Any]", where: Any, part: Planes) -> None:
    """Write a part of an array."""
    store = array.store_path.store
    chunks = _whole_chunks(array, where) if type(store) is LocalStore and has_zarrs() else []
    if chunks and isinstance(store, LocalStore):
        ending = f".{uuid4().hex}{PART}"
        files = [store.root / array.path / chunk_name(chunk) for chunk in chunks]
        partial = [file.with_name(file.name + ending) for file in files]
        # what it cannot write, or the disk not take, Zarr writes, or states why not
        with suppress(Exception):
            await write_by_zarrs(array, ending).setitem(where, part)
            for one, file in zip(partial, files, strict=True):
                os.replace(one, file)
            return
        for one in partial:
            with suppress(OSError):
                one.unlink()
    await array.setitem(where, part)


def _whole_chunks(array: "zarr.AsyncArray[Any]", where: Any) -> list[tuple[int, ...]]:
    """Return the chunks of a part of an array; none where it has others in part."""
    given = () if where is ... else where if isinstance(where, tuple) else (where,)
    key = (*given, *[slice(None)] * (array.ndim - len(given)))
    for part, size, step in zip(key, array.shape, array.shards or array.chunks, strict=True):
        low, high, _ = part.indices(size)
        if low % step or (high % step and high != size):
            return []
    return list(chunks_at(array, key))
