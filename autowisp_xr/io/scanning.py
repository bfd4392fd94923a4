"""What is in a list of files: headers read once, coordinates and facts taken from them."""

import math
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.cards import parse_header, value_of
from autowisp_xr.errors import AutowispError, BadImageError, HeaderError
from autowisp_xr.io.coordinates import is_master, read_coordinates, read_facts
from autowisp_xr.io.layout import FileLayout, read_layout
from autowisp_xr.io.names import Paths, find_files, raw_name
from autowisp_xr.io.pixels import read_rows
from autowisp_xr.io.spellings import Spellings
from autowisp_xr.regions import ChannelSlice, Region

__all__ = ["FileRecord", "Place", "damage", "scan"]

_AREA = re.compile(r"\s*(\d+)\s*<\s*x\s*<\s*(\d+)\s*,\s*(\d+)\s*<\s*y\s*<\s*(\d+)\s*")
_CHANNEL_CARDS = {
    "y_offset": "CHNLYOFF",
    "y_step": "CHNLYSTP",
    "x_offset": "CHNLXOFF",
    "x_step": "CHNLXSTP",
}
_PRODUCT_CARDS = ("IMAGAREA", "CLRCHNL", *_CHANNEL_CARDS.values())


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the image of a calibrated file lies in the raw frame, as its header says."""

    channel: str
    cut: ChannelSlice
    y: int = 0
    x: int = 0
    height: int | None = None
    """Of the raw frame, as far as it is known to reach; None where IMAGAREA does not say."""
    width: int | None = None


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """What is known about one file; where ``error`` is set, that it could not be read."""

    path: str
    error: AutowispError | OSError | None = None
    layout: FileLayout | None = None
    header: fits.Header = field(default_factory=fits.Header)
    """Of the image, without our own history."""
    coordinates: Mapping[str, Any] = field(default_factory=dict)
    """As :func:`autowisp_xr.io.coordinates.read_coordinates` gives them."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """As :func:`autowisp_xr.io.coordinates.read_facts` gives them."""
    place: Place | None = None
    """Of a calibrated file (IMAGAREA, CLRCHNL, CHNL*), whose channels are split already."""
    guesses: tuple[str, ...] = ()
    """What was assumed about this file, in words."""

    @property
    def shape(self) -> tuple[int, int] | None:
        """(height, width) of the stored image."""
        if self.layout is None:
            return None
        plane = next(iter(self.layout.planes.values()))
        return plane.height, plane.width

    @property
    def is_master(self) -> bool:
        """Whether the header is that of a master."""
        return is_master(self.header)

    @property
    def planes(self) -> tuple[str, ...]:
        """Which planes the file has: "image", and "error" and "mask" in a product."""
        return () if self.layout is None else tuple(self.layout.planes)

    @property
    def name(self) -> str:
        """RAWFNAME of its header, or of its path."""
        return str(value_of(self.header, "RAWFNAME") or raw_name(self.path))


def scan(
    paths: Paths,
    *,
    hdu: int | Mapping[str, int] | None = None,
    spellings: Spellings | None = None,
) -> list[FileRecord]:
    """Look into files without reading their pixels.

    Parameters
    ----------
    paths
        As for :func:`autowisp_xr.io.names.find_files`.
    hdu
        As for :func:`autowisp_xr.io.layout.read_layout`.
    spellings
        Which cards say what; None for the usual ones.

    Returns
    -------
    A record for each file, in order. A file that cannot be read, or whose header contradicts
    itself, has its ``error``.

    Raises
    ------
    FileNotFoundError
        Only if there is nothing by one of the names that were given.
    """
    spellings = spellings or Spellings()
    with warnings.catch_warnings():
        # astropy's remarks on the form of other people's cards: nobody can act upon them here
        warnings.simplefilter("ignore")
        return [_record(os.path.abspath(p), hdu, spellings) for p in find_files(paths)]


def damage(record: FileRecord) -> AutowispError | OSError | None:
    """What is wrong with the pixels of a file, all of which are read for that; None if nothing."""
    if record.layout is None:
        return record.error
    try:
        for plane in record.layout.planes.values():
            read_rows(plane, 0, plane.height)
    except (AutowispError, OSError) as error:
        return error
    return None


def _record(path: str, hdu: int | Mapping[str, int] | None, spellings: Spellings) -> FileRecord:
    try:
        path.encode()
    except UnicodeEncodeError:
        error = BadImageError(f"{path!a}: the name of the file is no text; rename it")
        return FileRecord(path=path, error=error)
    try:
        layout = read_layout(path, hdu)
    except (AutowispError, OSError) as error:
        return FileRecord(path=path, error=error)
    header = parse_header(layout.header)
    plane = next(iter(layout.planes.values()))
    place = _place(header, plane.height, plane.width)
    height = plane.height if place is None or place.height is None else place.height
    width = plane.width if place is None or place.width is None else place.width
    try:
        coordinates = read_coordinates(header, spellings)
    except HeaderError as error:
        return FileRecord(
            path=path, error=HeaderError(f"{path}: {error}"), layout=layout, header=header
        )
    guesses = []
    if math.isnan(coordinates["exposure"]) and not np.isnat(coordinates["time"]):
        guesses.append("the exposure is not known; a start counts as the middle")
    return FileRecord(
        path=path,
        layout=layout,
        header=header,
        coordinates=coordinates,
        facts=read_facts(header, spellings, height, width),
        place=place,
        guesses=tuple(guesses),
    )


def _place(header: fits.Header, height: int, width: int) -> Place | None:
    if all(value_of(header, card) is None for card in _PRODUCT_CARDS):
        return None
    numbers = {
        name: value
        for name, card in _CHANNEL_CARDS.items()
        if isinstance(value := value_of(header, card), int) and not isinstance(value, bool)
    }
    channel = str(value_of(header, "CLRCHNL") or schema.MONO)
    try:
        cut = ChannelSlice(**numbers)
    except AutowispError:
        # offsets without the steps that they go with say nothing
        cut = ChannelSlice()
    match = _AREA.fullmatch(str(value_of(header, "IMAGAREA") or ""))
    if match is None:
        return Place(channel=channel, cut=cut)
    x1, x2, y1, y2 = (int(number) for number in match.groups())
    try:
        area = Region(xmin=x1, xmax=x2, ymin=y1, ymax=y2)
    except AutowispError:
        return Place(channel=channel, cut=cut)
    return Place(
        channel=channel, cut=cut, y=area.ymin, x=area.xmin, height=area.ymax, width=area.xmax
    )
