"""Threads that work together: blocks of what is in memory, or tasks of dask that write files."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache, partial
from typing import Any, TypeVar

from autowisp_xr.bridge.memory_limit import in_force

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


def in_two_threads(work: Callable[[Any], Result], parts: Sequence[Any]) -> list[Result]:
    """Do as :func:`in_threads` with what takes memory, however many processors there are.

    One after the other where a memory limit is stated.
    """
    if in_force().is_stated:
        return [work(part) for part in parts]
    halves = in_threads(lambda half: [work(part) for part in half], (parts[::2], parts[1::2]))
    return [halves[number % 2][number // 2] for number in range(len(parts))]


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the pool of a process; threads do not live on in one that is forked."""

    def begin() -> None:
        _HERE.is_one = True

    return ThreadPoolExecutor(os.cpu_count(), "autowisp-xr", begin)


@contextmanager
def by_threads(number: int) -> Iterator[Any]:
    """Give a scheduler of dask, of so many threads of this process, within the context."""
    import dask.threaded

    with Threads(number) as pool:
        yield partial(dask.threaded.get, pool=pool)


class Threads(ThreadPoolExecutor):
    """Threads that work in the context of those who ask them; once it is left, none works on.

    Those of dask itself go on with what they have begun when something else has failed.
    """

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> "Future[Result]":
        """Have a function called, in a copy of this context."""
        return super().submit(copy_context().run, fn, *args, **kwargs)

    def __exit__(self, *error: object) -> None:
        """Drop what was not begun, and wait for the rest."""
        self.shutdown(cancel_futures=True)

    def of(self, work: Any, **chosen: Any) -> dict[str, Any]:
        """Return the options of ``compute`` by which work of dask is done here, if by threads.

        They are those that were chosen, and the pool. Not a setting of dask: those are of all
        threads, and of two that each set a pool, one is left with that of the other, shut down.
        """
        import dask.config
        import dask.threaded
        from dask.base import get_scheduler

        in_threads = get_scheduler(collections=[work], **chosen) is dask.threaded.get
        own = {"pool": self} if in_threads and not dask.config.get("pool", None) else {}
        return {**chosen, **own}
