"""Variables of a Dataset as arrays of a Zarr group, made or read all at once.

A frame set has two dozen coordinates of a few numbers each. Zarr works asynchronously inside;
waiting for one small array after the other takes five times as long as for all of them together.
New arrays are made in memory, where nothing waits, and what they consist of goes to the store then.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.api import asynchronous
from zarr.codecs import ZstdCodec
from zarr.dtype import parse_dtype
from zarr.storage import MemoryStore

from autowisp_xr._compat import LateArray, OuterKey, cf_encoded, late_variable, wait_for
from autowisp_xr.errors import BadImageError
from autowisp_xr.store.chunk_files import ChunkFiles
from autowisp_xr.store.group import MARKS, STATE, Group, leftovers_passed_over
from autowisp_xr.store.soundness import (
    CHECKSUM,
    LostChunkError,
    Ranges,
    SoundStore,
    damage_at,
    damage_stated,
    damaged,
    sound,
)
from autowisp_xr.store.swap import METADATA, version_of

_SMALL = 2**12
"""Bytes below which packing gains nothing."""

_CHUNK = 2**14
"""Frames of a coordinate that are one object of the store."""


def create(
    group: Group,
    ds: xr.Dataset,
    how: Mapping[str, Mapping[str, Any]],
    then: Mapping[str, Any],
    *,
    outlined: Collection[str],
) -> None:
    """Make the arrays of a Dataset in a group that has none, and replace its attributes.

    Parameters
    ----------
    group
        Made where there is none; groups below it stay.
    ds
        In memory, but for what is outlined.
    how
        By name, how Zarr is to store what is outlined.
    then
        Attributes of the group from when all is there.
    outlined
        The variables that have to be written later.
    """
    variables, attrs = xr.conventions.encode_dataset_coordinates(ds)
    names = [name for name in ds.variables if name not in outlined]

    async def make() -> None:
        parts: dict[str, Any] = {}
        draft = await asynchronous.create_group(store=MemoryStore(parts), zarr_format=3)
        planes, hows = {name: variables[name] for name in outlined}, dict(how)
        if "frame" in ds.dims:
            planes[MARKS] = xr.Variable("frame", np.zeros(ds.sizes["frame"], np.uint8))
            hows[MARKS] = {"chunks": (1,), "fill_value": 0, "compressors": [CHECKSUM]}
        arrays: list[Any] = [_write(draft, str(name), variables[name]) for name in names]
        arrays += [_outline(draft, name, one, hows.get(name, {})) for name, one in planes.items()]
        await asyncio.gather(*arrays)
        target = await asynchronous.open_group(
            store=group.store, path=group.name, mode="a", zarr_format=3
        )
        target.metadata.attributes.clear()
        await target.update_attributes(_plain(attrs))
        del parts[METADATA]
        # a store with transactions knows no chunk of an array that it does not know
        for outlines in (True, False):
            named = (key for key in parts if key.endswith(METADATA) == outlines)
            await asyncio.gather(
                *(target.store.set(f"{group.name}/{key}".strip("/"), parts[key]) for key in named)
            )
        await target.update_attributes(dict(then))

    wait_for(make())


async def _outline(
    draft: zarr.AsyncGroup, name: str, variable: xr.Variable, how: Mapping[str, Any]
) -> "zarr.AsyncArray[Any]":
    return await draft.create_array(
        name,
        shape=variable.shape,
        dtype=_as_zarr_names(variable.dtype),
        dimension_names=list(map(str, variable.dims)),
        attributes=_plain(variable.attrs),
        **{"compressors": [ZstdCodec(level=0), CHECKSUM], **how},
    )


@cache
def _as_zarr_names(dtype: Any) -> Any:
    return parse_dtype(dtype, zarr_format=3)


async def _write(draft: zarr.AsyncGroup, name: str, variable: xr.Variable) -> None:
    variable = cf_encoded(variable, name)
    text = variable.dtype.kind == "T"
    size = sum(map(len, variable.values.flat)) if text else variable.nbytes
    chunks = tuple(min(max(size, 1), _CHUNK) for size in variable.shape)
    how: dict[str, Any] = {"chunks": chunks, "config": {"write_empty_chunks": True}}
    if size <= _SMALL:
        how["compressors"] = [CHECKSUM]
    array = await _outline(draft, name, variable, how)
    await array.setitem(..., variable.values)


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as JSON has them; what is missing is NaN, with or without a fill value."""
    arrays = np.ndarray | np.generic
    return {
        str(name): value.tolist() if isinstance(value, arrays) else value
        for name, value in attrs.items()
        if name != "_FillValue"
    }


