"""A manifest: what scanning found in the files of a folder, so that none is opened again in vain.

Decision: a manifest is a group of a Zarr store with a column for each fact, to which files that are
new or changed are appended; of several rows of a file the last holds, and the table is written anew
when more than half of it holds no more. Each row has a checksum: a row that a killed run has left
unfinished, or that is damaged otherwise, is passed over, and its file is opened again. A table of
another version of the scanner, or of other options, is of no use and never believed. Two runs may
read and write at once: one of them appends, the other does without.
"""

import asyncio
import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np
import zarr
from zarr.api import asynchronous

from autowisp_xr._compat import wait_for
from autowisp_xr.errors import InUseError
from autowisp_xr.filesystem.addresses import file_of
from autowisp_xr.frames.finding import Found, found_in
from autowisp_xr.frames.manifest_rows import NUMBERS, TEXTS, Row, record_of, row_of
from autowisp_xr.frames.names import Paths
from autowisp_xr.frames.parallel_scanning import scan_files
from autowisp_xr.frames.scanning import FileRecord, options_of
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.store.group import FOREIGN, Group

MANIFEST_GROUP = "manifest"

VERSION = 1
"""Goes up with every change of what scanning finds: what is older is not believed."""

_STATE = "autowisp_xr_manifest"
_CHUNK = 1024
_SETTLED = 2_000_000_000
"""Nanoseconds for which a file has to rest: one that is still being written may keep its size."""

_WHOLE = ("size", "changed", "time", "checksum")
_ALONE = ("path", "header", "history", "known")
_STRING = np.dtypes.StringDType()
_EPOCH: dict[str, Any] = {
    "units": "nanoseconds since 1970-01-01",
    "calendar": "proleptic_gregorian",
}


