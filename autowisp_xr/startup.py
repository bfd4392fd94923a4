"""The garbage collector, which would look again and again through what is made and stays.

Modules leave three hundred thousand objects that stay. To look through them while they are
imported took a tenth of the time of a script that stacks thirty frames; through what is known of
ten thousand files, while they are sorted, a quarter of the time of that, and once more at its end.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_MANY = 10_000
"""Objects made that are worth the trouble; to look through as many takes less than 1 ms."""


class _Waiting:
    """Who lets the collector wait: threads may at the same time, and end in any order."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.users = 0
        self.was_on = False


_waiting = _Waiting()


@contextmanager
def collecting_later() -> Iterator[None]:
    """Let the garbage collector wait while modules are imported, or files are sorted."""
    with _waiting.lock:
        if _waiting.users == 0:
            _waiting.was_on = gc.isenabled()
            gc.disable()
        _waiting.users += 1
    try:
        yield
    finally:
        with _waiting.lock:
            _waiting.users -= 1
            if _waiting.users == 0 and _waiting.was_on:
                _keep()
                gc.enable()


def _keep() -> None:
    """Count what was made as old, so that it is not looked through at once."""
    # to count what is frozen takes 20 ms where a command has frozen all that it imported
    if gc.get_count()[0] > _MANY and gc.get_freeze_count() == 0:
        gc.freeze()
        gc.unfreeze()
