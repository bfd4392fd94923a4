"""The one place where Numba is configured.

Kernels release the GIL and take their threads from dask or a pool (``prange`` aborts the process
when two threads enter it). They are cached on disk, so that only the first process on a machine
compiles them. Division by zero gives IEEE infinities and NaN, as in NumPy; ``fastmath`` stays off,
because it would make results depend on how the pixels are blocked.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function, from the argument types that it meets, on its first call."""
    try:
        return njit(**_OPTIONS, cache=True)(function)
    except RuntimeError:
        # neither the package nor the home of the user can be written to: compiled in each process
        return njit(**_OPTIONS)(function)
