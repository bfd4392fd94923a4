"""Run cases, each of which has to end in time, in bounded memory, and with our own errors alone."""

import gc
import random
import resource
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz.kind import Kind
from tests.fuzz.kinds import KINDS

SECONDS = 5
"""Of the processor, that a case may take."""

_MEMORY = 250 << 20
"""Bytes by which a case may raise the peak of the process; a kernel is compiled in 100 MB."""


_WARM = 10
"""Cases that are tried without any limit at first."""


class Hang(BaseException):
    """A case that takes too long."""


class Finding(NamedTuple):
    """A case that went wrong."""

    kind: str
    seed: int
    number: int
    what: str
    where: str
    """Place in the code, by which findings are counted as one."""


def findings(
    kind: str, seed: int, numbers: range, begin: Callable[[int], object] = lambda number: None
) -> Iterator[Finding]:
    """Run the cases of some numbers, of which each is announced, and yield those that go wrong."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        taken = KINDS[kind][0](Path(folder))
        for number in range(_WARM):
            # what is imported, compiled or kept once is none of the cases
            with suppress(Exception):
                taken.take(taken.make(random.Random(f"{kind} {number}")))
        for number in numbers:
            begin(number)
            what, where = _run(taken, random.Random(f"{kind} {seed} {number}"))
            if what:
                yield Finding(kind, seed, number, what, where)


def _run(kind: Kind, rng: random.Random) -> tuple[str, str]:
    thing = kind.make(rng)
    before = _peak()
    try:
        with _in_time():
            what, where = kind.take(thing), ""
    except Exception as error:
        what, where = _judged(error, kind.allowed)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        what, where = f"{type(error).__name__}: {str(error)[:200]}", _place(error)
        del error
        gc.collect()
    risen = _peak() - before
    if risen > _MEMORY:
        what, where = f"{what} (peak memory rose by {risen >> 20} MB)".strip(), where or "memory"
    return what, where or what[:60]


def _judged(error: Exception, allowed: tuple[type[Exception], ...]) -> tuple[str, str]:
    """Return what is wrong with an error, and where it came from; "" for one of our own."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    # a sentence of ours may be a ValueError, one of Python is none
    deliberate = isinstance(error, ValueError) and (last.line or "").startswith("raise ")
    if isinstance(error, allowed) or (deliberate and "autowisp_xr/" in last.filename):
        return ("", "") if str(error) else ("an error without a word", _place(error))
    return f"{type(error).__name__}: {str(error)[:200]}", _place(error)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _place(error: BaseException) -> str:
    """Return where in the package an error began."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "autowisp_xr/" in frame.filename] or list(frames)[-1:]
    name = own[-1].filename.rpartition("autowisp_xr/")[2]
    return f"{type(error).__name__} {name}:{own[-1].lineno}"


@contextmanager
def _in_time() -> Iterator[None]:
    def end(*_: Any) -> None:
        raise Hang(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
