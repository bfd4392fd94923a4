"""How files make up frames and channels."""

import os
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.layout import Hdu
from autowisp_xr.fits.mosaic import Mosaic
from autowisp_xr.frames.names import bare_name, frame_names
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.headers.cards import render_header, value_of
from autowisp_xr.headers.place import with_place
from autowisp_xr.regions import ChannelSlice, Region

__all__ = ["Arrangement", "arrange", "files_of_frames"]

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

    def planes(self, kind: str) -> list[list[Hdu | Mosaic]] | None:
        """HDUs of "image", "error" or "mask" for (frame, channel); None where no file has them."""
        found: list[list[Hdu | Mosaic]] = []
        missing: list[FileRecord] = []
        for records in self.frames:
            row = []
            for channel, record in zip(self.channels, records, strict=True):
                planes = record.layout.planes if record.layout else {}
                plane = planes.get(kind)
                if plane is None and kind == "image":
                    plane = planes.get(channel)
                if plane is None:
                    missing.append(record)
                else:
                    row.append(plane)
            found.append(row)
        if not any(found):
            return None
        if missing:
            has = next(
                record for records in self.frames for record in records if kind in record.planes
            )
            raise ImageMismatchError(
                f"{has.path} has a plane of {kind!r}, but {_listed([r.path for r in missing])} "
                "not; open them apart"
            )
        return found


def arrange(records: Sequence[FileRecord], camera: Camera, hdu: HduChoice) -> Arrangement:
    """Sort files into frames and channels.

    Raises
    ------
    ImageMismatchError
        If the files differ in shape, place or channels, with the files that differ.
    """
    _check_shapes(records)
    height, width = records[0].shape or (0, 0)
    if isinstance(hdu, Mapping):
        channels = _named_channels(list(hdu), camera)
        # the header is that of the first HDU
        planes = records[0].layout.planes if records[0].layout else {}
        own = channels[min(planes, key=lambda name: planes[name].index)]
        records = [_placed(record, own, height, width) for record in records]
        return _one_file_a_frame(records, channels, [ChannelSlice()] * len(channels), height, width)
    if any(record.place is not None and record.place.split for record in records):
        return _products(records, height, width)
    y, x = _common_start(records)
    records = [_placed(record, ChannelSlice(), height, width, y, x) for record in records]
    if not camera.channels:
        whole = ChannelSlice()
        return _one_file_a_frame(records, {schema.MONO: whole}, [whole], height, width, y, x)
    cuts = [_seen_from(cut, y, x) for cut in camera.channels.values()]
    rows, columns = cuts[0].y_step, cuts[0].x_step
    if height < rows or width < columns:
        raise ImageMismatchError(
            f"{records[0].path} is {height} x {width} pixels, less than one super-pixel of the "
            f"camera's channels ({rows} x {columns})"
        )
    left_out = {"rows": height % rows, "columns": width % columns}
    return _one_file_a_frame(
        records,
        dict(zip(camera.channels, cuts, strict=True)),
        cuts,
        height // rows,
        width // columns,
        y,
        x,
        left_out if any(left_out.values()) else None,
    )


def _check_shapes(records: Sequence[FileRecord]) -> None:
    shapes: dict[tuple[int, int] | None, list[str]] = {}
    for record in records:
        shapes.setdefault(record.shape, []).append(record.path)
    if len(shapes) > 1:
        listed = "".join(
            f"\n  - {shape[0]} x {shape[1]}: {_listed(paths)}"
            for shape, paths in shapes.items()
            if shape is not None
        )
        raise ImageMismatchError(
            f"the images differ in shape (rows x columns); open them apart:{listed}"
        )


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return ", ".join(paths[:_LISTED]) + more


def _named_channels(names: list[str], camera: Camera) -> dict[str, ChannelSlice]:
    known = camera.channels or {}
    if not set(names) & set(known):
        return {name: ChannelSlice() for name in names}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ImageMismatchError(
            f"hdu names the channels {', '.join(unknown)}, the camera has {', '.join(known)}"
        )
    return {name: known[name] for name in names}


