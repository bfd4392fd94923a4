"""Imports of what a command computes with, in a process that has just begun."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""The numbers of options of ``mallopt``, in ``malloc.h`` of the GNU C library."""

_OWN_MAPPING = 2**25
"""Bytes from which on memory is mapped for an array of its own, and unmapped with it."""

_HELD = 2**27
"""Bytes given back to the system together: each page of theirs is cleared when it comes again."""


@contextmanager
def loading() -> Iterator[None]:
    """Let the garbage collector wait while modules are imported.

    They leave three hundred thousand objects, and these stay. The collector would look through them
    again and again, which takes a fifth of the time to start; nor has it to look at them later.
    A process that has computed before, such as a test, is left as it is.
    """
    if not gc.isenabled() or "numba" in sys.modules:
        yield
        return
    gc.disable()
    _share_memory()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _share_memory() -> None:
    """Let all threads take memory from one place, and give it back there.

    Each thread of the GNU C library keeps what it gave back for itself: of the planes of frames,
    a third of all that a night takes, and of the time of the system. What all gave back to one
    place would go to the system, and come again as cleared pages, with nearly each plane.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return
    # other libraries have no such function, or no such option
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _OWN_MAPPING)
        mallopt(_TRIM_THRESHOLD, _HELD)


def load(*modules: str) -> None:
    """Import modules by their names, as in :func:`loading`.

    Among them should be dask.array, which xarray imports with the first array that is not read yet.
    """
    with loading():
        for module in modules:
            import_module(module)
