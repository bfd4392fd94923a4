"""Replace a Zarr group in a directory as a whole: it is written beside, then swapped in.

What is to come is written into a hidden group inside the one that it is to replace. When it is
complete and on the disk, one renaming marks it, and from then on the swap is decided: the arrays of
before go out, those to come go in, and the attributes, which state what the arrays are, come last.
Each of these steps is a renaming, and a killed one is taken up by whoever comes next. Until the
swap is decided the group is what it was; groups below it stay where they are. The folder of a group
that is in no directory is None: nothing is swapped there.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

NEXT = "_next"
"""Below a group: what is being written to replace it."""

_READY = "_ready"
"""What is complete, and on its way into the place of the group."""

_LEAVING = "_leaving"
"""In it: what was there before, as long as there may be more of it."""

_OLD = "_old"
"""In it: all that was there before."""

_STATE = "_state"
"""Below a group: how far its writing has come."""

METADATA = "zarr.json"
"""What a group or an array is, and its attributes."""

_GROUP = (3, "group")
"""The format of Zarr, and the kind of node, that a group of ours states."""


def is_hidden(group: str) -> bool:
    """Return whether a group is no result, but a part of its writing."""
    return not {NEXT, _READY, _STATE}.isdisjoint(group.split("/"))


def leftovers(folder: Path | None) -> bool:
    """Return whether there is anything of an overwriting that has not ended."""
    return folder is not None and any((folder / name).exists() for name in (NEXT, _READY))


def is_decided(folder: Path | None) -> bool:
    """Return whether a swap has begun and not ended, so that the group is not to be read."""
    return folder is not None and (folder / _READY / METADATA).exists()


def discard(folder: Path | None) -> None:
    """Remove what was written to replace a group, and is not going to."""
    if folder is not None:
        shutil.rmtree(folder / NEXT, ignore_errors=True)


def swap(folder: Path) -> None:
    """Put what is complete in the place of what is there."""
    # a name must not reach the disk before what it stands for
    getattr(os, "sync", lambda: None)()
    os.rename(folder / NEXT, folder / _READY)
    finish(folder)


def finish(folder: Path | None) -> None:
    """Take up a swap that is decided, from wherever it stands, and clear away what it replaced."""
    if folder is None:
        return
    ready = folder / _READY
    if is_decided(folder):
        if not (ready / _OLD).exists():
            (ready / _LEAVING).mkdir(exist_ok=True)
            for name in list(_parts(folder)):
                os.rename(folder / name, ready / _LEAVING / name)
            os.rename(ready / _LEAVING, ready / _OLD)
        for name in set(os.listdir(ready)) - {_OLD, METADATA}:
            os.rename(ready / name, folder / name)
        os.replace(ready / METADATA, folder / METADATA)
    shutil.rmtree(ready, ignore_errors=True)


def _parts(folder: Path) -> Iterator[str]:
    """Yield what belongs to a group itself: arrays, remains of its writing, an older format."""
    for entry in os.scandir(folder):
        former = entry.name == _STATE or entry.name.startswith(".z")
        if former or (entry.is_dir() and _is_array(Path(entry.path))):
            yield entry.name


def groups_below(folder: Path) -> Iterator[str]:
    """Yield the names of the groups in a store, also of those whose metadata are damaged."""
    for path, names, files in os.walk(folder):
        place = Path(path)
        names[:] = [name for name in names if not _is_array(place / name)]
        if METADATA in files and place != folder:
            yield place.relative_to(folder).as_posix()


def attributes_of(folder: Path | None) -> dict[str, Any]:
    """Return the attributes of a group; {} for what is in no directory, or not plainly a group.

    Each product is asked a dozen times for what it states; Zarr would take a millisecond for each.
    """
    with suppress(OSError, ValueError):
        found = {} if folder is None else json.loads((folder / METADATA).read_text("utf-8"))
        if isinstance(found, dict) and (found.get("zarr_format"), found.get("node_type")) == _GROUP:
            attributes = found.get("attributes")
            return attributes if isinstance(attributes, dict) else {}
    return {}


def version_of(folder: Path | None) -> tuple[int, int] | None:
    """Return what changes when an array or a group is replaced; None where nothing would show."""
    try:
        status = None if folder is None else (folder / METADATA).stat()
    except OSError:
        return None
    return status and (status.st_size, status.st_mtime_ns)


def arrays_in(folder: Path) -> Iterator[str]:
    """Yield the names of the arrays in a folder, whether or not it is that of a group."""
    if folder.is_dir():
        yield from (one.name for one in folder.iterdir() if one.is_dir() and _is_array(one))


def _is_array(folder: Path) -> bool:
    """Return whether a folder is that of an array, also of one whose outline is damaged or lost."""
    if (folder / ".zarray").exists():
        return True
    try:
        text = (folder / METADATA).read_text(encoding="utf-8")
        return bool(json.loads(text)["node_type"] == "array")
    except (OSError, ValueError, LookupError, TypeError):
        chunks = folder / "c"
        return chunks.is_file() or any(
            name.isdigit() and not (chunks / name / METADATA).exists()
            for name in (os.listdir(chunks) if chunks.is_dir() else ())
        )
