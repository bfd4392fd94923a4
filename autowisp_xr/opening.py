"""``open_fits``: files as a frame set, with the noise that calibrated frames share.

A product names the masters that made it; they are looked for beside it, so that a stack of files
knows which of its noise averages down. What is not found is told when the frames are stacked.
"""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy.typing as npt
import xarray as xr

from autowisp_xr import frames, provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.history_cards import PREFIX
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.units import MAGIC
from autowisp_xr.frames.names import FITS_SUFFIX, Paths
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.steps.relending import with_shared_noise

__all__ = ["MASTERS", "open_fits"]

MASTERS = "masters"
"""Name of the directories in which masters are looked for."""

_BEGINNING = 2**16
"""Bytes of a file in which a history of ours begins: cards of the frame come before it."""


def open_fits(
    paths: Paths,
    *,
    camera: Camera | None = None,
    hdu: HduChoice = None,
    spellings: Spellings | None = None,
    types: Mapping[str, str] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    dtype: npt.DTypeLike | None = None,
    checksum: bool = False,
) -> xr.Dataset:
    """Open FITS files as a frame set; headers are read now, pixels when they are used.

    Parameters
    ----------
    paths, camera, hdu, spellings, types, on_error, dtype, checksum
        As for :func:`autowisp_xr.frames.open_fits`.

    Returns
    -------
    What :func:`autowisp_xr.frames.open_fits` gives. Calibrated frames have what they share of their
    variance again, made of the masters that their history names: by the identity in the files of
    these, or by SHA-256, wherever they were when the frames were calibrated, in the directory of
    the frames and the one above, and in ``masters/`` beside the frames, one or two above. Where one
    is not found, :func:`~autowisp_xr.stack` says so.

    Warns
    -----
    AutowispWarning
        As :func:`autowisp_xr.frames.open_fits`.

    Raises
    ------
    FileNotFoundError, BadImageError, HeaderError, ImageMismatchError, ValueError
        As by :func:`autowisp_xr.frames.open_fits`.
    """
    ds = frames.open_fits(
        paths,
        camera=camera,
        hdu=hdu,
        spellings=spellings,
        types=types,
        on_error=on_error,
        dtype=dtype,
        checksum=checksum,
    )
    if "variance" not in ds or "path" not in ds.coords:
        return ds
    files = [str(path) for path in ds["path"].values.tolist()]
    histories = [_steps_in(path) for path in files]
    if not any(step.get("masters") for steps in histories for step in steps):
        return ds
    return with_shared_noise(ds, histories, _Masters(files).find)


class _Masters:
    """Masters near some files, by their identities; directories are looked through once."""

    def __init__(self, files: Sequence[str]) -> None:
        self._own = set(map(os.path.realpath, files))
        self._folders = iter(_folders(files))
        self._seen: dict[str, list[str]] = {}
        self._opened: dict[str, xr.Dataset | None] = {}

    def find(self, identity: str, named: Mapping[str, Any]) -> xr.Dataset | None:
        """The master of an identity; None where there is none, or it cannot be read."""
        if identity not in self._opened:
            paths = self._by_name(named, identity) or self._by_identity(identity)
            self._opened[identity] = _opened(paths)
        return self._opened[identity]

    def _by_name(self, named: Mapping[str, Any], identity: str) -> list[str]:
        """Where a record says that it was, if it still is what it was."""
        paths = [str(entry["path"]) for entry in named.values()]
        if paths and all(_identity_in(path) == identity for path in paths):
            return paths
        return paths if paths and all(map(_is_unchanged, named.values())) else []

    def _by_identity(self, identity: str) -> list[str]:
        while identity not in self._seen:
            folder = next(self._folders, None)
            if folder is None:
                return []
            here: dict[str, list[str]] = {}
            for path in _files_in(folder):
                other = os.path.realpath(path) not in self._own and _may_be_ours(path)
                found = _identity_in(path) if other else ""
                if found:
                    here.setdefault(found, []).append(path)
            self._seen = here | self._seen
        return self._seen[identity]


def _folders(files: Iterable[str]) -> Iterator[str]:
    """Directories in which the masters of files may be, the likeliest first, each once."""
    own = list(dict.fromkeys(os.path.dirname(os.path.abspath(path)) for path in files))
    above = [os.path.dirname(folder) for folder in own]
    top = [os.path.dirname(folder) for folder in above]
    likely = (os.path.join(folder, MASTERS) for folder in (*own, *above, *top))
    yield from dict.fromkeys((*likely, *own, *above))


def _files_in(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if FITS_SUFFIX.search(name)]


def _steps_in(path: str) -> list[dict[str, Any]]:
    try:
        return provenance.steps_of(read_layout(path).history)
    except (AutowispError, OSError):
        return []


def _identity_in(path: str) -> str:
    """Identity of what a file of this package holds; "" for others."""
    steps = _steps_in(path)
    return str(steps[-1].get("id", "")) if steps else ""


def _may_be_ours(path: str) -> bool:
    """Whether the beginning of a file leaves it open: raw frames, which are many, end here."""
    try:
        with open(path, "rb") as file:
            start = file.read(_BEGINNING)
    except OSError:
        return False
    return not start.startswith(MAGIC) or PREFIX.encode() in start


def _is_unchanged(entry: Mapping[str, Any]) -> bool:
    try:
        if "sha256" in entry:
            return provenance.hashed_entry(entry["path"])["sha256"] == entry["sha256"]
        return provenance.file_entry(entry["path"]) == dict(entry)
    except OSError:
        return False


def _opened(paths: Sequence[str]) -> xr.Dataset | None:
    if not paths:
        return None
    try:
        with warnings.catch_warnings():
            # what is odd about a master was told when it was applied
            warnings.simplefilter("ignore", AutowispWarning)
            return schema.as_master(frames.open_fits(paths))
    except (AutowispError, OSError, ValueError):
        return None
