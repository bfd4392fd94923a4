"""Find masters that the history of a product names, near its file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.errors import AutowispError
from autowisp_xr.fits.image_cards import PREFIX
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.units import MAGIC
from autowisp_xr.frames.names import FITS_SUFFIX
from autowisp_xr.frames.open import open_records
from autowisp_xr.frames.parallel_scanning import scan
from autowisp_xr.headers.lazy_header import LazyHeader
from autowisp_xr.provenance.frame_records import FrameRecords

_MASTERS = "masters"
"""Name of the directories in which masters are looked for."""

_BEGINNING = 2**16
"""Bytes of a file in which a history of ours begins: cards of the frame come before it."""


def identity_in(path: str) -> str:
    """Return the identity of the frame or master in a file, as its history gives it, or ""."""
    return stated_in(path)[0]


def stated_in(path: str) -> tuple[str, list[str]]:
    """Return the identity in a file, and the lines of its COMMENT cards; nothing of other files."""
    try:
        layout = read_layout(path)
    except (AutowispError, OSError):
        return "", []
    steps = provenance.steps_of(layout.history)
    identity = FrameRecords(steps).identity() if steps else ""
    return identity, LazyHeader(layout.header).lines_of("COMMENT")


class NamedMasters:
    """The masters near some files, by their identities; directories are looked through once."""

    def __init__(self, files: Sequence[str]) -> None:
        self._own = set(map(os.path.realpath, files))
        self._folders = _folders(files)
        self._seen: dict[str, list[str]] = {}
        self._opened: dict[str, xr.Dataset | None] = {}

    def find(self, identity: str, named: Mapping[str, Any]) -> xr.Dataset | None:
        """The master of an identity; None where there is none, or it cannot be read.

        ``named`` are the files in which it was, by channel, as a record has them.
        """
        if identity not in self._opened:
            paths = _where_it_was(named, identity) or self._nearby(identity)
            self._opened[identity] = _opened(paths) if paths else None
        return self._opened[identity]

    def _nearby(self, identity: str) -> list[str]:
        while identity not in self._seen:
            folder = next(self._folders, None)
            if folder is None:
                return []
            here: dict[str, list[str]] = {}
            for file in sorted(folder.glob("*")):
                path = str(file)
                if FITS_SUFFIX.search(path) and os.path.realpath(path) not in self._own:
                    found = identity_in(path) if _may_be_ours(path) else ""
                    if found:
                        here.setdefault(found, []).append(path)
            self._seen = here | self._seen
        return self._seen[identity]


def _folders(files: Sequence[str]) -> Iterator[Path]:
    """Yield directories in which the masters of files may be, the likeliest first, each once."""
    own = list(dict.fromkeys(Path(os.path.abspath(path)).parent for path in files))
    above = [folder.parent for folder in own]
    top = [folder.parent for folder in above]
    likely = (folder / _MASTERS for folder in (*own, *above, *top))
    yield from dict.fromkeys((*likely, *own, *above))


def _where_it_was(named: Mapping[str, Any], identity: str) -> list[str]:
    """Return files where a record has them, if they still are what they were."""
    paths = [str(entry["path"]) for entry in named.values()]
    same = all(identity_in(path) == identity for path in paths)
    return paths if same or all(map(_is_unchanged, named.values())) else []


def _is_unchanged(entry: Mapping[str, Any]) -> bool:
    try:
        if "sha256" in entry:
            return provenance.hashed_entry(entry["path"])["sha256"] == entry["sha256"]
        return provenance.file_entry(entry["path"]) == dict(entry)
    except OSError:
        return False


def _may_be_ours(path: str) -> bool:
    """Return whether a file may be ours by its beginning: raw frames, which are many, are not."""
    try:
        with open(path, "rb") as file:
            start = file.read(_BEGINNING)
    except OSError:
        return False
    return not start.startswith(MAGIC) or PREFIX.encode() in start


def _opened(paths: Sequence[str]) -> xr.Dataset | None:
    try:
        return schema.as_master(open_records(scan(paths)))
    except (AutowispError, OSError, ValueError):
        return None
