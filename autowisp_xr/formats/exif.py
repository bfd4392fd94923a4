"""What a camera notes down beside the pixels: exposure, sensitivity, time, its name (Exif).

The time is that of the camera's clock, of whole seconds and, in most cameras, of hundredths beside
them. The standard (CIPA DC-008) does not state whether it is the start of the exposure; cameras
take it then, give or take the lag of the shutter.
"""

import io
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from autowisp_xr.formats.pictures import CardOf, library

_ZONE = re.compile(r"([+-])(\d\d):(\d\d)")
_BEGINNING = 1 << 20
_CR3, _CR3_PARTS = b"ftypcrx ", (b"CMT1", b"CMT2")

NO_ZONE = "the camera's clock states no time zone: its times are taken for UTC"
"""What is guessed where a clock does not state its zone."""

Tags = Mapping[str, Any]


def read_tags(path: str) -> Tags:
    """Return the values of the tags of a file by their names; none where it has no Exif."""
    reader = library("exifread", path)
    # it reports what it cannot read of other people's files
    logging.getLogger("exifread").setLevel(logging.CRITICAL)
    found: dict[str, Any] = {}
    with open(path, "rb") as file:
        for part in _parts(file):
            for name, tag in reader.process_file(part, details=False).items():
                group, _, tag_name = name.partition(" ")
                if group in ("Image", "EXIF") and getattr(tag, "values", None):
                    found.setdefault(tag_name, tag.values)
    return found


def _parts(file: io.BufferedReader) -> Iterator[io.BufferedIOBase]:
    """Yield what is read as Exif: the file, or of a CR3 the boxes that hold it."""
    start = file.read(_BEGINNING)
    file.seek(0)
    if _CR3 not in start[:16]:
        yield file
        return
    for name in _CR3_PARTS:
        at = start.find(name)
        if at >= 4:
            length = int.from_bytes(start[at - 4 : at], "big")
            yield io.BytesIO(start[at + 4 : at - 4 + length])


def cards_of(tags: Tags) -> tuple[list[CardOf], tuple[str, ...]]:
    """Return what tags state as cards of a header, and what is guessed."""
    cards = []
    make, model = (_text(tags, name) for name in ("Make", "Model"))
    if model:
        maker = make.split(" ")[0]
        named = model if model.lower().startswith(maker.lower()) else f"{maker} {model}"
        cards.append(CardOf("INSTRUME", named, "camera"))
    if serial := _text(tags, "BodySerialNumber"):
        cards.append(CardOf("CAMSN", serial, "serial number of the camera"))
    seconds = _number(tags, "ExposureTime")
    if seconds is not None:
        cards.append(CardOf("EXPTIME", seconds, "[s] exposure time"))
    iso = _number(tags, "ISOSpeedRatings") or _number(tags, "PhotographicSensitivity")
    if iso:
        cards.append(CardOf("ISOSPEED", round(iso), "sensitivity that was set"))
    length = _number(tags, "FocalLength")
    if length:
        cards.append(CardOf("FOCALLEN", length, "[mm] focal length of the lens"))
    if lens := _text(tags, "LensModel"):
        cards.append(CardOf("LENS", lens, "lens"))
    start, guesses = _start(tags)
    if start is not None:
        cards.append(CardOf("DATE-OBS", start.isoformat(), "start of the exposure"))
    return cards, guesses


def _start(tags: Tags) -> tuple[datetime | None, tuple[str, ...]]:
    """Return the start of the exposure, in UTC as far as the zone is known, and what is guessed."""
    # DateTime is that of the file, which a program may have written later
    for which in ("Original", "Digitized"):
        try:
            time = datetime.strptime(_text(tags, f"DateTime{which}"), "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        digits = _text(tags, f"SubSecTime{which}")
        if digits.isdecimal():
            time += timedelta(microseconds=int(f"{digits:0<6.6}"))
        match = _ZONE.fullmatch(_text(tags, f"OffsetTime{which}"))
        if match is None:
            return time, (NO_ZONE,)
        ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return time - ahead if match[1] == "+" else time + ahead, ()
    return None, ()


def _text(tags: Tags, name: str) -> str:
    value = tags.get(name, "")
    return value.strip("\0 ") if isinstance(value, str) else ""


def _number(tags: Tags, name: str) -> float | None:
    values = tags.get(name)
    try:
        return float(values[0]) if values else None
    except (TypeError, ValueError, ZeroDivisionError):
        return None
