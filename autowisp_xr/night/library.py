"""Masters of other nights, found in a directory, as candidates for the frames of this one."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from os import PathLike
from typing import Any

import xarray as xr

from autowisp_xr import frames, provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError
from autowisp_xr.fits.hdu_choice import HduName
from autowisp_xr.frames import FileRecord
from autowisp_xr.frames.camera_of_files import resolve_camera
from autowisp_xr.frames.evidence import named_type, pattern_like
from autowisp_xr.frames.names import Paths
from autowisp_xr.headers.cards import first_value
from autowisp_xr.headers.place import Place
from autowisp_xr.headers.processing import stated_bias
from autowisp_xr.kinds import AVERAGED, KINDS
from autowisp_xr.matching.traits import Traits
from autowisp_xr.night.choosing import Candidate
from autowisp_xr.night.file_traits import channels_of, traits_of_set
from autowisp_xr.night.sentences import by_key, named, sentence
from autowisp_xr.option_words import in_options
from autowisp_xr.regions import ChannelSlice, Region
from autowisp_xr.steps.foreign_masters import flat_levels
from autowisp_xr.steps.pedestals import is_foreign

_COUNTS = ("NUMFCOMB", "NCOMBINE", "STACKCNT")


def masters_in(
    paths: Paths,
    *,
    camera: Camera | None = None,
    hdu: HduName | None = None,
    skip: Collection[str | PathLike[str]] = (),
    checksum: bool = False,
    manifest: frames.Manifest | None = None,
    **reading: Any,
) -> tuple[list[Candidate], dict[str, str]]:
    """Find candidates of all masters in files and directories, and {path: reason or doubt}.

    Directories are searched into their subdirectories. Calibrated files, and what is of no type
    that masters are of, are passed over without a word; a master that is of no known type, is not
    fit to be one, or cannot be read, has its reason, as has what nothing marks as a master, and
    what a file holds beside the image that is read, its doubt. The files of the channels of one
    master make one candidate.

    Parameters
    ----------
    paths
        Files, directories, glob patterns.
    camera
        As for :func:`~autowisp_xr.reduce`; of masters of other programs, only the user may know the
        colours.
    hdu
        Which HDU is the image in files that hold several, without which the first is it.
    skip
        Directories that are passed over.
    checksum
        Whether to compare the pixels of a master with its DATASUM when it is opened.
    manifest
        What is known of the files already, so that those only are opened that are new.
    **reading
        ``types`` and ``aliases``, as for :func:`~autowisp_xr.reduce`; only the user may know that
        files of other programs are masters ("master dark").
    """
    scan = frames.scan if manifest is None else manifest.scan
    records = scan(paths, deep=True, skip=skip, **reading)
    for number, record in enumerate(records):
        # the first image does, but where a file holds several
        if hdu is not None and (record.error or record.layout.doubts):
            records[number] = frames.scan(record.path, hdu=hdu, **reading)[0]
    left_out = {record.path: str(record.error) for record in records if record.error}
    masters = [record for record in records if record.master_because and not record.error]
    left_out |= {one.path: f"{one.path}: {'; '.join(one.doubts)}" for one in masters if one.doubts}
    left_out |= _unmarked(records)
    # two cameras, or two nights, are not channels of each other
    groups = by_key(masters, _alike)
    found = []
    for files in (files for group in groups.values() for files in frames.files_of_frames(group)):
        try:
            found.append(_candidate(files, camera, checksum))
        except (AutowispError, OSError) as error:
            left_out.update((record.path, in_options(str(error))) for record in files.values())
    return found, left_out


def _unmarked(records: Sequence[FileRecord]) -> dict[str, str]:
    """Return the files that could be masters, but for a mark, each with the reason, one for all."""
    unmarked = [
        one
        for one in records
        if not (one.error or one.master_because or one.calibrated_because)
        and one.coordinates["image_type"] in AVERAGED
    ]
    if not unmarked:
        return {}
    files, first = [one.path for one in unmarked], unmarked[0]
    rule, kind = pattern_like(first.path, named_type(first.path)), first.coordinates["image_type"]
    names = named([os.path.basename(file) for file in files])
    return dict.fromkeys(files, sentence("no_masters", files=names, rule=rule, kind=kind))


def _alike(record: FileRecord) -> tuple[object, ...]:
    """Return what the files of the channels of a master have in common."""
    steps = record.place and (record.place.cut.y_step, record.place.cut.x_step)
    return os.path.dirname(record.path), record.coordinates["image_type"], record.shape, steps


def _candidate(files: Mapping[str, FileRecord], camera: Camera | None, checksum: bool) -> Candidate:
    """Make a candidate of the files of a master."""
    # in the order of their pixels
    records = sorted(files.values(), key=_corner)
    first = records[0]
    kind = str(first.coordinates["image_type"])
    if kind not in KINDS or not KINDS[kind].master_unit:
        raise AutowispError(f"{first.path} is a master of no known type (IMAGETYP, {kind})")
    if first.place is not None:
        # what is split already states its channels itself
        camera = None

    @cache
    def opened() -> xr.Dataset:
        sound = frames.checked(records) if checksum else records
        return schema.as_master(frames.open_records(sound, camera=camera), name=first.path)

    if kind == "flat" and is_foreign(opened()):
        flat_levels(opened())
    number = first_value(first.header, _COUNTS)
    name = first.path
    if len(records) > 1:
        name += f" (and {', '.join(_place(record).channel for record in records[1:])})"
    return Candidate(
        name=name,
        traits=_traits(kind, records, camera),
        frames=int(number) if isinstance(number, int | float) and number >= 1 else 1,
        own=False,
        open=opened,
    )


def _place(record: FileRecord) -> Place:
    """Return where a master lies in the raw frame: at its corner, where it does not state it."""
    return record.place or Place(channel=schema.MONO, cut=ChannelSlice())


def _corner(record: FileRecord) -> tuple[int, int]:
    """Return the first pixel (y, x) of a channel."""
    cut = _place(record).cut
    return cut.y_offset, cut.x_offset


def _traits(kind: str, records: Sequence[FileRecord], camera: Camera | None) -> Traits:
    """Return the traits of a master."""
    first = records[0]
    camera = resolve_camera(records, camera, None)
    place, (height, width) = _place(first), first.shape or (0, 0)
    xmax = place.width or place.x + width * place.cut.x_step
    ymax = place.height or place.y + height * place.cut.y_step
    history = provenance.steps_of(first.layout.history)
    stated = stated_bias(first.header, history) if KINDS[kind].place == "dark" else None
    return replace(
        traits_of_set(kind, [Traits.of(record.coordinates) for record in records], records),
        area=Region(xmin=place.x, xmax=xmax, ymin=place.y, ymax=ymax),
        # without IMAGAREA, only what other programs write (LTV) states where a master lies
        placed=place.height is not None or not place.split,
        channels=channels_of(camera) or ((schema.MONO, ChannelSlice()),),
        holds_bias=None if stated is None else not stated.made,
    )
