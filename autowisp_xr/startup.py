"""The garbage collector, which would look again and again through what is made and stays.

Modules leave three hundred thousand objects that stay. To look through them while they are
imported took a tenth of the time of a script that stacks thirty frames; through what is known of
ten thousand files, while they are sorted, a quarter of the time of that.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_later() -> Iterator[None]:
    """Let the garbage collector wait while modules are imported, or files are sorted."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
