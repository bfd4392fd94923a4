"""Look into many files by several processes: parsing headers is work for Python.

Decision: the processes are started by hand, not by a pool of the standard library or of dask. Those
either fork, which a process with threads should not, or import the program of the user once more,
which has to be written for that; a folder should open as fast in a script of three lines, or in a
notebook. What a process that fails has not done is done here.
"""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from os import PathLike
from typing import Any

from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.frames.finding import Found, found_in
from autowisp_xr.frames.names import Paths
from autowisp_xr.frames.scanning import FileRecord, look_into, options_of
from autowisp_xr.headers.aliases import KeywordAliases

FEWEST = 1000
"""Files a process that are worth another one: to start it takes as long as to look into so many."""

_BLOCK = 100
"""Files that are looked into at a time."""

_Block = tuple[int, Sequence[str]]


def scan(
    paths: Paths | Found,
    *,
    hdu: HduChoice = None,
    aliases: KeywordAliases | None = None,
    types: Mapping[str, str] | None = None,
    deep: bool = False,
    skip: Collection[str | PathLike[str]] = (),
) -> list[FileRecord]:
    """Look into files without reading their pixels.

    Parameters
    ----------
    paths, deep, skip
        As for :func:`autowisp_xr.frames.finding.find_files`; or what was found by them.
    hdu
        As for :func:`autowisp_xr.fits.layout.read_layout`.
    aliases
        The aliases of each quantity; None for the usual ones.
    types
        {pattern: type} of frames whose headers do not give their type, or a wrong one; as for
        :func:`autowisp_xr.frames.type_rules.type_rules`. The first rule that a file fits decides,
        over all cards and names.

    Returns
    -------
    A record for each file, in order. A file that cannot be read, or whose header contradicts
    itself, has its ``error``. Where neither a rule nor a card gives the type of a frame, its name
    does, else that of its folder, and ``guesses`` lists it.

    Raises
    ------
    FileNotFoundError
        Only if there is nothing by one of the names that were given.
    ValueError, TypeError
        For a type rule that means nothing, and for aliases of another type.
    """
    options = options_of(hdu=hdu, aliases=aliases, types=types)
    return scan_files(found_in(paths, deep, skip).files, **options)


def scan_files(files: Sequence[str], **options: Any) -> list[FileRecord]:
    """Look into files by their absolute paths, with the options of :func:`scan`."""
    processes = _processes_for(len(files))
    if processes == 1:
        return look_into(files, **options)
    return _in_processes(files, processes, options)


def _in_processes(
    files: Sequence[str], processes: int, options: Mapping[str, Any]
) -> list[FileRecord]:
    starts = range(0, len(files), _BLOCK)
    blocks: Iterator[_Block] = iter([(at, files[at : at + _BLOCK]) for at in starts])
    found: dict[int, list[FileRecord]] = {}

    def look(block: Sequence[str]) -> list[FileRecord]:
        return look_into(block, **options)

    def work(scan: Callable[[Sequence[str]], list[FileRecord]]) -> None:
        for at, block in blocks:
            found[at] = scan(block)

    def help_out() -> None:
        # what has failed is missing below
        with suppress(OSError, EOFError, pickle.PickleError), _other_process(options) as scan:
            work(scan)

    with ThreadPoolExecutor(processes - 1) as pool:
        for _ in range(processes - 1):
            pool.submit(help_out)
        try:
            work(look)
        finally:
            # who interrupts this does not wait for what others would do
            deque(blocks, maxlen=0)
    return [
        record
        for at in starts
        for record in (found[at] if at in found else look(files[at : at + _BLOCK]))
    ]


def _processes_for(number: int) -> int:
    """Return how many processes are worth while for a number of files."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(min(cores, number // FEWEST), 1) if sys.executable else 1


@contextmanager
def _other_process(options: Any) -> Iterator[Callable[[Sequence[str]], list[FileRecord]]]:
    """Start a process, and give a function that scans files in it."""
    program = f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as m; m.serve()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", program], **pipes, stderr=subprocess.DEVNULL)
    to: Any = process.stdin
    back: Any = process.stdout

    def send(value: Any) -> None:
        pickle.dump(value, to, pickle.HIGHEST_PROTOCOL)
        to.flush()

    def scan(files: Sequence[str]) -> list[FileRecord]:
        send(files)
        found: list[FileRecord] = pickle.load(back)
        return found

    try:
        send(options)
        yield scan
    finally:
        process.kill()
        process.wait()
        for pipe in (to, back):
            with suppress(OSError):
                pipe.close()


def serve() -> None:
    """Scan files for the process that has started this one, until it ends."""
    # whatever prints must not come between
    with os.fdopen(os.dup(1), "wb") as back:
        os.dup2(2, 1)
        options = pickle.load(sys.stdin.buffer)
        with suppress(EOFError):
            while True:
                records = look_into(pickle.load(sys.stdin.buffer), **options)
                pickle.dump(records, back, pickle.HIGHEST_PROTOCOL)
                back.flush()
