"""Whether a group still has all that was written to it: nothing is lost, empty or changed.

Zarr takes a chunk that is not there for one that has the fill value alone. So all chunks are
written, whatever they hold, but for flags of frames that have none: which these are, the state of
the group has. A chunk that is read, and is neither there nor among these, is lost. That a bit of it
has changed shows its checksum, behind the last of the codecs.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, Store
from zarr.codecs import Crc32cCodec
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import StorePath, WrapperStore

from autowisp_xr.arrays import Integers
from autowisp_xr.errors import AutowispError, DamagedStoreError
from autowisp_xr.store.group import DAMAGED, STATE, STUMBLED, Group
from autowisp_xr.store.swap import METADATA

CHECKSUM = Crc32cCodec()
"""The last codec of all arrays."""

BARE = "bare"
"""In the state of a group: by name, the frames of which a plane has no chunks. Groups that earlier
versions have written have none, and of chunks that they lack nobody knows whether they are lost."""

BARE_MARKS = {"mask": np.uint8(2), "flags": np.uint8(4)}
"""Planes that may be without chunks, and the bit in the mark of a frame, beside 1, that states it
until the state does."""

REMEDY = "to_zarr with overwrite=True, or reduce of the same night, writes it again"

Ranges: TypeAlias = Sequence[Sequence[int]]
"""From the first to before the last, of each row of numbers that follow one another."""


def ranges_of(numbers: Integers) -> list[list[int]]:
    """Return rising numbers as ranges.

    Examples
    --------
    >>> ranges_of(np.array([0, 1, 2, 5]))
    [[0, 3], [5, 6]]
    """
    if not numbers.size:
        return []
    ends = np.flatnonzero(np.diff(numbers) > 1)
    first, last = numbers[np.r_[0, ends + 1]], numbers[np.r_[ends, numbers.size - 1]]
    return [[low, high + 1] for low, high in zip(first.tolist(), last.tolist(), strict=True)]


def bare_by(marks: Integers) -> dict[str, list[list[int]]]:
    """Return the frames of which planes have no chunks, by the marks of all frames."""
    found = {name: ranges_of(np.flatnonzero(marks & bit)) for name, bit in BARE_MARKS.items()}
    return {name: ranges for name, ranges in found.items() if ranges}


def is_in(ranges: Ranges, number: int) -> bool:
    """Return whether a number is in one of the ranges."""
    return any(low <= number < high for low, high in ranges)


class LostChunkError(KeyError):
    """A chunk that was written is not there."""


_CHUNK = re.compile(r"(?:.*/)?([^/]+)/c((?:/[0-9]+)*)", re.DOTALL)


class SoundStore(WrapperStore[Store]):
    """A store that raises where a chunk of one of its group is to be read that is lost.

    Parameters
    ----------
    store
        What is read from.
    bare
        By each variable of the group, the frames of which it has no chunks.
    """

    def __init__(self, store: Store, bare: Mapping[str, Ranges]) -> None:
        super().__init__(store)
        self.bare = bare

    def _with_store(self, store: Store) -> "SoundStore":
        return type(self)(store, self.bare)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Read a value, which has to be there if it is a chunk."""
        found = await self._store.get(key, prototype, byte_range)
        match = None if found is not None else _CHUNK.fullmatch(key)
        if match and match[1] in self.bare:
            frame = int(match[2].split("/")[1]) if match[2] else 0
            if not is_in(self.bare[match[1]], frame):
                raise LostChunkError(key)
        return found


def damaged(place: object, what: str) -> DamagedStoreError:
    """Return the error for what is damaged in a group."""
    return DamagedStoreError(f"{place}: {what}; {REMEDY}", place=str(place))


@contextmanager
def damage_stated(group: Group) -> Iterator[None]:
    """Raise what is stumbled over in a group as the damage that it is."""
    try:
        yield
    except AutowispError:
        raise
    except STUMBLED as error:
        what = damage(group) or f"the outline of a variable is damaged ({error})"
        raise damaged(group, what) from error


def chunks_at(
    array: "zarr.Array[Any] | zarr.AsyncArray[Any]", key: Sequence[Any]
) -> Iterator[tuple[int, ...]]:
    """Yield the chunks of an array that a key needs, which has a part for each axis."""
    size = array.shards or array.chunks
    return product(*map(_touched, key, array.shape, size))


