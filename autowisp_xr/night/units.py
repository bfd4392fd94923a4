"""Units of the work on a night: values that any process can carry out, at any time, again.

Decision: a unit states where its inputs lie and what they are, by identity, and holds none of their
pixels or headers: it is as small for frames of 61 megapixels in a night of a million. What it
writes is whole or not there. So whoever distributes units, be it threads, dask.distributed or the
workflow engine of a site, needs to know nothing of what they do, and may carry out one twice, or
lose the process that does: an output of the identity that was asked for is accepted, and any other
one is kept, and named.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from glob import escape, glob
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias

import dask.config
import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance, recipes, schema, store
from autowisp_xr.bridge.beside import Beside
from autowisp_xr.bridge.memory_limit import limited
from autowisp_xr.errors import AutowispError, BadImageError
from autowisp_xr.filesystem.locking import locked
from autowisp_xr.frames.named_masters import stated_in
from autowisp_xr.frames.names import fill_template
from autowisp_xr.frames.write import Result, write_beside, write_missing
from autowisp_xr.headers.cards import has_doubts
from autowisp_xr.night.record import leave_receipt, set_left_by
from autowisp_xr.night.sentences import DOUBT, sentence
from autowisp_xr.provenance.frame_records import digest
from autowisp_xr.steps.geometry import merge_channels


class UnitError(AutowispError, ValueError):
    """What is to be a unit is none, or cannot be carried out yet."""


Report = Callable[[Sequence[Mapping[str, Any]]], None]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of a unit that writes files."""

    files: tuple[Mapping[str, Any], ...] = ()
    """Those that it has written, as :func:`autowisp_xr.provenance.file_entry` states them."""
    found: Mapping[str, bool] = field(default_factory=dict)
    """Those that were there and stay, by path: whether they are what was to be written."""


Cfa: TypeAlias = Literal["split", "merged"]
"""How calibrated frames of a colour camera leave: a file for each channel, or a mosaic."""


@dataclass(frozen=True, kw_only=True)
class Make:
    """A master, with its files, or the frames of a set, as their recipe, in the store of a night.

    It does what ``reduce`` would do for this product, and so makes the same; units of a night that
    make something follow one another, for each of them writes to the record of the night.
    """

    night: str
    out: str
    """As for :func:`~autowisp_xr.reduce`."""
    group: str
    """In the store of the night."""
    needs: tuple[str, ...] = ()
    """Groups of the masters that it needs, which have to be there."""
    frames: str = ""
    """A digest of the files of its frames: with others, it is another unit."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those of :func:`~autowisp_xr.reduce`."""

    @property
    def id(self) -> str:
        """A digest of what it makes of what."""
        return digest([self.night, self.out, self.group, self.needs, self.frames])


