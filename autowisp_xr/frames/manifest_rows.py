"""A record of a file as a row of a table, and a row as the record of a file.

What differs from file to file is a column: header, coordinates, size, time of change. All else is
one text, which is the same for most files of a night, so that it is read once and shared.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from autowisp_xr import errors
from autowisp_xr.camera.amplifiers import Amplifier
from autowisp_xr.fits.planes import FileLayout, Hdu, Mosaic, Tile
from autowisp_xr.fits.tiles import TileTable
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.headers.assembly import Reader
from autowisp_xr.headers.coordinates import NUMBER_COORDS, TEXT_COORDS
from autowisp_xr.headers.place import Place
from autowisp_xr.regions import ChannelSlice, Region

NUMBERS = tuple(NUMBER_COORDS)
TEXTS = (*TEXT_COORDS, "pixel_type")

_TYPES = {
    one.__name__: one
    for one in (Hdu, Mosaic, Tile, TileTable, Reader, Region, ChannelSlice, Place, Amplifier)
}
_OF_FILE = ("path", "size", "changed")
"""Fields of an HDU that are those of its file."""

_OF_NO_FILE = {name for name, one in _TYPES.items() if one not in (Hdu, Mosaic, Tile)}
"""Names of types that hold no HDU."""

_Made = Callable[[Mapping[str, Any]], Any]


class Row(NamedTuple):
    """A file in a manifest."""

    path: str
    """Below the folder, with "/" between names."""
    size: int
    changed: int
    """Time of the last change, in nanoseconds."""
    header: str
    history: str
    known: str
    """As JSON, all that is in no column."""
    time: int
    """Nanoseconds since 1970."""
    numbers: tuple[float, ...]
    """Coordinates, in the order of ``NUMBERS``."""
    texts: tuple[str, ...]
    """Coordinates, in the order of ``TEXTS``."""

    @property
    def checksum(self) -> int:
        """A sum over all of it, by which damage is noticed."""
        return zlib.crc32("\0".join(map(str, self)).encode("utf-8", "surrogatepass"))


def row_of(record: FileRecord, path: str, size: int, changed: int) -> Row:
    """Return the row of a record.

    Raises
    ------
    TypeError
        If it holds what a row cannot, such as an error of the system, which may pass.
    """
    layout, stated = record.layout, record.coordinates
    known = {
        "planes": _packed(layout.planes),
        "layout": {
            name: _packed(getattr(layout, name)) for name in ("readers", "channels", "doubts")
        },
        "record": {
            one.name: _packed(getattr(record, one.name))
            for one in fields(record)
            if one.name not in ("path", "layout", "coordinates", "options")
        },
        "stated": bool(stated),
    }
    return Row(
        path,
        size,
        changed,
        layout.header,
        layout.history,
        json.dumps(known, separators=(",", ":")),
        np.datetime64(stated.get("time", "NaT"), "ns").view("i8").item(),
        tuple(float(stated.get(name, np.nan)) for name in NUMBERS),
        tuple(stated.get(name, "") for name in TEXTS),
    )


def record_of(row: Row, path: str, options: Mapping[str, Any]) -> FileRecord:
    """Return the record of a row, of a file by its whole path, scanned with some options."""
    planes, layout, record, stated = _known(row.known)
    of_file = {"path": path, "size": row.size, "changed": row.changed}
    coordinates: dict[str, Any] = {}
    if stated:
        coordinates = dict(zip(NUMBERS, row.numbers, strict=True))
        coordinates |= zip(TEXTS, row.texts, strict=True)
        coordinates["time"] = np.datetime64(row.time, "ns")
    return FileRecord(
        path=path,
        layout=FileLayout(
            header=row.header,
            history=row.history,
            planes=planes(of_file),
            **layout,
        ),
        coordinates=coordinates,
        options=options,
        **record,
    )


@lru_cache(maxsize=4096)
def _known(text: str) -> tuple[_Made, dict[str, Any], dict[str, Any], bool]:
    """Return what makes planes; all else of layout and record; whether there are coordinates."""
    known = json.loads(text)
    layout, record = (
        {name: _unpacked(value)({}) for name, value in known[part].items()}
        for part in ("layout", "record")
    )
    return _unpacked(known["planes"]), layout, record, known["stated"]


def _packed(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return list(map(_packed, value))
    if isinstance(value, Mapping):
        return {"": {str(name): _packed(one) for name, one in value.items()}}
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    if isinstance(value, errors.AutowispError) and all(isinstance(one, str) for one in value.args):
        return {"error": [type(value).__name__, *value.args]}
    name = type(value).__name__
    if _TYPES.get(name) is not type(value):
        raise TypeError(f"a manifest cannot hold {value!r}")
    left_out = _OF_FILE if isinstance(value, Hdu) else ()
    names = [one.name for one in fields(value) if one.name not in left_out]
    return {name: {one: _packed(getattr(value, one)) for one in names}}


def _unpacked(value: Any) -> _Made:
    """Return what makes the value that was packed, given what its HDUs have of their file.

    Files that are alike share all else.
    """
    if isinstance(value, list):
        parts = list(map(_unpacked, value))
        return lambda of_file: tuple([part(of_file) for part in parts])
    if not isinstance(value, dict):
        return lambda of_file: value
    ((name, content),) = value.items()
    if name == "dtype":
        dtype = np.dtype(content)
        return lambda of_file: dtype
    if name == "error":
        return lambda of_file: getattr(errors, content[0])(*content[1:])
    inner = {one: _unpacked(part) for one, part in content.items()}
    if name == "Hdu":
        own = {one: part({}) for one, part in inner.items()}
        return lambda of_file: Hdu(**own, **of_file)
    kind = _TYPES[name] if name else dict
    if name in _OF_NO_FILE:
        shared = kind(**{one: part({}) for one, part in inner.items()})
        return lambda of_file: shared
    return lambda of_file: kind(**{one: part(of_file) for one, part in inner.items()})
