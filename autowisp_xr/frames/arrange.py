"""Sort files into the frames and channels that they make up."""

import os
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from operator import attrgetter
from typing import TypeVar

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.first_names import first_of
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.planes import Hdu, Mosaic
from autowisp_xr.frames.names import bare_name
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.place import with_place
from autowisp_xr.regions import ChannelSlice, Region

_listed = partial(first_of, most=5)
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """The frames and channels that a set of files makes up."""

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
    label: Callable[[FileRecord], str] = attrgetter("name")
    """Names a frame by its first file."""

    @cached_property
    def names(self) -> list[str]:
        """Names of the frames."""
        heads = [records[0] for records in self.frames]
        return schema.unique_names([one.path for one in heads], [self.label(one) for one in heads])

    def planes(self, kind: str) -> list[list[Hdu | Mosaic]]:
        """Return HDUs of "image", "error", "mask", ... by frame and channel; [] for none."""
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
    height, width = shape_in_common((r.path, r.shape or (0, 0)) for r in records)
    if isinstance(hdu, Mapping):
        return _of_chosen_channels(records, camera, list(hdu), height, width)
    if any(record.place is not None and record.place.split for record in records):
        return _of_products(records, height, width)
    return _of_raw_frames(records, camera, height, width)


def in_common(found: Iterable[tuple[str, _T]], described: str, fault: str) -> _T:
    """Return the value that all files have in common, of pairs of a path and a value.

    Raises
    ------
    ImageMismatchError
        If they differ, with the ``fault``, and which files have which value, ``described`` by a
        format.
    """
    paths: dict[_T, list[str]] = {}
    for path, value in found:
        paths.setdefault(value, []).append(path)
    if len(paths) > 1:
        listed = "".join(f"\n  - {described.format(v)}: {_listed(of)}" for v, of in paths.items())
        raise ImageMismatchError(f"{fault}; open them apart:{listed}")
    return next(iter(paths))


def shape_in_common(shapes: Iterable[tuple[str, tuple[int, int]]]) -> tuple[int, int]:
    """Return the (height, width) of all files; an ImageMismatchError where they differ."""
    fault = "the images differ in shape (rows x columns)"
    return in_common(shapes, "{0[0]} x {0[1]}", fault)


def _start_in_common(records: Sequence[FileRecord]) -> tuple[int, int]:
    """Return the row and column of the raw frame at which all files begin."""
    return in_common(
        ((r.path, (r.place.y, r.place.x) if r.place else (0, 0)) for r in records),
        "row {0[0]}, column {0[1]}",
        "the images start at different raw pixels (LTV1, LTV2, IMAGAREA)",
    )


def _of_chosen_channels(
    records: Sequence[FileRecord], camera: Camera, names: list[str], height: int, width: int
) -> Arrangement:
    """Arrange files that are a frame each, in which each channel is an HDU of its own."""
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
        frames=[[_placed(record, own, height, width)] * len(channels) for record in records],
        channels=channels,
        cuts=[ChannelSlice()] * len(channels),
        height=height,
        width=width,
    )


def _of_raw_frames(
    records: Sequence[FileRecord], camera: Camera, height: int, width: int
) -> Arrangement:
    """Arrange files that are a frame or a master each, whose channels lie among each other."""
    y, x = _start_in_common(records)
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
    """Return the record, its header with the place of its pixels if that is not the raw frame."""
    header = with_place(record.header, cut, _area(cut, height, width, y, x))
    if header is record.header:
        return record
    return replace(record, layout=replace(record.layout, header=header.text))


@cache
def _area(cut: ChannelSlice, height: int, width: int, y: int, x: int) -> Region:
    return Region(xmin=x, xmax=x + width * cut.x_step, ymin=y, ymax=y + height * cut.y_step)


def _of_products(records: Sequence[FileRecord], height: int, width: int) -> Arrangement:
    """Arrange files that are a channel each of a calibrated frame or master."""
    raw = [record.path for record in records if record.place is None]
    if raw:
        raise ImageMismatchError(
            "raw and calibrated files (with IMAGAREA, CLRCHNL or CHNLXSTP) do not go together; "
            f"raw are {_listed(raw)}"
        )
    y, x = _start_in_common(records)
    cuts: dict[str, list[tuple[str, ChannelSlice]]] = {}
    for record in records:
        if record.place is not None:
            cuts.setdefault(record.place.channel, []).append((record.path, record.place.cut))
    channels = {
        name: in_common(found, "{0}", f"the channel {name} lies at different places (CHNLXOFF ...)")
        for name, found in cuts.items()
    }
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
    return Arrangement(
        label=_stem,
        frames=ordered,
        channels=channels,
        cuts=[ChannelSlice()] * len(channels),
        height=height,
        width=width,
        y=y,
        x=x,
    )


def _stem(record: FileRecord, *, by_path: bool = False) -> str:
    """Return the name that the files of all channels of a frame have in common."""
    if not by_path and value_of(record.header, "RAWFNAME") is not None:
        return record.name
    name = bare_name(record.path)
    channel = record.place.channel if record.place else schema.MONO
    part = re.compile(rf"(^|[_\-. ]){re.escape(channel)}(?=[_\-. ]|$)")
    return part.sub("", name).strip("_-. ") or name


def files_of_frames(records: Sequence[FileRecord]) -> list[dict[str, FileRecord]]:
    """Return the files of each calibrated frame or master, by channel.

    RAWFNAME shows which go together, and directory and name where that is not enough.
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