@dataclass(frozen=True, kw_only=True)
class Export:
    """Frames of a set in a store, or a master, as FITS files: by their recipe, if it has that."""

    store: str
    group: str
    identity: str = ""
    """Of what is in the group; see :func:`autowisp_xr.store.identity_of`. Without, it is what
    ``after`` has made."""
    after: str = ""
    """The ``id`` of the unit that makes what is in the group, and states the rest of this."""
    template: str = ""
    """Of the names of the files; see :func:`~autowisp_xr.to_fits`."""
    cfa: Cfa = "split"
    """Whether the channels of a mosaic are files of their own, or one mosaic."""
    frames: tuple[int, int] | None = None
    """From the first to before the last; None for all of them, or a master."""
    doubts: tuple[str, ...] = ()
    """What is doubtful about each of the frames, for its header; () for nothing."""
    replaces: tuple[str, ...] = ()
    """Files that may be replaced."""
    digests: bool = True
    """Whether the digests of files are noted, and results were looked at for doubts."""
    memory_limit: int | None = None
    """Bytes that a process may take; see :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`."""

    @property
    def id(self) -> str:
        """A digest of all that it is."""
        return digest(asdict(self))

    def covers(self, numbers: AbstractSet[int]) -> bool:
        """Whether any of the frames of these numbers is among its own."""
        return self.frames is None or not numbers.isdisjoint(range(*self.frames))

    def run(self) -> Written:
        """Write those of the files that are not there.

        Raises
        ------
        BadImageError
            If the group holds something else by now.
        """
        with locked(_claim(os.path.dirname(self.store), self.id), self.group, **_PATIENTLY):
            return self._run()

    def _run(self) -> Written:
        if self.after:
            return self._as_left()._run()
        if store.stated_identity(self.store, self.group) != self.identity:
            raise BadImageError(sentence("unit_of_others", group=f"{self.store}/{self.group}"))
        changed = os.stat(os.path.join(self.store, self.group, "zarr.json")).st_mtime_ns
        made = as_written(_opened(self.store, self.group, self.identity, changed), self.cfa)
        if self.frames is not None:
            made = made.isel(frame=slice(*self.frames))
            if not made.sizes["frame"]:
                # some were left out
                return Written()
        with limited(self.memory_limit):
            done = self.write(_with_doubts(made, self.doubts))
        if done.files:
            leave_receipt(Path(self.store), self.id, done.files)
        return done

    def _as_left(self) -> "Export":
        """Return the part of what the unit before has left that this is to write."""
        left = set_left_by(Path(self.store), self.group, self.after)
        if left is None:
            raise UnitError(sentence("unit_needs", unit=self.group, needs=self.group))
        lists = {name: tuple(one) for name, one in left.items() if isinstance(one, list)}
        return Export(**left | lists).part(*(self.frames or (0, MOST_FRAMES)))

    def part(self, start: int, stop: int) -> "Export":
        """Return the unit of some of its frames."""
        return replace(self, frames=(start, stop), doubts=self.doubts[start:stop])

    def write(self, made: xr.Dataset, report: Report = lambda written: None) -> Written:
        """Write the files, given the frames or the master; report those of each frame."""
        files: list[Mapping[str, Any]] = []
        found: dict[str, bool] = {}

        def note(written: Sequence[Mapping[str, Any]]) -> None:
            files.extend(written)
            report(written)

        with provenance.digests(self.digests):
            options: dict[str, Any] = {"hashes": self.digests, "report": note}
            # another process that carries out the same unit writes the same bytes
            keeps = self.kept(made, found)
            write_missing(made, self.template, keeps, overwrite=True, **options)
        return Written(files=tuple(files), found=found)

    def write_beside(
        self, made: xr.Dataset, through: Callable[[Beside], Result], report: Report
    ) -> Result:
        """Write the files in the pass in which something else is made of the frames or master."""
        with provenance.digests(self.digests):
            options: dict[str, Any] = {"hashes": self.digests, "report": report}
            keeps = self.kept(made, {}, whatever_doubts=True)
            return write_beside(made, self.template, keeps, through, **options)

    def kept(
        self, made: xr.Dataset, found: dict[str, bool], *, whatever_doubts: bool = False
    ) -> Callable[[str, str], bool]:
        """Return what decides by path and identity whether a file stays, and notes those that do.

        One that may be replaced does not if its doubts are those of an earlier run. Where results
        are not looked at, or not yet, there are none to compare.
        """
        whatever_doubts |= not self.digests
        doubts, channels = doubts_of(made), made.sizes["channel"]
        heads = np.atleast_1d(made["header"].values).tolist() if "header" in made.coords else []
        number = {path: i // channels for i, path in enumerate(names_of(made, self.template))}

        def keeps(path: str, identity: str) -> bool:
            if not os.path.lexists(path):
                return False
            stated, comments = stated_in(path)
            is_this, i = stated == identity, number[path]
            before, own = str(heads[i]) if heads else "", doubts[i] if doubts else ""
            holds = whatever_doubts or has_doubts(comments, own, before, DOUBT)
            if path not in self.replaces or (is_this and holds):
                found[path] = is_this
            return path in found

        return keeps


_PATIENTLY: dict[str, bool] = {"wait": True, "for_twice": True}


def _claim(target: str, unit: str) -> str:
    """Return the file in a directory of results that is locked while a unit is carried out."""
    return os.path.join(target, f".autowisp-xr-unit-{unit}.lock")


def wait_for_units(target: Path) -> bool:
    """Wait for units that are being carried out; return whether any was killed before it ended."""
    killed = False
    for path in glob(_claim(escape(str(target)), "*")):
        with locked(path, path, **_PATIENTLY) as left:
            killed |= left
    return killed


@lru_cache(maxsize=2)
def _opened(place: str, group: str, identity: str, changed: int) -> xr.Dataset:
    """Open a group once for all units of it in a process: it has the headers of all frames."""
    return recipes.open_zarr(place, group=group)


def as_written(made: xr.Dataset, cfa: Cfa) -> xr.Dataset:
    """Return what files are made of: frames whose channels fill a mosaic as that, where asked."""
    whole = schema.channel_slices(made)[0]
    mosaic = 1 < made.sizes["channel"] == whole.y_step * whole.x_step
    return merge_channels(made) if mosaic and cfa == "merged" else made


def doubts_of(made: xr.Dataset) -> tuple[str, ...]:
    """Return what is doubtful about each frame, or a master; () for nothing."""
    if "doubts" not in made.coords:
        return ()
    return tuple(map(str, np.atleast_1d(made["doubts"].values).tolist()))


def _with_doubts(made: xr.Dataset, doubts: Sequence[str]) -> xr.Dataset:
    if not doubts:
        return made
    texts = np.array(doubts, dtype=np.dtypes.StringDType())
    return made.assign_coords(doubts=("frame", texts) if "frame" in made.dims else texts[0])


def names_of(made: xr.Dataset, template: str) -> list[str]:
    """Return the names of the files of frames, then channels, in a template of both alone."""
    frames = np.atleast_1d(made["frame"].values).tolist() if "frame" in made.dims else [""]
    known, header = product(frames, made["channel"].values.tolist()), fits.Header()
    return [
        fill_template(template, header, {"frame": str(frame), "CLRCHNL": str(channel)})
        for frame, channel in known
    ]


def export(unit: Export) -> Written:
    """Write the files of a unit, as :func:`autowisp_xr.night.run` does."""
    with one_at_a_time():
        return unit.run()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let the threads of this process work on one unit, and on no other meanwhile."""
    with _ONE_AT_A_TIME, dask.config.set(_threads()):
        yield


_ONE_AT_A_TIME = Lock()


def _threads() -> dict[str, Any]:
    """Return the settings of dask by which the threads of this process do the work.

    Otherwise a worker asks its scheduler, which takes each frame for a task of its own.
    """
    import dask.threaded

    settings: dict[str, Any] = {"scheduler": dask.threaded.get}
    if "distributed" in sys.modules:
        from distributed import get_worker

        with suppress(ValueError):
            settings["num_workers"] = get_worker().state.nthreads
    return settings


MOST_FRAMES = 32
"""Of a unit: enough for what it takes to begin one to be little, few enough to lose."""


def parts(unit: Export, made: xr.Dataset, paths: Sequence[str], at_once: int) -> list[Export]:
    """Cut a unit into parts of 1 to 32 frames, several for each of those that work at once.

    Parameters
    ----------
    unit
        Of all frames.
    made
        They, in (frame, channel, y, x).
    paths
        Of their files, in the order of frames, then channels.
    at_once
        How many are worked on at once.
    """
    channels, found = made.sizes["channel"], []
    for start, stop in ranges(made.sizes["frame"], at_once):
        own = set(paths[start * channels : stop * channels])
        replaces = tuple(path for path in unit.replaces if path in own)
        found.append(replace(unit.part(start, stop), replaces=replaces))
    return found


def ranges(number: int, at_once: int) -> list[tuple[int, int]]:
    """Return the frames of each unit: from the first to before the last."""
    size = min(max(number // (4 * at_once), 1), MOST_FRAMES)
    return [(start, min(start + size, number)) for start in range(0, number, size)]
