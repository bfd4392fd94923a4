"""A folder that is followed while the camera writes: reduced, and stacked, as it grows.

The folder is looked at time and again, which works on every disk, that of a network too. A file
counts once its size and time of change are those of the look before and all of it is there: its
header, and as many bytes as that states.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from autowisp_xr import frames, provenance, recipes
from autowisp_xr.errors import AutowispError
from autowisp_xr.filesystem.addresses import file_of, literal
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.night.product_writing import STORE
from autowisp_xr.night.record import Record
from autowisp_xr.night.reduction import reduce
from autowisp_xr.night.renewal import deep_place
from autowisp_xr.night.summary import Summary
from autowisp_xr.night.units import names_of
from autowisp_xr.stack import RunningStack

STATE = "deep.zarr"
"""The store among the results in which deep stacks are saved."""

EVERY = 10.0
"""Seconds from one look at the folder to the next."""

_Version = tuple[int, int]


def watch(
    night: str | PathLike[str],
    out: str | PathLike[str],
    *,
    every: float = EVERY,
    report: Callable[[str], None] = lambda line: None,
    pause: Callable[[float], None] = time.sleep,
    **options: Any,
) -> Summary | None:
    """Reduce a night while it is observed, until it is interrupted (Ctrl-C, SIGTERM).

    Parameters
    ----------
    night, out
        As for :func:`~autowisp_xr.reduce`; ``night`` may still be empty.
    every
        Seconds from one look to the next; a file is taken at the second look that finds it as it
        was, and whole.
    report
        Called with a line on what is done.
    pause
        What waits between two looks.
    **options
        As for :func:`~autowisp_xr.reduce`.

    Returns
    -------
    The summary of the last reduction; None without any. In ``out`` is what ``reduce`` makes of the
    night, and in ``out/deep`` a :class:`~autowisp_xr.RunningStack` of each set of lights, which is
    written anew when frames come to it. A set whose masters changed is stacked from the beginning.
    The stacks are saved in ``out/deep.zarr`` at the end, and taken up from there. A file in
    ``out/deep`` that somebody has changed, or that is no file of this, stays as it is.

    Raises
    ------
    ValueError
        For no positive number of seconds.
    """
    if not every > 0:
        raise ValueError(f"every is a number of seconds above 0, not {every}")
    source, target = Path(night).expanduser(), Path(out).expanduser()
    deep, summary = DeepStacks(target, report), None
    before: dict[str, _Version] = {}
    done: dict[str, _Version] = {}
    report(f"watching {source}, a look every {every:g} s; Ctrl-C ends it")
    left_alone = [*options.pop("skip", ())]
    with _ended_like_by_a_key():
        try:
            while True:
                now = dict(_versions(source, target))
                ready = {
                    path: version
                    for path, version in now.items()
                    if done.get(path) == version or (before.get(path) == version and is_whole(path))
                }
                if ready != done:
                    skip = [*left_alone, *(path for path in now if path not in ready)]
                    summary = reduce(night, out, skip=skip, report=report, **options)
                    done = ready
                    deep.follow(summary)
                before = now
                pause(every)
        except KeyboardInterrupt:
            report("interrupted: saving the deep stacks")
            deep.save()
    return summary


@contextmanager
def _ended_like_by_a_key() -> Iterator[None]:
    """Let SIGTERM, by which services and queues of jobs end a process, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        # only there Python takes signals
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_whole(path: str) -> bool:
    """Return whether all of a FITS file is there: its header, and the pixels that it states."""
    try:
        read_layout(path)
    except (AutowispError, OSError):
        return False
    return True


class DeepStacks:
    """A running stack of each set of calibrated lights of a night.

    Parameters
    ----------
    target
        The directory of the results.
    report
        Called with a line for each stack that is written.
    """

    def __init__(self, target: Path, report: Callable[[str], None]) -> None:
        self.target, self.report = target, report
        self._stacks: dict[str, RunningStack] = {}

    def follow(self, summary: Summary) -> None:
        """Take in what a reduction has made of lights, and write the stacks that changed."""
        for made in summary.made:
            if made.is_master:
                continue
            try:
                self._follow(made.group)
            except (AutowispError, OSError) as error:
                self.report(f"no deep stack of {made.group}: {error}")

    def save(self) -> None:
        """Save the stacks, to be taken up by another run."""
        for group, stack in self._stacks.items():
            if stack.is_whole:
                stack.to_zarr(self.target / STATE, group=group)

    def _follow(self, group: str) -> None:
        ds = recipes.open_zarr(self.target / STORE, group=group)
        stack = self._stacks.get(group) or self._saved(group)
        new = stack.lacking(ds)
        if new is None:
            # of other masters, or of frames that are gone
            stack = RunningStack(sky=("median", None))
            new = ds
        self._stacks[group] = stack
        if not new.sizes["frame"]:
            return
        stack.update(new)
        result = stack.result()
        name = literal(str(self.target / deep_place(group)))
        channel = "" if result.sizes["channel"] == 1 else "_{CLRCHNL}"
        template = f"{name}{channel}.fits"
        record = Record(self.target, self.target / STORE)
        for path in names_of(result, template):
            why = record.why_kept(path)
            if why:
                raise AutowispError(f"{path} stays as it is: {why}")
        written = result.autowisp.to_fits(template, overwrite=True)
        record.add(map(provenance.hashed_entry, written))
        record.save()
        for path in written:
            self.report(f"{path}: {len(stack)} frames")

    def _saved(self, group: str) -> RunningStack:
        try:
            return RunningStack.open(self.target / STATE, group=group)
        except (FileNotFoundError, AutowispError):
            return RunningStack(sky=("median", None))


def _versions(source: Path, target: Path) -> Iterable[tuple[str, _Version]]:
    """Yield the FITS files in a folder, each with its size and time of change."""
    try:
        paths = frames.find_files(source, deep=True, skip=[target])
    except FileNotFoundError:
        return
    for path in paths:
        try:
            status = os.stat(file_of(path))
        except FileNotFoundError:
            continue
        yield path, (status.st_size, status.st_mtime_ns)
