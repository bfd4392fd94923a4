"""The one place where Numba is configured.

Kernels release the GIL and take their threads from dask or a pool (``prange`` aborts the process
when two threads enter it). They are cached on disk, so that only the first process on a machine
compiles them. Division by zero gives IEEE infinities and NaN, as in NumPy; ``fastmath`` stays off,
because it would make results depend on how the pixels are blocked.
"""

from numba import njit

__all__ = ["kernel"]

kernel = njit(nogil=True, cache=True, error_model="numpy")
