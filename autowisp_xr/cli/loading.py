"""Imports of what a command computes with, in a process that has just begun."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from autowisp_xr.allocation import keep_planes
from autowisp_xr.startup import collecting_later


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
    keep_planes()
    try:
        with collecting_later():
            yield
    finally:
        gc.freeze()


def load(*modules: str) -> None:
    """Import modules by their names, as in :func:`loading`.

    Among them should be dask.array, which xarray imports with the first array that is not read yet.
    """
    with loading():
        for module in modules:
            import_module(module)
