"""The threads in which what is in memory is worked through, block by block."""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")

_HERE = threading.local()


def in_threads(work: Callable[[Any], Result], parts: Iterable[Any]) -> list[Result]:
    """Call ``work`` with each part, in threads that stay for the next time; return what it returns.

    After an error, which is raised, no further part is begun, and those that were are waited for.
    """
    if getattr(_HERE, "is_one", False):
        # it would wait for threads that wait for it
        return [work(part) for part in parts]
    futures = [_pool(os.getpid()).submit(work, part) for part in parts]
    try:
        return [future.result() for future in futures]
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
