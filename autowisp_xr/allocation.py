"""Memory that is free in this process: kept for the next planes, and given back between products.

Decision: planes of frames come and go by the hundred, in several threads. The GNU C library has
eight pools a processor, each of which keeps up to 64 MB that are free (a third of all that a night
takes), and gives large arrays back to the system with each deletion, so that they come again as
cleared pages (a tenth of the time of a night); the nanny of dask lets it do so from 64 kB on (half
of the time of workers). So there are two pools, and planes stay in them. A process whose
environment chooses otherwise is left as it is, and so are other libraries, which have no such
options.
"""

import ctypes
import os
from contextlib import suppress
from functools import cache

OF_NANNY = {"MALLOC_TRIM_THRESHOLD_": "65536"}
"""In what environment dask starts its workers, unless somebody has chosen otherwise."""

# the numbers of options of ``mallopt``, in ``malloc.h``
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

_OPTIONS = {_ARENA_MAX: 2, _MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**27}
"""Pools; bytes of an array that is mapped alone; free bytes that are given back together."""


@cache
def keep_planes() -> None:
    """Let threads keep the memory of planes for the next ones, in few pools."""
    if _chosen().items() <= OF_NANNY.items():
        for option, value in _OPTIONS.items():
            _call("mallopt", option, value)


def give_back() -> None:
    """Give memory that is free in this process back to the system."""
    _call("malloc_trim", 0)


def _chosen() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")}


def _call(name: str, *arguments: int) -> None:
    with suppress(AttributeError, OSError, TypeError):
        getattr(ctypes.CDLL(None), name)(*arguments)
