"""Masters of other nights, found in a directory, as candidates for the frames of this one."""

import json
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import xarray as xr

from autowisp_xr import io, schema
from autowisp_xr.cards import first_value, value_of
from autowisp_xr.errors import AutowispError
from autowisp_xr.io import FileRecord
from autowisp_xr.io.names import Paths
from autowisp_xr.io.settle import settle_camera
from autowisp_xr.night.matching import Candidate
from autowisp_xr.night.traits import Setup, layout_of, traits_of
from autowisp_xr.regions import ChannelSlice, Region

__all__ = ["masters_in"]

_COUNTS = ("NUMFCOMB", "NCOMBINE", "STACKCNT")


def masters_in(paths: Paths) -> tuple[list[Candidate], dict[str, str]]:
    """Candidates of all masters in files and directories, and {path: reason} of the rest.

    Directories are searched into their subdirectories. Files that are no masters are passed over
    without a word; a master that is of no known type, or cannot be read, has its reason. The files
    of the channels of one master make one candidate.
    """
    records = [
        record for record in io.scan(paths, deep=True) if record.error or record.master_because
    ]
    left_out = {record.path: str(record.error) for record in records if record.error}
    found = []
    for files in io.files_of_frames([record for record in records if not record.error]):
        try:
            found.append(_candidate(files))
        except AutowispError as error:
            left_out.update((record.path, str(error)) for record in files.values())
    return found, left_out


def _candidate(files: Mapping[str, FileRecord]) -> Candidate:
    # in the order of their pixels
    records = sorted(files.values(), key=_corner)
    first = records[0]
    kind = str(first.coordinates["image_type"])
    if kind not in ("bias", "dark", "flat"):
        raise AutowispError(f"{first.path} is a master of no known type (IMAGETYP, {kind})")
    frames = first_value(first.header, _COUNTS)
    name = first.path
    if len(records) > 1:
        others = [record.place.channel for record in records[1:] if record.place]
        name = f"{name} (and {', '.join(others)})"
    return Candidate(
        name=name,
        traits=traits_of(kind, records, _setup(records)),
        frames=int(frames) if isinstance(frames, int | float) and frames >= 1 else 1,
        own=False,
        bias_free=_bias_free(first) if kind == "dark" else None,
        open=cache(partial(_opened, tuple(records))),
    )


def _corner(record: FileRecord) -> tuple[int, int]:
    cut = record.place.cut if record.place else ChannelSlice()
    return cut.y_offset, cut.x_offset


def _opened(records: tuple[FileRecord, ...]) -> xr.Dataset:
    return schema.as_master(io.open_records(records), name=records[0].path)


def _setup(records: Sequence[FileRecord]) -> Setup:
    first = records[0]
    camera = settle_camera(records, None, None)
    place, (height, width) = first.place, first.shape or (0, 0)
    if place is None:
        placed, area = False, Region(xmin=0, xmax=width, ymin=0, ymax=height)
    else:
        # without IMAGAREA, only what other programs write (LTV) tells where a master lies
        placed = place.height is not None or not place.split
        area = Region(
            xmin=place.x,
            xmax=place.width or place.x + width * place.cut.x_step,
            ymin=place.y,
            ymax=place.height or place.y + height * place.cut.y_step,
        )
    gain = float(first.coordinates["gain"])
    return Setup(
        shape=None,
        area=area,
        placed=placed,
        channels=layout_of(camera),
        camera=str(first.facts.get("camera") or ""),
        binning=str(first.coordinates.get("binning", "")),
        gain=None if gain != gain else gain,
    )


def _bias_free(record: FileRecord) -> bool | None:
    if value_of(record.header, "MBIASFNM") is not None:
        return True
    text = record.layout.history if record.layout else ""
    try:
        steps: Any = json.loads(text) if text else None
    except json.JSONDecodeError:
        steps = None
    if not isinstance(steps, list) or not steps:
        return None
    return any("bias" in step.get("masters", {}) for step in steps)
