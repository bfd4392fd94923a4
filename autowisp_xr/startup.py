"""The garbage collector, which would look again and again through what is imported.

Modules leave three hundred thousand objects that stay. To look through them while they are
imported, and again at the end of the process, took a third of the time of a script that stacks
thirty frames.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Let the garbage collector wait while modules are imported."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# what is in cycles at the end of the process goes with it
atexit.register(gc.freeze)