def _touched(part: Any, number: int, step: int) -> Sequence[int]:
    """Return which chunks of an axis a part of a key needs."""
    if isinstance(part, slice) and part.step in (None, 1):
        low, high, _ = part.indices(number)
        return range(low // step, -(-high // step)) if low < high else ()
    of_axis = np.atleast_1d(np.arange(number)[part])
    return np.unique(of_axis // step).tolist()


def damage_at(group: Group, array: "zarr.Array[Any]", key: Sequence[Any]) -> str:
    """State which chunk of an array of a group is damaged, of those that a key needs."""
    size = array.shards or array.chunks
    dims = tuple(getattr(array.metadata, "dimension_names", None) or ())
    for chunk in chunks_at(array, key):
        fault = _fault_of(array, chunk, size)
        if fault:
            frame = f" of frame {_label(group, chunk[0])}" if dims[:1] == ("frame",) else ""
            return f"the chunk {array.basename}/{chunk_name(chunk)}{frame} is {fault}"
    return f"{array.basename} cannot be read"


def _label(group: Group, number: int) -> str:
    """Return the name of a frame, or its number where that cannot be read either."""
    try:
        return repr(str(group.open("r")["frame"][number]))  # type: ignore[index]
    except Exception:  # there are frames without names, and names that are damaged as well
        return f"number {number}"


def chunk_name(chunk: Sequence[int]) -> str:
    """Return the key of a chunk below that of its array."""
    return "/".join(["c", *map(str, chunk)])


def _fault_of(array: "zarr.Array[Any]", chunk: Sequence[int], size: Sequence[int]) -> str:
    """State what is wrong with a chunk; "" for nothing."""
    where = tuple(slice(i * n, (i + 1) * n) for i, n in zip(chunk, size, strict=True))
    try:
        array[where]
    except LostChunkError:
        return "lost"
    except OSError:
        raise
    except Exception as error:  # whatever the codecs stumble over
        return f"damaged ({str(error).partition('.')[0]})"
    return ""


def damage(group: Group) -> str:
    """State what is wrong with a group in a directory, as far as that shows without reading it.

    Of all variables outline and chunks have to be there, and what was changed after the group was
    complete is read. What is in no directory shows its damage when it is read.

    Returns
    -------
    What is lost or damaged; "" for nothing.
    """
    folder, state = group.folder, group.state()
    if DAMAGED in state:
        return str(state[DAMAGED])
    if folder is None or not state.get("complete"):
        return ""
    since = (folder / METADATA).stat().st_mtime_ns
    for name in state["variables"]:
        try:
            outline = json.loads((folder / name / METADATA).read_text("utf-8"))
            shape = outline["shape"]
            size = outline["chunk_grid"]["configuration"]["chunk_shape"]
        except FileNotFoundError:
            return f"{name} is lost"
        except (ValueError, LookupError, TypeError):
            return f"{name}/{METADATA} is damaged"
        if BARE not in state:
            continue
        try:
            found = _chunks(folder / name, shape, size, state[BARE].get(name, ()), since)
            for chunk, fault in found:
                reason = fault or _fault_of(group.open("r")[name], chunk, size)  # type: ignore[arg-type]
                if reason:
                    return f"the chunk {name}/{chunk_name(chunk)} is {reason}"
        except STUMBLED:
            return f"{name}/{METADATA} is damaged"
    return ""


def _chunks(
    folder: Path, shape: Sequence[int], size: Sequence[int], bare: Ranges, since: int
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield chunks of which something is wrong, and those that were changed since, with ""."""
    # one by one: a damaged outline may name any number of them
    for chunk in np.ndindex(*(-(-n // step) for n, step in zip(shape, size, strict=True))):
        if bare and is_in(bare, chunk[0]):
            continue
        try:
            status = (folder / chunk_name(chunk)).stat()
        except (FileNotFoundError, NotADirectoryError):
            yield chunk, "lost"
            continue
        if not status.st_size:
            yield chunk, "empty"
        elif status.st_mtime_ns > since:
            yield chunk, ""


def sound(root: "zarr.AsyncGroup", bare: Mapping[str, Ranges] | None = None) -> "zarr.AsyncGroup":
    """Return a group whose arrays raise where a chunk is lost.

    Parameters
    ----------
    root
        As Zarr has it.
    bare
        As in its state, which has it once the group is complete.
    """
    state: Any = root.attrs.get(STATE, {})
    known = state.get(BARE) if bare is None else bare
    if known is None:
        return root
    store = SoundStore(root.store, {name: known.get(name, ()) for name in state["variables"]})
    return zarr.AsyncGroup(root.metadata, StorePath(store, root.path))
