"""The one place where Numba is configured.

Kernels release the GIL and take their threads from dask or a pool (``prange`` aborts the process
when two threads enter it). They are cached on disk, so that only the first process on a machine
compiles them. Division by zero gives IEEE infinities and NaN, as in NumPy; ``fastmath`` stays off,
because it would make results depend on how the pixels are blocked.

Numba takes a cached function for current as long as its own file is what it was. But what it calls,
and the constants of other modules, are compiled into it: after an upgrade in place it would go on
with the arithmetic of before. So a cached function is current as long as they are.

Numba numbers the files of what is compiled for each type. Two processes that begin at a time, as
workers do, give one number to two types, and the code for int16 is then loaded for uint16, which
wraps pixels above 32767. So files are named for what is in them.
"""

from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
from numba import njit

# no kernel is called from C; without wrappers for that, one compiles 7 % faster
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function, from the argument types that it meets, on its first call."""
    try:
        compiled = njit(**_OPTIONS, cache=True)(function)
    except RuntimeError:
        # neither the package nor the home of the user can be written to: compiled in each process
        return njit(**_OPTIONS)(function)
    index = _index_of(compiled)
    if index is not None:
        index._source_stamp = (_NAMED_FOR_CONTENT, index._source_stamp, *_stamps(function))
        index.save = partial(_save, index)
    return compiled


_NAMED_FOR_CONTENT = "files named for what is in them"
"""In the stamp of a function: what was cached by numbers may be wrong, and is not loaded."""


def _save(index: Any, key: Any, data: Any) -> None:
    """Add what was compiled to what is cached of a function, in a file that no other content has.

    Of two processes that add to an index at a time it has what one of them did, and the other is
    compiled again. The file comes first: an index names none that is not there.
    """
    digest = sha256(repr((index._source_stamp, key)).encode()).hexdigest()[:16]
    name = f"{index._index_name.removesuffix('.nbi')}.{digest}.nbc"
    index._save_data(name, data)
    index._save_index({**index._load_index(), key: name})


def _index_of(compiled: Any) -> Any:
    """Return the index of what is cached of a function; None of what is not compiled.

    Numba 0.61 to 0.68 have it, its stamp and its files where they call nothing public.
    """
    return getattr(getattr(compiled, "_cache", None), "_cache_file", None)


_CONSTANTS = (int, float, complex, str, bytes, tuple, np.generic, np.ndarray)


def _stamps(function: Callable[..., Any]) -> Iterator[Any]:
    """Yield what a function takes from its module: stamps of what it calls, and constants."""
    names, known = function.__code__.co_names, function.__globals__
    for name in names:
        one = known.get(name)
        inside = [getattr(one, other, None) for other in names] if type(one) is ModuleType else []
        for used in (one, *inside):
            index = _index_of(used)
            if index is not None:
                yield index._source_stamp
            elif isinstance(used, _CONSTANTS):
                yield repr(used)


@kernel
def _same(number: Any) -> Any:
    return number


def warm_up() -> None:
    """Let Numba get ready for its first kernel, beside work that does without any.

    It imports what all kernels need with the first one that a process calls, for 0.3 s in which
    all others wait. Whoever needs a kernel meanwhile waits for that as well.
    """
    Thread(target=_same, args=(0,)).start()
