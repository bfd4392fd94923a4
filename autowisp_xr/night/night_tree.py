"""``open_night``: a folder of frames as a tree of lazy Datasets and a table."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr

from autowisp_xr import frames, recipes, store
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, HeaderError
from autowisp_xr.fits.hdu_choice import HduName
from autowisp_xr.frames.camera_of_files import resolve_camera
from autowisp_xr.frames.names import Paths
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.matching import Matching
from autowisp_xr.night.camera_words import describe, setting_hint
from autowisp_xr.night.frame_sets import FrameSet, records_of, unlit_of, unlit_words
from autowisp_xr.night.listing import table_of
from autowisp_xr.night.plan import Plan, by_setup, camera_with_colours, plan_night
from autowisp_xr.night.product_writing import STORE
from autowisp_xr.night.sentences import plain, sentence
from autowisp_xr.night.summary import SUMMARY_GROUP
from autowisp_xr.startup import collecting_later


def open_night(
    paths: Paths,
    *,
    camera: Camera | None = None,
    types: Mapping[str, str] | None = None,
    aliases: KeywordAliases | None = None,
    hdu: HduName | None = None,
    masters: Paths | None = None,
    matching: Matching | None = None,
    manifest: str | PathLike[str] | None = None,
) -> xr.DataTree:
    """Open a folder of raw frames, or of what ``reduce`` made of one, as a tree.

    Pixels are read only of files that may be copies of one exposure, to be sure that they are.

    Parameters
    ----------
    paths
        Directories, which are searched into their subdirectories, files or glob patterns; or the
        directory (or ``night.zarr``) with the results of :func:`~autowisp_xr.reduce`.
    camera, types, aliases, hdu, masters, matching
        As for :func:`~autowisp_xr.reduce`.
    manifest
        A Zarr store in which is kept what was found in the files, or a directory with one of
        :func:`~autowisp_xr.reduce`: only files that are new or changed since are opened, and added
        to it. It is made where there is none. None for the one that ``reduce`` has left in
        results in or beside the directory, which is only read; "none" for none.

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
    FileExistsError
        If ``manifest`` is something that is no Zarr store.

    Examples
    --------
    >>> import tempfile
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> folder = tempfile.mkdtemp()
    >>> for frames in (night.bias(3), night.objects(2)):
    ...     files = frames.autowisp.to_fits(f"{folder}/{{RAWFNAME}}.fits")
    >>> tree = aw.open_night(folder)
    >>> sorted(tree["raw"].children)
    ['V_60s', 'bias']
    """
    reading: dict[str, Any] = {"types": types, "aliases": aliases, "hdu": hdu}
    given: dict[str, Any] = {"camera": camera, "masters": masters, "matching": matching}
    return _looked_at(paths, manifest, frames.open_records, **given, **reading)


def table_of_night(
    paths: Paths, *, manifest: str | PathLike[str] | None = None, **given: Any
) -> xr.Dataset:
    """Return the table at the root of what :func:`open_night` gives, and open no set for it.

    Parameters and errors are as for that.
    """
    return _looked_at(paths, manifest, frames.check_together, **given).to_dataset()


@collecting_later()
def _looked_at(
    paths: Paths,
    manifest: str | PathLike[str] | None,
    open_set: Callable[..., xr.Dataset | None],
    *,
    camera: Camera | None = None,
    **given: Any,
) -> xr.DataTree:
    """Return a night as a tree, its sets as they are opened, if they are."""
    results = _store(paths)
    if results is not None:
        return _results(results)
    plan = plan_night(paths, camera=camera, manifest=manifest_for(paths, manifest), **given)
    left_out = dict(plan.left_out)
    groups: dict[str, xr.Dataset] = {}
    for one in plan.sets:
        complete = camera_with_colours([one], camera)
        try:
            ds = open_set(one.records, camera=complete)
        except AutowispError as error:
            left_out.update((record.path, str(error)) for record in one.records)
        else:
            groups |= {} if ds is None else {f"/raw/{one.path}": ds}
    for product in plan.products:
        if product.stopped:
            left_out = dict.fromkeys(product.choices_of, product.stopped) | left_out
    notes = [*plan.notes, *_camera_notes(plan, camera), *plan.doubts]
    table = table_of(plan, left_out).assign_attrs(night=plan.night, notes="\n".join(notes))
    return xr.DataTree.from_dict({"/": table, **groups}, name="night")


def manifest_for(paths: Paths, given: str | PathLike[str] | None = None) -> frames.Manifest | None:
    """Return the manifest that was named, else one of results beside the directory, if any."""
    if given == "none":
        return None
    if given is not None:
        place = Path(given).expanduser()
        place = place / STORE if (place / STORE).exists() else place
        if place.exists() and not (place / "zarr.json").exists():
            raise FileExistsError(sentence("no_manifest", path=place))
        return frames.Manifest(place)
    if isinstance(paths, str | PathLike) and Path(paths).expanduser().is_dir():
        return frames.Manifest.beside(paths, STORE)
    return None


def _camera_notes(plan: Plan, camera: Camera | None) -> list[str]:
    """Report what is known of the cameras, and what reduce will have to measure, if it can."""
    notes: list[str] = []
    for place, of_place in by_setup(plan.sets).items():
        records = records_of(of_place)
        try:
            unmeasured = _unmeasured(of_place, resolve_camera(records, camera, None).unknown_noise)
        except HeaderError as error:
            unmeasured = str(error)
        lines = filter(None, (describe(records, camera), unmeasured))
        notes += [f"{place}: {line}" if place else line for line in lines]
    return notes


def _unmeasured(sets: Sequence[FrameSet], unknown: Sequence[str]) -> str:
    """Report that reduce will measure what is not known of a camera, or what there is to do."""
    if not unknown:
        return ""
    flats, unlit = len(records_of(sets, "flat")), unlit_of(sets)
    verb = "is" if len(unknown) == 1 else "are"
    values = {"names": " and ".join(map(plain, unknown)), "verb": verb}
    if flats > 1 and unlit and len(unlit.records) > 1:
        return sentence("will_be_measured", flats=flats, unlit=unlit_words(unlit), **values)
    hint = setting_hint(records_of(sets), unknown)
    return sentence("cannot_be_measured", hint=hint, **values)


def _store(paths: Paths) -> Path | None:
    """Return the store with results that a path means, if it does."""
    if not isinstance(paths, str | PathLike):
        return None
    path = Path(paths).expanduser()
    stores = (place for place in (path, path / STORE) if (place / "zarr.json").exists())
    return next(stores, None)


def _results(place: Path) -> xr.DataTree:
    """Open what ``reduce`` has stored."""
    groups = [one for one in store.groups_of(place) if not one.startswith(f"{recipes.INPUTS}/")]
    nodes = {f"/{group}": recipes.open_zarr(place, group=group) for group in groups}
    table = xr.Dataset()
    if (place / SUMMARY_GROUP / "zarr.json").exists():
        table = store.open_table(place, group=SUMMARY_GROUP)
    return xr.DataTree.from_dict({"/": table, **nodes}, name="night")
