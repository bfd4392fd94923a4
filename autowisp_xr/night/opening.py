"""``open_night``: what is in a folder, as a tree of lazy Datasets and a table of its frames."""

import os
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path

import xarray as xr

from autowisp_xr import frames, store
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, HeaderError
from autowisp_xr.fits.hdu_choice import HduName
from autowisp_xr.frames.names import Paths
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.matching import Matching
from autowisp_xr.night.camera_words import setting_hint, told
from autowisp_xr.night.choosing import Candidate, stop_reason
from autowisp_xr.night.foresight import by_setup, camera_with_colours, doubts_of_choices, foresee
from autowisp_xr.night.library import masters_in
from autowisp_xr.night.noise import unknown_noise
from autowisp_xr.night.products import STORE
from autowisp_xr.night.sets import FrameSet, sort_frames
from autowisp_xr.night.summary import SUMMARY_GROUP
from autowisp_xr.night.table import table_of

__all__ = ["open_night"]


def open_night(
    paths: Paths,
    *,
    camera: Camera | None = None,
    types: Mapping[str, str] | None = None,
    spellings: Spellings | None = None,
    hdu: HduName | None = None,
    masters: Paths | None = None,
    matching: Matching | None = None,
) -> xr.DataTree:
    """What is in a folder of raw frames, or what ``reduce`` made of one.

    Pixels are read only of files that may be copies of one exposure, to be sure that they are.

    Parameters
    ----------
    paths
        Directories, which are searched into their subdirectories, files or glob patterns; or the
        directory (or ``night.zarr``) with the results of :func:`~autowisp_xr.reduce`.
    camera, types, spellings, hdu, masters, matching
        As for :func:`~autowisp_xr.reduce`.

    Returns
    -------
    Of raw frames: at the root a table with a row for each file, over ``file``: ``image_type``,
    ``width``, ``height``, ``filter``, ``exposure``, ``temperature``, ``time``, ...; the ``set`` it
    belongs to, the masters that :func:`~autowisp_xr.reduce` would take for it (``bias``, ``dark``,
    ``flat``) and why not others, the ``reason`` why it would be left out, and ``doubts``. Below
    ``/raw`` each set as a frame set, lazily opened. ``.autowisp.info()`` gives it as text.

    Of results: the table as it was written, with what became of each file, and ``/masters`` and
    ``/calibrated`` as they lie in the store.

    Raises
    ------
    FileNotFoundError
        If there is nothing by one of the names, or no FITS file.
    ValueError
        If ``types`` names a type that there is not.
    """
    results = _store(paths)
    if results is not None:
        return _results(results)
    matching = matching or Matching()
    records = frames.scan(paths, deep=True, hdu=hdu, types=types, spellings=spellings)
    copies = frames.copies_of(records)
    sets, left_out, notes = sort_frames(
        [r for r in records if r.path not in copies], camera, matching
    )
    left_out |= copies
    notes += [
        f"the type rule {rule!r} fits no file of this night"
        for rule in frames.unused_rules(records, types or {})
    ]
    notes += frames.passed_over(paths, deep=True)
    others: list[Candidate] = []
    if masters:
        others, unusable = masters_in(
            masters, camera=camera, types=types, spellings=spellings, hdu=hdu
        )
        notes.append(f"masters of other nights: {len(others)}")
        notes += list(dict.fromkeys(unusable.values()))
    groups: dict[str, xr.Dataset] = {}
    for one in sets:
        try:
            groups[f"/raw/{one.path}"] = frames.open_records(
                one.records, camera=camera_with_colours([one], camera)
            )
        except AutowispError as error:
            left_out.update((record.path, str(error)) for record in one.records)
    notes += _camera_notes(sets, camera)
    choices = foresee(sets, others, matching)
    for one in sets:
        for path in (record.path for record in one.records):
            reason = stop_reason(one.traits.kind, choices[path], matching)
            if reason:
                left_out.setdefault(path, reason)
    notes += doubts_of_choices(choices)
    table = table_of(records, sets, left_out, choices)
    table.attrs = {"night": _told(paths), "notes": "\n".join(notes)}
    return xr.DataTree.from_dict({"/": table, **groups}, name="night")


def _camera_notes(sets: Sequence[FrameSet], camera: Camera | None) -> list[str]:
    """What is known of the cameras, what reduce will have to measure, and whether it can."""
    notes = []
    for place, of_place in by_setup(sets).items():
        line = told(of_place, camera)
        if line:
            notes.append(f"{place}: {line}" if place else line)
        try:
            unknown = unknown_noise(of_place, camera)
        except HeaderError as error:
            notes.append(str(error))
            continue
        if unknown:
            number = {
                kind: sum(len(one.records) for one in of_place if one.traits.kind == kind)
                for kind in ("flat", "bias")
            }
            enough = min(number.values()) >= 2
            what = " and ".join(name.replace("_", " ") for name in unknown)
            notes.append(
                (f"{place}: " if place else "")
                + f"the {what} of the camera {'is' if len(unknown) == 1 else 'are'} not in the "
                + (
                    f"headers; reduce measures from {number['flat']} flats and {number['bias']} "
                    "biases"
                    if enough
                    else "headers, and cannot be measured without two flats and two biases: give "
                    "a camera file, or --gain and --read-noise" + setting_hint(of_place, unknown)
                )
            )
    return notes


def _told(paths: Paths) -> str:
    given = [paths] if isinstance(paths, str | PathLike) else paths
    return " ".join(str(fspath(path)) for path in given)


def _store(paths: Paths) -> Path | None:
    """The store with results that a path means, if it does."""
    if not isinstance(paths, str | PathLike):
        return None
    path = Path(os.path.expanduser(fspath(paths)))
    for place in (path, path / STORE):
        if (place / "zarr.json").exists():
            return place
    return None


def _results(place: Path) -> xr.DataTree:
    nodes = {f"/{group}": store.open_zarr(place, group=group) for group in store.groups_of(place)}
    table = xr.Dataset()
    if (place / SUMMARY_GROUP / "zarr.json").exists():
        table = xr.open_zarr(
            fspath(place), group=SUMMARY_GROUP, chunks=None, consolidated=False
        ).load()
    return xr.DataTree.from_dict({"/": table, **nodes}, name="night")