@dataclass
class Manifest:
    """The manifest of a store.

    Parameters
    ----------
    store
        Directory of a Zarr store, which need not exist.
    writable
        Whether what is found anew is added to it.
    group
        Where in the store it lies.
    """

    store: str | PathLike[str]
    writable: bool = True
    group: str = MANIFEST_GROUP
    notes: list[str] = field(default_factory=list)
    """What there is to know of its use, a line each."""
    _sound: bool = True

    def scan(
        self, paths: Paths | Found, *, deep: bool = False, skip: Any = (), **options: Any
    ) -> list[FileRecord]:
        """Scan files, as :func:`autowisp_xr.frames.scan` does, opening those only that are new.

        Returns
        -------
        The same as without the manifest.
        """
        asked = options_of(**options)
        where = found_in(paths, deep, skip)
        files = where.files
        folder = _folder(where.paths, files)
        state = {"version": VERSION, "options": _digest(asked), "folder": folder}
        rows = self._usable(state, options.get("types") or {})
        found = {path: _status(path) for path in files}
        names = {path: _below(folder, path) for path in files}
        known = {
            path: record_of(row, path, asked)
            for path, name in names.items()
            if (row := rows.get(name)) is not None and (row.size, row.changed) == found[path]
        }
        fresh = [path for path in files if path not in known]
        scanned = dict(zip(fresh, scan_files(fresh, **options), strict=True))
        if self.writable:
            settled = time.time_ns() - _SETTLED
            new = [
                row
                for path in fresh
                if 0 <= found[path][1] < settled
                and (row := _row(scanned[path], names[path], *found[path])) is not None
            ]
            self._update(state, rows, new, {*names.values()})
        return [known.get(path) or scanned[path] for path in files]

    @classmethod
    def beside(cls, folder: str | PathLike[str], name: str) -> "Manifest | None":
        """Return the manifest of a folder in the stores of a name beside or in it, to be read.

        Of several it is the one that was written last.
        """
        top = os.path.abspath(os.path.expanduser(folder))
        places = [
            os.path.join(entry.path, name)
            for parent in (os.path.dirname(top), top)
            for entry in _entries(parent)
            if os.path.isfile(os.path.join(entry.path, name, MANIFEST_GROUP, "zarr.json"))
        ]
        found = [one for one in map(cls, places) if one.folder == top]
        latest = max(found, key=lambda one: os.stat(one.store).st_mtime_ns, default=None)
        return None if latest is None else replace(latest, writable=False)

    def of_masters(self) -> "Manifest":
        """Return the manifest of masters of other nights, in the same store."""
        return replace(self, group=f"{MANIFEST_GROUP}_of_masters", notes=[], _sound=True)

    def records(self, folder: str | PathLike[str] | None = None) -> list[FileRecord]:
        """Return the records of all files, without a look at them: whether they still are so.

        ``folder`` is where they lie now; None for where they were scanned. The records have no
        ``options``, and :func:`autowisp_xr.io.open_records` opens them.
        """
        state = self.state()
        top = os.path.abspath(state["folder"] if folder is None else os.fspath(folder))
        return [record_of(row, os.path.join(top, row.path), {}) for row in self._rows()]

    def state(self) -> dict[str, Any]:
        """Return the version of the table, a digest of its options and its folder; {} for none."""
        group = self._group
        if group.directory is None or not (group.directory / group.name / "zarr.json").exists():
            return {}
        state = group.open("r").attrs.get(_STATE, {})
        return state if isinstance(state, dict) else {}

    @property
    def folder(self) -> str:
        """The directory whose files it knows; "" where there is none, or it is damaged."""
        with suppress(Exception):
            return str(self.state().get("folder", ""))
        return ""

    @property
    def _group(self) -> Group:
        return Group.at(self.store, self.group)

    def _usable(self, wanted: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Row]:
        """Return the rows that may be believed, by their paths; of each file the last."""
        try:
            state = self.state()
            reason = self._reason_against(state, wanted, types) if state else ""
            if reason:
                # one that nobody has named need not fit
                self.notes += [f"{reason}: all files are opened"] if self.writable else []
                return {}
            rows = {row.path: row for row in self._rows()} if state else {}
        # whatever a damaged store makes of itself
        except Exception as error:
            self._sound = False
            why = f"{type(error).__name__}: {error}"
            self.notes.append(f"the manifest {self._group} is damaged, all files are opened: {why}")
            return {}
        # a reason for a failure names the file by its former place
        moved = state.get("folder") != wanted["folder"]
        return {name: row for name, row in rows.items() if not moved or '"error":null' in row.known}

    def _reason_against(
        self, state: Mapping[str, Any], wanted: Mapping[str, Any], types: Mapping[str, str]
    ) -> str:
        """State why a table cannot be believed; "" where it can."""
        if state["version"] != wanted["version"]:
            return f"the manifest {self._group} is of another version"
        if state["options"] != wanted["options"]:
            return f"the manifest {self._group} was made with other options (aliases, types, hdu)"
        # names of folders are evidence, too
        names = {os.path.basename(one["folder"]) for one in (state, wanted)}
        by_folder = any("/" in pattern for pattern in types)
        if state["folder"] != wanted["folder"] and (len(names) > 1 or by_folder):
            return f"the manifest {self._group} is of {state['folder']}"
        return ""

    def _rows(self) -> Iterator[Row]:
        group = self._group.open("r")
        columns: dict[str, list[Any]] = {
            name: np.asarray(_array(group, name)[:]).tolist()
            for name in (*_WHOLE, *_ALONE, *NUMBERS, *TEXTS)
        }
        columns["numbers"], columns["texts"] = (
            list(zip(*(columns[name] for name in names), strict=False))
            for names in (NUMBERS, TEXTS)
        )
        lengths = set(map(len, columns.values()))
        damaged = max(lengths) - min(lengths)
        rows = zip(*(columns[name] for name in Row._fields), strict=False)
        for row, checksum in zip(map(Row._make, rows), columns["checksum"], strict=False):
            if row.checksum == checksum:
                yield row
            else:
                damaged += 1
        if damaged:
            self._sound = False
            self.notes.append(
                f"the manifest {self._group} is damaged in {damaged} of {max(lengths)} rows: these "
                "files are opened"
            )

    def _length(self) -> int:
        return _array(self._group.open("r"), "path").shape[0]

    def _update(
        self,
        state: Mapping[str, Any],
        rows: Mapping[str, Row],
        new: Sequence[Row],
        present: Collection[str],
    ) -> None:
        """Append rows that are new; write all anew where files are gone, or many rows are old."""
        there = {
            name: row
            for name, row in rows.items()
            if name in present or os.path.lexists(os.path.join(state["folder"], name))
        }
        if not new and len(there) == len(rows) and self._sound:
            return
        if self._sound and self._group.state() == FOREIGN:
            self.notes.append(f"{self.store} is no Zarr store: no manifest is kept there")
            return
        kept = {**there, **{row.path: row for row in new}}
        try:
            with self._group.sole_writer():
                of_now = self._sound and len(there) == len(rows) and self.state() == state
                if of_now and self._length() + len(new) <= 2 * len(kept):
                    _append(self._group, new)
                    return
                if self._group.folder is not None:
                    shutil.rmtree(self._group.folder, ignore_errors=True)
                _append(self._group, list(kept.values()))
                self._group.open("r+").attrs[_STATE] = dict(state)
        except InUseError:
            self.notes.append(f"the manifest {self._group} is not added to: another run writes it")
        except OSError as error:
            self.notes.append(f"the manifest {self._group} cannot be written: {error}")


