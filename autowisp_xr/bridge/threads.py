"""The threads in which what is in memory is worked through, block by block."""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any

_HERE = threading.local()


def in_threads(work: Callable[[Any], object], parts: Iterable[Any]) -> None:
    """Call ``work`` with each part, in threads that stay for the next time; return when all end.

    After an error, which is raised, no further part is begun, and those that were are waited for.
    """
    if getattr(_HERE, "is_one", False):
        # it would wait for threads that wait for it
        for part in parts:
            work(part)
        return
    futures = [_pool(os.getpid()).submit(work, part) for part in parts]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the pool of a process; threads do not live on in one that is forked."""

    def begin() -> None:
        _HERE.is_one = True

    return ThreadPoolExecutor(os.cpu_count(), "autowisp-xr", begin)
