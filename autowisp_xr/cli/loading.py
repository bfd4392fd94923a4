"""Imports of what a command computes with, in a process that has just begun."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

_ARENA_MAX = -8
"""The number of an option of ``mallopt``, in ``malloc.h`` of the GNU C library."""


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
    a third of all that a night takes, and of the time of the system.
    """
    if "MALLOC_ARENA_MAX" not in os.environ:
        # other libraries have no such function, or no such option
        with suppress(AttributeError, OSError, TypeError):
            ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def load(*modules: str) -> None:
    """Import modules by their names, as in :func:`loading`.

    Among them should be dask.array, which xarray imports with the first array that is not read yet.
    """
    with loading():
        for module in modules:
            import_module(module)
