"""The history of a Dataset: one record for each step in ``attrs["history"]``, as JSON text.

A record holds the verb, its options, the identities of the masters that it used, the files that it
read, the versions and the time. The *identity* of a frame is a digest of all that was done to it
but versions and time, and of its own files: the same frame through the same steps has the same
identity in every session, whatever frames are in the set; that of a set is a digest of those of its
frames, in their order, and a stack has theirs in its own. So ``calibrate`` recognises that a dark
was made with the very bias it is given. Files are recorded with size and time of change when they
are opened; their SHA-256 is added when a result is written, for by then their bytes have been read
anyway. The same holds for the files of masters. What a master was made of stands in the master
alone, and the file of a frame names the input of that frame, so that a history does not grow with
the number of frames. A stack names the inputs of its frames, and not other files that were opened
with them.
"""

import datetime
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, is_dataclass
from functools import cache
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr._compat import in_memory, late_token
from autowisp_xr.provenance.content_tokens import content_token
from autowisp_xr.provenance.file_digests import file_entry, sha256_of
from autowisp_xr.provenance.frame_records import FrameRecords, digest, first_id, read_steps

UNKNOWN = "unknown"
"""The option ``noise`` of ``calibrate`` in a history where the noise was allowed to be unknown."""

_PACKAGES = ("autowisp-xr", "xarray", "numpy", "numba", "astropy")

_WANTED = ContextVar("wanted", default=True)


def history(ds: xr.Dataset) -> list[dict[str, Any]]:
    """Return the records of all steps that led to a Dataset, oldest first."""
    return steps_of(str(ds.attrs.get("history") or ""))


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
    if not text:
        return []
    # a history that somebody else wrote is kept as it is, as the first record
    other = {"verb": "before", "options": {"text": text}, "id": digest([text])}
    steps = read_steps(text)
    return [other] if steps is None else steps


def identity(ds: xr.Dataset) -> str:
    """Return the digest of how a Dataset was made; of its content where it has no history.

    That of frames follows from :func:`frame_identities`. A part of a master, by channel or area, is
    still that master. Content that is neither in memory nor a dask graph would have to be read for
    that: it gets an identity that no other Dataset has.
    """
    if "frame" in ds.dims:
        return _of_set(frame_identities(ds))
    records = history(ds)
    if records:
        name, path = (
            schema.names(ds, of)[0] if of in ds.coords and in_memory(ds[of].variable) else ""
            for of in ("frame", "path")
        )
        return FrameRecords(records).identity(name, path)
    at_hand = all(in_memory(v) or v.chunks is not None for v in ds.variables.values())
    return _tokenize(ds)[:16] if at_hand else uuid4().hex[:16]


def frame_identities(ds: xr.Dataset) -> list[str]:
    """Return the identity of each frame of a set: the same in any set that it is in."""
    records = history(ds)
    if not records:
        return _contents(ds)
    known = FrameRecords(records)
    return [known.identity(*frame) for frame in zip(*_frames(ds, known), strict=True)]


def own_histories(ds: xr.Dataset) -> Iterator[list[dict[str, Any]]]:
    """Yield the history of each frame of a set: with its own files alone, not those of others."""
    known = FrameRecords(history(ds))
    for name, path in zip(*_frames(ds, known), strict=True):
        yield known.of(name, path)


def with_history(ds: xr.Dataset, steps: Sequence[Mapping[str, Any]]) -> xr.Dataset:
    """Return a Dataset with another history; without any where there is no step."""
    return ds.assign_attrs(history=json.dumps(steps)) if steps else ds


