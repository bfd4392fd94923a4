"""A record of a file as a row of a table, and a row as the record of a file.

What differs from file to file is a column: header, coordinates, size, time of change. All else is
one text, which is the same for most files of a night, so that it is read once and shared.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from autowisp_xr import errors
from autowisp_xr.amplifiers import Amplifier
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

_NEVER = np.datetime64("NaT", "ns").view("i8").item()


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
            planes=_unpacked(planes, of_file),
            **layout,
        ),
        coordinates=coordinates,
        options=options,
        **record,
    )


@lru_cache(maxsize=4096)
def _known(text: str) -> tuple[Any, dict[str, Any], dict[str, Any], bool]:
    """Return planes as they are packed; all else of layout and record; if there are coordinates."""
    known = json.loads(text)
    layout, record = (
        {name: _unpacked(value, {}) for name, value in known[part].items()}
        for part in ("layout", "record")
    )
    return known["planes"], layout, record, known["stated"]


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


def _unpacked(value: Any, of_file: Mapping[str, Any]) -> Any:
    """Return the value that was packed; HDUs get what is of their file."""
    if isinstance(value, list):
        return tuple(_unpacked(one, of_file) for one in value)
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    if name == "dtype":
        return np.dtype(content)
    if name == "error":
        return getattr(errors, content[0])(*content[1:])
    found = {one: _unpacked(inner, of_file) for one, inner in content.items()}
    if not name:
        return found
    return _TYPES[name](**found, **(of_file if name == "Hdu" else {}))
