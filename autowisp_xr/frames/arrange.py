"""How files make up frames and channels."""

import os
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.planes import Hdu, Mosaic
from autowisp_xr.frames.names import bare_name
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.headers.cards import render_header, value_of
from autowisp_xr.headers.place import with_place
from autowisp_xr.regions import ChannelSlice, Region

_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Frames and channels of a set of files."""

    names: list[str]
    """Of the frames."""
    frames: list[list[FileRecord]]
    """For each frame the file of each channel; one file may serve them all."""
    channels: dict[str, ChannelSlice]
    """For each channel where it lies in its super-pixel."""
    cuts: list[ChannelSlice]
    """For each channel which pixels of the stored plane are its own."""
    height: int
    width: int
    y: int = 0
    x: int = 0
    left_out: dict[str, int] | None = None
    """Rows and columns of incomplete super-pixels at the far edge."""

    def planes(self, kind: str) -> list[list[Hdu | Mosaic]]:
        """HDUs of "image", "error", "mask" or "count" for (frame, channel); [] where none is."""
        found: list[list[Hdu | Mosaic]] = []
        missing: list[str] = []
        for records in self.frames:
            found.append([])
            for channel, record in zip(self.channels, records, strict=True):
                planes = record.layout.planes
                plane = planes.get(kind) or (planes.get(channel) if kind == "image" else None)
                if plane is None:
                    missing.append(record.path)
                else:
                    found[-1].append(plane)
        has = next((row[0].path for row in found if row), None)
        if has is None:
            return []
        if missing:
            raise ImageMismatchError(
                f"{has} has a plane of {kind!r}, but {_listed(missing)} not; open them apart"
            )
        return found


def arrange(records: Sequence[FileRecord], camera: Camera, hdu: HduChoice) -> Arrangement:
    """Sort files into frames and channels.

    Raises
    ------
    ImageMismatchError
        If the files differ in shape, place or channels, with the files that differ.
    """
    shape = _in_common(
        records,
        lambda record: record.shape,
        "{0[0]} x {0[1]}",
        "the images differ in shape (rows x columns)",
    )
    height, width = shape or (0, 0)
    if isinstance(hdu, Mapping):
        return _of_chosen_channels(records, camera, list(hdu), height, width)
    if any(record.place is not None and record.place.split for record in records):
        return _of_products(records, height, width)
    return _of_raw_frames(records, camera, height, width)


def _in_common(
    records: Sequence[FileRecord], key: Callable[[FileRecord], Any], described: str, fault: str
) -> Any:
    """What a key gives of all files; an error that lists what it gives of which, if it differs."""
    found: dict[Any, list[str]] = {}
    for record in records:
        found.setdefault(key(record), []).append(record.path)
    if len(found) > 1:
        listed = "".join(
            f"\n  - {described.format(value)}: {_listed(paths)}" for value, paths in found.items()
        )
        raise ImageMismatchError(f"{fault}; open them apart:{listed}")
    return next(iter(found))


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return ", ".join(paths[:_LISTED]) + more


def _of_chosen_channels(
    records: Sequence[FileRecord], camera: Camera, names: list[str], height: int, width: int
) -> Arrangement:
    """A frame a file, in which each channel is an HDU of its own."""
    known = camera.channels or {}
    unknown = [name for name in names if name not in known]
    channels = {name: known.get(name, ChannelSlice()) for name in names}
    if unknown and len(unknown) < len(names):
        raise ImageMismatchError(
            f"hdu names the channels {', '.join(unknown)}, the camera has {', '.join(known)}"
        )
    # the header is that of the first HDU
    planes = records[0].layout.planes
    own = channels[min(planes, key=lambda name: planes[name].index)]
    return Arrangement(
        names=schema.unique_names([r.path for r in records], [r.name for r in records]),
        frames=[[_placed(record, own, height, width)] * len(channels) for record in records],
        channels=channels,
        cuts=[ChannelSlice()] * len(channels),
        height=height,
        width=width,
    )


def _of_raw_frames(
    records: Sequence[FileRecord], camera: Camera, height: int, width: int
) -> Arrangement:
    """A frame a file, whose channels lie among each other; or masters that were cut like that."""
    y, x = _in_common(
        records,
        lambda record: (record.place.y, record.place.x) if record.place else (0, 0),
        "row {0[0]}, column {0[1]}",
        "the images start at different raw pixels (LTV1, LTV2)",
    )
    given = camera.channels or {schema.MONO: ChannelSlice()}
    channels = {name: cut.seen_from(y, x) for name, cut in given.items()}
    first = next(iter(channels.values()))
    rows, columns = first.y_step, first.x_step
    if height < rows or width < columns:
        raise ImageMismatchError(
            f"{records[0].path} is {height} x {width} pixels, less than one super-pixel of the "
            f"camera's channels ({rows} x {columns})"
        )
    left_out = {"rows": height % rows, "columns": width % columns}
    whole = ChannelSlice()
    return Arrangement(
        names=schema.unique_names([r.path for r in records], [r.name for r in records]),
        frames=[[_placed(r, whole, height, width, y, x)] * len(channels) for r in records],
        channels=channels,
        cuts=list(channels.values()),
        height=height // rows,
        width=width // columns,
        y=y,
        x=x,
        left_out=left_out if any(left_out.values()) else None,
    )


def _placed(
    record: FileRecord, cut: ChannelSlice, height: int, width: int, y: int = 0, x: int = 0
) -> FileRecord:
    """The record, its header naming the place of its pixels if that is not the raw frame."""
    area = Region(xmin=x, xmax=x + width * cut.x_step, ymin=y, ymax=y + height * cut.y_step)
    header = with_place(record.header, cut, area)
    if header is record.header:
        return record
    layout = replace(record.layout, header=render_header(header))
    return replace(record, header=header, layout=layout)


def _of_products(records: Sequence[FileRecord], height: int, width: int) -> Arrangement:
    """A file a channel of a calibrated frame or master."""
    raw = [record.path for record in records if record.place is None]
    if raw:
        raise ImageMismatchError(
            "raw and calibrated files (with IMAGAREA, CLRCHNL or CHNLXSTP) do not go together; "
            f"raw are {_listed(raw)}"
        )
    places = {record.path: record.place for record in records if record.place is not None}
    first = places[records[0].path]
    channels: dict[str, ChannelSlice] = {}
    for path, place in places.items():
        if (place.y, place.x) != (first.y, first.x):
            raise ImageMismatchError(
                f"{path} starts at row {place.y} and column {place.x} of the raw frame, "
                f"{records[0].path} at {first.y} and {first.x} (IMAGAREA); open them apart"
            )
        if channels.setdefault(place.channel, place.cut) != place.cut:
            raise ImageMismatchError(
                f"the channel {place.channel} lies at {place.cut} in {path}, elsewhere at "
                f"{channels[place.channel]} (CHNLXOFF and so on); open them apart"
            )
    steps = {(cut.y_step, cut.x_step) for cut in channels.values()}
    if len(steps) > 1:
        raise ImageMismatchError(f"the channels {', '.join(channels)} have different steps {steps}")
    channels = dict(sorted(channels.items(), key=lambda item: (item[1].y_offset, item[1].x_offset)))
    frames = files_of_frames(records)
    for frame in frames:
        missing = [channel for channel in channels if channel not in frame]
        if missing:
            present = next(iter(frame.values()))
            raise ImageMismatchError(
                f"of the frame of {present.path} there is no file of the channel "
                f"{', '.join(missing)}; other frames have {', '.join(channels)}"
            )
    ordered = [[frame[channel] for channel in channels] for frame in frames]
    heads = [row[0] for row in ordered]
    return Arrangement(
        names=schema.unique_names([head.path for head in heads], [_stem(head) for head in heads]),
        frames=ordered,
        channels=channels,
        cuts=[ChannelSlice()] * len(channels),
        height=height,
        width=width,
        y=first.y,
        x=first.x,
    )


def _stem(record: FileRecord, *, by_path: bool = False) -> str:
    """Name that the files of all channels of a frame have in common."""
    if not by_path and value_of(record.header, "RAWFNAME") is not None:
        return record.name
    name = bare_name(record.path)
    channel = record.place.channel if record.place else schema.MONO
    part = re.compile(rf"(^|[_\-. ]){re.escape(channel)}(?=[_\-. ]|$)")
    return part.sub("", name).strip("_-. ") or name


def files_of_frames(records: Sequence[FileRecord]) -> list[dict[str, FileRecord]]:
    """Files of each calibrated frame or master, by channel.

    They are told by RAWFNAME, and by directory and name where that is not enough.
    """
    keys: tuple[Callable[[FileRecord], Hashable], ...] = (
        _stem,
        lambda record: (os.path.dirname(record.path), _stem(record)),
        lambda record: (os.path.dirname(record.path), _stem(record, by_path=True)),
        lambda record: record.path,
    )
    frames: dict[Hashable, dict[str, FileRecord]] = {}
    for key in keys:
        frames = {}
        for record in records:
            channel = record.place.channel if record.place else schema.MONO
            if frames.setdefault(key(record), {}).setdefault(channel, record) is not record:
                break  # two files of one channel: more than one frame
        else:
            break
    return list(frames.values())
