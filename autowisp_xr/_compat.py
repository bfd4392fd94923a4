"""What reaches into parts of other packages that they do not call public.

One function or class for each, with the versions that it was seen to work with, and the reason;
``tests/test_compat.py`` fails where one of them breaks. No other module reaches as far.
"""

from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

Result = TypeVar("Result")

_ATTEMPTS = 9

OuterKey: TypeAlias = "tuple[int | slice | np.ndarray[Any, Any], ...]"
"""Where to read: a number, a slice or an array of numbers for each axis, independent of each other.

A number takes its axis away.
"""


def in_memory(variable: xr.Variable) -> bool:
    """Whether a variable is a NumPy array already, so that work on it is done at once.

    xarray 2026.2 to 2026.9 know it as ``Variable._in_memory`` alone; ``Variable.data`` of what is
    lazily indexed would read it.
    """
    return bool(variable._in_memory)


def of_array(dims: Hashable, values: "np.ndarray[Any, Any]") -> xr.Variable:
    """Make a variable of an array, and do not look whether that is one of dask.

    xarray 2026.2 to 2026.9 import all of ``dask.array`` to know, 0.2 s; ``fastpath`` is theirs.
    """
    return xr.Variable(dims, values, fastpath=True)


class LateArray(BackendArray):
    """An array of ``shape`` and ``dtype`` that is read when it is asked for values.

    xarray 2026.2 to 2026.9 describe ``LazilyIndexedArray`` and ``explicit_indexing_adapter`` in
    their guide to backends, but have them in ``xarray.core`` alone.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, key: OuterKey) -> np.ndarray[Any, Any]:
        """Values at a key."""
        raise NotImplementedError

    def of_frames(self, numbers: "np.ndarray[Any, Any]") -> "LateArray | None":
        """The places of these numbers along the first axis, without what the others need.

        None where that would be no smaller.
        """
        return None

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self.read
        )


def late_variable(
    array: LateArray,
    dims: tuple[Hashable, ...],
    attrs: dict[Any, Any] | None = None,
    encoding: dict[Any, Any] | None = None,
) -> xr.Variable:
    """A variable, lazily indexed, that keeps nothing of what was read; no dask."""
    return xr.Variable(dims, indexing.LazilyIndexedArray(array), attrs, encoding)


class CountsAsBase(type):
    """The type of a class that counts as its base where classes are compared.

    xarray 2026.2 to 2026.9 refuse a Dataset with arrays of two classes, even where one of them is a
    kind of the other (``get_chunked_array_type``).
    """

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.__base__

    def __hash__(cls) -> int:
        return hash(cls.__base__)


def late_token(variable: xr.Variable) -> str | None:
    """What identifies a lazily indexed variable of a late array that states it; None for others.

    xarray 2026.2 to 2026.9 hand dask an adapter, which it pickles to find a name. Pickles of equal
    content differ where parts of it are one object or two, so what was scanned and what was read
    from a record would have different names.
    """
    data: Any = variable._data
    if not isinstance(data, indexing.LazilyIndexedArray) or not isinstance(data.array, LateArray):
        return None
    if not hasattr(data.array, "__dask_tokenize__"):
        return None
    from dask.base import tokenize

    return tokenize(variable.dims, data.array, data.key.tuple)


def compact(variable: xr.Variable) -> xr.Variable:
    """The same lazily indexed variable, which knows of no frames but its own.

    xarray 2026.2 to 2026.9 keep the array that was opened, and the index of what was selected.
    """
    data: Any = variable._data
    if not isinstance(data, indexing.LazilyIndexedArray) or not isinstance(data.array, LateArray):
        return variable
    frames, *inside = data.key.tuple
    numbers = np.arange(data.array.shape[0])[frames]
    if numbers.ndim == 0 or numbers.size == data.array.shape[0]:
        return variable
    array = data.array.of_frames(numbers)
    if array is None:
        return variable
    key = indexing.OuterIndexer((slice(None), *inside))
    return xr.Variable(variable.dims, indexing.LazilyIndexedArray(array, key), fastpath=True)


def apart(array: "DaskArray", seed: str) -> "DaskArray":
    """The same values by tasks with other keys, which share nothing; ``seed`` tells them apart.

    ``dask.graph_manipulation.clone`` of dask 2025.9 to 2026.8 leaves tasks of the newer kind
    (selections of frames by a list are some) with two keys, which dask refuses to compute.
    """
    from dask._task_spec import convert_legacy_graph
    from dask.array import Array

    def other(key: Any) -> Any:
        return (f"{seed}-{key[0]}", *key[1:]) if isinstance(key, tuple) else f"{seed}-{key}"

    tasks = convert_legacy_graph(dict(array.__dask_graph__()))
    keys = {key: other(key) for key in tasks}
    graph = {keys[key]: task.substitute(keys, key=keys[key]) for key, task in tasks.items()}
    return Array(graph, other(array.name), array.chunks, meta=array._meta)


def cf_encoded(variable: xr.Variable, name: str) -> xr.Variable:
    """Return a variable as files have it by the conventions of CF: times as numbers since a day.

    xarray 2026.2 to 2026.9 name the way back in their documentation, and this one not.
    """
    return xr.conventions.encode_cf_variable(variable, name=name)


def plain_name(name: Any) -> Any:
    """Return a name in a codec as text: Zarr 3.1 has an Enum for each, later ones have the text."""
    return getattr(name, "value", name)


def wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Return what work in the loop of Zarr comes to, from any thread but that of the loop.

    Zarr 3.0 to 3.4 document the asynchronous functions, and not how to wait for them.
    """
    from zarr.core.sync import sync

    return sync(work)


def again_if_interrupted(work: Callable[[], Result]) -> Result:
    """Return what work with tables of FITS files gives, begun again if another thread disturbed it.

    NumPy parses the formats of columns as Python code. CPython 3.11 and 3.12 count the depth of
    what is parsed for all threads together, and raise SystemError where one interrupts another
    (python/cpython#106905); nothing is wrong with the tables.
    """
    for _ in range(_ATTEMPTS):
        with suppress(SystemError):
            return work()
    return work()