def _append(place: Group, rows: Sequence[Row]) -> None:
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _WHOLE}
    columns |= {name: [getattr(row, name) for row in rows] for name in _ALONE}
    columns |= {name: [row.numbers[i] for row in rows] for i, name in enumerate(NUMBERS)}
    columns |= {name: [row.texts[i] for row in rows] for i, name in enumerate(TEXTS)}

    async def append(group: zarr.AsyncGroup, name: str, values: Sequence[Any]) -> None:
        kind: Any = np.int64 if name in _WHOLE else np.float64
        array = np.array(values, _STRING if name in (*_ALONE, *TEXTS) else kind)
        if await group.contains(name):
            found: Any = await group.getitem(name)
            await found.append(array)
            return
        made = await group.create_array(
            name,
            shape=array.shape,
            dtype=array.dtype,
            chunks=(_CHUNK,),
            dimension_names=["file"],
            attributes=_EPOCH if name == "time" else {},
        )
        await made.setitem(..., array)

    async def append_all() -> None:
        group = await asynchronous.open_group(
            store=place.store, path=place.name, mode="a", zarr_format=3
        )
        await asyncio.gather(*(append(group, *column) for column in columns.items()))

    wait_for(append_all())


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    """Return the directories in a folder; none of one that may not be read."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry for entry in entries if entry.is_dir()]
    return []


def _array(group: zarr.Group, name: str) -> "zarr.Array[Any]":
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise ValueError(f"{name} is no array")
    return found


def _status(path: str) -> tuple[int, int]:
    """Return size and time of change of a file; of one that cannot be seen none that fits."""
    try:
        status = os.stat(file_of(path))
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _row(record: FileRecord, name: str, size: int, changed: int) -> Row | None:
    """Return the row of a record; None of one that is to be looked at again each time."""
    try:
        # a name that is no text fits into no column
        name.encode()
        return row_of(record, name, size, changed)
    except (TypeError, ValueError):
        return None


def _below(folder: str, path: str) -> str:
    """Return the name of a file below a folder, with "/" between names."""
    top = os.path.join(folder, "")
    below = path[len(top) :] if path.startswith(top) else os.path.relpath(path, folder)
    return below.replace(os.sep, "/")


def _folder(paths: Paths, files: Sequence[str]) -> str:
    """Return the directory that was named, else the one that all files have in common."""
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    folders = [os.path.abspath(os.path.expanduser(os.fspath(path))) for path in given]
    if len(folders) == 1 and os.path.isdir(folders[0]):
        return folders[0]
    return os.path.commonpath([os.path.dirname(file) for file in files])


def _digest(options: Mapping[str, Any]) -> str:
    """Return a digest of options of scanning."""
    aliases: KeywordAliases | None = options.get("aliases")
    listed = {
        "hdu": repr(options.get("hdu")),
        "types": list((options.get("types") or {}).items()),
        "aliases": None if aliases is None else asdict(aliases),
    }
    text = json.dumps(listed, default=sorted, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