def _one_file_a_frame(
    records: Sequence[FileRecord],
    channels: dict[str, ChannelSlice],
    cuts: list[ChannelSlice],
    height: int,
    width: int,
    y: int = 0,
    x: int = 0,
    left_out: dict[str, int] | None = None,
) -> Arrangement:
    return Arrangement(
        names=frame_names([r.path for r in records], [r.name for r in records]),
        frames=[[record] * len(channels) for record in records],
        channels=channels,
        cuts=cuts,
        height=height,
        width=width,
        y=y,
        x=x,
        left_out=left_out,
    )


def _common_start(records: Sequence[FileRecord]) -> tuple[int, int]:
    """Row and column of the raw frame at which the images start, which is (0, 0) but of masters."""
    starts: dict[tuple[int, int], list[str]] = {}
    for record in records:
        place = record.place
        starts.setdefault((place.y, place.x) if place else (0, 0), []).append(record.path)
    if len(starts) > 1:
        listed = "".join(
            f"\n  - row {y}, column {x}: {_listed(paths)}" for (y, x), paths in starts.items()
        )
        raise ImageMismatchError(
            f"the images start at different raw pixels (LTV1, LTV2); open them apart:{listed}"
        )
    return next(iter(starts))


def _seen_from(cut: ChannelSlice, y: int, x: int) -> ChannelSlice:
    """A slice of the raw frame as one of an image that starts at a raw pixel."""
    return ChannelSlice(
        y_offset=(cut.y_offset - y) % cut.y_step,
        y_step=cut.y_step,
        x_offset=(cut.x_offset - x) % cut.x_step,
        x_step=cut.x_step,
    )


def _placed(
    record: FileRecord, cut: ChannelSlice, height: int, width: int, y: int = 0, x: int = 0
) -> FileRecord:
    """The record, its header naming the place of its pixels if that is not the raw frame."""
    area = Region(xmin=x, xmax=x + width * cut.x_step, ymin=y, ymax=y + height * cut.y_step)
    header = with_place(record.header, cut, area)
    if record.layout is None or header is record.header:
        return record
    layout = replace(record.layout, header=render_header(header))
    return replace(record, header=header, layout=layout)


def _products(records: Sequence[FileRecord], height: int, width: int) -> Arrangement:
    raw = [record.path for record in records if record.place is None]
    if raw:
        raise ImageMismatchError(
            "raw and calibrated files (with IMAGAREA, CLRCHNL or CHNLXSTP) do not go together; "
            f"raw are {_listed(raw)}"
        )
    frames = files_of_frames(records)
    channels: dict[str, ChannelSlice] = {}
    first = records[0]
    for record in records:
        place = record.place
        if place is None or first.place is None:  # for the type checker; excluded above
            continue
        if (place.y, place.x) != (first.place.y, first.place.x):
            raise ImageMismatchError(
                f"{record.path} starts at row {place.y} and column {place.x} of the raw frame, "
                f"{first.path} at {first.place.y} and {first.place.x} (IMAGAREA); open them apart"
            )
        if channels.setdefault(place.channel, place.cut) != place.cut:
            raise ImageMismatchError(
                f"the channel {place.channel} lies at {place.cut} in {record.path}, elsewhere at "
                f"{channels[place.channel]} (CHNLXOFF and so on); open them apart"
            )
    steps = {(cut.y_step, cut.x_step) for cut in channels.values()}
    if len(steps) > 1:
        raise ImageMismatchError(f"the channels {', '.join(channels)} have different steps {steps}")
    channels = dict(sorted(channels.items(), key=lambda item: (item[1].y_offset, item[1].x_offset)))
    for frame in frames:
        missing = [channel for channel in channels if channel not in frame]
        if missing:
            present = next(iter(frame.values()))
            raise ImageMismatchError(
                f"of the frame of {present.path} there is no file of the channel "
                f"{', '.join(missing)}; other frames have {', '.join(channels)}"
            )
    ordered = [[frame[channel] for channel in channels] for frame in frames]
    place = ordered[0][0].place
    return Arrangement(
        names=frame_names([row[0].path for row in ordered], [_stem(row[0]) for row in ordered]),
        frames=ordered,
        channels=channels,
        cuts=[ChannelSlice()] * len(channels),
        height=height,
        width=width,
        y=place.y if place else 0,
        x=place.x if place else 0,
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
