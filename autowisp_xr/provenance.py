"""The history of a Dataset: one record for each step in ``attrs["history"]``, as JSON text.

A record holds the verb, its options, the identities of the masters that it used, the files that it
read, the frames, the versions and the time. The *identity* of a result is a digest of all that but
versions and time: the same frames through the same steps have the same identity in every session,
by which ``calibrate`` recognises that a dark was made with the very bias it is given. Files are
recorded with size and time of change when they are opened; their SHA-256 is added when a result is
written, for by then their bytes have been read anyway. The same holds for the files of masters.
What a master was made of stands in the master alone, and the file of a frame names the input of
that frame, so that a history does not grow with the number of frames. A stack names the inputs of
its frames, and not other files that were opened with them.
"""

import datetime
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, is_dataclass
from functools import cache
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr

from autowisp_xr._compat import in_memory

UNKNOWN = "unknown"
"""The option ``noise`` of ``calibrate`` in a history where the noise was allowed to be unknown."""

_PACKAGES = ("autowisp-xr", "xarray", "numpy", "numba", "astropy")

_READERS = max(4, min(os.cpu_count() or 1, 16))
"""Number of files that are digested at a time: some of them wait for Python's lock."""

_PIECE = 1 << 23
"""Bytes read at a time. Each piece costs a wait for Python's lock, up to 5 ms where it is busy."""

_Version = tuple[str, int, int, str]
"""Path, size and time of change of a file, and the kind of digest."""

_BEGUN: dict[_Version, Future[str | None]] = {}

_WANTED = ContextVar("wanted", default=True)


def history(ds: xr.Dataset) -> list[dict[str, Any]]:
    """Return the records of all steps that led to a Dataset, oldest first."""
    return steps_of(ds.attrs.get("history", ""))


def has_history(given: object) -> bool:
    """Return whether something is a Dataset that a step of this package has made."""
    return isinstance(given, xr.Dataset) and bool(history(given))


def noise_known(ds: xr.Dataset) -> bool:
    """Return whether the variance of frames is known; ``calibrate`` may leave out the noise."""
    for record in reversed(history(ds)):
        if record["verb"] in ("stack", "add_noise"):
            return True
        if record["verb"] in ("calibrate", "concat"):
            return bool(record["options"].get("noise") != UNKNOWN)
    return True


def files_of(ds: xr.Dataset) -> list[dict[str, Any]]:
    """Return the entries of all files that were read for a Dataset, from its history."""
    return [file for step in history(ds) for file in step.get("inputs", ())]


def steps_of(text: str) -> list[dict[str, Any]]:
    """Return the records of the steps in the text of a history."""
    try:
        return list(json.loads(text)) if text else []
    except json.JSONDecodeError:
        # a history that somebody else wrote: kept as it is, as the first record
        return [{"verb": "before", "options": {"text": text}, "id": _digest([text])}]


def identity(ds: xr.Dataset) -> str:
    """Return the digest of how a Dataset was made; of its content where it has no history.

    A part of a master, by channel or area, is still that master. Content that is neither in
    memory nor a dask graph would have to be read for that: it gets an identity that no other
    Dataset has.
    """
    records = history(ds)
    if not records:
        at_hand = all(in_memory(v) or v.chunks is not None for v in ds.variables.values())
        return _tokenize(ds)[:16] if at_hand else uuid4().hex[:16]
    return str(records[-1]["id"])


def fingerprint(ds: xr.Dataset) -> str:
    """Return the digest of a Dataset as it is: its identity, and every variable and coordinate.

    An array in memory counts by its content, a dask array by its name (which stands for the work
    that makes it, the same in every session for the verbs of this package), and a lazily indexed
    one by its source.
    """
    content = {str(name): _token(variable) for name, variable in ds.variables.items()}
    return _digest([identity(ds), content])


def identities(ds: xr.Dataset) -> set[str]:
    """Return the identities of all masters that a Dataset was made with."""
    return {made for step in history(ds) for made in step.get("masters", {}).values()}


