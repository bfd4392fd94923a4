"""Write into the arrays of a group, of which each chunk is whole from when it is there."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.storage import LocalStore

from autowisp_xr._compat import wait_for
from autowisp_xr.arrays import Bits, Planes
from autowisp_xr.flags import Flag
from autowisp_xr.store.chunk_files import ChunkFiles
from autowisp_xr.store.group import MARKS, Group
from autowisp_xr.store.soundness import BARE_MARKS

if TYPE_CHECKING:
    import zarr


@dataclass(frozen=True)
class Arrays:
    """The arrays of a group, opened once for all tasks that write into them."""

    group: Group
    named: Mapping[str, "zarr.AsyncArray[Any]"]

    def write(
        self, planes: Mapping[str, Planes], where: Any = ..., *, in_turn: bool = False
    ) -> None:
        """Write parts of arrays at one place of each; pixels that are NaN are flagged there.

        What Zarr compresses is in memory twice: all of them together, or one array in turn after
        the other.
        """
        given = [(self.named[name], part) for name, part in _with_nan_flagged(planes).items()]
        left = [(array, part) for array, part in given if not _by_files(array, where, part)]
        if in_turn:
            for array, part in left:
                wait_for(array.setitem(where, part))
            return

        async def all_at_once() -> None:
            await asyncio.gather(*(array.setitem(where, part) for array, part in left))

        if left:
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


def _by_files(array: "zarr.AsyncArray[Any]", where: Any, part: Planes) -> bool:
    """Write a part of an array that is whole files of a directory; return whether it is."""
    store = array.store_path.store
    files = ChunkFiles.of(array, store.root / array.path) if isinstance(store, LocalStore) else None
    if files is None:
        return False
    given = () if where is ... else where if isinstance(where, tuple) else (where,)
    return files.write((*given, *[slice(None)] * (array.ndim - len(given))), part)
