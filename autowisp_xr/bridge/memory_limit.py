"""How much memory work may take: what a verb is given, else the environment, else half of the rest.

A limit is for one process and all of its threads; under a Client of dask.distributed, for a worker,
and never more than a worker may take. The interpreter, its packages and compiled
kernels come on top (some 300 MB), and so do arrays that the user has in memory already; buffers of
files, tasks and what the allocator keeps do not, and are taken off what is planned with.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple, TypeAlias

from autowisp_xr.allocation import give_back, keep_planes
from autowisp_xr.bridge.planner import Plan
from autowisp_xr.errors import MemoryLimitError

MemoryLimit: TypeAlias = "str | int | None"
"""As "2GB" or "500 MiB", or in bytes; None for that of AUTOWISP_XR_MEMORY_LIMIT, else half of what
the machine, or its control group, has free."""

VARIABLE = "AUTOWISP_XR_MEMORY_LIMIT"

BASE = 300 * 10**6
"""Bytes of the interpreter, its packages and compiled kernels."""

_BESIDE = 200 * 10**6
"""Bytes that buffers and the allocator take beside planes; of a small limit, half at most."""

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_given: ContextVar[int | None] = ContextVar("memory_limit", default=None)
_at_once: ContextVar[int | None] = ContextVar("at_once", default=None)


class Limit(NamedTuple):
    """The limit in force."""

    bytes: int
    is_stated: bool
    """Whether somebody asked for it: then what cannot be done in it is an error."""

    @property
    def for_work(self) -> int:
        """Bytes that planes may take."""
        return max(self.bytes - _BESIDE, self.bytes // 2)


@contextmanager
def limited(limit: MemoryLimit) -> Iterator[None]:
    """Keep what is planned inside to a limit; None leaves the one in force."""
    token = _given.set(_given.get() if limit is None else parsed(limit))
    keep_planes()
    try:
        yield
    finally:
        _given.reset(token)
        if limit is not None:
            give_back()


def in_force() -> Limit:
    """Return the limit of the verb that is running."""
    given = _given.get()
    if given is None and (text := os.environ.get(VARIABLE, "").strip()):
        given = parsed(text)
    most = [worker.memory for worker in _cluster() if worker.memory]
    if given is None:
        return Limit(min(most or [free_memory()]) // 2, False)
    return Limit(min([given, *most]), True)


def parsed(limit: str | int) -> int:
    """Return a limit in bytes.

    Raises
    ------
    ValueError
        For what is no positive number of bytes.

    Examples
    --------
    >>> parsed("2GB"), parsed("1.5 MiB"), parsed(4096)
    (2000000000, 1572864, 4096)
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)(I?)B?\s*", str(limit).upper())
    try:
        number = float(found[1]) if found else 0.0
    except ValueError:
        number = 0.0
    if found is None or not number > 0:
        raise ValueError(
            f"a memory limit is a positive number of bytes, or such as '2GB', not {limit!r}"
        )
    return int(number * (1024 if found[3] else 1000) ** _UNITS[found[2]])


@contextmanager
def at_once(number: int) -> Iterator[None]:
    """Plan what is planned inside for so many threads, which share the limit."""
    token = _at_once.set(number)
    try:
        yield
    finally:
        _at_once.reset(token)


def workers() -> int:
    """Return how many threads of dask work at once in a process."""
    import dask.config
    from dask.system import CPU_COUNT

    chosen = _at_once.get() or dask.config.get("num_workers", None)
    return int(chosen or max((worker.threads for worker in _cluster()), default=CPU_COUNT))


def threads_of_cluster() -> int:
    """Return how many threads the workers of the Client have together; 0 without a Client."""
    return sum(worker.threads for worker in _of_client())


class Worker(NamedTuple):
    """A process of a cluster."""

    threads: int
    memory: int
    """Bytes that it may take before it is ended; 0 where nobody has stated that."""


def _cluster() -> list[Worker]:
    """Return the workers that compute: this one, or those of the Client; none for this process."""
    if "distributed" not in sys.modules:
        return []
    from distributed import get_worker

    with suppress(ValueError):
        own = get_worker()
        return [Worker(own.state.nthreads, own.memory_manager.memory_limit or 0)]
    return _of_client()


_BY_CLIENT = ("distributed", "dask.distributed")
"""What dask calls the scheduler of the Client, which it takes without a name, too."""


def _of_client() -> list[Worker]:
    import dask.config

    chosen = dask.config.get("scheduler", None)
    if "distributed" not in sys.modules or chosen not in (None, *_BY_CLIENT):
        return []
    from distributed import default_client

    try:
        found = default_client().scheduler_info(n_workers=-1)["workers"].values()
    except ValueError:
        return []
    return [Worker(one["nthreads"], one["memory_limit"] or 0) for one in found]


def kept(plan: Plan, what: str, limit: Limit) -> Plan:
    """Return a plan that keeps the limit.

    Raises
    ------
    MemoryLimitError
        Where somebody stated a limit that ``what`` cannot be done in, naming what it takes.
    """
    if limit.is_stated and plan.least > limit.for_work:
        enough = text_of(min(plan.least + _BESIDE, 2 * plan.least))
        raise MemoryLimitError(
            f"{what} takes {enough} at least, and the memory limit is {text_of(limit.bytes)}; give "
            f"a limit of {enough} or more, or let fewer threads work (num_workers of dask, "
            "DASK_NUM_WORKERS=1 in the environment)"
        )
    return plan


def free_memory() -> int:
    """Return how many bytes the machine has free, or its control group, where that is less."""
    free = [_available()]
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        (
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        try:
            free.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):
            # there is no such group, or it has no limit ("max")
            continue
    return max(min(free), 2**28)


def _available() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):
        # other systems do not state what is free
        return 2**33


def text_of(number: int) -> str:
    """Write bytes as a limit is written, rounded up: "2GB"."""
    if number < 10**6:
        return f"{-(-number // 10**3)}kB"
    if number < 10**9:
        return f"{-(-number // 10**6)}MB"
    return f"{-(-number // 10**8) / 10:g}GB"