def record(
    ds: xr.Dataset,
    verb: str,
    options: Mapping[str, Any] | None = None,
    *,
    source: xr.Dataset | None = None,
    masters: Mapping[str, xr.Dataset | None] | None = None,
    files: Iterable[str | dict[str, Any]] | None = None,
    packages: Iterable[str] = (),
    by_frame: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Return a copy of a Dataset with one more record in its history.

    Parameters
    ----------
    ds
        The result of the step.
    verb, options
        The step and its options; dataclasses are written as their fields.
    source
        The input of the step, where ``ds`` does not carry its history.
    masters
        Named masters that were applied; None stands for one that was not given.
    files
        Paths of the files that the step reads, or :func:`file_entry` of those read before.
    packages
        Whose versions are recorded, too.
    by_frame
        What was done to each frame, by its name.

    Notes
    -----
    The files of masters are recorded under "files", by channel ("" for one file of all). They do
    not enter the identity: a master that was moved is still the same.
    """
    source = ds if source is None else source
    given = {name: master for name, master in (masters or {}).items() if master is not None}
    step: dict[str, Any] = {
        "verb": verb,
        "options": {name: _plain(value) for name, value in (options or {}).items()},
        "masters": {name: identity(master) for name, master in given.items()},
    }
    if "frame" in source.dims and "frame" in source.coords:
        step["frames"] = _names(source, "frame")
    if by_frame:
        step["by_frame"] = _plain(by_frame)
    if files is not None:
        step["inputs"] = [
            file_entry(file) if isinstance(file, str) else dict(file) for file in files
        ]
    step["id"] = _digest([identity(source), step])
    from_files = {name: found for name, master in given.items() if (found := _files_of(master))}
    if from_files:
        step["files"] = from_files
    step["versions"] = _versions() | {package: version(package) for package in packages}
    step["time"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return ds.assign_attrs(history=json.dumps([*history(source), step]))


def _files_of(master: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return the files of a master by channel, as far as they are still there."""
    channels, paths = [""], _names(master, "path") if "path" in master.coords else []
    if "channel_path" in master.coords:
        channels, paths = _names(master, "channel"), _names(master, "channel_path")
    found = {}
    for channel, path in zip(channels, paths, strict=True) if len(paths) == len(channels) else ():
        with suppress(OSError):
            found[channel] = file_entry(path)
    return found


def of_frames(
    records: Iterable[Mapping[str, Any]], frames: Collection[str], paths: Collection[str]
) -> list[dict[str, Any]]:
    """Return the part of a history that concerns some of its frames: one, or those of a stack.

    Parameters
    ----------
    records
        The steps.
    frames, paths
        The names of the frames, and the paths of the files that they were read from.

    Returns
    -------
    The same steps of the same identities, each with these frames alone, and their files. A step
    that does not name the frames stays as it is.
    """
    frames, paths = set(frames), set(paths)
    own = []
    for step in map(dict, records):
        known = [name for name in step.get("frames", ()) if name in frames]
        if known:
            step["frames"] = known
        done = {name: one for name, one in step.get("by_frame", {}).items() if name in frames}
        if done:
            step["by_frame"] = done
        files = step.get("inputs", ())
        recorded = [file for file in files if file.get("frame") in frames]
        recorded = recorded or [file for file in files if file["path"] in paths]
        if recorded:
            step["inputs"] = recorded
        own.append(step)
    return own


def united(histories: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]] | None:
    """Return the history that frames have in common, from parts that :func:`of_frames` made.

    It is None where they went through different steps.
    """
    result: list[dict[str, Any]] | None = None
    for steps in histories:
        if result is None:
            result = [dict(step) for step in steps]
            continue
        if [step.get("id") for step in steps] != [step.get("id") for step in result]:
            return None
        for step, more in zip(result, steps, strict=True):
            for part in {"frames", "inputs"} & set(step):
                known = step[part]
                step[part] = [*known, *(one for one in more.get(part, ()) if one not in known)]
            if "by_frame" in step:
                step["by_frame"] = {**step["by_frame"], **more.get("by_frame", {})}
    return result


def with_hashes(ds: xr.Dataset) -> xr.Dataset:
    """Return the Dataset with the SHA-256 of each input file that has not changed since."""
    if not _WANTED.get():
        return ds
    records = history(ds)
    named = (
        file
        for step in records
        for files in (step.get("inputs", ()), *map(dict.values, step.get("files", {}).values()))
        for file in files
    )
    files = [file for file in named if "sha256" not in file]
    with ThreadPoolExecutor(_READERS) as pool:
        for file, digest in zip(files, pool.map(_sha256, files), strict=True):
            if digest:
                file["sha256"] = digest
    return ds.assign_attrs(history=json.dumps(records)) if records else ds


