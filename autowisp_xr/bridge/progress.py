"""How far work has come: a bar with a rate and the time left, by rich, where somebody looks on.

Whoever computes much does it inside :func:`shown`, and whoever looks on asks for it with
:func:`followed`; in a notebook somebody always does. dask reports which tasks are done.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console

Advance: TypeAlias = Callable[[int], None]
"""Takes how many things are done on top of those before."""

_DELAY = 2.0
"""Seconds of work before there is a bar: what is shorter needs none."""

_SCREEN = Lock()
"""Held by the bar that is shown: work inside of other work, or beside it, has none."""

_followed_on: ContextVar["Console | None"] = ContextVar("followed_on", default=None)


@contextmanager
def followed(console: "Console | None") -> Iterator[None]:
    """Show on a console of rich how far the work inside has come."""
    token = _followed_on.set(console)
    try:
        yield
    finally:
        _followed_on.reset(token)


@contextmanager
def shown(title: str, number: int, unit: str = "frames") -> Iterator[Advance]:
    """Show how far the work inside has come, if somebody looks on and it takes long.

    Parameters
    ----------
    title
        What is done.
    number
        Of how many things.
    unit
        What these are.

    Yields
    ------
    What to call when some are done. What dask computes inside is counted by itself: of all things,
    the share of its tasks that are done.
    """
    console = _followed_on.get() or _of_notebook()
    if console is None or not _SCREEN.acquire(blocking=False):
        yield _nobody_looks
        return
    from dask.callbacks import Callback

    bar = _Bar(console, title, number, unit)
    try:
        with Callback(start_state=bar.expect, posttask=bar.task_done):
            yield bar.advance
    finally:
        bar.end()
        _SCREEN.release()


def _nobody_looks(_: int) -> None:
    pass


def _of_notebook() -> "Console | None":
    """Return the console of the notebook that this runs in, if there is one, and rich."""
    if "ipykernel" not in sys.modules:
        return None
    try:
        from rich import get_console
    except ImportError:
        return None
    return get_console()


class _Bar:
    """A bar of rich that appears after a while."""

    def __init__(self, console: "Console", title: str, number: int, unit: str) -> None:
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn(f"{{task.completed:.0f}} of {number} {unit}{{task.fields[rate]}}"),
            progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
        )
        self._number = number
        self._task = self._bar.add_task(title, total=number, rate="")
        self._begun = time.monotonic()
        self._things = 0.0
        self._tasks = 0

    def expect(self, _: object, state: Mapping[str, Any]) -> None:
        """Take note of the tasks that dask is about to carry out."""
        self._tasks = sum(len(state[name]) for name in ("ready", "waiting"))

    def task_done(self, *_: object) -> None:
        """Take note of a task that dask has carried out."""
        self.advance(self._number / max(self._tasks, 1))

    def advance(self, number: float) -> None:
        """Take note of things that are done."""
        self._things = min(self._things + number, self._number)
        elapsed = time.monotonic() - self._begun
        if elapsed < _DELAY:
            return
        self._bar.start()
        rate = f", {self._things / elapsed:.3g}/s"
        self._bar.update(self._task, completed=self._things, rate=rate)

    def end(self) -> None:
        """Take the bar away."""
        self._bar.stop()