def read(
    group: Group, bare: Mapping[str, Ranges] | None = None
) -> tuple[xr.Dataset, dict[str, "zarr.Array[Any]"]]:
    """Read the coordinates and attributes of a group, and open its other arrays.

    Parameters
    ----------
    group
        Written by this package.
    bare
        As for :func:`autowisp_xr.store.soundness.sound`.

    Returns
    -------
    The coordinates as a Dataset, with the attributes of the group; and all other arrays by name.

    Raises
    ------
    DamagedStoreError
        If a variable is lost, or cannot be read.
    """

    async def fetch() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        root = await asynchronous.open_group(
            store=group.store, path=group.name, mode="r", use_consolidated=False
        )
        members = [member async for member in sound(root, bare).members()]
        arrays = {name: one for name, one in members if isinstance(one, zarr.AsyncArray)}
        state: Any = root.attrs[STATE]
        lost = [name for name in state["variables"] if name not in arrays]
        if lost:
            raise damaged(group, f"it has lost {', '.join(lost)}")
        attributes = [root.attrs, *(array.attrs for array in arrays.values())]
        named = {n for attrs in attributes for n in str(attrs.get("coordinates", "")).split()}
        own = {n for n, array in arrays.items() if _dims(array) == (n,)} | named & set(arrays)
        values = await asyncio.gather(*(_whole(group, arrays[name]) for name in own))
        return dict(root.attrs), arrays, dict(zip(own, values, strict=True))

    # an array without its outline is passed over as well, and missed here
    with damage_stated(group), leftovers_passed_over():
        attrs, arrays, values = wait_for(fetch())
        small = {
            name: xr.Variable(_dims(arrays[name]), np.asarray(value), attributes(arrays[name]))
            for name, value in values.items()
        }
        coords = xr.decode_cf(xr.Dataset(small), mask_and_scale=False).load()
    attrs.pop("coordinates", None)
    others = {name: zarr.Array(array) for name, array in arrays.items() if name not in values}
    return coords.set_coords(list(small)).assign_attrs(attrs), others


async def _whole(group: Group, array: "zarr.AsyncArray[Any]") -> Any:
    """Read a coordinate."""
    try:
        return await array.getitem(...)
    except OSError:
        raise
    except LostChunkError as error:
        raise damaged(group, f"the coordinate {array.basename} is lost") from error
    except Exception as error:  # whatever the codecs stumble over
        what = f"the coordinate {array.basename} is damaged ({str(error).partition('.')[0]})"
        raise damaged(group, what) from error


def arrays_of(group: Group, names: Sequence[str]) -> dict[str, "zarr.AsyncArray[Any]"]:
    """Open arrays of a group, to write into them all chunks of what is written.

    To look for those that have the fill value alone would take as long as writing them.
    """

    async def opened() -> Any:
        paths = (f"{group.name}/{name}".strip("/") for name in names)
        return await asyncio.gather(
            *(
                asynchronous.open_array(store=group.store, path=path, mode="r+", zarr_format=3)
                for path in paths
            )
        )

    return {
        name: array.with_config({"write_empty_chunks": True})
        for name, array in zip(names, wait_for(opened()), strict=True)
    }


def _dims(array: Any) -> tuple[str, ...]:
    return tuple(array.metadata.dimension_names or ())


def attributes(array: Any) -> dict[str, Any]:
    """Return the attributes of a variable, less what only its storing needs."""
    return {k: v for k, v in array.attrs.items() if k not in ("coordinates", "_FillValue")}


class StoredPlane(LateArray):
    """A plane in a group, as it was when the group was opened; what has been read is not kept.

    Parameters
    ----------
    array
        The plane, as Zarr has it.
    place
        The group.

    Notes
    -----
    A group that is replaced has arrays of the same names in the same places. So each time after
    something was read, the array must still be the one that was opened: else the pixels would be
    those of something else, or the fill value of what is missing.
    """

    def __init__(self, array: "zarr.Array[Any]", place: Group) -> None:
        self.array = array
        self.place = place
        self.folder = place.folder and place.folder / array.basename
        self.shape = array.shape
        self.dtype = array.dtype
        self.version = version_of(self.folder)
        store = array.store
        self._files: ChunkFiles | None = None
        # which of its chunks there are has to be known
        if self.folder is not None and isinstance(store, SoundStore):
            self._files = ChunkFiles.of(array, self.folder, store.bare[array.basename])

    def read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        """Read values at a key, of the very array that was opened."""
        fault = ""
        try:
            values = self._read(key)
        except (OSError, MemoryError):
            raise
        except Exception:  # whatever the codecs stumble over
            fault = damage_at(self.place, self.array, key)
        if version_of(self.folder) != self.version:
            raise BadImageError(
                f"{self.folder} was replaced, moved or removed since it was opened; open it again"
            )
        if fault:
            raise damaged(self.place, fault)
        return values

    def _read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        if self._files is not None:
            # what cannot be read so, Zarr can, or has words for what is damaged
            with suppress(Exception):
                return self._files.read(key)
        return np.asarray(self.array.oindex[key])


def as_stored(array: "zarr.Array[Any]", place: Group) -> xr.Variable:
    """Return a variable that reads when it is asked for values."""
    dims = _dims(array)
    encoding: dict[str, Any] = {"chunks": array.chunks, "shards": array.shards}
    encoding["preferred_chunks"] = dict(zip(dims, array.chunks, strict=True))
    return late_variable(StoredPlane(array, place), dims, attributes(array), encoding)