def with_lines(ds: xr.Dataset) -> xr.Dataset:
    """Return a stack in whose history stands what its frames were scaled by; others as they are.

    What is lazy is computed with the stack, so that frames are measured once.
    """
    table = [name for name in ("frame_scale", "frame_sky") if name in ds.coords]
    records = history(ds)
    last = next((step for step in reversed(records) if step["verb"] == "stack"), None)
    if not table or last is None or "applied" in last["options"]:
        return ds
    if not all(in_memory(ds[name].variable) for name in table):
        ds = ds.compute()
    last["options"]["applied"] = {
        name.removeprefix("frame_"): numbers_by_frame(ds[name].values) for name in table
    }
    return ds.assign_attrs(history=json.dumps(records))


def numbers_by_frame(numbers: Any) -> list[Any]:
    """Return numbers (frame, channel) for a history, those of one channel by frame alone."""
    rounded = [[float(f"{number:.9g}") for number in row] for row in numbers.tolist()]
    return [row[0] if len(row) == 1 else row for row in rounded]


@contextmanager
def hashing(paths: Iterable[str]) -> Iterator[None]:
    """Digest files in the background, for :func:`with_hashes` inside the block.

    Files that are still waiting when the block is left are dropped, as are unreadable ones.
    """
    pool = ThreadPoolExecutor(_READERS)
    begun = {}
    try:
        for path in paths:
            with suppress(OSError):
                known = _version_of(file_entry(path))
                begun[known] = pool.submit(_file_digest, *known)
        _BEGUN.update(begun)
        yield
    finally:
        for known in begun:
            _BEGUN.pop(known, None)
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def digests(wanted: bool) -> Iterator[None]:
    """Let :func:`with_hashes` digest files inside the block, or leave histories as they are."""
    before = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(before)


def sha1_of(path: str) -> str:
    """Return the SHA-1 of the bytes of a file, in hexadecimal; OSError where it cannot be read."""
    return _readable_digest(file_entry(path), "sha1")


def _readable_digest(file: Mapping[str, Any], kind: str) -> str:
    digest = _file_digest(file["path"], file["size"], file["changed"], kind)
    if digest is None:
        raise OSError(f"{file['path']} cannot be read, or changes while it is")
    return digest


def _token(variable: xr.Variable) -> list[Any]:
    described = [list(map(str, variable.dims)), str(variable.dtype)]
    if not in_memory(variable):
        return [*described, variable.chunk().data.name]
    values = variable.values.tolist() if variable.dtype.kind in "OTU" else variable.values
    return [*described, _tokenize(values)]


def _tokenize(content: object) -> str:
    # whoever asks for help, or imports the package, need not wait for dask
    from dask.base import tokenize

    return tokenize(content)


def _names(ds: xr.Dataset, dim: str) -> list[str]:
    return [str(name) for name in np.atleast_1d(ds[dim].values).tolist()]


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__, **_plain(asdict(value))}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value)  # in an order that is the same in every session
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def file_entry(path: str) -> dict[str, Any]:
    """Return the record of a file: its path, and the size and time by which a change is noticed."""
    status = os.stat(path)
    return {"path": str(path), "size": status.st_size, "changed": status.st_mtime_ns}


def hashed_entry(path: str) -> dict[str, Any]:
    """Return a :func:`file_entry` with the SHA-256 of the bytes; OSError where it is unreadable."""
    entry = file_entry(path)
    return entry | {"sha256": _readable_digest(entry, "sha256")}


def _sha256(file: Mapping[str, Any]) -> str | None:
    known = _version_of(file)
    begun = _BEGUN.get(known)
    return _file_digest(*known) if begun is None else begun.result()


def _version_of(file: Mapping[str, Any]) -> _Version:
    return file["path"], file["size"], file["changed"], "sha256"


def _file_digest(path: str, size: int, changed: int, kind: str) -> str | None:
    """Return the digest of this version of a file; None where it has changed, or is unreadable."""
    try:
        status = os.stat(path)
        if (status.st_size, status.st_mtime_ns) != (size, changed):
            return None
        return _digest_of(path, size, changed, kind)
    except OSError:
        # not remembered: the disk of a network may be there again
        return None


@cache
def _digest_of(path: str, size: int, changed: int, kind: str) -> str:
    digest = hashlib.new(kind)
    piece = memoryview(bytearray(min(_PIECE, size)))
    with open(path, "rb", buffering=0) as file:
        while number := file.readinto(piece):
            digest.update(piece[:number])
    return digest.hexdigest()


@cache
def _versions() -> dict[str, str]:
    return {package: version(package) for package in _PACKAGES}