def own_history(ds: xr.Dataset, called: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return the history of a set without frames that were opened with it and selected away.

    Its frames are ``called`` by other names in it, if these are given.
    """
    known = FrameRecords(history(ds))
    return known.of_some(*_frames(ds, known), called)


def _of_set(identities: Sequence[str]) -> str:
    return identities[0] if len(identities) == 1 else digest(identities)


def _frames(ds: xr.Dataset, known: FrameRecords) -> tuple[list[str], list[str]]:
    """Return the names of frames, as a history has them, and the paths of their files."""
    number = ds.sizes["frame"]
    there = "path" in ds.coords and in_memory(ds["path"].variable)
    paths = [*map(str, schema.along_frames(ds, "path"))] if there else [""] * number
    if "frame" in ds.coords:
        return schema.names(ds, "frame"), paths
    # without names, they are known by their numbers as long as none is selected away
    whole = len(known.names) == number
    return known.names if whole else [f"number {i}" for i in range(number)], paths


def _contents(ds: xr.Dataset) -> list[str]:
    """Return a digest of each frame as it is, with all that is common to them."""
    number = ds.sizes["frame"]
    own = {str(name): ds[name].variable for name in ds.variables if "frame" in ds[name].dims}
    if not all(map(in_memory, own.values())):
        lazy = any(not in_memory(one) and one.chunks is None for one in own.values())
        whole = uuid4().hex if lazy else _tokenize(ds)
        return [digest([whole, i]) for i in range(number)]
    common = _tokenize([ds.drop_dims("frame"), {name: one.attrs for name, one in own.items()}])
    own = {name: one.transpose("frame", ...) for name, one in own.items()}

    def content_of(frame: int) -> dict[str, list[Any]]:
        return {name: _token_of(one.dims[1:], one.values[frame, ...]) for name, one in own.items()}

    return [digest([common, content_of(i)]) for i in range(number)]


def fingerprint(ds: xr.Dataset, *, lazy: bool = True) -> str:
    """Return the digest of a Dataset as it is: its identity, and every variable and coordinate.

    An array in memory counts by its content, a dask array by its name (which stands for the work
    that makes it, the same in every session for the verbs of this package), and a lazily indexed
    one by its source. Without ``lazy``, what is not in memory counts by the history alone, for
    Datasets that nothing but the steps in it has made: the same under any chunks.
    """
    content = {
        str(name): _token(variable)
        for name, variable in ds.variables.items()
        if lazy or in_memory(variable)
    }
    return digest([identity(ds), content])


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
    contents: Mapping[str, str] | None = None,
    of_set: Mapping[str, Any] | None = None,
    sets: Sequence[Mapping[str, Any]] = (),
    begins: bool = False,
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
        Paths of the files that the step reads, or :func:`file_entry` of those read before; with
        the key "frame" where a file is that of one frame.
    packages
        Whose versions are recorded, too.
    by_frame
        What was done to each frame, by its name.
    contents
        What each frame is, by its name, where the step does not follow from the steps before alone.
    of_set
        What concerns the set, and none of its frames: it is no part of their identities, and does
        not go into their files.
    sets
        The sets that are joined: ``frames``, the names that theirs have now, and ``history``.
    begins
        Whether what the frames are follows from ``files`` alone, whatever was before.

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
    if "frame" in source.dims and "frame" not in ds.dims:
        made_of = frame_identities(source)
        step["id"] = digest([made_of, step])
        step["frames"] = dict(zip(_frame_names(source), made_of, strict=True))
    else:
        before = history(source)
        if "frame" in source.dims and not before:
            begins = True
            if files is None:
                contents = dict(zip(_frame_names(source), _contents(source), strict=True))
        if begins or contents:
            step["id"] = first_id(step)
        else:
            step["id"] = digest([_last_id(before) if before else identity(source), step])
    entries = [file_entry(file) if isinstance(file, str) else dict(file) for file in files or ()]
    parts: dict[str, Any] = {
        "contents": contents,
        "by_frame": by_frame,
        "of_set": of_set,
        "inputs": entries,
    }
    parts["sets"] = sets
    step |= {name: _plain(part) for name, part in parts.items() if part}
    from_files = {name: found for name, master in given.items() if (found := _files_of(master))}
    if from_files:
        step["files"] = from_files
    step["versions"] = versions() | {package: version(package) for package in packages}
    step["time"] = now()
    return ds.assign_attrs(history=json.dumps([*history(source), step]))


def _last_id(steps: Sequence[Mapping[str, Any]]) -> str:
    return str(steps[-1].get("id") or digest(steps[-1]))


def _files_of(master: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return the files of a master by channel, as far as they are still there."""
    channels, paths = [""], schema.names(master, "path") if "path" in master.coords else []
    if "channel_path" in master.coords:
        channels, paths = schema.names(master, "channel"), schema.names(master, "channel_path")
    found = {}
    for channel, path in zip(channels, paths, strict=True) if len(paths) == len(channels) else ():
        with suppress(OSError):
            found[channel] = file_entry(path)
    return found


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
    add_hashes([file for file in named if "sha256" not in file])
    return ds.assign_attrs(history=json.dumps(records)) if records else ds


def add_hashes(files: Sequence[dict[str, Any]]) -> None:
    """Add the SHA-256 to entries of files that have not changed since, where it is wanted."""
    if _WANTED.get():
        for file, found in zip(files, sha256_of(files), strict=True):
            if found:
                file["sha256"] = found


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
def digests(wanted: bool) -> Iterator[None]:
    """Let :func:`with_hashes` digest files inside the block, or leave histories as they are."""
    before = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(before)


def _token(variable: xr.Variable) -> list[Any]:
    if in_memory(variable):
        return _token_of(variable.dims, variable.values)
    late = late_token(variable) or variable.chunk().data.name
    return [[*map(str, variable.dims)], str(variable.dtype), late]


def _token_of(dims: Sequence[Hashable], values: Any) -> list[Any]:
    token = _tokenize(values.tolist()) if values.dtype.kind in "OTU" else content_token(values)
    return [[*map(str, dims)], str(values.dtype), token]


def _tokenize(content: object) -> str:
    # whoever asks for help, or imports the package, need not wait for dask
    from dask.base import tokenize

    return tokenize(content)


def _frame_names(ds: xr.Dataset) -> list[str]:
    """Return the names of frames, or their numbers."""
    if "frame" in ds.coords:
        return schema.names(ds, "frame")
    return [str(number) for number in range(ds.sizes["frame"])]


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


def now() -> str:
    """Return the time as histories have it: UTC, in seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    return {package: version(package) for package in _PACKAGES}
