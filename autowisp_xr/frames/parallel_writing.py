"""Write frames a few at a time, each file whole or not at all.

Decision: all frames that are lazy become one dask graph that ends in written files. A graph for
each frame would read the masters anew for each, and leave cores idle while one of them writes.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event, Lock
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance
from autowisp_xr.arrays import Cube, Image, Numbers
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.beside import Beside
from autowisp_xr.bridge.memory_limit import workers
from autowisp_xr.bridge.planner import Plan
from autowisp_xr.bridge.progress import shown
from autowisp_xr.bridge.rows import InStep, Rows, runs
from autowisp_xr.bridge.threads import Threads, by_threads
from autowisp_xr.frames.atomic_write import Content, NamedTogether, Staged, stage, write_whole
from autowisp_xr.frames.noise_cards import on_grid, with_noise
from autowisp_xr.frames.product_hdus import are_alike, content_of

Report: TypeAlias = Callable[[Sequence[dict[str, Any]]], None]

_ROWS = 4
"""Rows of any type that are whole words, of which the sums of a file are made."""

_WRITERS = min(os.cpu_count() or 1, 4) + 1
"""Frames at a time, each of which takes memory: one waits for the disk while the others compute."""


@dataclass(frozen=True)
class Target:
    """A file that is to be written, and which frame and channel it holds."""

    path: str
    frame: int | None
    channel: int
    header: fits.Header
    history: Sequence[str]
    """Values of the HISTORY cards."""
    exact: bool
    """Whether the error is stored in float64."""


@dataclass(frozen=True)
class Targets:
    """The files of a frame."""

    of_channels: Sequence[Target | None]
    """None where a channel is not to be written."""

    def __dask_tokenize__(self) -> Any:
        return [target and (target.path, target.channel) for target in self.of_channels]


@dataclass(frozen=True)
class Writing:
    """A callable that writes frames, in threads or by the workers of dask."""

    names: Sequence[str]
    """Names of the planes."""
    overwrite: bool
    quantize: float | None
    """As for :func:`autowisp_xr.frames.product_hdus.content_of`."""
    digest: bool = False
    """Whether each file is read again, while its bytes are at hand, for its SHA-256."""

    def __call__(self, targets: Sequence[Targets], *planes: Cube) -> Any:
        """Write frames, given the files of each and their planes (frame, channel, y, x).

        Returns a list for each frame: an entry of each of its files, as
        :func:`autowisp_xr.provenance.file_entry` makes it, with ``digest`` as ``hashed_entry``.
        """
        written = np.empty(len(targets), object)
        for i, files in enumerate(targets):
            of_frame = [plane[i] for plane in planes]
            written[i] = self._frame(files, partial(_of_channel, of_frame))
        return written

    def by_rows(self, files: Targets, rows: Rows) -> list[dict[str, Any]]:
        """Write a master of which some rows are in memory at a time."""
        together = max(rows.number // _ROWS, 1) * _ROWS
        return self._frame(files, rows.of_channel, together)

    def in_step(self, files: Sequence[Targets], rows: Rows) -> Iterator[list[dict[str, Any]]]:
        """Write frames of which the same rows are in memory at a time; yield as ``by_rows`` has it.

        Those together that have files of the same channels to write.
        """
        together = max(rows.number // _ROWS, 1) * _ROWS
        channels = [[target is not None for target in one.of_channels] for one in files]
        for run in runs(range(len(files)), len(files), channels.__getitem__):
            if any(channels[run[0]]):
                own = slice(run[0], run[-1] + 1)
                write = partial(self._in_step, files[own], together)
                yield from InStep(replace(rows, planes=[one[own] for one in rows.planes])).each(
                    write
                )

    def _in_step(
        self,
        files: Sequence[Targets],
        rows: int,
        frame: int,
        planes_of: Callable[[int], Sequence[Any]],
    ) -> list[dict[str, Any]]:
        return self._frame(files[frame], planes_of, rows)

    def _frame(
        self,
        files: Targets,
        planes_of: Callable[[int], Sequence[Any]],
        rows: int | None = None,
    ) -> list[dict[str, Any]]:
        outputs = self._outputs(files, planes_of, rows)
        # dask repeats what a worker was doing when it died
        write_whole(outputs, overwrite=self.overwrite, alike=are_alike)
        return [self._noted(path) for path, _ in outputs]

    def staged(self, files: Targets, of_frame: Sequence[Cube]) -> tuple[Staged, list[Any]]:
        """Write the files of a frame under temporary names, and return their entries, too."""
        staged = stage(self._outputs(files, partial(_of_channel, of_frame), None))
        return staged, [self._noted(temporary) | {"path": path} for temporary, path in staged]

    def _noted(self, path: str) -> dict[str, Any]:
        return provenance.hashed_entry(path) if self.digest else provenance.file_entry(path)

    def _outputs(
        self,
        files: Targets,
        planes_of: Callable[[int], Sequence[Any]],
        rows: int | None,
    ) -> list[tuple[str, Content]]:
        return [
            (target.path, self._content(target, planes_of(j), rows))
            for j, target in enumerate(files.of_channels)
            if target
        ]

    def _content(self, target: Target, planes: Sequence[Any], rows: int | None) -> Content:
        named = dict(zip(self.names, planes, strict=True))
        return content_of(
            named,
            with_noise(target.header, named if rows is None else on_grid(named)),
            target.history,
            exact=target.exact,
            tiles=_is_tiled(target),
            quantize=self.quantize,
            rows=rows,
        )


def _of_channel(planes: Sequence[Cube], channel: int) -> list[Image]:
    return [plane[channel] for plane in planes]


def _is_tiled(target: Target) -> bool:
    return target.path.endswith(".fz")


def write_frames(
    ds: xr.Dataset, write: Writing, targets: Sequence[Target | None]
) -> Iterator[list[dict[str, Any]]]:
    """Write frames, or a master, and yield the records of their files.

    After an error no further frame is begun.

    Parameters
    ----------
    ds
        What has the planes of ``write``, in memory or lazy. With dask, its scheduler runs the
        writing, too: on a cluster, names have to mean the same files everywhere.
    write
        What to write, and how.
    targets
        A file for each frame and channel, in the order of frames, then channels; None for none.

    Yields
    ------
    What ``write`` returns for each frame; with dask, when all are written.

    Raises
    ------
    OSError
        Where a file cannot be written, naming it.
    """
    planes = [ds[name].variable for name in write.names]
    # what is compressed is whole in memory anyway
    unit = 0 if any(target and _is_tiled(target) for target in targets) else _ROWS
    if "frame" not in ds.dims:
        rows = blocks.by_rows(planes, unit, **scheduler())
        if rows is not None:
            yield write.by_rows(Targets(targets), rows)
            return
        done = ds[list(write.names)].compute(**scheduler())
        yield from write([Targets(targets)], *(plane.values[None] for plane in done.values()))
        return
    files = {i: one for i, one in enumerate(_by_frame(ds, targets)) if any(one.of_channels)}
    plan = blocks.frames_at_once(planes, _WRITERS, unit)
    into = {os.path.dirname(target.path) for target in targets if target}
    title = f"FITS: {min(into, default='')}"
    with Threads(plan.at_once) as pool, shown(title, len(files)) as advance:
        written: Iterable[Any]
        if plan.rows < ds.sizes["y"]:
            written = _by_rows(planes, files, write, plan)
        elif any(plane.chunks for plane in planes):
            written = _by_dask(planes, files, write, pool)
        else:
            # what is lazy without dask is read here, and gone with each frame: what xarray
            # opens itself keeps what was read of it. By slices: stores look up the places of
            # all pixels where an index is a list
            written = _until_one_fails(
                pool,
                lambda i: write([files[i]], *(plane[i : i + 1].values for plane in planes)),
                files,
            )
        for of_frames in written:
            yield from of_frames
            advance(len(of_frames))


def _by_rows(
    planes: Sequence[xr.Variable], files: Mapping[int, Targets], write: Writing, plan: Plan
) -> Iterator[list[list[dict[str, Any]]]]:
    """Write frames of which some rows are in memory at a time."""
    with by_threads(workers()) as scheduler:
        for numbers in runs(list(files), plan.at_once):
            some = [plane[numbers[0] : numbers[-1] + 1] for plane in planes]
            of_frames = [files[i] for i in numbers]
            yield list(write.in_step(of_frames, Rows(some, plan.rows, scheduler)))


def _until_one_fails(
    pool: Threads, write: Callable[[int], Any], frames: Iterable[int]
) -> Iterable[Any]:
    """Write frames by the threads of a pool; after an error none is begun."""
    failed = Event()

    def one(frame: int) -> Any:
        if failed.is_set():
            # nobody waits for it: frames begin in order, so the error comes first
            raise CancelledError
        try:
            return write(frame)
        except BaseException:
            failed.set()
            raise

    return pool.map(one, frames)


@contextmanager
def beside(
    ds: xr.Dataset, write: Writing, targets: Sequence[Target | None], report: Report
) -> Iterator[Beside]:
    """Give what writes frames, or a master, in the pass in which something else is made of them.

    Parameters
    ----------
    ds, write, targets
        As for :func:`write_frames`.
    report
        Called with the records of the files of each frame.
    """
    planes = [ds[name].variable for name in write.names]
    with NamedTogether() as naming:
        reporting = _Reporting(write, report, naming)
        if "frame" not in ds.dims:
            of_master = partial(reporting.of_master, Targets(targets))
            yield Beside(planes, of_master, reporting.by_rows)
            return
        operands = [xr.Variable("frame", _array_of(_by_frame(ds, targets))), *planes]
        yield Beside(operands, reporting, reporting.by_rows)


def _by_frame(ds: xr.Dataset, targets: Sequence[Target | None]) -> list[Targets]:
    number, channels = ds.sizes["frame"], ds.sizes["channel"]
    return [Targets(targets[i * channels : (i + 1) * channels]) for i in range(number)]


def _array_of(files: Sequence[Targets]) -> Numbers:
    array = np.empty(len(files), object)
    array[:] = files
    return array


def scheduler() -> dict[str, Any]:
    """Return the option of dask for threads, where it would import its cluster to find none."""
    import dask.config
    import dask.threaded

    chosen = dask.config.get("scheduler", None)
    return {} if chosen or "distributed" in sys.modules else {"scheduler": dask.threaded.get}


def settings() -> dict[str, Any]:
    """Return settings of dask for threads, by which it imports its cluster for nothing at all."""
    chosen = scheduler()
    return chosen | {"array.rechunk.method": "tasks"} if chosen else chosen


def _by_dask(
    planes: Sequence[xr.Variable],
    files: Mapping[int, Targets],
    write: Writing,
    pool: Threads,
) -> Iterable[Any]:
    from dask.base import compute

    chosen = list(files)
    targets = _array_of(list(files.values()))
    if len(chosen) < planes[0].sizes["frame"]:
        planes = [plane.isel(frame=chosen) for plane in planes]
    operands = [xr.Variable("frame", targets), *map(blocks.framewise, planes)]
    (written,) = blocks.apply(_Written(write), operands, ("frame",), [object], alone=True)
    return compute(*written.data.to_delayed().ravel(), **pool.of(written.data, **scheduler()))


@dataclass(frozen=True)
class _Written:
    """A writing as a kernel, whose only result is what was written."""

    write: Writing

    def __call__(self, *operands: Any) -> tuple[Any]:
        return (self.write(*operands),)


@dataclass(frozen=True, eq=False)
class _Reporting:
    """A writing that reports the files of each frame, one frame at a time."""

    write: Writing
    report: Report
    naming: NamedTogether
    lock: Any = field(default_factory=Lock)

    def __call__(self, targets: Sequence[Targets], *planes: Cube) -> None:
        for files, *of_frame in zip(targets, *planes, strict=True):
            staged, entries = self.write.staged(files, of_frame)
            self.naming.add(staged, partial(self._report, entries))

    def of_master(self, targets: Targets, *planes: Cube) -> None:
        """Write the files of a master, given its planes (channel, y, x)."""
        for of_master in self.write([targets], *(plane[None] for plane in planes)):
            self._report(of_master)

    def _report(self, entries: Sequence[dict[str, Any]]) -> None:
        with self.lock:
            self.report(entries)

    def by_rows(self, targets: Sequence[Targets], rows: Rows) -> None:
        """Write the files of frames, of which some rows are in memory at a time."""
        for entries in self.write.in_step(targets, rows):
            self._report(entries)

    def __dask_tokenize__(self) -> Any:
        from dask.base import normalize_token

        return normalize_token(self.write)
