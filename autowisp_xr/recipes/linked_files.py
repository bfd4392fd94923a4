"""Raw pixels that stay in their FITS files, and are the same as when a recipe was stored."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import frames, provenance, schema
from autowisp_xr.addresses import file_of
from autowisp_xr.errors import BadImageError
from autowisp_xr.file_digests import file_entry, hashed_entry


def linked(raw: xr.Dataset) -> list[dict[str, Any]]:
    """Return what files of frames are known by: path, size, time and, where wanted, SHA-256."""
    files = [file_entry(path) for path in raw["path"].values.tolist()]
    provenance.add_hashes(files)
    return files


def with_linked(raw: xr.Dataset, files: Sequence[Mapping[str, Any]]) -> xr.Dataset:
    """Return frames with the pixels of their files, lazily indexed.

    Parameters
    ----------
    raw
        The frames without pixels.
    files
        As :func:`linked` gave them.

    Raises
    ------
    BadImageError
        If a file is gone or is not what it was.
    """
    known, paths = {file["path"]: file for file in files}, raw["path"].values.tolist()
    for path in paths:
        _check(path, known[path])
    hdu = provenance.history(raw)[0]["options"].get("hdu")
    records = frames.scan(paths, hdu=hdu)
    opened = frames.open_records(records, camera=schema.camera_of(raw), hdu=hdu)
    found = opened["path"].values.tolist()
    order = [found.index(path) for path in paths]
    image = opened["image"].variable
    return raw.assign(image=image if order == sorted(order) else image[np.array(order)])


def _check(path: str, known: Mapping[str, Any]) -> None:
    try:
        status = os.stat(file_of(path))
        same = status.st_size == known["size"]
        if same and status.st_mtime_ns != known["changed"]:
            same = hashed_entry(path)["sha256"] == known.get("sha256")
    except OSError as error:
        raise BadImageError(
            f"{path}, whose pixels a store has linked, cannot be read ({error.strerror}); put it "
            "back, or reduce the night again from where it is now"
        ) from error
    if not same:
        raise BadImageError(
            f"{path} was changed since the night was reduced (it had {known['size']} bytes, and "
            f"has {status.st_size}), and its pixels are linked; put it back as it was, or reduce "
            "the night again with overwrite=True"
        )
